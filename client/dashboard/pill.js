// SPDX-License-Identifier: BSD-2-Clause

// The connection pill: how sure what the page shows is. Colour never says anything that
// words do not; what counts seconds is drawn once a second, and only while it is seen.

import { h, icon, replace, setAttr, setText } from "./dom.js";
import { count, duration, millis, number } from "./format.js";

const CHEVRON = "M3.5 5.5l4.5 4.5 4.5-4.5 1 1-5.5 5.5-5.5-5.5z";
// A batch comes at least every ping interval (25 s); beyond it something is wrong.
const LATE = 30_000;

/** What the pill says: { tone, word, detail }. */
export function describe(connection, complete, now) {
  const { state, retryAt, reason } = connection;
  if (state === "connected") {
    if (complete && complete.age > LATE) {
      return {
        tone: "warn",
        word: "Late",
        detail: `complete as of ${duration(complete.age)} ago`,
      };
    }
    return {
      tone: "good",
      word: "Connected",
      detail: complete
        ? `complete as of ${duration(complete.age)} ago`
        : "",
    };
  }
  if (state === "connecting") {
    return { tone: "warn", word: "Connecting", detail: reason ?? "" };
  }
  return {
    tone: "bad",
    word: "Disconnected",
    detail:
      retryAt === undefined
        ? (reason ?? "it does not try again")
        : `tries again in ${duration(retryAt - now)}`,
  };
}

const FACTS = [
  [
    "State",
    (c, d) => [d.word, c.connection.getSnapshot().reason].filter(Boolean).join(": "),
  ],
  [
    "Complete",
    ({ complete: w }) =>
      w ? `up to event ${number(w.seq)}, as of ` + `${duration(w.age)} ago` : "–",
  ],
  [
    "Tries again",
    (c, d) => {
      const { retryAt, state, attempts } = c.connection.getSnapshot();
      if (state === "connected") return "–";
      const tried = `${count(attempts, "attempt")} so far`;
      return retryAt ? `in ${duration(retryAt - Date.now())}, ${tried}` : tried;
    },
  ],
  ["Round trip", ({ latency }) => (latency === undefined ? "–" : millis(latency))],
  [
    "Server's clock",
    ({ clock }) =>
      clock
        ? `${clock.offset < 0 ? "−" : "+"}` +
          `${millis(Math.abs(clock.offset))}, ± ${millis(clock.bound)}`
        : "–",
  ],
  ["User", ({ welcome }) => welcome?.user || "–"],
  ["Node", ({ welcome }) => welcome?.node || "–"],
  ["Log", ({ welcome }) => welcome?.log ?? "–"],
  [
    "Interruptions",
    ({ counters: n }) =>
      `${count(n.reconnects, "reconnect")}, ` + `${count(n.lagged, "time")} behind`,
  ],
  [
    "Faults found",
    ({ counters: n }) =>
      `${count(n.gaps, "gap")}, ` +
      `${count(n.malformed, "senseless message")}, ${count(n.thrown, "handler")} threw`,
  ],
];

function createDetails(client, onTry) {
  const values = FACTS.map(([name]) =>
    h("dd", { class: name === "Log" ? "mono" : null }),
  );
  const again = h("button", { type: "button", on: { click: onTry } });
  const panel = h(
    "div",
    {
      id: "pill-details",
      class: "pill-details",
      popover: "auto",
      role: "dialog",
      "aria-label": "Connection",
    },
    h(
      "dl",
      { class: "facts" },
      FACTS.map(([name], i) => [h("dt", {}, name), values[i]]),
    ),
    h("div", { class: "pill-actions" }, again),
  );
  function draw(said) {
    FACTS.forEach(([, of], i) => setText(values[i], of(client, said)));
    setText(
      again,
      client.connection.getSnapshot().state === "connected"
        ? "Measure the round trip"
        : "Try now",
    );
  }
  return { panel, draw };
}

function announceChanges(client, announce) {
  let before = "connecting";
  client.connection.subscribe(() => {
    const { state, reason } = client.connection.getSnapshot();
    if (state === before) return;
    if (state === "connected") announce("Connected");
    else if (before === "connected")
      announce(`Connection lost${reason ? `: ${reason}` : ""}`);
    before = state;
  });
}

/** Fills `root` with the pill and what it opens. */
export function createPill(root, { client, schedule, announce }, wanted) {
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const word = h("span", { class: "pill-word" });
  const trip = h("span", { class: "pill-trip" });
  const detail = h("span", { class: "pill-detail" });
  const button = h(
    "button",
    {
      type: "button",
      id: "pill-button",
      class: "pill",
      popovertarget: "pill-details",
      title: "How the connection is doing",
    },
    dot,
    word,
    trip,
    detail,
    icon(CHEVRON),
  );
  const again = h(
    "button",
    {
      type: "button",
      class: "pill-again",
      on: {
        click: () => client.reconnect(),
      },
    },
    "Try now",
  );
  const details = createDetails(client, () => {
    if (client.connection.getSnapshot().state === "connected")
      client.ping().then(ask, ask);
    else client.reconnect();
  });
  replace(root, button, again, details.panel);

  function draw() {
    const connection = client.connection.getSnapshot();
    const said =
      wanted.getSnapshot() === null
        ? describe(connection, client.complete, Date.now())
        : { tone: "warn", word: "Waiting for a token", detail: "" };
    setAttr(button, "data-tone", said.tone);
    setText(word, said.word);
    setText(
      trip,
      connection.state === "connected" && client.latency !== undefined
        ? millis(client.latency)
        : "",
    );
    setText(detail, said.detail);
    again.hidden = connection.state !== "disconnected" || wanted.getSnapshot() !== null;
    if (details.panel.matches(":popover-open")) details.draw(said);
  }
  const ask = () => schedule(draw);
  client.connection.subscribe(ask);
  wanted.subscribe(ask);
  details.panel.addEventListener("toggle", ask);
  const timer = setInterval(ask, 1000);
  announceChanges(client, announce);
  ask();
  return { destroy: () => clearInterval(timer) };
}
