// SPDX-License-Identifier: BSD-2-Clause

// The tool that falls behind: it stops reading on a connection of its own until the
// gateway says `lagged`, and tells each step of the recovery in plain words.

import { Run } from "./behind-run.js";
import { h, replace, setAttr, setText } from "./dom.js";
import { count, duration, number } from "./format.js";
import { makeNoise, NOISE_MOST, TOPIC } from "./noise.js";
import { CAN_PAUSE } from "./pausable.js";

const ORDER = [
  "connecting",
  "following",
  "standing",
  "reading",
  "lagged",
  "whole",
  "compared",
];

const REASONS = {
  ring: "the ring had moved past it",
  retention: "the log no longer held it",
  snapshot: "a snapshot took too long",
  log_changed: "the log had become another one",
  permissions: "what may be read had changed",
};

function told({ lagged, lost, target }, reached) {
  if (lagged) {
    const { reason, position, oldest, head } = lagged;
    return (
      `Told “lagged”: ${REASONS[reason] ?? reason}. We had got to event ` +
      `${position === undefined ? "none" : number(position)}; the newest is ${number(head)}, ` +
      `and the log holds all from ${number(oldest)}.`
    );
  }
  if (lost) return `The connection was given up (${lost}), and the client came back.`;
  if (reached) return "Not told “lagged”: whatever was missed was still in the ring.";
  return target === undefined
    ? "Being told that we lag"
    : "Reading what the buffers hold …";
}

/** What each step says: before, and from when it is reached. */
const STEPS = [
  [
    "following",
    () => "Follow everything, on a connection of its own",
    (s, run) => `Followed everything: ${count(run.rows, "row")}.`,
  ],
  [
    "standing",
    () => "Stop reading",
    (s) => `Stopped reading at event ${number(s.stoodAt)}.`,
  ],
  [
    "standing",
    () => "The stream goes on without us",
    (s) => {
      const went = `${count(s.passed, "event")} went by.`;
      return s.window === undefined
        ? went
        : `${went} The ring holds the last ${duration(s.window)}.`;
    },
  ],
  ["reading", () => "Read again, when the ring has moved on", () => "Reading again."],
  ["lagged", told, (s) => told(s, true)],
  [
    "whole",
    () => "Take what changed since",
    (s) =>
      s.lagged
        ? `Took what changed since: ${count(s.changes, "row")}, in one snapshot.`
        : "Caught up, event by event.",
  ],
  [
    "compared",
    () => "Compare with the server’s state",
    ({ result: r }) =>
      r.right
        ? `Compared with the server’s state at event ${number(r.seq)}: all ` +
          `${count(r.rows, "row")} are right.`
        : `Compared with the server’s state at event ${number(r.seq)}: they differ!`,
  ],
];

class BehindTool {
  constructor(root, ctx) {
    this.ctx = ctx;
    this.run = null;
    this.noise = null;
    this.noisy = 0;
    const draw = () => this.draw();
    this.ask = () => ctx.schedule(draw);
    this.timer = setInterval(this.ask, 1000);
    this.build(root);
    this.ask();
  }

  build(root) {
    this.main = h("button", {
      type: "button",
      class: "primary",
      on: {
        click: () => this.press(),
      },
    });
    this.noiseButton = h("button", {
      type: "button",
      on: { click: () => this.toggleNoise() },
    });
    this.noiseStatus = h("p", { class: "hint" });
    this.items = STEPS.map(() => h("li", { class: "step" }));
    this.fault = h("p", { class: "note bad", hidden: true });
    this.body = [
      h(
        "p",
        {},
        "A reader that is too slow is not disconnected, and costs the server a " +
          "position, no more. Here is what happens to it, on a connection of its own that " +
          "really stops reading.",
      ),
      h("div", { class: "toolbar-plain" }, this.main, this.noiseButton),
      this.noiseStatus,
      h("ol", { class: "steps", "aria-label": "Steps" }, this.items),
      this.fault,
    ];
    replace(
      root,
      CAN_PAUSE
        ? this.body
        : h(
            "p",
            { class: "note warn" },
            "This browser reads " +
              "WebSockets whether or not anybody asks for it; it takes one with WebSocketStream, " +
              "such as Chromium, to stop.",
          ),
    );
  }

  press() {
    const step = this.run?.state.step;
    if (step === "standing") this.run.readOn();
    else if (step === undefined || step === "compared" || step === "failed") this.start();
  }

  start() {
    this.run?.end();
    const before = { step: null };
    this.run = new Run(this.ctx.connect, this.ctx.client, () => {
      const { step } = this.run?.state ?? {};
      if (step !== before.step) {
        before.step = step;
        if (step === "following") this.run.stop();
        if (["reading", "lagged", "failed"].includes(step)) this.stopNoise();
        this.say(step);
      }
      this.ask();
    });
    this.ask();
  }

  say(step) {
    const { announce } = this.ctx;
    if (step === "standing") announce("Stopped reading");
    if (step === "lagged") announce("The gateway says lagged");
    if (step === "compared") announce(this.textOf(STEPS.length - 1));
  }

  toggleNoise() {
    if (this.noise) {
      this.stopNoise();
      return;
    }
    this.noise = new AbortController();
    this.noisy = 0;
    this.noiseFault = null;
    makeNoise(this.ctx.client, this.noise.signal, (bytes) => {
      this.noisy += bytes;
      this.ask();
    })
      .catch((e) => {
        this.noiseFault = e.message;
      })
      .finally(() => this.stopNoise());
    this.ask();
  }

  stopNoise() {
    this.noise?.abort();
    this.noise = null;
    this.ask();
  }

  textOf(i) {
    const [, before, after] = STEPS[i];
    if (!this.run) return before({});
    const { state, view } = this.run;
    return this.reached(i)
      ? after(state, { rows: view.getSnapshot().rows.size })
      : before(state);
  }

  reached(i) {
    const step = this.run?.state.step;
    const at = step === "failed" ? -1 : ORDER.indexOf(step);
    return at >= ORDER.indexOf(STEPS[i][0]);
  }

  draw() {
    const step = this.run?.state.step;
    const busy = step !== undefined && !["standing", "compared", "failed"].includes(step);
    setText(
      this.main,
      step === undefined
        ? "Fall behind"
        : step === "standing"
          ? `Read on now (stood for ${duration(Date.now() - this.run.state.since)})`
          : busy
            ? "Under way …"
            : "Once more",
    );
    setAttr(this.main, "aria-disabled", busy ? "true" : null);
    setText(this.noiseButton, this.noise ? "Stop the noise" : "Make noise");
    setText(this.noiseStatus, this.noiseText());
    this.items.forEach((item, i) => {
      const reached = this.reached(i);
      const next = this.run && !reached && (i === 0 || this.reached(i - 1));
      setAttr(item, "data-state", reached ? "done" : next ? "now" : null);
      setAttr(item, "aria-current", next ? "step" : null);
      setText(item, this.textOf(i));
    });
    const { fault } = this.run?.state ?? {};
    this.fault.hidden = !fault;
    setText(this.fault, fault ? `It could not go on: ${fault}` : "");
  }

  noiseText() {
    if (this.noiseFault) return `No noise: ${this.noiseFault}`;
    if (this.noisy > 0) return `${(this.noisy / 1e6).toFixed(1)} MB of noise made.`;
    return (
      "On a quiet log this takes as long as the ring is deep. Noise shortens it: events that " +
      `are stored like all others, at the topic ${TOPIC}, until the ring has moved on, ` +
      `${NOISE_MOST >> 20} MB at most.`
    );
  }

  destroy() {
    clearInterval(this.timer);
    this.stopNoise();
    this.run?.end();
  }
}

export function mount(root, ctx) {
  return new BehindTool(root, ctx);
}
