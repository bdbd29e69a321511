/*! live-single-session, MIT licence */
/*
 * Says which browser this is when the server asks, by a random name that is no credential: two
 * names that answer for one session are a copied cookie. Loaded in front of
 * live-single-session.js, and only with ON_SHARED. See docs/stolen-sessions.md.
 */
(() => {
  "use strict";

  const NAME = "live-single-session";
  const KEY = `${NAME} browser`;
  const RUNS = Symbol.for(KEY);

  /** Made once for this origin, and read back: tabs that open at once agree on one. */
  function name() {
    return navigator.locks.request(KEY, () => {
      if (!localStorage.getItem(KEY)) localStorage.setItem(KEY, crypto.randomUUID());
      return localStorage.getItem(KEY);
    });
  }

  // A frame may have a storage of its own, and so does an app that was made of a page, to which
  // some systems copy the cookies.
  const isApp = () => navigator.standalone || matchMedia("(display-mode: standalone)").matches;

  async function answer({ detail }) {
    if (detail.type !== "session.check" || window !== top) return;
    try {
      const browser = !isApp() && (await name());
      if (!browser) return;
      const { send } = document[Symbol.for(NAME)];
      send(JSON.stringify({ type: "session.hello", browser }));
      send(JSON.stringify({ type: "session.here" }));
    } catch {} // without storage or locks there is no name, and no proof
  }

  if (document[RUNS]) return; // the tag came again
  document[RUNS] = true;
  document.addEventListener(`${NAME}:frame`, answer);
})();
