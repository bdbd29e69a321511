/*!
 * live-single-session: keeps the list of sessions up to date while somebody looks at it,
 * and says the exact times in their time zone. The page works without. MIT licence.
 */
(() => {
  "use strict";

  const EVERY = 4_000; // ms between two looks at the list
  const LONGEST = 60_000; // ms, once the server has failed
  const LIST = "[data-live-sessions]";

  let shown = ""; // the list as the server wrote it, without its times
  let timer = 0;
  let pause = EVERY;
  let request = null;

  /** The server's own page, as a document: nothing in it runs, nothing is parsed by us. */
  function look() {
    clearTimeout(timer);
    if (request || document.visibilityState !== "visible") return;
    request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.setRequestHeader("Accept", "text/html");
    request.timeout = 10_000;
    request.onloadend = () => {
      const { status, responseXML } = request;
      request = null;
      const list = status === 200 && responseXML && responseXML.querySelector(LIST);
      if (list) {
        pause = EVERY;
        show(list);
      } else if (status === 0 || status >= 500 || status === 429) {
        pause = Math.min(LONGEST, 2 * pause);
      } else {
        return; // signed out: the other script says why
      }
      timer = setTimeout(look, pause * (0.75 + Math.random() / 2));
    };
    request.send();
  }

  function show(list) {
    const old = document.querySelector(LIST);
    const news = withoutTimes(list);
    if (news === shown) return retell(old, list);
    shown = news;
    const known = new Set([...old.querySelectorAll(".name[id]")].map(({ id }) => id));
    for (const name of list.querySelectorAll(".name[id]")) {
      if (!known.has(name.id)) name.closest(".entry")?.classList.add("new");
    }
    const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
    const recent = list.querySelector("details");
    if (recent && old.querySelector("details")?.open) recent.open = true;
    old.replaceWith(document.adoptNode(list));
    localise();
    if (focused !== null) keepFocus(focused);
    const status = document.querySelector("[data-live-sessions-status]");
    if (status) status.textContent = status.dataset.text;
  }

  /** The list as the server wrote it, but for its times: that those pass is no news. */
  function withoutTimes(list) {
    const copy = list.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.replaceChildren();
    return copy.innerHTML;
  }

  function retell(old, list) {
    const texts = [...list.querySelectorAll("time")].map((time) => time.textContent);
    for (const [at, time] of old.querySelectorAll("time").entries()) {
      if (time.textContent !== texts[at]) time.textContent = texts[at];
    }
  }

  /** On what had it; or else on the heading, rather than at the top of the page. */
  function keepFocus(id) {
    const again = id && document.getElementById(id);
    if (again) return again.focus({ preventScroll: true });
    const heading = document.querySelector(`${LIST} h2`);
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }

  /** The exact time, as a title, in the visitor's time zone. */
  function localise() {
    const style = { dateStyle: "medium", timeStyle: "short" };
    for (const time of document.querySelectorAll(".live-single-session time")) {
      const at = new Date(time.dateTime);
      if (isNaN(at)) continue;
      try {
        time.title = at.toLocaleString(document.documentElement.lang || undefined, style);
      } catch {
        time.title = at.toLocaleString(undefined, style); // lang="en_GB"
      }
    }
  }

  const list = document.querySelector(LIST);
  shown = list ? withoutTimes(list) : "";
  localise();
  if (!list) return;
  timer = setTimeout(look, EVERY);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("online", look);
  window.addEventListener("pageshow", ({ persisted }) => persisted && look());
  window.addEventListener("pagehide", () => clearTimeout(timer));
})();
