// SPDX-License-Identifier: BSD-2-Clause

// The bar of time: live, or the past at any event or time, and playing it. It alone sets
// ctx.time; state and graph follow. That the past is shown is said in words and in
// colour.

import { h, setAttr, setText } from "./dom.js";
import { exactTime, number } from "./format.js";
import { Player } from "./play.js";
import { recordingOf } from "./recording.js";
import { SPEEDS } from "./timeline.js";
import { glyph } from "./glyphs.js";
import { createGoTo } from "./slider-goto.js";
import { tickText } from "./slider-text.js";

const TICKS = 5;
const SETTLE = 120; // ms that the slider rests before the exact time is asked for
const LOOK = 1000; // ms between looks at the head

function button(label, sign, click) {
  const attributes = {
    type: "button",
    class: "quiet square",
    "aria-label": label,
    title: label,
    on: { click },
  };
  return h("button", attributes, glyph(sign));
}

export function mount(root, ctx) {
  const bar = new TimeBar(root, ctx);
  return { destroy: () => bar.destroy() };
}

class TimeBar {
  constructor(root, ctx) {
    this.root = root;
    this.ctx = ctx;
    this.recording = recordingOf(ctx.client);
    this.player = new Player(this.recording, ctx.time, (error) => this.ended(error));
    this.draw = this.draw.bind(this);
    this.frame = this.frame.bind(this);
    this.build();
    this.stops = [
      this.recording.subscribe(() => this.changed()),
      ctx.time.subscribe(() => ctx.schedule(this.draw)),
      ctx.client.connection.subscribe(() => ctx.schedule(this.draw)),
    ];
    this.looking = setInterval(() => {
      if (document.visibilityState === "visible") this.recording.look();
    }, LOOK);
    this.changed();
  }

  destroy() {
    clearInterval(this.looking);
    clearTimeout(this.settling);
    this.player.stop();
    for (const stop of this.stops) stop();
    this.root.replaceChildren();
  }

  /* --- the page --- */

  build() {
    this.badge = h("strong", { class: "time-badge" });
    this.when = h("span", { class: "time-when" });
    this.what = h("span", { class: "time-what muted" });
    this.range = h("input", {
      type: "range",
      class: "time-range",
      min: "0",
      max: "0",
      step: "1",
      "aria-label": "Time",
      on: { input: () => this.slide(), change: () => this.say() },
    });
    this.ticks = h("div", { class: "time-ticks", "aria-hidden": "true" });
    this.note = h("p", { class: "time-note small", hidden: true });
    this.bar = h(
      "div",
      { class: "time-bar" },
      h("div", { class: "time-words" }, this.badge, this.when, this.what),
      this.buildKeys(),
      h("div", { class: "time-track" }, this.range, this.ticks),
      this.buildEnd(),
      this.note,
    );
    this.root.append(this.bar);
  }

  /** The buttons to play and step, and the speed. */
  buildKeys() {
    this.back = button("One event back", "back", () => this.step(-1));
    this.forth = button("One event on", "forth", () => this.step(1));
    this.play = button("Play", "play", () => this.toggle());
    this.speed = h(
      "select",
      {
        class: "time-speed",
        "aria-label": "Speed of playing",
        on: { change: () => this.setSpeed() },
      },
      SPEEDS.map((s) => h("option", { value: String(s) }, `${s}×`)),
    );
    this.speed.value = String(this.ctx.prefs.get("speed", 1));
    if (this.speed.value === "") this.speed.value = "1";
    this.setSpeed();
    return h("div", { class: "time-keys", role: "group", "aria-label": "Playing" }, [
      this.back,
      this.play,
      this.forth,
      this.speed,
    ]);
  }

  /** Where to go to, and the way back. */
  buildEnd() {
    const leaps = () => (this.player.leaps = this.leap.checked);
    this.leap = h("input", {
      type: "checkbox",
      id: "time-leap",
      checked: true,
      on: { change: leaps },
    });
    this.liveButton = h(
      "button",
      { type: "button", class: "time-live", on: { click: () => this.live(true) } },
      "Back to live",
    );
    const leap = h(
      "label",
      { class: "check", for: "time-leap" },
      this.leap,
      "When playing, leap over quiet times",
    );
    this.goTo = createGoTo({
      seq: (seq) => this.go(seq),
      time: (us) => this.goTime(us),
      leap,
    });
    return h("div", { class: "time-end" }, this.goTo.element, this.liveButton);
  }

  draw() {
    const { timeline } = this.recording;
    const at = this.ctx.time.getSnapshot();
    const seq = at ? at.seq : timeline.head;
    setAttr(this.bar, "data-past", at ? "" : null);
    setText(this.badge, at ? "Showing the past" : "Live");
    setAttr(this.range, "min", timeline.first);
    setAttr(this.range, "max", Math.max(timeline.head, timeline.first));
    if (Number(this.range.value) !== seq) this.range.value = String(seq);
    this.range.disabled = this.play.disabled = this.speed.disabled = timeline.empty;
    this.back.disabled = timeline.empty || seq <= timeline.first;
    this.forth.disabled = !at;
    this.liveButton.hidden = !at;
    this.words(at, seq);
    this.showPlay();
  }

  words(at, seq) {
    const { timeline } = this.recording;
    const when = this.whenText(at, seq);
    const what = timeline.empty
      ? "the log is empty"
      : `event ${number(seq)} of ${number(timeline.head)}`;
    setText(this.when, when);
    setText(this.what, this.player.waiting ? `${what}, waiting for events` : what);
    setAttr(
      this.range,
      "aria-valuetext",
      [at ? when : "live", what].filter(Boolean).join(", "),
    );
  }

  whenText(at, seq) {
    const { timeline } = this.recording;
    if (!at) return "";
    if (seq <= 0) return "before the first event";
    const known = timeline.time(seq);
    const { time } = at;
    if (!time) return "";
    const exact = known?.exact || this.player.playing;
    return exact ? exactTime(time).slice(0, 23) : `about ${exactTime(time).slice(0, 19)}`;
  }

  showPlay() {
    const { playing } = this.player;
    if (this.shownPlaying === playing) return;
    this.shownPlaying = playing;
    setAttr(this.play, "aria-label", playing ? "Pause" : "Play");
    setAttr(this.play, "title", playing ? "Pause" : "Play");
    this.play.replaceChildren(glyph(playing ? "pause" : "play"));
  }

  /** Bounds or known times changed. */
  changed() {
    const { timeline } = this.recording;
    const at = this.ctx.time.getSnapshot();
    if (at && this.recording.log !== this.log) {
      this.live();
      this.tell("The log is another one now: live again.");
    } else if (at && at.seq < timeline.first) {
      this.go(timeline.first);
      this.tell(
        `Nothing before event ${number(timeline.first + 1)} is kept any more: ` +
          "this is the earliest state.",
      );
    }
    this.log = this.recording.log;
    this.label();
    this.ctx.schedule(this.draw);
  }

  /** Times below the track, asked for once, and again when the log has grown much. */
  label() {
    const { timeline } = this.recording;
    const { first, head } = timeline;
    if (timeline.empty || (first === this.tickFirst && head < this.tickHead * 1.15)) {
      this.drawTicks();
      return;
    }
    this.tickFirst = first;
    this.tickHead = head;
    this.tickSeqs = timeline.ticks(TICKS);
    for (const seq of this.tickSeqs) this.recording.timeOf(seq).catch(() => {});
    this.drawTicks();
  }

  drawTicks() {
    const { timeline } = this.recording;
    const seqs = this.tickSeqs ?? [];
    const span = Math.max(1, timeline.head - timeline.first);
    const times = seqs.map((seq) => timeline.time(seq)?.time ?? 0);
    const lasts = times.at(-1) - times[0];
    const texts = seqs.map((seq) => {
      const known = timeline.time(seq);
      return known?.exact ? tickText(known.time, lasts) : "";
    });
    const key = `${texts} ${timeline.first} ${timeline.head}`;
    if (key === this.tickKey) return;
    this.tickKey = key;
    this.ticks.replaceChildren(
      ...seqs.map((seq, i) => {
        const tick = h("span", {}, texts[i] === texts[i - 1] ? "" : texts[i]);
        tick.style.insetInlineStart = `${(100 * (seq - timeline.first)) / span}%`;
        return tick;
      }),
    );
  }

  tell(text) {
    this.note.hidden = !text;
    setText(this.note, text);
    if (text) this.ctx.announce(text);
  }

  /* --- what people do --- */

  slide() {
    this.tell("");
    this.pause();
    const seq = Number(this.range.value);
    if (seq >= this.recording.timeline.head) this.live();
    else this.go(seq, SETTLE);
  }

  step(by) {
    const { timeline } = this.recording;
    this.tell("");
    this.pause();
    const seq = (this.ctx.time.getSnapshot()?.seq ?? timeline.head) + by;
    if (seq >= timeline.head && by > 0) this.live(true);
    else this.go(seq);
  }

  go(seq, settle = 0) {
    const { timeline } = this.recording;
    const to = timeline.clamp(seq);
    const time = timeline.time(Math.max(to, 1))?.time ?? 0;
    this.ctx.time.set({ seq: to, time });
    clearTimeout(this.settling);
    if (!timeline.time(to)?.exact)
      this.settling = setTimeout(() => this.settle(to), settle);
  }

  async goTime(us) {
    this.tell("");
    this.pause();
    try {
      const seq = await this.recording.seqOf(us);
      this.go(seq);
      this.say();
    } catch (error) {
      this.tell(`That time can't be shown: ${error.message}`);
    }
  }

  /** Ask when it was, and say so if it is still what is shown. */
  async settle(seq) {
    try {
      const time = await this.recording.timeOf(seq);
      const at = this.ctx.time.getSnapshot();
      if (time !== undefined && at?.seq === seq && !this.player.playing)
        this.ctx.time.set({ seq, time });
    } catch {
      // The time stays an estimate, and is shown as one.
    }
  }

  live(said = false) {
    this.pause();
    clearTimeout(this.settling);
    this.ctx.time.set(null);
    if (said) this.ctx.announce("Live again");
  }

  say() {
    if (!this.ctx.time.getSnapshot()) return;
    this.ctx.announce(`Showing the past, ${this.range.getAttribute("aria-valuetext")}`);
  }

  /* --- playing --- */

  setSpeed() {
    const speed = Number(this.speed.value);
    this.player.setSpeed(speed);
    this.ctx.prefs.set("speed", speed);
  }

  toggle() {
    this.tell("");
    if (this.player.playing) {
      this.pause();
      return;
    }
    if (!this.ctx.time.getSnapshot()) this.go(this.recording.timeline.first);
    this.player.start(performance.now());
    this.ctx.announce(`Playing at ${this.speed.value} times`);
    this.ctx.schedule(this.frame);
    this.draw();
  }

  pause() {
    if (!this.player.playing) return;
    this.player.stop();
    this.ctx.schedule(this.draw);
  }

  frame(now) {
    if (this.player.frame(now)) this.ctx.schedule(this.frame);
  }

  ended(error) {
    if (error) {
      this.tell(`Playing stopped: ${error.message}`);
      this.ctx.schedule(this.draw);
    } else {
      this.live();
      this.ctx.announce("Played to the end: live again");
    }
  }
}
