// Say what is saved. What was typed and not saved is given back after the next sign-in.
const text = document.getElementById("text");
const state = document.getElementById("state");

if (text.value !== text.defaultValue) {
  state.textContent = "Your text is back. It isn’t saved yet.";
}
text.addEventListener("input", () => {
  state.textContent = "Not saved yet.";
});
