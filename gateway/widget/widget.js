/**
 * The chat widget for any web page: <script src="https://GATEWAY/widget.js" data-site="SITE" defer></script>.
 *
 * `data-lang` is "en" or "zh"; without it the browser's language decides. What a visitor wrote waits in localStorage
 * until the gateway says that it is kept, under an id of ours, so that it may be sent again. Texts of others are only
 * ever set as text. Needs no style-src, no eval and no frame; pictures need `img-src blob:`.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const site = script.dataset.site;
  const base = new URL(".", script.src);
  const lang = (script.dataset.lang || navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  const PROTOCOL = "crdt-sync-widget.v1";
  const ACK_MS = 10_000; // a message that is not acknowledged by then is sent again on another socket
  const [RETRY_MS_MIN, RETRY_MS_MAX] = [500, 30_000];
  const TEXT_CHARS_MAX = 4_000;
  const PICTURE_BYTES_MAX = 5 * 1024 * 1024;
  const PICTURES = "image/png,image/jpeg,image/gif,image/webp";
  const LOST = [4403, 4404, 4422]; // coming again changes nothing

  const WORDS = "{{words.json}}"[lang]; // and the style below: put in when the script is served

  // What stays in this browser: the token, and what was written and is not acknowledged, one item each.

  const prefix = `crdt-sync-widget:${base.origin}:${site}:`;
  const memory = new Map(); // where storage is forbidden, it lasts as long as the page
  const keep = (name, value) => {
    memory.set(prefix + name, value);
    try { localStorage.setItem(prefix + name, value); } catch { /* kept in memory alone */ }
  };
  const drop = (name) => {
    memory.delete(prefix + name);
    try { localStorage.removeItem(prefix + name); } catch { /* it was kept in memory alone */ }
  };
  const kept = (name) => {
    try { return localStorage.getItem(prefix + name); } catch { return memory.get(prefix + name) ?? null; }
  };
  const names = () => {
    try { return Object.keys(localStorage); } catch { return [...memory.keys()]; }
  };
  const waiting = () => names().filter((name) => name.startsWith(`${prefix}out:`)).sort()
    .map((name) => ({ cid: name.slice(prefix.length + 4), ...JSON.parse(kept(name.slice(prefix.length)) ?? "{}") }));

  let last = 0;
  const newId = () => { // sorts in the order of writing
    last = Math.max(Date.now(), last + 1);
    const random = crypto.getRandomValues(new Uint8Array(10));
    return last.toString(36).padStart(9, "0") + Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  // The page's part.

  const make = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && !name.includes("-")) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  const host = document.createElement("div");
  host.lang = lang === "zh" ? "zh-CN" : "en";
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("{{widget.css}}"); // set by the gateway: a page's policy may forbid to ask for it
  root.adoptedStyleSheets = [sheet];

  const badge = make("span", { className: "badge", hidden: true });
  const label = make("span", { textContent: WORDS.title });
  const opener = make("button", { className: "open", type: "button", "aria-haspopup": "dialog", "aria-expanded": "false" },
    label, badge);
  const heading = make("h2", { id: "title", textContent: WORDS.title });
  const closer = make("button", { type: "button", "aria-label": WORDS.close, textContent: "✕" });
  const log = make("div", { className: "log", role: "log", tabIndex: 0, "aria-label": WORDS.log, "aria-live": "off" });
  const status = make("p", { className: "status", role: "status" });
  const text = make("textarea", { id: "text", maxLength: TEXT_CHARS_MAX, autocomplete: "off" });
  const file = make("input", { type: "file", accept: PICTURES, hidden: true, "aria-label": WORDS.picture, tabIndex: -1 });
  const picture = make("button", { type: "button", className: "plain", textContent: WORDS.picture });
  const form = make("form", {},
    make("label", { className: "sr", htmlFor: "text", textContent: WORDS.write }), text, file, picture,
    make("button", { className: "send", textContent: WORDS.send }));
  const marks = [1, 2, 3, 4, 5].map((stars) =>
    make("label", {}, make("input", { type: "radio", name: "stars", value: String(stars), required: true }),
      ` ${stars}`, make("span", { className: "sr", textContent: ` ${WORDS.stars}` })));
  const comment = make("textarea", { id: "comment", maxLength: 1_000 });
  const rating = make("form", { hidden: true },
    make("fieldset", {}, make("legend", { textContent: WORDS.rate }), ...marks),
    make("label", { htmlFor: "comment", textContent: WORDS.comment }), comment,
    make("button", { className: "send", textContent: WORDS.submit }));
  const panel = make("div", { className: "panel", role: "dialog", hidden: true, "aria-modal": "true", "aria-labelledby": "title" },
    make("header", {}, heading, closer), log, status, rating, form);
  root.append(opener, panel);

  const shown = new Map(); // cid -> the element of what this visitor wrote
  let greeting = null;
  let unread = 0;

  const tellUnread = () => {
    badge.hidden = unread === 0;
    badge.textContent = unread ? `${unread} ${WORDS.unread}` : "";
  };

  const who = (entry) => (entry.from === "visitor" ? WORDS.you : entry.name || WORDS.agent);

  const draw = (entry) => {
    const element = make("div", { className: `m ${entry.from}` });
    if (entry.event) {
      element.textContent = entry.event === "rated" ? `${WORDS.thanks} ${entry.stars}/5` : WORDS.ended;
    } else {
      element.append(make("span", { className: entry.from === "visitor" ? "who sr" : "who", textContent: who(entry) }));
      if (entry.picture) element.append(pictureOf(entry));
      else if (entry.file) element.append(fileOf(entry));
      else element.append(make("span", { className: "said", textContent: entry.text }));
      if (entry.seq) element.append(timeOf(entry.at));
      else element.append(make("span", { className: "note", textContent: WORDS.waiting }));
    }
    return element;
  };

  const timeOf = (at) => {
    const when = new Date(at);
    const shown = when.toLocaleString(host.lang, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
    return make("time", { dateTime: when.toISOString(), textContent: shown });
  };

  const contentOf = async ({ seq: at }) => { // with the token in a header: an address is written down everywhere
    const headers = { authorization: `Bearer ${kept("token")}` };
    const answer = await fetch(new URL(`widget/${site}/pictures/${at}`, base), { headers });
    if (!answer.ok) throw new Error(String(answer.status));
    return URL.createObjectURL(await answer.blob());
  };

  const fileOf = (entry) => {
    const button = make("button", { type: "button", className: "plain said", textContent: `↓ ${entry.text}` });
    button.onclick = async () => {
      const href = await contentOf(entry).catch(() => null);
      status.textContent = href ? "" : WORDS.download;
      if (!href) return;
      make("a", { href, download: entry.text }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    };
    return button;
  };

  const pictureOf = (entry) => {
    const image = make("img", { alt: `${WORDS.shown} (${who(entry)})` });
    image.onload = () => URL.revokeObjectURL(image.src);
    contentOf(entry).then((address) => { image.src = address; })
      .catch(() => image.replaceWith(make("span", { className: "said", textContent: `[${WORDS.shown}]` })));
    return image;
  };

  const add = (entry) => {
    const element = draw(entry);
    shown.get(entry.cid)?.remove();
    const unsent = [...log.children].find((child) => child.querySelector(".note"));
    if (entry.seq && unsent) unsent.before(element); // what is kept stands before what is not
    else log.append(element);
    if (entry.cid) shown.set(entry.cid, element);
    log.scrollTop = log.scrollHeight;
  };

  const clear = () => {
    log.replaceChildren();
    shown.clear();
    if (greeting) log.append(make("div", { className: "m agent" }, make("span", { className: "said", textContent: greeting })));
    for (const item of waiting()) if (item.text) add({ from: "visitor", ...item });
  };

  // The line to the gateway.

  let socket = null;
  let welcomed = false;
  let seq = 0; // of the newest entry that is shown
  let caughtUp = 0; // what the log held at the welcome: older entries are not announced
  let receipt = { delivered: 0, read: 0 };
  let failures = 0;
  let refusals = 0; // of the token, since it was good last
  let retryTimer = 0;
  let ackTimer = 0;
  let sending = null; // the id of what was sent and is not acknowledged
  let stopped = false;

  const say = (frame) => socket.send(JSON.stringify(frame));
  const isOpen = () => !panel.hidden;

  const connect = () => {
    clearTimeout(retryTimer);
    if (socket || stopped) return;
    if (kept("token") || !navigator.locks) dial();
    else navigator.locks.request(prefix, () => new Promise((done) => dial(done))); // two tabs become one visitor
  };

  const dial = (done = () => {}) => {
    if (socket) { done(); return; }
    const address = new URL(`widget/${site}`, base);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (!welcomed) status.textContent = WORDS.connecting;
    const opened = socket = new WebSocket(address, PROTOCOL);
    opened.onopen = () => say({ t: "hello", token: kept("token") ?? "", last_seq: seq });
    opened.onmessage = ({ data }) => {
      if (opened !== socket) return;
      const frame = JSON.parse(data);
      HEARD[frame.t]?.(frame);
      if (frame.t === "welcome") done();
    };
    opened.onclose = ({ code }) => {
      done();
      if (opened === socket) hungUp(code);
    };
  };

  const hungUp = (code) => {
    socket = sending = null;
    welcomed = false;
    clearTimeout(ackTimer);
    if (code === 4401 && refusals++ < 2) drop("token"); // somebody new comes; what waits goes with him
    stopped = LOST.includes(code) || refusals > 2;
    status.textContent = stopped ? WORDS.lost : WORDS.connecting;
    if (code === 4408) for (const sign of ["pointermove", "keydown"]) addEventListener(sign, connect, { once: true });
    if (stopped || code === 4408) return; // nobody was there for long: it comes again with somebody
    const delay = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures++);
    retryTimer = setTimeout(connect, delay * (0.5 + Math.random() / 2));
  };

  const hangUp = () => {
    const left = socket;
    if (!left) return;
    hungUp(1006);
    left.close();
  };

  const send = () => { // one after the other, so that their order stays
    if (!welcomed || sending) return;
    const [item] = waiting();
    if (!item) return;
    sending = item.cid;
    say({ t: item.text ? "msg" : "rate", ...item });
    ackTimer = setTimeout(hangUp, ACK_MS);
  };

  const settled = (cid) => {
    drop(`out:${cid}`);
    if (cid !== sending) return;
    clearTimeout(ackTimer);
    sending = null;
    send();
  };

  const tellSeen = () => {
    const state = isOpen() && !document.hidden ? "read" : "delivered";
    if (state === "read") { unread = 0; tellUnread(); }
    if (!welcomed || seq <= receipt[state]) return;
    receipt[state] = seq;
    say({ t: "seen", seq, state });
  };

  const HEARD = {
    welcome(frame) {
      keep("token", frame.token);
      welcomed = true;
      failures = refusals = 0;
      receipt = { delivered: 0, read: 0 };
      caughtUp = frame.last_seq;
      status.textContent = "";
      heading.textContent = label.textContent = frame.title[lang];
      if (greeting === null) { greeting = frame.greeting[lang]; clear(); }
      if (seq >= caughtUp) log.setAttribute("aria-live", "polite");
      send();
    },
    reset() {
      seq = unread = 0;
      rating.hidden = true;
      clear();
      log.setAttribute("aria-live", "off");
    },
    msg(entry) {
      seq = entry.seq;
      add(entry);
      if (entry.from === "agent" && entry.state !== "read") { unread++; tellUnread(); }
      if (entry.from !== "agent") { // as the gateway takes it: until the visitor says something more
        rating.hidden = entry.event !== "ended" || waiting().some((item) => item.stars);
        rating.reset();
      }
      if (seq >= caughtUp) {
        log.setAttribute("aria-live", "polite");
        tellSeen();
      }
    },
    ack({ cid }) {
      shown.get(cid)?.querySelector(".note")?.remove();
      settled(cid);
    },
    refused({ cid }) {
      const note = shown.get(cid)?.querySelector(".note");
      if (note) note.textContent = WORDS.failed;
      settled(cid);
    },
    busy({ cid, retry_ms: wait }) {
      clearTimeout(ackTimer);
      if (cid === sending) setTimeout(() => { sending = null; send(); }, wait);
    },
  };

  // What a visitor does.

  const open = () => {
    panel.hidden = false;
    opener.hidden = true;
    opener.setAttribute("aria-expanded", "true");
    text.focus();
    log.scrollTop = log.scrollHeight;
    connect();
    tellSeen();
  };

  const close = () => {
    panel.hidden = true;
    opener.hidden = false;
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
  };

  opener.onclick = open;
  closer.onclick = close;

  panel.onkeydown = (event) => {
    if (event.key === "Escape") close();
    if (event.key !== "Tab") return;
    const stops = [...panel.querySelectorAll("button, textarea, input:not([type=file]), [tabindex='0']")]
      .filter((element) => element.offsetParent !== null && (element.name !== "stars" || isStop(element)));
    const [first, final] = [stops[0], stops[stops.length - 1]];
    const leaving = root.activeElement === (event.shiftKey ? first : final);
    if (leaving) { event.preventDefault(); (event.shiftKey ? final : first).focus(); }
  };

  const isStop = (radio) => radio.checked || (!rating.elements.stars.value && radio.value === "1");

  text.onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  };

  form.onsubmit = (event) => {
    event.preventDefault();
    const said = text.value.trim();
    if (!said) return;
    const cid = newId();
    text.value = "";
    keep(`out:${cid}`, JSON.stringify({ text: said }));
    add({ from: "visitor", cid, text: said });
    send();
  };

  picture.onclick = () => file.click();

  file.onchange = async () => {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    if (!PICTURES.split(",").includes(chosen.type) || chosen.size > PICTURE_BYTES_MAX) {
      status.textContent = WORDS.size;
      return;
    }
    const attempt = `picture:${chosen.name}:${chosen.size}:${chosen.lastModified}`;
    const cid = kept(attempt) ?? newId(); // what failed may have arrived all the same
    keep(attempt, cid);
    const address = new URL(`widget/${site}/pictures?cid=${cid}`, base);
    const headers = { authorization: `Bearer ${kept("token")}`, "content-type": chosen.type };
    const answer = kept("token") && await fetch(address, { method: "POST", headers, body: chosen }).catch(() => null);
    if (answer?.ok) drop(attempt);
    status.textContent = answer?.ok ? "" : WORDS.upload;
  };

  rating.onsubmit = (event) => {
    event.preventDefault();
    rating.hidden = true;
    keep(`out:${newId()}`, JSON.stringify({ stars: Number(rating.elements.stars.value), comment: comment.value.trim() }));
    send();
  };

  addEventListener("online", () => { hangUp(); failures = 0; if (kept("token") || isOpen()) connect(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    tellSeen();
    if (!socket && (kept("token") || isOpen())) connect();
  });

  const begin = () => {
    document.body.append(host);
    clear();
    if (kept("token")) connect(); // somebody who was here before: an answer may wait
  };

  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();
