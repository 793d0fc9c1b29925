// SPDX-License-Identifier: BSD-2-Clause

// The state browser: topics as a tree, and of one topic its row, value and history. It
// shows what is, or what was where the slider stands; thousands of topics cost what is in
// sight.

import { h, replace, setAttr, setText } from "./dom.js";
import { count } from "./format.js";
import { createRows } from "./rows.js";
import { createTopicDetail } from "./topic-detail.js";
import { brief } from "./value.js";
import { createVirtual } from "./virtual.js";

const FLASH = 600; // ms
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function makeItem() {
  return h(
    "div",
    { role: "treeitem", class: "topic-item" },
    h("span", { class: "twist", "aria-hidden": "true" }),
    h("span", { class: "topic-label mono" }),
    h("span", { class: "topic-brief mono" }),
  );
}

const drawn = new WeakMap(); // element -> { item, row, when }

/** Shows that a row changed, briefly, and not more often than one can see. */
function flash(element, before) {
  const now = performance.now();
  if (calm.matches || now - before.when < FLASH) return before.when;
  const accent = getComputedStyle(element).getPropertyValue("--accent-soft");
  // To what it is then: it may be selected.
  element.animate([{ backgroundColor: accent, offset: 0 }], {
    duration: FLASH,
    easing: "ease-out",
  });
  return now;
}

function fillItem(element, item, row, selected) {
  const before = drawn.get(element);
  const [twist, label, text] = element.children;
  setAttr(
    element,
    "aria-selected",
    item.topic === null ? null : String(item.topic === selected),
  );
  if (before?.item === item && before.row === row) return;
  const same =
    before && before.item.prefix === item.prefix && before.item.topic === item.topic;
  let when = same ? before.when : 0;
  if (!same || before.item !== item) {
    element.style.setProperty("--level", String(item.level - 1));
    setAttr(element, "aria-level", item.level);
    setAttr(element, "aria-posinset", item.place);
    setAttr(element, "aria-setsize", item.of);
    setAttr(element, "aria-expanded", item.topic === null ? String(item.open) : null);
    element.classList.toggle("branch", item.topic === null);
    setText(twist, item.topic !== null ? "" : item.open ? "▾" : "▸");
    setText(label, item.label);
    element.title = item.prefix;
  }
  if (item.topic === null) setText(text, count(item.count, "topic"));
  else {
    setText(text, row ? brief(row.value, 120) : "");
    if (same && before.row && row && before.row !== row) when = flash(element, before);
  }
  drawn.set(element, { item, row, when });
}

class StatePanel {
  constructor(root, ctx) {
    this.ctx = ctx;
    this.selected = null;
    this.text = "";
    this.items = [];
    this.stale = true;
    const draw = () => this.draw();
    this.ask = () => ctx.schedule(draw);
    this.rows = createRows(ctx, (shape) => {
      if (shape) this.stale = true;
      this.ask();
    });
    this.build(root);
    this.show();
    this.undo = ctx.time.subscribe(() => this.show());
  }

  build(root) {
    const { ctx } = this;
    this.pattern = h("input", {
      class: "mono state-pattern",
      "aria-label": "Topics, a pattern",
      title: "Which topics: a pattern",
      placeholder: "topics: >",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      on: { change: () => this.show() },
    });
    this.filter = h("input", {
      class: "grow",
      type: "search",
      "aria-label": "Find in the names",
      placeholder: "find",
      autocomplete: "off",
      spellcheck: "false",
      on: {
        input: () => {
          this.text = this.filter.value.trim().toLowerCase();
          this.stale = true;
          this.ask();
        },
      },
    });
    this.status = h("p", { class: "small muted state-status" });
    this.tree = h("div", {
      role: "tree",
      class: "topic-tree",
      tabindex: "0",
      "aria-label": "Topics",
    });
    this.empty = h("p", { class: "empty state-empty" });
    this.detail = createTopicDetail(ctx, () => {
      ctx.go("state", "");
      this.tree.focus();
    });
    this.body = h(
      "div",
      { class: "state-body" },
      h(
        "section",
        { class: "state-list", "aria-label": "Topics" },
        h(
          "form",
          {
            class: "toolbar",
            role: "search",
            "aria-label": "Choose topics",
            on: {
              submit: (e) => {
                e.preventDefault();
                this.show();
              },
            },
          },
          this.pattern,
          this.filter,
          h("button", { class: "visually-hidden" }, "Apply"),
        ),
        h("div", { class: "topic-place" }, this.tree, this.empty),
        this.status,
      ),
      this.detail.root,
    );
    replace(root, this.body);
    this.list = createVirtual(this.tree, {
      make: makeItem,
      fill: (element, i) =>
        fillItem(element, this.items[i], this.rowOf(i), this.selected),
      size: () => this.refresh().length,
      ask: this.ask,
      onOpen: (i) => this.open(this.items[i]),
    });
    this.tree.addEventListener("keydown", (e) => this.key(e));
  }

  rowOf(i) {
    const { topic } = this.items[i];
    return topic === null ? undefined : this.rows.get(topic);
  }

  show() {
    this.rows.show(this.pattern.value.trim() || ">");
    this.detail.show(this.selected, this.rows);
    this.ask();
  }

  open(item) {
    if (item.topic === null) this.toggle(item, !item.open);
    else if (item.topic === this.selected) this.detail.focus();
    else this.ctx.go("state", item.topic);
  }

  toggle(item, open) {
    if (open) this.rows.tree.open.add(item.prefix);
    else this.rows.tree.open.delete(item.prefix);
    this.stale = true;
    this.ask();
  }

  /** What the tree pattern adds to the keys of a list. */
  key(e) {
    const items = this.refresh();
    const at = this.list.active;
    const item = items[at];
    if (!item || e.altKey || e.ctrlKey || e.metaKey) return;
    if (e.key === "ArrowRight") {
      if (item.topic === null && !item.open) this.toggle(item, true);
      else if (item.topic === null) this.list.move(at + 1);
    } else if (e.key === "ArrowLeft") {
      if (item.open) this.toggle(item, false);
      else {
        const up = this.items.findLastIndex(
          (other, i) => i < at && other.level < item.level,
        );
        if (up >= 0) this.list.move(up);
      }
    } else return;
    e.preventDefault();
  }

  /** The topic that the address names. */
  route(topic) {
    this.selected = topic === "" ? null : topic;
    this.body.classList.toggle("chosen", this.selected !== null);
    if (this.selected !== null) this.rows.tree.reveal(topic);
    this.stale = true;
    this.wanted = this.selected;
    this.detail.show(this.selected, this.rows);
    this.ask();
  }

  listItems() {
    const { tree } = this.rows;
    if (this.text === "") return tree.rows();
    const found = [...tree.topics]
      .filter((t) => t.toLowerCase().includes(this.text))
      .sort();
    return found.map((topic, i) => ({
      prefix: topic,
      label: topic,
      level: 1,
      topic,
      count: 1,
      place: i + 1,
      of: found.length,
    }));
  }

  /** What is listed, after all that has happened: keys come faster than frames. */
  refresh() {
    if (!this.stale) return this.items;
    this.stale = false;
    const active = this.items[this.list.active];
    this.items = this.listItems();
    if (active) {
      this.list.active = this.items.findIndex(
        (item) => item.prefix === active.prefix && item.topic === active.topic,
      );
    }
    const at = this.wanted
      ? this.items.findIndex((item) => item.topic === this.wanted)
      : -1;
    if (at >= 0) {
      this.wanted = null;
      this.list.move(at);
    }
    return this.items;
  }

  draw() {
    this.refresh();
    this.list.draw();
    const { fault, complete } = this.rows.state;
    const { size } = this.rows.tree;
    setText(
      this.status,
      fault ??
        (this.text === ""
          ? count(size, "topic")
          : `${count(this.items.length, "topic")} of ${size}`),
    );
    this.status.classList.toggle("fault", fault !== null);
    this.empty.hidden = this.items.length > 0;
    setText(
      this.empty,
      !complete && !fault
        ? "Reading …"
        : this.text === ""
          ? "There is no topic here yet."
          : "No topic has this in its name.",
    );
    this.detail.draw();
  }

  destroy() {
    this.undo();
    this.rows.end();
    this.list.destroy();
    this.detail.destroy();
  }
}

export function mount(root, ctx) {
  return new StatePanel(root, ctx);
}
