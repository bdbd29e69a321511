// In the page with the two browsers, tell it what happens in this one.
if (parent !== window) {
  const tell = (state, reason) => parent.postMessage({ demo: state, reason }, "*");
  tell(document.body.dataset.user ? "signed in" : "signed out");
  document.addEventListener("live-single-session:ended", ({ detail }) => {
    tell("ended", detail.reason);
  });
}
