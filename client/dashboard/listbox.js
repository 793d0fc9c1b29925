// SPDX-License-Identifier: BSD-2-Clause

// A list to choose from, of which only what is in sight is in the document. Items are
// told apart by their keys, so that the one that is active stays so while others come and
// go.

import { h, setAttr } from "./dom.js";
import { createVirtual } from "./virtual.js";

export class Listbox {
  /**
   * `schedule` is the panel's; `key(item)` names an item; `fill(option, item)` shows it
   * in an element, which may have shown another one; `active(item)` is told where keys
   * and clicks lead, `chosen(item)` of clicks alone; `keys(event, item)` sees keys first,
   * and returns whether they were its own.
   */
  constructor({ label, schedule, key, fill, active, chosen, keys }) {
    this.o = { key, fill, active, chosen };
    this.items = [];
    this.places = new Map();
    this.round = 0; // grows when what items show may have changed
    this.shown = new WeakMap(); // option -> what it shows
    this.element = h("div", {
      role: "listbox",
      class: "list",
      tabindex: "0",
      "aria-label": label,
      on: {
        keydown: (e) => {
          if (e.altKey || e.ctrlKey || e.metaKey || !keys?.(e, this.item)) return;
          e.preventDefault();
          e.stopImmediatePropagation();
        },
        focus: () => this.begin(),
      },
    });
    this.draw = () => this.list.draw();
    this.list = createVirtual(this.element, {
      make: () => h("div", { role: "option", class: "list-option" }),
      fill: (option, i) => this.fill(option, i),
      size: () => this.items.length,
      ask: () => schedule(this.draw),
      onMove: (i) => i >= 0 && active?.(this.items[i]),
      onOpen: (i, e) => e.type === "click" && chosen?.(this.items[i]),
    });
  }

  end() {
    this.list.destroy();
  }

  get item() {
    return this.items[this.list.active];
  }

  /** Go there; the first is active where none is. */
  focus() {
    this.element.focus();
    this.begin();
  }

  begin() {
    if (!this.item && this.items.length > 0) this.list.move(0);
  }

  label(text) {
    setAttr(this.element, "aria-label", text);
  }

  /** The items are these now; who is active stays so, if it is still there. */
  set(items) {
    const active = this.item;
    this.items = items;
    this.round++;
    this.places = new Map(items.map((item, i) => [this.o.key(item), i]));
    if (active !== undefined) this.point(this.o.key(active));
    else this.list.active = -1;
  }

  /** Make an item the active one without telling; undefined: none. */
  point(key) {
    this.list.active = this.places.get(key) ?? -1;
  }

  /** Bring what is active into sight. */
  reveal() {
    if (this.item) this.list.reveal(this.list.active);
  }

  fill(option, i) {
    const item = this.items[i];
    setAttr(option, "aria-selected", String(i === this.list.active));
    const shows = this.shown.get(option);
    if (shows?.item === item && shows.round === this.round) return;
    this.shown.set(option, { item, round: this.round });
    setAttr(option, "aria-posinset", i + 1);
    setAttr(option, "aria-setsize", this.items.length);
    this.o.fill(option, item);
  }
}
