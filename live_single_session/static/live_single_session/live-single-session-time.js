/*! live-single-session, MIT licence */
/*
 * Limits in time: tells the server that somebody uses an open page, and warns before the
 * session ends. Loaded behind live-single-session.js, and only where a site has such limits.
 * See docs/script.md.
 */
(() => {
  "use strict";

  const NAME = "live-single-session";
  const TIMES = Symbol.for(`${NAME} time`);
  const tag = document.currentScript ?? document.querySelector("script[data-sessions-url]");
  if (document[TIMES]) return document[TIMES](tag.dataset); // the tag came again

  const core = document[Symbol.for(NAME)];
  const PAUSE = 10_000; // ms between two tellings of use
  const SLEEP = 30_000; // ms after which a timer must have slept
  const LOOK = 5_000; // ms between two looks for that
  const GRACE = 500; // ms after the end, after which we ask what has become of it
  const USE = "keydown pointerdown pointermove touchstart touchmove wheel";

  let config = tag.dataset;
  document[TIMES] = (data) => void (config = data);

  const isVisible = () => document.visibilityState === "visible";
  const html = () => document.documentElement;

  function attempt(action) {
    try {
      return action();
    } catch {} // what privacy extensions forbid
  }

  function fire(detail) {
    const event = new CustomEvent(`${NAME}:ending`, { cancelable: true, detail });
    return document.dispatchEvent(event);
  }

  // ---- The other tabs: use of one is use of all, and so is its warning ------------

  const channel = attempt(() => new BroadcastChannel(`${NAME} time ${config.sessionsUrl}`));
  if (channel) channel.onmessage = ({ data }) => overhear(data);

  function post(message) {
    attempt(() => channel?.postMessage(message));
  }

  function overhear({ type, warning, at }) {
    if (type === "use") told.soon();
    if (type === "stay") stayed();
    if (type === "ending") follow(warning, Date.now() - at);
    if (type === "closed") close();
  }

  // ---- Use of the page ------------------------------------------------------------

  /** Calls at once, and then at most once in a pause; what comes in it is called after it. */
  class Throttle {
    #action;
    #timer = 0;
    #isDue = false;

    constructor(action) {
      this.#action = action;
    }

    soon() {
      this.#isDue = true;
      if (!this.#timer) this.now();
    }

    now() {
      clearTimeout(this.#timer);
      this.#timer = 0;
      if (!this.#isDue) return;
      this.#isDue = false;
      this.#action();
      this.#timer = setTimeout(() => this.now(), PAUSE);
    }

    atOnce() {
      this.#isDue = true;
      this.now();
    }
  }

  // The tab that has the socket tells the server, for all tabs of the browser.
  const told = new Throttle(() => core.leads() && tell());
  const used = new Throttle(() => (core.leads() || !channel ? told.soon() : post({ type: "use" })));

  function tell() {
    if (core.send(JSON.stringify({ type: "session.active" })) || !config.activeUrl) return;
    fetch(config.activeUrl, {
      method: "POST",
      body: "{}",
      credentials: "include",
      headers: { Accept: "application/json", "Content-Type": "application/json" },
    }).then(({ ok }) => ok || core.check(), core.check);
  }

  function notice(event) {
    if (!event.isTrusted || !("idle" in config)) return;
    // In the warning itself its buttons say what is meant.
    if (!frame) used.soon();
    else if (event.type !== "pointermove" && !isForWarning(event)) stay();
  }

  function isForWarning({ key, clientX: x, clientY: y, touches }) {
    if (!box) return false;
    if (key) return /^(Tab|Shift|Enter|Escape| )$/.test(key);
    if (touches) return true; // a pointer says the same, with its place
    const { left, right, top, bottom } = box.getBoundingClientRect();
    return x >= left && x <= right && y >= top && y <= bottom;
  }

  for (const type of USE.split(" ")) {
    window.addEventListener(type, notice, { capture: true, passive: true });
  }

  // ---- The warning ----------------------------------------------------------------

  let frame = null; // the warning that is in force
  let deadline = 0; // by performance.now()
  let ticking = 0;
  let isAnnounced = false; // once more, half way

  const left = () => Math.max(0, deadline - performance.now()); // ms

  document.addEventListener(`${NAME}:frame`, ({ detail }) => {
    const warning = detail.type === "session.ending" ? detail : detail.ending;
    if (warning) hear(warning);
    else if (frame && "live" in detail) hear({ ...frame, in: null }); // as status/ says
  });

  for (const name of ["ended", "returned"]) {
    document.addEventListener(`${NAME}:${name}`, forget);
  }

  /** From the server; the other tabs hear it from us. */
  function hear(warning) {
    post({ type: "ending", warning, at: Date.now() });
    follow(warning, 0);
  }

  /** It may have been on its way for so many ms, if this tab or the machine is busy. */
  function follow(warning, late) {
    if (warning.in === null) return callOff(warning);
    const end = performance.now() + warning.in * 1000 - Math.min(Math.max(0, late), PAUSE);
    const isNew = !frame;
    if (!isNew && Math.abs(end - deadline) < 1000) return; // no jumps
    frame = warning;
    deadline = end;
    if (isNew && fire(warning)) open();
    clearTimeout(ticking);
    tick();
  }

  function callOff(warning) {
    if (!frame) return;
    forget();
    fire(warning);
  }

  function forget() {
    frame = null;
    isAnnounced = false;
    clearTimeout(ticking);
    close();
    retitle();
  }

  function stay() {
    post({ type: "stay" });
    stayed();
  }

  /** Gone at once in every tab; the server says so a moment later. */
  function stayed() {
    if (frame?.extendable) callOff({ ...frame, in: null });
    told.atOnce();
  }

  /** All tabs count the same seconds, and at the same moments. */
  function tick() {
    if (!frame) return;
    const seconds = Math.ceil(left() / 1000);
    show(seconds);
    retitle(seconds);
    if (seconds) ticking = setTimeout(tick, left() - (seconds - 1) * 1000 + 1);
    else ticking = setTimeout(() => isVisible() && core.check(), GRACE);
  }

  const clock = (seconds) => `${Math.floor(seconds / 60)}:${`0${seconds % 60}`.slice(-2)}`;

  let title = null; // of the page, while another one stands there
  let counting = "";

  /** A tab in the background counts in its title. */
  function retitle(seconds) {
    if (title !== null && document.title === counting) document.title = title;
    title = null;
    if (seconds === undefined || isVisible()) return;
    title = document.title;
    document.title = counting = `(${clock(seconds)}) ${title}`;
  }

  document.addEventListener("visibilitychange", () => {
    awake = Date.now();
    if (frame) retitle(Math.ceil(left() / 1000));
  });

  // ---- The dialog -----------------------------------------------------------------

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
width:min(24em,100% - 2em);padding:clamp(1em,5vw,1.5em);overscroll-behavior:contain;
border:1px solid var(--live-single-session-border,rgb(128 128 128/.3));border-radius:var(--r);
background:var(--live-single-session-background,var(--bg));
color:var(--live-single-session-text,CanvasText);
font:max(16px,1rem)/1.5 var(--live-single-session-font,system-ui,sans-serif);
box-shadow:var(--live-single-session-shadow,0 1.5em 4em rgb(0 0 0/.35));
overflow-wrap:anywhere}
dialog::backdrop{background:rgb(15 18 25/.45)}
h2,p{margin:0}
h2{margin-bottom:.4em;font-size:1.2em;line-height:1.25}
time{display:block;margin-top:.3em;font-size:2.5em;font-weight:600;line-height:1.2;
font-variant-numeric:tabular-nums}
span{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
div{display:flex;flex-wrap:wrap;gap:.6em;margin-top:1em}
button{flex:1 1 9em;padding:.65em .8em;border:1px solid transparent;cursor:pointer;
border-radius:calc(var(--r)*.6);font:inherit;font-weight:600;
background:var(--a);color:var(--live-single-session-accent-text,Canvas)}
button~button{border-color:var(--d);background:none;color:inherit}
:focus-visible{outline:3px solid var(--a);outline-offset:3px}
@media (max-height:20em){
dialog{width:min(34em,100% - 1em);max-width:none;max-height:calc(100% - 1em);padding:.75em}
h2{font-size:1.05em;margin-bottom:.2em}
p{line-height:1.3}
time{font-size:1.5em;margin:0}
div{margin-top:.5em}
button{padding:.4em 1em}}
@media (prefers-contrast:more){dialog{border:2px solid;--d:currentColor}}
@media (forced-colors:active){button:first-child{border-width:3px;color:LinkText}}
@media (prefers-reduced-motion:no-preference){
dialog{animation:in .15s ease-out}
@keyframes in{from{opacity:0;transform:translateY(.75em)}}}`;

  let host = null;
  let box = null; // the dialog
  let digits = null;
  let status = null; // what is said to screen readers
  let focused = null; // what had the focus before

  function open() {
    // The dialog of the page around this frame stands for it, unless that is another site's.
    if (window !== top && attempt(() => top.document[Symbol.for(NAME)].covers(frame.session))) {
      return;
    }
    focused = document.activeElement;
    box = build();
    host = element("div", { id: `${NAME}-time` });
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(box);
    html().append(host);
    box.showModal();
    box.scrollTop = 0;
  }

  function close() {
    if (!box) return;
    box = digits = status = null;
    host.remove();
    focused?.focus?.({ preventScroll: true });
  }

  function build() {
    const made = element("dialog", {
      role: "alertdialog",
      "aria-labelledby": "title",
      "aria-describedby": "text status",
      dir: getComputedStyle(document.body).direction,
    });
    made.style.colorScheme = pageScheme();
    digits = element("time", { role: "timer", "aria-live": "off" });
    status = element("span", { role: "status", id: "status" }, announcement());
    const buttons = element("div");
    buttons.append(...choices());
    made.append(
      element("h2", { id: "title" }, config.textTitle),
      element("p", { id: "text" }, frame.message),
      digits,
      status,
      buttons,
    );
    made.addEventListener("cancel", (event) => {
      event.preventDefault();
      dismiss();
    });
    return made;
  }

  function choices() {
    const first = frame.extendable ? config.textStay : config.textClose;
    const leave = config.sessionsUrl ? [button(config.textLeave, signOut)] : [];
    return [button(first, dismiss), ...leave];
  }

  function button(text, action) {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", action);
    return made;
  }

  /** What the first button does, and Escape. */
  function dismiss() {
    if (frame.extendable) return stay();
    post({ type: "closed" });
    close();
  }

  /** Sends the form of the page that asks once more; it has the CSRF token. */
  async function signOut() {
    const url = `${config.sessionsUrl}${frame.session}/end/`;
    const name = "csrfmiddlewaretoken";
    const page = await fetch(url, { headers: { Accept: "text/html" } })
      .then((response) => response.text())
      .catch(() => "");
    const value = RegExp(`"${name}" value="(\\w+)`).exec(page)?.[1];
    if (!value) return location.assign(url);
    const form = element("form", { method: "post", action: url, hidden: "" });
    form.append(element("input", { name, value, type: "hidden" }));
    html().append(form);
    form.submit();
  }

  function show(seconds) {
    if (!box) return;
    digits.textContent = clock(seconds);
    if (isAnnounced || left() > (frame.in * 1000) / 2) return;
    isAnnounced = true;
    status.textContent = announcement();
  }

  /** Such as "in 30 seconds", in the page's language. */
  function announcement() {
    const seconds = Math.ceil(left() / 1000);
    const format = (lang) => new Intl.RelativeTimeFormat(lang).format(seconds, "second");
    return attempt(() => format(html().lang || undefined)) ?? format(); // lang="en_GB"
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

  // ---- After a sleep ----------------------------------------------------------------

  // A page that somebody looks at after a sleep stays hidden until the server has said what
  // has become of its session; where no server answers, nobody knows.
  let awake = Date.now();

  setInterval(() => {
    const slept = Date.now() - awake;
    awake = Date.now();
    if (slept < SLEEP || !isVisible()) return;
    html().style.setProperty("visibility", "hidden", "important");
    core.check().finally(() => html().style.removeProperty("visibility"));
  }, LOOK);

  window.liveSingleSession.active = () => used.soon();
})();
