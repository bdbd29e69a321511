/*! live-single-session, MIT licence */
/*
 * Tells a page at once that its session has ended, and why. A classic script without
 * dependencies, configured by the data- attributes that {% live_single_session %} writes.
 * See docs/script.md.
 */
(() => {
  "use strict";

  const NAME = "live-single-session";
  const RUNS = Symbol.for(NAME);
  const TAG = "script[data-socket],script[data-status]";

  // A module, a bundle and a loader have no document.currentScript, or one without data.
  const current = document.currentScript;
  let tag = current?.matches(TAG) ? current : [...document.querySelectorAll(TAG)].pop();
  if (document[RUNS]) return tag && document[RUNS].follow(tag); // the tag came again
  if (!tag) throw new Error(`${NAME}: no <script data-socket="…"> in this page configures it`);

  const READY = "session.ready";
  const ENDED = "session.ended";
  const SENT_AWAY = [4001, 4003]; // the session has ended; nobody is signed in
  const PATIENCE = 10_000; // ms, for a handshake or an answer
  const STEADY = 10_000; // ms that a socket must live to count as a success
  const TRIES = 3; // failures in a row that make us ask over HTTP instead
  const DOUBTS = 3; // answers in a row that know of nobody, before we believe them
  const CALM = 600; // ms without a key, after which a key is meant for the dialog
  const LATER = 100; // ms: the first date takes as long to format as all the rest to show
  const LEAVE_TIME = 3_000; // ms that a navigation may take before we speak up
  const REFUSAL = 1_000; // ms after which a navigation of ours seems to be refused
  const ONLINE = 2_000; // ms in which the network counts as back only once
  const LOOK = 250; // ms between two looks for who has signed out
  const FIRST_LOOKS = 6; // before we say that it was somebody else
  const LAST_LOOKS = 40; // the answer to a request may be slow
  const QUIET = 120_000; // ms without news, at the least, after which we ask

  // What has become of this page. It is in one of these states at a time; up to OVER it hears.
  const WATCHING = 0; // its session is live, as far as we know
  const NOBODY = 1; // nobody is signed in, as far as we know
  const OVER = 2; // its session has ended
  const RETURNED = 3; // it has, and this browser is signed in again
  const LEAVING = 4; // another page is about to replace it
  const CACHED = 5; // it is in the back/forward cache
  const STOPPED = 6; // by stop()

  let config = tag.dataset;
  let session = config.session || ""; // the session that this page is of
  let state = WATCHING;
  let cachedIn = state; // what to return to from the back/forward cache
  let ending = null; // the frame that ended the session
  let told = ""; // the session whose end this page knows of, or which it has left
  let doubts = 0; // answers in a row that knew of nobody
  let mayHaveSignedIn = false; // nobody was signed in, but that may have changed

  const isOver = () => state === OVER || state === RETURNED;
  const isDeaf = () => state > OVER;
  const isVisible = () => document.visibilityState === "visible";
  const isAnonymous = () => "anonymous" in config;
  const recheck = () => (Number(config.recheck) || 30) * 1000; // ms

  function attempt(action) {
    try {
      return action();
    } catch {} // what privacy extensions forbid, and storage that is full or blocked
  }

  // ---- Which session to watch --------------------------------------------------

  /** Watch a session, or without an id the one that there is, whatever was before. */
  function begin(id) {
    resign();
    closeDialog();
    session = id;
    if (told === id) told = "";
    ending = asking = null;
    doubts = failures = 0;
    mayHaveSignedIn = false;
    state = WATCHING;
    return start();
  }

  async function start() {
    // The lock is the session's, so that pages of another session, with a socket of
    // their own, hear of theirs. A page that doesn't know its session asks first.
    if (!session) await check();
    heard();
    stand();
  }

  function stop() {
    resign();
    closeDialog();
    told = session;
    session = "";
    ending = asking = null;
    state = STOPPED;
  }

  /** Nothing is left to watch here until somebody signs in. */
  function letGo() {
    resign();
    session = "";
    state = NOBODY;
  }

  /** A tag that a library has put in with another page. */
  function follow(other) {
    if (other === tag) return;
    tag = other;
    config = tag.dataset;
    const id = config.session;
    if (id) {
      if (id !== session && id !== told) begin(id);
    } else if (state === WATCHING || (state === NOBODY && !isAnonymous())) {
      check();
    }
  }

  // ---- What the server says, whichever way it says it --------------------------

  /** The server itself: our own socket, or an answer from status/. */
  function learn(frame) {
    heard();
    fire("frame", frame); // for the script of limits in time
    if (frame.type === READY) live(frame);
    else if (frame.type === ENDED) {
      if (!isOver()) post(frame);
      end(frame);
    }
  }

  function live(frame) {
    doubts = 0;
    const isOurs = frame.session === session;
    if (state === NOBODY) {
      if (!told || fire("returned")) begin(frame.session);
    } else if (state === OVER) {
      if (!isOurs) comeBack();
    } else if (state === WATCHING) {
      session ||= frame.session;
      // Only a page of that very session says so: two left behind would echo for ever.
      if (frame.session === session) post(frame);
      else if (config.onEnded === "none") begin(frame.session);
      else unlessLeaving(replace);
    }
  }

  /** Another tab of this browser, perhaps with a page of another session. */
  function overhear(message) {
    const isOurs = session && message.session === session;
    if (message.type === ENDED) {
      if (isOurs) end(message);
    } else if (message.type === READY) {
      // Somebody is signed in with another session: where does that leave us?
      if (isOurs) {
        doubts = 0;
        heard();
      } else if (state !== NOBODY || told) {
        config.status ? check() : learn(message);
      } else mayHaveSignedIn = true;
    } else if (isOurs && state === WATCHING) {
      if (message.type === "wake" && leading) renew();
      if (message.type === "poll" && isVisible()) check();
    }
  }

  /** An answer knows neither us nor our session. One that is signed in wins over it. */
  function nobody(isOfSocket) {
    if (state !== WATCHING || isReady) return;
    const isSure = isOfSocket || statusKnowsUs || statusUrl().origin === location.origin;
    if (!session) isSure && letGo();
    else if (isSure && ++doubts >= DOUBTS) endUntold();
  }

  function endUntold() {
    if (!session) return letGo();
    end({ type: ENDED, session, reason: null, at: null, by: null, signed_in: false });
  }

  // ---- One socket per browser: the tab that holds the lock has it --------------

  const group = `${NAME} ${new URL(config.socket || config.status, location.href)}`;
  const locks = attempt(() => navigator.locks);
  let channel = null;
  let candidacy = null; // an AbortController, while we hold the lock or wait for it
  let leading = false;

  function tune() {
    channel = attempt(() => new BroadcastChannel(group));
    if (channel) channel.onmessage = ({ data }) => isDeaf() || overhear(data);
  }

  function post(message) {
    attempt(() => channel?.postMessage({ session, ...message }));
  }

  function stand() {
    if (candidacy || state !== WATCHING) return;
    candidacy = new AbortController();
    const { signal } = candidacy;
    const lead = () => {
      if (leading || signal.aborted) return null;
      leading = true;
      connect();
      return new Promise((resign) => signal.addEventListener("abort", resign));
    };
    // Insecure contexts have no locks: each tab has its own socket there.
    const request = () => locks.request(`${group} ${session}`, { signal }, lead).catch(lead);
    if (!channel || !attempt(request)) lead();
  }

  function resign() {
    candidacy?.abort();
    candidacy = null;
    leading = false;
    hangUp();
  }

  // ---- The socket --------------------------------------------------------------

  let socket = null;
  let isReady = false; // the socket is open, and has said that we are signed in
  let timer = 0; // until the handshake is given up, or until the next try
  let openedAt = null;
  let failures = 0; // in a row

  /** How long the socket has been open. The clock may be set, or stop in a sleep. */
  function age() {
    if (!openedAt) return 0;
    const [wall, steady] = openedAt;
    return Math.max(Math.abs(Date.now() - wall), performance.now() - steady);
  }

  function open() {
    const url = new URL(config.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (session) url.searchParams.set("session", session);
    return new WebSocket(url);
  }

  function connect() {
    hangUp();
    openedAt = null;
    socket = config.socket && attempt(open);
    if (!socket) return tryAgain();
    socket.onopen = () => {
      clearTimeout(timer);
      openedAt = [Date.now(), performance.now()];
      answered = false;
    };
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      isReady = frame.type === READY || isReady;
      learn(frame);
    };
    // Chromium doesn't close what a policy forbids.
    socket.onclose = socket.onerror = closed;
    // A proxy may swallow the handshake without a word.
    timer = setTimeout(closed, PATIENCE, {});
  }

  function hangUp() {
    clearTimeout(timer);
    isReady = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
    socket = null;
  }

  async function closed({ code }) {
    hangUp();
    if (SENT_AWAY.includes(code)) {
      // The reason was lost, or our cookie has been renewed meanwhile: are we live?
      const answer = await check();
      if (answer !== READY && leading) code === 4001 ? endUntold() : nobody(true);
      if (!leading || socket) return;
    }
    if (age() > STEADY) failures = 0;
    tryAgain();
  }

  function tryAgain() {
    failures += 1;
    if (failures < TRIES && config.socket) {
      answered = false; // what was asked before says nothing of this outage
    } else {
      // The leader may be hidden: each tab that is looked at asks for itself.
      post({ type: "poll" });
      if (isVisible()) check();
    }
    // A server that answers over HTTP is not down: something blocks its websockets.
    const next = answered && failures % 8 ? tryAgain : connect;
    // Anything from nothing to a bound that doubles: a restart brings no herd.
    timer = setTimeout(next, Math.random() * Math.min(recheck(), 2000 * 2 ** failures));
  }

  /** After a sleep an open socket may be dead and not know it. */
  function renew(force) {
    if (force || !socket || age() > recheck()) connect();
    else if (isReady) post({ type: READY });
  }

  // A policy that forbids the socket will do so the next time, too.
  document.addEventListener("securitypolicyviolation", ({ blockedURI, disposition }) => {
    if (disposition !== "enforce" || !/^wss?:/.test(blockedURI) || !leading || isReady) return;
    failures = TRIES;
    hangUp();
    tryAgain();
  });

  // ---- Asking over HTTP --------------------------------------------------------

  let asking = null;
  let answered = false; // the last time, and since the socket was lost
  let statusKnowsUs = false; // our cookie gets there: it has said that we are live

  const statusUrl = () => new URL(config.status || "", location.href);

  /** Resolves to what the answer is; to null without one: that signs nobody out. */
  function check() {
    heard();
    if (asking) return asking;
    const asked = ask()
      .catch(() => null)
      .then((frame) => {
        if (asking !== asked) return null; // another session has begun meanwhile
        asking = null;
        answered = Boolean(frame);
        if (!frame) return null;
        if (frame.type) learn(frame);
        else nobody();
        return frame.type;
      });
    return (asking = asked);
  }

  async function ask() {
    if (!config.status) return null;
    const url = statusUrl();
    const fresh = Math.random().toString(36).slice(2); // an address that no cache knows
    url.searchParams.set("fresh", fresh);
    if (session) url.searchParams.set("session", session);
    const response = await fetch(url, {
      cache: "no-store",
      credentials: "include",
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    const answer = await response.json();
    if ((answer.fresh ?? fresh) !== fresh) return null; // an old one, out of a cache
    if (response.ok && answer.live) {
      statusKnowsUs = true;
      return { ...answer, type: READY };
    }
    if (response.status !== 401) return null;
    if (answer.code === "session_ended") return { session, ...answer, type: ENDED };
    return answer.code === "not_signed_in" ? {} : null;
  }

  // ---- Waking up, going away, and coming back ----------------------------------

  function wake() {
    if (isDeaf()) return;
    check();
    if (leading) renew();
    else if (state === WATCHING) post({ type: "wake" });
  }

  // A connection dies without a word, and a tab that holds the lock may hang: a tab that
  // somebody looks at asks after a long silence. The others hear of the answer.
  let silence = 0;

  function heard() {
    clearTimeout(silence);
    const quiet = Math.max(QUIET, 10 * recheck()) * (1 + Math.random() / 2);
    silence = setTimeout(() => isVisible() && state === WATCHING && wake(), quiet);
  }

  document.addEventListener("visibilitychange", () => isVisible() && wake());
  document.addEventListener("freeze", resign); // another tab takes over
  document.addEventListener("resume", () => {
    if (state === CACHED) return; // pageshow is next
    stand();
    wake();
  });

  // A network that comes and goes counts once. So many come back with it: not all at once.
  let online = 0;
  window.addEventListener("online", () => {
    if (online || state === NOBODY || isDeaf()) return;
    if (leading || isVisible()) check();
    online = setTimeout(() => {
      online = 0;
      if (leading) renew(true);
    }, Math.random() * ONLINE);
  });

  // An open socket, lock or channel would keep the page out of the back/forward cache.
  // Hidden on its way in, it cannot flash up on its way out, before we know better.
  window.addEventListener("pagehide", ({ persisted }) => {
    if (persisted && state !== NOBODY && !isDeaf()) veil(true);
    if (state === LEAVING) state = ending ? OVER : WATCHING;
    cachedIn = state;
    state = CACHED;
    resign();
    clearTimeout(refusal);
    channel?.close();
    channel = asking = null;
  });

  window.addEventListener("pageshow", async ({ persisted }) => {
    if (!persisted) return;
    state = cachedIn;
    settle();
    tune();
    if (isDeaf() || state === NOBODY) return;
    if (!(await check()) && state === WATCHING) leave("reload"); // it decides
    if (state === LEAVING) return;
    if (state === OVER && !dialog) openDialog();
    veil(false);
    stand();
  });

  const html = () => document.documentElement;

  function veil(isHidden) {
    const { style } = html();
    style.setProperty("visibility", isHidden ? "hidden" : "", "important");
    style.setProperty("opacity", isHidden ? "0" : "", "important"); // of what says it is visible
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
    leaving = setTimeout(settle, LEAVE_TIME);
  });

  // ---- A document that goes on: fetch(), htmx, Turbo ---------------------------

  let address = location.href;
  let changes = 0; // of what the page shows
  let isTagThere = true;

  function look(records) {
    for (const { target, addedNodes } of records) {
      for (const node of addedNodes) {
        const found = node.matches?.(TAG) ? node : node.querySelector?.(TAG);
        if (found) follow(found);
        if (node !== host && target.localName !== "title") changes += 1; // not our own
      }
    }
    if (isTagThere && !tag.isConnected && state === WATCHING) check(); // and if so, why?
    isTagThere = tag.isConnected;
    if (dialog && !host.isConnected) setTimeout(raise, 50); // not at once: it may insist
    if (address === location.href) return;
    address = location.href;
    if (state === NOBODY && mayHaveSignedIn) check();
  }

  new MutationObserver(look).observe(document, { childList: true, subtree: true });

  // To htmx, 2 and 4, the server says to leave for the login page. Here the page can tell:
  // stay, with all that was typed, under the dialog.
  for (const answer of ["htmx:beforeOnLoad", "htmx:before:response"]) {
    document.addEventListener(answer, (event) => {
      const { xhr, ctx } = event.detail;
      const said = (name) => xhr?.getResponseHeader(name) || ctx?.response.headers.get(name);
      if (state === NOBODY || config.onEnded !== "dialog" || !said("Session-Ended")) return;
      event.preventDefault();
      check();
    });
  }

  document.addEventListener(
    "submit",
    () => {
      mayHaveSignedIn = true;
      setTimeout(() => state === NOBODY && check(), LEAVE_TIME);
    },
    true,
  );

  /** Calls back with whether a request of this tab ended the session; perhaps again later. */
  function whoseDoing(done) {
    const isOfThisBrowser = ["logged_out", "user_switched"].includes(ending.reason);
    const isActive = navigator.userActivation?.isActive ?? true;
    if (!isOfThisBrowser || !isActive || !isVisible()) return done(false);
    const [then, before, { reason }] = [performance.now(), changes, ending];
    const known = new Set(); // what was asked before, as by a poll
    let looks = 0;
    let isOurs = false; // a request of this page was under way
    let isNew = false;
    const observer = new PerformanceObserver((list) => {
      for (const { initiatorType, name, startTime, responseEnd } of list.getEntries()) {
        const isNow = startTime < then && responseEnd > then - 1000;
        const [address] = name.split("?");
        const isAsked = /fetch|http|beacon/.test(initiatorType);
        if (isNow && isAsked && !name.startsWith(statusUrl().href)) {
          isOurs = true;
          isNew ||= !known.has(address);
        }
        known.add(address);
      }
    });
    observer.observe({ type: "resource", buffered: true });
    const looking = setInterval(() => {
      looks += 1;
      const isDone = isNew || (isOurs && (changes > before || reason === "user_switched"));
      if (isDone || looks === FIRST_LOOKS) done(isDone);
      if (!isDone && looks < LAST_LOOKS) return;
      clearInterval(looking);
      observer.disconnect();
    }, LOOK);
  }

  // ---- The end -----------------------------------------------------------------

  let refusal = 0; // until we know that a navigation was refused
  let isDeciding = false;

  function end(frame) {
    if (isOver()) {
      if (frame.signed_in && state === OVER) comeBack();
      return;
    }
    if (state === NOBODY && (frame.session === told || isOld(frame))) return;
    if (isDeaf()) return;
    // Of another session than the one that our own socket watches.
    if (isReady && session && frame.session && frame.session !== session) return;
    session ||= frame.session || "";
    told = session;
    ending = frame;
    state = OVER;
    resign();
    unlessLeaving(react);
  }

  /** A page made for nobody is not to tell of a session from before it. */
  function isOld({ at }) {
    return isAnonymous() && !told && !(Date.parse(at) > performance.timeOrigin);
  }

  function react() {
    if (!fire("ended", ending) || config.onEnded === "none") {
      letGo();
      if (ending.signed_in) check();
      return;
    }
    isDeciding = true;
    whoseDoing((isOurs) => {
      isDeciding = false;
      if (!isOver()) return; // another session has begun meanwhile
      if (isOurs) {
        closeDialog();
        letGo();
        check();
      } else if (ending.signed_in) replace();
      else if (config.onEnded === "redirect") leave("assign", loginUrl(true));
      else if (config.onEnded !== "reload" || !reloadOnce()) openDialog();
    });
  }

  /** The session has ended, but this browser is signed in again, perhaps as another user. */
  function comeBack() {
    state = RETURNED;
    ending.signed_in = true;
    unlessLeaving(() => fire("returned") && !isDeciding && replace());
  }

  function fire(name, detail) {
    const event = new CustomEvent(`${NAME}:${name}`, { cancelable: true, detail });
    return document.dispatchEvent(event);
  }

  function replace() {
    // A cache keeps serving the page of another session: watch the one that there is.
    if (!reloadOnce()) begin("");
  }

  /** False if that has been done, and brought the same page. */
  function reloadOnce() {
    const page = `${session} ${location.href}`;
    ending ||= { signed_in: true };
    try {
      if (sessionStorage.getItem(NAME) === page) return false;
      sessionStorage.setItem(NAME, page);
    } catch {
      // Without a memory it could reload for ever: keep the page covered instead.
      resign();
      cover();
      return true;
    }
    leave("reload");
    return true;
  }

  /** The visitor may refuse that, as with unsaved changes: then the page is covered. */
  function leave(how, url) {
    ending ||= { signed_in: true };
    state = LEAVING;
    clearTimeout(refusal);
    refusal = setTimeout(cover, REFUSAL);
    location[how](url);
  }

  function cover() {
    state = ending.signed_in ? RETURNED : OVER;
    openDialog();
    veil(false);
  }

  function loginUrl(says) {
    const url = trustedUrl(ending.login_url) || parseUrl(config.loginUrl);
    const here = location.pathname + location.search; // a fragment is no server's business
    if (!url) return here; // the server knows where to send us
    const isForeign = url.origin !== location.origin;
    if (isForeign || url.pathname !== location.pathname) {
      url.searchParams.set("next", isForeign ? location.origin + here : here);
    }
    if (says) url.searchParams.set("ended", ending.reason || "unknown");
    return url.href;
  }

  /** An address of this site, or of one that the page itself names. */
  function trustedUrl(text) {
    const url = parseUrl(text);
    const known = [location.href, config.loginUrl, config.notYouUrl];
    return url && known.some((own) => parseUrl(own)?.origin === url.origin) ? url : null;
  }

  function parseUrl(text) {
    const url = text && attempt(() => new URL(text, location.href));
    return url && /^https?:$/.test(url.protocol) ? url : null; // no javascript:
  }

  // ---- The dialog --------------------------------------------------------------

  // As small as it is sent: nobody minifies what is in a string.
  const STYLE = `
:host{all:initial!important}
*{box-sizing:border-box}
dialog{--bg:Canvas;--dim:color-mix(in srgb,CanvasText 68%,Canvas);--hue:LinkText}
@supports (color:light-dark(red,red)){
dialog{--bg:light-dark(#fff,#1b1f27);--hue:light-dark(#1d4ed8,#8fb4ff)}}
dialog{
--a:var(--live-single-session-accent,var(--hue));
--d:var(--live-single-session-muted,var(--dim));
--r:var(--live-single-session-radius,1em);
width:min(26em,100% - 2em);padding:clamp(1.25em,6vw,2em);overscroll-behavior:contain;
border:1px solid var(--live-single-session-border,rgb(128 128 128/.3));border-radius:var(--r);
background:var(--live-single-session-background,var(--bg));
color:var(--live-single-session-text,CanvasText);
font:max(16px,1rem)/1.5 var(--live-single-session-font,system-ui,sans-serif);
box-shadow:var(--live-single-session-shadow,0 1.5em 4em rgb(0 0 0/.35));
overflow-wrap:anywhere}
dialog::backdrop{background:var(--live-single-session-backdrop,rgb(15 18 25/.92))}
i{display:block;width:1.5em;margin:1.2em 1em 1.9em;border:.55em solid var(--a);border-radius:.2em;
box-shadow:0 -.15em 0 1em color-mix(in srgb,var(--a) 12%,transparent)}
i:before{content:"";position:absolute;margin:-1.2em -.3em;width:1em;height:1em;
border:.18em solid var(--a);border-bottom:0;border-radius:1em 1em 0 0}
h2,p{margin:0}
h2{margin-bottom:.4em;font-size:1.3em;line-height:1.25}
small,details{display:block;margin-top:.6em;font-size:.875em;color:var(--d)}
details{margin-top:1.2em}
small:empty{display:none}
bdi+*:before{content:" · "}
textarea{width:100%;height:7em;margin-top:.5em;padding:.5em;
border:1px solid var(--d);border-radius:.4em;font:inherit;background:none;color:inherit}
a{display:block;margin-top:.75em;padding:.7em 1em;border:1px solid transparent;
border-radius:calc(var(--r)*.6);text-align:center;text-decoration:none;font-weight:600;
background:var(--a);color:var(--live-single-session-accent-text,Canvas)}
a:first-of-type{margin-top:1.4em}
a+small{text-align:center}
a~a{border-color:var(--d);background:none;color:inherit}
:focus-visible{outline:3px solid var(--a);outline-offset:3px}
@media (max-height:34em){
dialog{width:min(34em,100% - 1em);max-width:none;max-height:calc(100% - 1em);padding:1em}
h2{font-size:1.15em;margin-bottom:.2em}
p{line-height:1.35}
a{padding:.6em 1em}
a:first-of-type{margin-top:.8em}
i{display:none}}
@media (prefers-contrast:more){
dialog{border:2px solid;--d:currentColor}
dialog::backdrop{background:#000}}
@media (forced-colors:active){a:first-of-type{border-width:3px;color:LinkText}}
@media (prefers-reduced-motion:no-preference){
.new{animation:in .15s ease-out}
@keyframes in{from{transform:translateY(.75em)}}}`;

  let dialog = null;
  let host = null;
  let title = ""; // of the page
  let signedOut = ""; // what stands there while the dialog is open
  let shownAt = 0;
  let ticking = 0;

  function openDialog() {
    if (dialog) return;
    // The dialog of the page around this frame covers it too, unless that is another site's.
    if (window !== top && attempt(() => top.document[RUNS].covers(session))) return;
    try {
      buildDialog();
    } catch {
      closeDialog();
      location.assign(loginUrl(true)); // an older browser
    }
  }

  function closeDialog() {
    if (!dialog) return;
    dialog = null;
    clearInterval(ticking);
    host?.remove();
    if (document.title === signedOut) document.title = title;
  }

  function buildDialog() {
    const heading = ending.title || config.textTitle || "";
    dialog = element("dialog", {
      class: "new",
      role: "alertdialog",
      "aria-labelledby": "title",
      "aria-describedby": "text facts",
      closedby: "none",
      dir: getComputedStyle(document.body || html()).direction,
    });
    dialog.style.colorScheme = pageScheme();
    dialog.append(element("i"), element("h2", { id: "title" }, heading), ...news(), ...choices());
    // The page under it is no longer in use: there is nothing to go back to. Browsers
    // close a dialog at a second Escape all the same.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => dialog?.open || raise());
    mount();
    shownAt = performance.now();
    title = document.title;
    signedOut = document.title = `${heading} · ${title}`; // seen on a tab in the background
  }

  /** Beside the body: libraries that swap, blank or hide the body leave this alone. */
  function mount() {
    host = element("div", { id: NAME });
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(dialog);
    raise();
    dialog.scrollTop = 0; // it shows what it has focused
  }

  function news() {
    const text = element("p", { id: "text" }, ending.message || config.textMessage || "");
    const facts = element("small", { id: "facts" });
    describe(facts, text.textContent);
    ticking = setInterval(describe, 30_000, facts, text.textContent);
    return [text, facts, ...(ending.kept ? [element("small", {}, config.textKept)] : [])];
  }

  function choices() {
    const shown = [linkTo(loginUrl(), config.textSignIn || "Sign in again")];
    if (ending.by && config.textAgain) shown.push(element("small", {}, config.textAgain));
    const notYou = trustedUrl(ending.not_you_url);
    if (notYou) shown.push(linkTo(notYou, config.textNotYou));
    return ending.kept ? shown : shown.concat(losses());
  }

  const typedInto = new WeakSet();
  document.addEventListener("input", ({ target }) => typedInto.add(target), true);

  /** What was typed, to be copied from here: the page under the dialog is out of reach. */
  function losses() {
    const texts = [...document.querySelectorAll("input, textarea, [contenteditable]")]
      .filter((field) => typedInto.has(field) && !/^(password|file)$/.test(field.type))
      .map(({ value, innerText }) => value ?? innerText)
      .filter((text) => /\S{3}/.test(text));
    if (!texts[0] || !config.textUnsaved || ending.reason === "user_switched") return [];
    const details = element("details");
    const name = { "aria-label": config.textUnsaved, readonly: "" };
    details.append(
      element("summary", {}, config.textUnsaved),
      element("textarea", name, texts.join("\n\n")),
    );
    return [details];
  }

  /** A frame can't know whether the login page may be in one: it signs in beside it. */
  function linkTo(href, text) {
    const base = document.querySelector("base[target]")?.target;
    return element("a", { href, target: base || (window === top ? "" : "_blank") }, text);
  }

  /** Back to the top, and into the document, whatever the page has done. */
  let isRaising = false;
  function raise() {
    if (!dialog || isRaising) return;
    isRaising = true;
    const focused = host.shadowRoot.activeElement || dialog.querySelector("a");
    if (!host.isConnected) html().append(host);
    if (dialog.open) {
      dialog.className = "";
      dialog.close();
    }
    dialog.showModal();
    focused.focus({ preventScroll: true });
    document.exitPointerLock?.();
    isRaising = false;
  }

  // ---- The dialog's events, which the page is not to see -------------------------

  let lastKey = -Infinity; // when
  let isHasty = false; // whether that came in the flow of others
  let pressed = ""; // a key that went down in the dialog

  const EVENTS =
    "click auxclick dblclick mousedown mouseup pointerdown pointerup touchstart touchmove " +
    "touchend wheel contextmenu selectstart copy keydown keypress keyup focusin focusout";
  for (const type of EVENTS.split(" ")) {
    window.addEventListener(type, guard, { capture: true, passive: /wheel|touch/.test(type) });
  }

  for (const type of ["beforetoggle", "toggle", "fullscreenchange", "pointerlockchange"]) {
    window.addEventListener(type, () => setTimeout(raise), true);
  }

  // A router takes any navigation for one of its own, within the page that is over.
  window.navigation?.addEventListener("navigate", (event) => {
    if (dialog || state === LEAVING) event.stopImmediatePropagation();
  });

  function guard(event) {
    const { type, key } = event;
    const isKey = type.startsWith("key");
    if (type === "keydown") noteKey(event);
    if (!dialog) return;
    const isInside = event.composedPath().includes(dialog);
    if (!isInside && !isKey && !type.startsWith("focus")) return;
    event.stopImmediatePropagation();
    // Only what the page has opened above the dialog can take the focus.
    if (type === "focusin" && !isInside) raise();
    const active = host.shadowRoot.activeElement;
    if (type === "click") followLink(event);
    else if (type === "keydown") {
      pressed = key;
      if (!event.defaultPrevented || !isInside) return;
      if (key === "Enter") active?.click();
      if (key === "Tab") moveFocus(active, event.shiftKey ? -1 : 1);
    } else if (type === "keyup" && isInside) {
      if (key === "Enter" && pressed !== key) active?.click(); // its keydown was swallowed
      pressed = "";
    }
  }

  /** Whoever is typing means an Enter for something else, which it would throw away. */
  function noteKey({ key, repeat, timeStamp }) {
    if (/^(Tab|Shift|Control|Alt|Meta|Escape)$/.test(key)) return;
    isHasty = repeat || timeStamp - lastKey < CALM;
    lastKey = timeStamp;
  }

  function followLink(event) {
    const link = event.composedPath().find(({ localName }) => localName === "a");
    if (!link) return;
    const now = performance.now();
    const isOfKey = !event.detail;
    if (isOfKey && (now - shownAt < CALM || (isHasty && now - lastKey < CALM))) {
      return event.preventDefault();
    }
    if (event.defaultPrevented) window.open(link.href, link.target || "_self"); // by the page
  }

  function moveFocus(active, step) {
    const stops = [...dialog.querySelectorAll("summary, [open] textarea, a")];
    const next = (stops.indexOf(active) + step + stops.length) % stops.length;
    stops[next].focus();
  }

  // ---- What it says ----------------------------------------------------------------

  /** The device, unless the message names it, and the time, in the page's language. */
  function describe(place, message) {
    const { device, ip } = ending.by || {};
    const parts = [device, ip]
      .filter((fact) => fact && !message.includes(fact))
      .map((fact) => element("bdi", {}, fact));
    const at = new Date(ending.at || NaN);
    if (!isNaN(at)) {
      const time = element("time", { datetime: ending.at }, relative(at) || localised(at));
      parts.push(time);
      setTimeout(() => (time.title = localised(at)), LATER);
    }
    place.replaceChildren(...parts);
  }

  function relative(date) {
    const minutes = Math.round((Date.now() - date) / 60_000);
    if (Math.abs(minutes) < 1) return config.textNow;
    if (minutes < 0 || minutes > 59) return "";
    return inLanguage((lang) =>
      new Intl.RelativeTimeFormat(lang).format(-minutes, "minute"),
    );
  }

  function localised(date) {
    const style = { dateStyle: "long", timeStyle: "short" };
    return inLanguage((lang) => date.toLocaleString(lang, style));
  }

  function inLanguage(format) {
    return attempt(() => format(html().lang)) ?? format(); // none, or lang="en_GB"
  }

  /** The page's own colour scheme, where it has chosen one; else the visitor's. */
  function pageScheme() {
    const scheme = getComputedStyle(html()).colorScheme;
    if (scheme && scheme !== "normal") return scheme;
    return document.querySelector("meta[name=color-scheme]")?.content || "light dark";
  }

  function element(name, attributes = {}, text = "") {
    const made = document.createElement(name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    made.textContent = text; // never as markup
    return made;
  }

  // ---- Off we go ---------------------------------------------------------------

  document[RUNS] = {
    follow,
    check,
    covers: (id) => id === session || id === told,
    leads: () => leading,
    send: (text) => isReady && !socket.send(text), // whether it was sent
  };
  window.liveSingleSession = {
    start: ({ session: id = "" } = {}) => void begin(id),
    stop,
    active() {}, // where nobody is signed out for being idle, it says nothing
  };

  function run() {
    tune();
    if (isAnonymous()) state = NOBODY;
    else start();
  }

  if (document.prerendering) {
    document.addEventListener("prerenderingchange", run, { once: true });
  } else {
    run();
  }
})();
