// Draw the eye to the browser that was signed out, the moment that it was.
const stage = document.body;
const browsers = [...document.querySelectorAll("section")];
const steps = [...document.querySelectorAll("ol li")];
const said = document.getElementById("said");

let step = 1;
let left = null; // the first browser that was signed out

window.addEventListener("message", ({ source, data }) => {
  const browser = browsers.find((one) => one.querySelector("iframe").contentWindow === source);
  if (!browser || !data?.demo) return;
  browser.dataset.state = data.demo;
  showStep(browser, data.demo);
  showEnd(data.reason);
});

function showStep(browser, state) {
  const isSignedIn = browsers.some((one) => one.dataset.state === "signed in");
  if (state === "ended") left ??= browser;
  if (step < 3 && left) step = 3;
  else if (step < 3) step = isSignedIn ? 2 : 1;
  else if (browser === left && state === "signed in") step = 4;
  steps.forEach((item, index) => {
    item.className = index + 1 < step ? "done" : "";
    item.ariaCurrent = index + 1 === step ? "step" : null;
  });
}

function showEnd(reason) {
  const ended = browsers.find((one) => one.dataset.state === "ended");
  stage.dataset.ended = ended?.className ?? "";
  if (!ended) said.textContent = "";
  if (!ended || !reason) return;
  const other = browsers.find((one) => one !== ended);
  const why = reason === "superseded" ? `you signed in on the ${other.className}` : "just now";
  said.textContent = `${ended.className} signed out: ${why}`;
}
