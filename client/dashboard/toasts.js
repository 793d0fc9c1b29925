// SPDX-License-Identifier: BSD-2-Clause

// Toasts for what others changed. Each is gone after five seconds, unless it is pointed
// at or has the focus; a storm shows one, and is silent then until it has been calm for a
// while.

import { h, icon, replace, setText } from "./dom.js";
import { count } from "./format.js";
import { isOwn } from "./own.js";
import { createGroups } from "./toast-groups.js";

const LIFE = 5000;
const MOST = 3;
const CLOSE = "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z";

/** An actor may have 128 bytes. */
const brief = (name) => (name.length > 40 ? `${name.slice(0, 40)}…` : name);

/** What a group of changes is, in words. */
export function describe({ actor, events, topics, last }) {
  const who = brief(actor || "Somebody");
  if (events === 1) return { text: `${who}: ${last.type}`, topic: last.topic };
  const where = topics === 1 ? last.topic : count(topics, "topic");
  return {
    text: `${who}: ${count(events, "change")} to ${where}`,
    topic: topics === 1 ? last.topic : null,
  };
}

class Toast {
  constructor(group, ctx, onEnd) {
    this.group = group;
    this.onEnd = onEnd;
    this.left = LIFE;
    this.text = h("span", { class: "toast-text" });
    this.link = h("button", {
      type: "button",
      class: "link mono toast-topic",
      on: { click: () => ctx.open(this.topic) },
    });
    this.root = h(
      "li",
      { class: "toast" },
      h("div", {}, this.text, this.link),
      h(
        "button",
        {
          type: "button",
          class: "quiet square",
          "aria-label": "Dismiss",
          on: { click: () => this.end() },
        },
        icon(CLOSE),
      ),
    );
    for (const type of ["pointerenter", "focusin"]) {
      this.root.addEventListener(type, () => this.hold());
    }
    for (const type of ["pointerleave", "focusout"]) {
      this.root.addEventListener(type, () => this.run());
    }
    this.run();
  }

  draw() {
    const { text, topic } = describe(this.group);
    this.topic = topic;
    setText(this.text, text);
    setText(this.link, topic ?? "");
    this.link.hidden = topic === null;
  }

  get held() {
    return this.root.matches(":hover") || this.root.contains(document.activeElement);
  }

  hold() {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.left -= performance.now() - this.started;
  }

  run() {
    if (this.timer !== undefined || (this.root.isConnected && this.held)) return;
    this.started = performance.now();
    this.timer = setTimeout(() => this.end(), Math.max(this.left, 0));
  }

  end() {
    clearTimeout(this.timer);
    this.root.remove();
    this.onEnd();
  }
}

class Toasts {
  constructor(root, ctx) {
    this.ctx = ctx;
    this.shown = new Map(); // group -> Toast
    this.list = h("ol", { class: "toast-list" });
    replace(root, this.list);
    const draw = () => this.draw();
    this.ask = () => ctx.schedule(draw);
    this.groups = createGroups();
    this.subscription = ctx.client.subscribe(">", { from: "now" });
    this.subscription.on("event", (event) => this.take(event));
    this.subscription.on("error", () => {}); // the panels tell
    this.waiting = new Set();
  }

  take(event) {
    if (event.seq === 0 || document.hidden || isOwn(event)) return;
    if (this.ctx.prefs.get("toasts", true) === false) return;
    const group = this.groups.take(event, performance.now());
    if (!group) return;
    this.waiting.add(group);
    this.ask();
  }

  draw() {
    for (const group of this.waiting) {
      let toast = this.shown.get(group);
      if (!toast) {
        toast = new Toast(group, this.ctx, () => {
          this.shown.delete(group);
          this.waiting.delete(group);
          this.groups.end(group, performance.now());
        });
        this.shown.set(group, toast);
        this.list.append(toast.root);
        const { text, topic } = describe(group);
        this.ctx.announce(topic === null ? text : `${text} ${topic}`);
      }
      toast.draw();
    }
    this.waiting.clear();
    const extra = [...this.shown.values()]
      .filter((t) => !t.held)
      .slice(0, Math.max(0, this.shown.size - MOST));
    for (const toast of extra) toast.end();
  }

  destroy() {
    this.subscription.unsubscribe();
    for (const toast of [...this.shown.values()]) toast.end();
  }
}

export function mount(root, ctx) {
  return new Toasts(root, ctx);
}
