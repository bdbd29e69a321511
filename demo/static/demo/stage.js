// Draw the eye to the browser that was signed out, the moment that it was.
const stage = document.body;
const browsers = [...document.querySelectorAll("section")];
const said = document.getElementById("said");

window.addEventListener("message", ({ source, data }) => {
  const browser = browsers.find((one) => one.querySelector("iframe").contentWindow === source);
  if (browser && data?.demo) show(browser, data.demo);
});

function show(browser, state) {
  browser.dataset.state = state;
  const ended = browsers.find((one) => one.dataset.state === "ended");
  const signedIn = browsers.some((one) => one.dataset.state === "signed in");
  if (ended) stage.dataset.step = 3;
  else if (!signedIn) stage.dataset.step = 1;
  else if (stage.dataset.step === "1") stage.dataset.step = 2;
  stage.dataset.ended = ended ? ended.className : "";
  said.textContent = ended ? `${ended.getAttribute("aria-label")}: signed out just now` : "";
}
