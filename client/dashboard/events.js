// SPDX-License-Identifier: BSD-2-Clause

// The table of events: live with filter and pause, or as it was where the slider stands.
// What arrives is noted; rows are drawn once per frame, and only those in sight exist.

import { h, icon, replace, setAttr, setText } from "./dom.js";
import { createEventDetail } from "./event.js";
import { count, exactTime, number, timeText } from "./format.js";
import { createPast, createStream, KEPT } from "./stream.js";
import { brief } from "./value.js";
import { createVirtual } from "./virtual.js";

const PAUSE = "M4 2h3v12H4zm5 0h3v12H9z";
const PLAY = "M4 2l9 6-9 6z";
const COLUMNS = ["Seq", "Time", "Topic", "Type", "Actor", "Data"];

function makeRow() {
  return h(
    "div",
    { role: "row", class: "event-row" },
    COLUMNS.map((name) =>
      h("div", {
        role: "gridcell",
        class: `cell c-${name.toLowerCase()}`,
      }),
    ),
  );
}

const shown = new WeakMap(); // row -> item

function fillRow(row, item, index) {
  setAttr(row, "aria-rowindex", index + 2);
  if (shown.get(row) === item) return;
  shown.set(row, item);
  row.classList.toggle("note-row", !item.event);
  const [seq, time, topic, type, actor, data] = row.children;
  if (!item.event) {
    for (const cell of row.children) setText(cell, "");
    setText(topic, item.note);
    return;
  }
  const e = item.event;
  setText(seq, e.seq === 0 ? "–" : number(e.seq));
  setText(time, timeText(e.time));
  time.title = exactTime(e.time);
  setText(topic, e.topic);
  topic.title = e.topic;
  setText(type, e.type);
  type.title = e.type;
  setText(actor, e.actor);
  actor.title = e.actor;
  setText(data, brief(e.data));
}

function createFilter(prefs, onChange) {
  const saved = prefs.get("events.filter", {});
  const field = (name, label, hint, size) => {
    const input = h("input", {
      id: `events-${name}`,
      class: size,
      placeholder: hint,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-label": label,
      title: `${label}: ${hint}`,
    });
    input.value = typeof saved[name] === "string" ? saved[name] : "";
    return input;
  };
  const inputs = {
    pattern: field("pattern", "Topics", "topics: host.* or >", "grow mono"),
    type: field("type", "Type", "type: *_created", "type mono"),
    actor: field("actor", "Actor", "actor", "actor"),
  };
  const read = () => ({
    pattern: inputs.pattern.value.trim() || ">",
    type: inputs.type.value.trim(),
    actor: inputs.actor.value,
  });
  let last = JSON.stringify(read());
  function apply() {
    const text = JSON.stringify(read());
    if (text === last) return;
    last = text;
    prefs.set("events.filter", read());
    onChange(read());
  }
  const form = h(
    "form",
    {
      role: "search",
      class: "event-filter",
      "aria-label": "Filter events",
      on: {
        submit: (e) => {
          e.preventDefault();
          apply();
        },
        change: apply,
      },
    },
    Object.values(inputs),
    h("button", { class: "visually-hidden" }, "Apply"),
  );
  return {
    form,
    read,
    focus: () => inputs.pattern.select(),
    set(part) {
      for (const [name, value] of Object.entries(part)) inputs[name].value = value;
      apply();
    },
  };
}

function statusOf(source, past) {
  const { fault, loading, total } = source.state;
  if (fault) return { tone: "bad", text: fault };
  if (past) {
    return {
      tone: "warn",
      text: loading
        ? "The past · reading …"
        : `The past · ${count(source.items.size, "event")} up to ${number(past.seq)}`,
    };
  }
  if (source.paused) {
    return {
      tone: "warn",
      text: `Paused · ${count(source.missed, "event")} came meanwhile`,
    };
  }
  const rate = source.rate();
  return {
    tone: "",
    text:
      `${number(Math.round(rate))}/s · ${number(total)} since this began` +
      (total > KEPT ? `, the newest ${number(KEPT)} are kept` : ""),
  };
}

class EventsPanel {
  constructor(root, ctx) {
    this.ctx = ctx;
    this.past = ctx.time.getSnapshot();
    const draw = () => this.draw();
    this.ask = () => ctx.schedule(draw);
    this.build(root);
    this.follow(this.filter.read());
    this.undo = [
      ctx.time.subscribe(() => this.travel()),
      ctx.shortcut("p", "pause or resume the events", () => this.toggle()),
      ctx.shortcut("/", "filter", () => this.filter.focus()),
    ];
    // The rate is of time, not of events: it is drawn when nothing comes, too.
    this.timer = setInterval(() => this.ask(), 1000);
    this.ask();
  }

  build(root) {
    const { ctx } = this;
    this.filter = createFilter(ctx.prefs, (filter) => this.follow(filter));
    this.pauseButton = h("button", {
      type: "button",
      class: "pause",
      title: "Pause (p)",
      on: { click: () => this.toggle() },
    });
    this.clearButton = h(
      "button",
      { type: "button", class: "quiet", on: { click: () => this.source.clear?.() } },
      "Clear",
    );
    this.status = h("p", { class: "event-status small" });
    this.empty = h("p", { class: "empty event-empty" });
    this.grid = h(
      "div",
      {
        class: "event-grid",
        role: "grid",
        tabindex: "0",
        "aria-label": "Events, newest first",
        "aria-live": "off",
      },
      h(
        "div",
        { role: "row", class: "event-row event-head", "aria-rowindex": "1" },
        COLUMNS.map((name) =>
          h("div", { role: "columnheader", class: `cell c-${name.toLowerCase()}` }, name),
        ),
      ),
    );
    this.detail = createEventDetail(ctx, {
      narrow: (part) => this.filter.set(part),
      close: () => this.closeDetail(),
    });
    replace(
      root,
      h(
        "div",
        { class: "toolbar" },
        this.filter.form,
        this.pauseButton,
        this.clearButton,
        this.status,
      ),
      h(
        "div",
        { class: "event-body" },
        h("div", { class: "event-table" }, this.grid, this.empty),
        this.detail.root,
      ),
    );
    this.list = createVirtual(this.grid, {
      make: makeRow,
      fill: (row, i) => fillRow(row, this.items.at(i), i),
      size: () => this.items.size,
      ask: this.ask,
      inset: () => this.grid.firstElementChild.offsetHeight,
      // Who points at something wants it to stand still.
      onMove: (i) => {
        this.pause();
        if (!this.detail.root.hidden) this.detail.show(this.items.at(i)?.event, false);
      },
      onOpen: (i) => this.detail.show(this.items.at(i)?.event, true),
    });
  }

  get items() {
    return this.source?.items ?? { size: 0, at: () => undefined };
  }

  follow(filter) {
    this.source?.end();
    this.stream?.end();
    this.stream = null;
    if (this.past) {
      this.source = createPast(this.ctx.client, filter, this.ask);
      this.source.show(this.past.seq);
    } else {
      this.stream = createStream(this.ctx.client, filter, this.ask);
      this.source = this.stream;
    }
    this.list.active = -1;
  }

  travel() {
    const before = this.past;
    this.past = this.ctx.time.getSnapshot();
    if (before && this.past) this.source.show(this.past.seq);
    else this.follow(this.filter.read());
  }

  pause() {
    if (!this.stream || this.stream.paused) return;
    this.stream.pause();
    this.ctx.announce("Events are paused");
  }

  toggle() {
    if (!this.stream) return;
    if (!this.stream.paused) {
      this.pause();
      return;
    }
    this.ctx.announce(
      `Events go on; ${count(this.stream.missed, "event")} came meanwhile`,
    );
    this.stream.resume();
    this.list.active = -1;
    this.grid.scrollTop = 0;
  }

  closeDetail() {
    this.grid.focus();
  }

  draw() {
    this.list.draw();
    const said = statusOf(this.source, this.past);
    setText(this.status, said.text);
    setAttr(this.status, "data-tone", said.tone || null);
    const paused = this.stream?.paused ?? false;
    this.pauseButton.hidden = this.past !== null;
    this.clearButton.hidden = this.past !== null;
    if (this.pauseButton.dataset.paused !== String(paused)) {
      this.pauseButton.dataset.paused = String(paused);
      replace(this.pauseButton, icon(paused ? PLAY : PAUSE), paused ? "Go on" : "Pause");
    }
    setAttr(this.grid, "aria-rowcount", this.items.size + 1);
    this.empty.hidden = this.items.size > 0;
    setText(
      this.empty,
      this.source.state.loading
        ? "Reading …"
        : "No event matches yet. What is appended shows up here at once.",
    );
  }

  destroy() {
    clearInterval(this.timer);
    for (const fn of this.undo) fn();
    this.source.end();
    this.list.destroy();
  }
}

export function mount(root, ctx) {
  return new EventsPanel(root, ctx);
}
