// What was written and not saved is kept in this tab, and given back after the next sign-in.
const text = document.getElementById("text");
const key = `draft of ${document.body.dataset.user}`;
const draft = sessionStorage.getItem(key);

if (draft !== null) {
  text.value = draft;
  document.getElementById("state").textContent = "Your text is back. It isn’t saved yet.";
}
document.addEventListener("live-single-session:ended", () => {
  if (text.value !== text.defaultValue) sessionStorage.setItem(key, text.value);
});
text.form.addEventListener("submit", () => sessionStorage.removeItem(key));
