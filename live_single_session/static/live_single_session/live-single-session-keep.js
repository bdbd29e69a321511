/*!
 * live-single-session: keeps in this tab what was typed, and the address's #fragment, from
 * the end of a session until the same user signs in again. See docs/script.md. MIT licence.
 */
(() => {
  "use strict";

  const DRAFTS = "live-single-session drafts";
  const FRAGMENT = "live-single-session fragment";
  const TIME = 3_600_000; // ms for which they are kept
  const UNKEPT = /^(password|hidden|file|submit|button|image|reset)$/; // types of fields
  const SECRET = /^off$|password|one-time-code|cc-/; // what autocomplete says of them

  const RUNS = Symbol.for(DRAFTS);

  let owner = ""; // an opaque name of the user
  let keepsFragment = false;
  let touched = new WeakSet(); // the fields that somebody has typed into

  const here = () => location.pathname + location.search;
  const namesakes = (name) => [...document.getElementsByName(name)];

  // Storage may be full or blocked: then nothing is kept.
  function write(key, value) {
    try {
      sessionStorage.setItem(key, JSON.stringify({ here: here(), at: Date.now(), ...value }));
      return true;
    } catch {
      return false;
    }
  }

  /** What was kept for this page; it is given once. */
  function take(key, isOurs) {
    try {
      const kept = JSON.parse(sessionStorage.getItem(key));
      if (!kept || (isOurs(kept) && kept.here !== here())) return null;
      sessionStorage.removeItem(key);
      return isOurs(kept) && Math.abs(Date.now() - kept.at) < TIME ? kept : null;
    } catch {
      return null;
    }
  }

  /** The page of somebody, perhaps another one than before in this document. */
  function follow({ keepDrafts, keepFragment }) {
    owner = keepDrafts;
    keepsFragment = keepFragment !== undefined;
    touched = new WeakSet();
    giveBack();
  }

  function giveBack() {
    // What another user has typed is thrown away.
    const drafts = owner && take(DRAFTS, (kept) => kept.owner === owner);
    if (drafts) drafts.fields.forEach(fillIn);
    const fragment = take(FRAGMENT, () => true);
    if (fragment && !location.hash) location.replace(fragment.hash);
  }

  function fillIn({ name, index, value, checked }) {
    const field = namesakes(name)[index];
    if (!field) return;
    if (/^(checkbox|radio)$/.test(field.type)) field.checked = checked;
    else field.value = value;
    for (const type of ["input", "change"]) {
      field.dispatchEvent(new Event(type, { bubbles: true })); // for frameworks
    }
  }

  function keep(event) {
    if (keepsFragment && location.hash) write(FRAGMENT, { hash: location.hash });
    const fields = [...document.querySelectorAll("[name]")].filter(isKept).map((field) => {
      const { name, value, checked } = field;
      return { name, index: namesakes(name).indexOf(field), value, checked };
    });
    if (owner && fields.length) event.detail.kept = write(DRAFTS, { owner, fields });
  }

  function isKept(field) {
    return touched.has(field) && !UNKEPT.test(field.type) && !SECRET.test(field.autocomplete);
  }

  const tag = document.currentScript ?? document.querySelector("script[data-keep-drafts]");
  if (document[RUNS]) return document[RUNS](tag.dataset); // Turbo runs a tag that has changed
  document[RUNS] = follow;
  document.addEventListener("input", ({ target }) => touched.add(target), true);
  document.addEventListener("live-single-session:ended", keep);
  follow(tag.dataset);
})();
