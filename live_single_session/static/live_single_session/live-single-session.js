/*!
 * live-single-session: tells a page at once that its session has ended, and why.
 * A classic script without dependencies, configured by the data- attributes that
 * {% live_single_session %} writes. See docs/script.md. MIT licence.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const html = document.documentElement;
  const NAME = "live-single-session";
  const RUNS = Symbol.for(NAME);
  if (document[RUNS]) return; // the tag is there twice, or in a body that was replaced
  document[RUNS] = true;

  const READY = "session.ready";
  const ENDED = "session.ended";
  const SENT_AWAY = [4001, 4003]; // the session has ended; nobody is signed in
  const PATIENCE = 10_000; // ms, for a handshake or an answer
  const STEADY = 10_000; // ms that a socket must live to count as a success
  const TRIES = 3; // failures in a row that make us ask over HTTP instead
  const CALM = 600; // ms in which keys were meant for the page, not for the dialog
  const LEAVING = 3_000; // ms that a navigation may take before we speak up
  const QUIET = 120_000; // ms without news, at the least, after which we ask

  const config = script.dataset;
  const recheck = (Number(config.recheck) || 30) * 1000; // ms
  const socketUrl = new URL(config.socket ?? "/", location.href);
  socketUrl.protocol = socketUrl.protocol.replace("http", "ws");
  const group = `${NAME} ${socketUrl}`;

  let session = config.session || ""; // the session that this page was made for
  let over = null; // the frame that ended it
  let watching = true; // false on the page of somebody who is not signed in
  let going = false; // this page is about to be replaced
  let away = false; // this page is in the back/forward cache

  const isVisible = () => document.visibilityState === "visible";

  // ---- What the server says, whichever way it says it -------------------------

  /** The server itself: our own socket, or an answer from status/. */
  function learn(frame) {
    heard();
    if (frame.type === ENDED) {
      session ||= frame.session || "";
      if (!over) post(frame);
      end(frame);
    } else if (frame.type === READY) {
      session ||= frame.session;
      // Only a page of that very session says so: two left behind would echo for ever.
      if (frame.session === session) post(frame);
      else if (over) comeBack();
      else unlessLeaving(replace);
    }
  }

  /** Another tab of this browser, perhaps with a page of another session. */
  function overhear(message) {
    if (message.type === ENDED) {
      if (message.session === session) end(message);
    } else if (message.type === READY) {
      // Somebody is signed in with another session: where does that leave us?
      if (message.session === session) heard();
      else config.status ? check() : learn(message);
    } else if (message.session === session && !over) {
      if (message.type === "wake" && leading) renew();
      if (message.type === "poll" && isVisible()) check();
    }
  }

  /** Nobody is signed in, and the server knows nothing of our session. */
  function signedOut() {
    if (session) {
      learn({ type: ENDED, session, reason: null, at: null, by: null, signed_in: false });
    } else {
      watching = false;
      resign();
    }
  }

  // ---- One socket per browser: the tab that holds the lock has it --------------

  const shared = config.socket && "locks" in navigator && "BroadcastChannel" in window;
  let channel = null;
  let candidacy = null; // an AbortController, while we hold the lock or wait for it
  let leading = false;

  function tune() {
    if (!("BroadcastChannel" in window)) return;
    channel = new BroadcastChannel(group);
    channel.onmessage = ({ data }) => watching && overhear(data);
  }

  function post(message) {
    channel?.postMessage({ session, ...message });
  }

  async function start() {
    // The lock is the session's, so that pages of another session, with a socket of
    // their own, hear of theirs. A page that doesn't know its session asks first.
    if (!session) await check();
    heard();
    stand();
  }

  function stand() {
    if (candidacy || over || !watching) return;
    candidacy = new AbortController();
    const { signal } = candidacy;
    const lead = () => {
      leading = true;
      connect();
      return new Promise((resign) => signal.addEventListener("abort", resign));
    };
    // Insecure contexts have no locks: each tab has its own socket there, or asks for itself.
    if (!shared) return void lead();
    navigator.locks
      .request(`${group} ${session}`, { signal }, () => !signal.aborted && lead())
      .catch(() => signal.aborted || lead());
  }

  function resign() {
    candidacy?.abort();
    candidacy = null;
    leading = false;
    hangUp();
  }

  // ---- The socket --------------------------------------------------------------

  let socket = null;
  let timer = 0; // until the handshake is given up, or until the next try
  let openedAt = 0;
  let failures = 0; // in a row

  function connect() {
    hangUp();
    if (!config.socket) return tryAgain(); // which asks over HTTP
    socketUrl.searchParams.delete("session");
    if (session) socketUrl.searchParams.set("session", session);
    try {
      socket = new WebSocket(socketUrl);
    } catch {
      return tryAgain();
    }
    openedAt = 0;
    socket.onopen = () => {
      clearTimeout(timer);
      openedAt = Date.now();
      answered = false;
    };
    socket.onmessage = ({ data }) => learn(JSON.parse(data));
    socket.onclose = closed;
    // A proxy may swallow the handshake without a word.
    timer = setTimeout(closed, PATIENCE, {});
  }

  function hangUp() {
    clearTimeout(timer);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    socket = null;
  }

  async function closed({ code }) {
    hangUp();
    if (SENT_AWAY.includes(code)) {
      // The reason was lost, or our cookie has been renewed meanwhile: are we live?
      if (!(await check())) signedOut();
      if (!leading || socket) return;
    }
    if (openedAt && Date.now() - openedAt > STEADY) failures = 0;
    tryAgain();
  }

  function tryAgain() {
    failures += 1;
    if (failures < TRIES) {
      answered = false; // what was asked before says nothing of this outage
    } else {
      // The leader may be hidden: each tab that is looked at asks for itself.
      post({ type: "poll" });
      if (isVisible()) check();
    }
    // A server that answers over HTTP is not down: something blocks its websockets.
    const next = answered && failures % 8 ? tryAgain : connect;
    // Anything from nothing to a bound that doubles: a restart brings no herd.
    timer = setTimeout(next, Math.random() * Math.min(recheck, 2000 * 2 ** failures));
  }

  /** After a sleep an open socket may be dead and not know it. */
  function renew(force) {
    if (force || !socket || (openedAt && Date.now() - openedAt > recheck)) connect();
  }

  // ---- Asking over HTTP --------------------------------------------------------

  let asking = null;
  let answered = false; // the last time, and since the socket was lost

  /** Resolves to false where there was no answer: that signs nobody out. */
  function check() {
    heard();
    asking ??= ask()
      .catch(() => null)
      .then((act) => {
        asking = null;
        answered = Boolean(act);
        act?.();
        return answered;
      });
    return asking;
  }

  async function ask() {
    if (!config.status) return null;
    const url = new URL(config.status, location.href);
    if (session) url.searchParams.set("session", session);
    const response = await fetch(url, {
      cache: "no-store",
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    const answer = await response.json();
    if (response.ok && answer.live) {
      return () => learn({ type: READY, session: answer.session });
    }
    if (response.status !== 401) return null;
    if (answer.code === "session_ended") return () => learn({ session, ...answer, type: ENDED });
    return answer.code === "not_signed_in" ? signedOut : null;
  }

  // ---- Waking up, going away, and coming back ----------------------------------

  function wake() {
    if (!watching || away) return;
    check();
    if (leading) renew();
    else if (!over) post({ type: "wake" });
  }

  // A connection dies without a word, and a tab that holds the lock may hang: a tab that
  // somebody looks at asks after a long silence. The others hear of the answer.
  let silence = 0;

  function heard() {
    clearTimeout(silence);
    const quiet = Math.max(QUIET, 10 * recheck) * (1 + Math.random() / 2);
    silence = setTimeout(() => isVisible() && !over && wake(), quiet);
  }

  document.addEventListener("visibilitychange", () => isVisible() && wake());
  document.addEventListener("freeze", resign); // another tab takes over
  document.addEventListener("resume", () => {
    if (away) return; // pageshow is next
    stand();
    wake();
  });
  window.addEventListener("online", () => {
    if (!watching) return;
    if (leading) renew(true);
    if (leading || isVisible()) check();
  });

  // An open socket, lock or channel would keep the page out of the back/forward cache.
  // Hidden on its way in, it cannot flash up on its way out, before we know better.
  window.addEventListener("pagehide", ({ persisted }) => {
    away = true;
    resign();
    channel?.close();
    channel = asking = null;
    if (persisted && watching) hide();
  });

  window.addEventListener("pageshow", async ({ persisted }) => {
    if (!persisted) return;
    away = false;
    settle();
    tune();
    if (!watching) return;
    if (!(await check()) && !over) return location.reload(); // the server decides
    if (!going) show();
    stand();
  });

  function hide() {
    html.style.setProperty("visibility", "hidden", "important");
    html.style.setProperty("opacity", "0", "important"); // also for what says it is visible
  }

  function show() {
    html.style.removeProperty("visibility");
    html.style.removeProperty("opacity");
  }

  // Whoever signs out or in on this very page is on the way to the next one. Speaking up
  // now would flash a dialog at them; reloading would drop the answer, and its cookie.
  let leaving = 0;
  let postponed = null;

  function unlessLeaving(action) {
    if (leaving) postponed ??= action; // react() looks at what has happened since
    else action();
  }

  function settle() {
    clearTimeout(leaving);
    leaving = 0;
    const action = postponed;
    postponed = null;
    action?.();
  }

  window.addEventListener("beforeunload", () => {
    clearTimeout(leaving);
    leaving = setTimeout(settle, LEAVING);
  });

  // ---- The end -----------------------------------------------------------------

  let dialog = null;

  function end(frame) {
    if (over) {
      if (frame.signed_in) comeBack();
      return;
    }
    over = frame;
    resign();
    unlessLeaving(react);
  }

  function react() {
    if (!fire("ended", over) || config.onEnded === "none") return;
    if (over.signed_in) replace();
    else if (config.onEnded === "redirect") go(loginUrl({ ended: over.reason }));
    else if (config.onEnded !== "reload" || !reloadOnce()) openDialog();
  }

  /** The session has ended, but this browser is signed in again, perhaps as another user. */
  function comeBack() {
    watching = false;
    over.signed_in = true;
    unlessLeaving(() => fire("returned") && dialog && replace());
  }

  function fire(name, detail) {
    const event = new CustomEvent(`${NAME}:${name}`, { cancelable: true, detail });
    return document.dispatchEvent(event);
  }

  function replace() {
    if (reloadOnce()) return;
    // A cache keeps serving the page of another session: watch the one that there is.
    resign();
    dialog?.getRootNode().host.remove();
    session = "";
    over = dialog = null;
    watching = true;
    start();
  }

  /** False if that has been done, and brought the same page. */
  function reloadOnce() {
    const page = `${session} ${location.href}`;
    try {
      if (sessionStorage.getItem(NAME) === page) return false;
      sessionStorage.setItem(NAME, page);
    } catch {
      // Without a memory it could reload for ever: keep the page covered instead.
      resign();
      over ||= { signed_in: true };
      if (!dialog) openDialog();
      return true;
    }
    going = true;
    location.reload();
    return true;
  }

  function go(url) {
    going = true;
    location.assign(url);
  }

  function loginUrl(query = {}) {
    const url = trustedUrl(over.login_url) || parseUrl(config.loginUrl);
    if (!url) return location.pathname + location.search; // the server knows where to send us
    const foreign = url.origin !== location.origin;
    if (foreign || url.pathname !== location.pathname) {
      const { pathname, search, hash, href } = location;
      url.searchParams.set("next", foreign ? href : pathname + search + hash);
    }
    for (const [key, value] of Object.entries(query)) {
      if (value) url.searchParams.set(key, value);
    }
    return url.href;
  }

  /** An address of this site, or of one that the page itself names. */
  function trustedUrl(text) {
    const url = parseUrl(text);
    const known = [location.href, config.loginUrl, config.notYouUrl];
    return url && known.some((own) => parseUrl(own)?.origin === url.origin) ? url : null;
  }

  function parseUrl(text) {
    try {
      const url = new URL(text, location.href);
      return text && /^https?:$/.test(url.protocol) ? url : null; // no javascript:
    } catch {
      return null;
    }
  }

  // ---- The dialog --------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";
  const PADLOCK =
    "M7 11V7a5 5 0 0 1 10 0v4" +
    "M6 11h12a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-6a2 2 0 0 1 2-2z";
  const STYLE = `
    :host { all: initial }
    dialog {
      --bg: Canvas; --fg: CanvasText; --dim: GrayText; --line: GrayText;
      --hue: #1d4ed8; --on: #fff;
    }
    @supports (color: light-dark(red, red)) {
      dialog {
        --bg: light-dark(#fff, #1b1f27); --fg: light-dark(#141821, #f1f3f7);
        --dim: light-dark(#5a6272, #a6aebd); --line: light-dark(#e3e6ec, #343a46);
        --hue: light-dark(#1d4ed8, #8fb4ff); --on: light-dark(#fff, #0c1a3a);
      }
    }
    dialog {
      --a: var(--live-single-session-accent, var(--hue));
      box-sizing: border-box; width: min(26em, 100% - 2em); max-height: calc(100% - 2em);
      margin: auto; padding: clamp(1.5em, 6vw, 2em);
      overflow: auto; overscroll-behavior: contain;
      border: 1px solid var(--live-single-session-border, var(--line));
      border-radius: var(--live-single-session-radius, 1em);
      background: var(--live-single-session-background, var(--bg));
      color: var(--live-single-session-text, var(--fg));
      font: max(16px, 1rem)/1.5 var(--live-single-session-font, system-ui, sans-serif);
      box-shadow: var(--live-single-session-shadow, 0 1.5em 4em rgb(0 0 0/.35));
      text-align: start; overflow-wrap: anywhere;
    }
    dialog::backdrop {
      background: var(--live-single-session-backdrop, rgb(15 18 25/.72));
      -webkit-backdrop-filter: blur(8px); backdrop-filter: blur(8px);
    }
    svg {
      box-sizing: border-box; display: block; width: 3em; height: 3em; padding: .75em;
      border-radius: 50%; fill: none; stroke: currentColor; stroke-width: 2;
      stroke-linecap: round; stroke-linejoin: round;
      color: var(--a); background: color-mix(in srgb, currentColor 12%, transparent);
    }
    h2 { margin: .8em 0 .4em; font-size: 1.3em; line-height: 1.25; text-wrap: balance }
    p { margin: 0; text-wrap: pretty }
    small {
      display: block; margin-top: 1em; font-size: .875em;
      color: var(--live-single-session-muted, var(--dim));
    }
    a {
      display: block; margin-top: 1.6em; padding: .75em 1em; border: 1px solid transparent;
      border-radius: calc(var(--live-single-session-radius, 1em)*.6); text-align: center;
      text-decoration: none; font-weight: 600;
      background: var(--a); color: var(--live-single-session-accent-text, var(--on));
    }
    a + a {
      width: fit-content; margin: 1em auto -.5em; padding: .25em .5em; font-size: .875em;
      font-weight: 400; text-decoration: underline; background: none; color: inherit;
    }
    a:hover { filter: brightness(1.1) }
    a:focus-visible { outline: 3px solid var(--a); outline-offset: 3px }
    @media (prefers-reduced-motion: no-preference) {
      dialog { animation: in .2s ease-out }
      @keyframes in { from { opacity: 0; transform: translateY(.75em) } }
    }`;

  function openDialog() {
    try {
      if (window !== top && top.document[RUNS]) return; // its dialog covers this page too
    } catch {} // the page around this one is another site's
    try {
      buildDialog();
    } catch {
      go(loginUrl({ ended: over.reason })); // an older browser
    }
  }

  function buildDialog() {
    const link = element("a", { href: loginUrl() }, config.textSignIn || "Sign in again");
    const title = element("h2", { id: "title" }, over.title || config.textTitle || "");
    const text = element("p", { id: "text" }, over.message || config.textMessage || "");
    const facts = element("small", { id: "facts" });
    facts.append(...describe(text.textContent));

    dialog = element("dialog", {
      role: "alertdialog",
      "aria-labelledby": "title",
      "aria-describedby": "text facts",
      closedby: "none",
      dir: getComputedStyle(document.body).direction,
    });
    dialog.style.colorScheme = pageScheme();
    dialog.append(padlock(), title, text, facts, link);
    const notYou = trustedUrl(over.not_you_url);
    if (notYou) dialog.append(element("a", { href: notYou }, config.textNotYou));
    // The page under it is no longer in use: there is nothing to go back to. Browsers
    // close a dialog at a second Escape all the same.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => dialog.showModal());
    // Only what the page has opened above it can take the focus: back to the top.
    document.addEventListener("focusin", ({ target }) => {
      if (target.localName !== NAME) dialog?.close();
    });

    // Beside the body: libraries that swap, blank or hide the body leave this alone.
    const host = html.appendChild(element(NAME));
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(dialog);
    dialog.showModal();
    link.focus();

    // Whoever was typing meant this Enter for something else, which it would throw away.
    const opened = Date.now();
    link.addEventListener("click", (event) => {
      if (!event.detail && Date.now() - opened < CALM) event.preventDefault();
    });
  }

  /** The device, unless the message names it, and the time, in the page's language. */
  function describe(message) {
    const { device, ip } = over.by || {};
    const facts = [device, ip].filter((fact) => fact && !message.includes(fact));
    const parts = facts.map((fact) => element("bdi", {}, fact));
    const at = new Date(over.at || NaN);
    if (!isNaN(at)) parts.push(element("time", { datetime: at.toISOString() }, localised(at)));
    return parts.flatMap((part, index) => (index ? [" · ", part] : [part]));
  }

  function localised(date) {
    const style = { dateStyle: "long", timeStyle: "short" };
    try {
      return date.toLocaleString(html.lang || undefined, style);
    } catch {
      return date.toLocaleString(undefined, style); // lang="en_GB"
    }
  }

  /** The page's own colour scheme, where it has chosen one; else the visitor's. */
  function pageScheme() {
    const scheme = getComputedStyle(html).colorScheme;
    if (scheme && scheme !== "normal") return scheme;
    return document.querySelector("meta[name=color-scheme]")?.content || "light dark";
  }

  function padlock() {
    const svg = element("svg", { viewBox: "0 0 24 24", "aria-hidden": true }, "", SVG);
    svg.append(element("path", { d: PADLOCK }, "", SVG));
    return svg;
  }

  function element(name, attributes = {}, text = "", namespace = html.namespaceURI) {
    const made = document.createElementNS(namespace, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text; // never as markup
    return made;
  }

  // ---- Off we go ---------------------------------------------------------------

  tune();
  if (document.prerendering) {
    document.addEventListener("prerenderingchange", start, { once: true });
  } else {
    start();
  }
})();
