// "Fill in" puts one of the demo's users into the form; signing in is one more click.
const form = document.getElementById("login");

for (const button of document.querySelectorAll(".people button")) {
  button.addEventListener("click", () => {
    form.elements.username.value = button.dataset.username;
    form.elements.password.value = button.dataset.password;
    form.querySelector(".button").focus();
  });
}
