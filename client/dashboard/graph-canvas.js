// SPDX-License-Identifier: BSD-2-Clause

// The drawing of the graph: lets the layout settle a few steps a frame, follows pointer
// and keys, and paints when something changed. At rest it asks for no frame, and hidden
// it gets none.

import { onColors } from "./colors.js";
import { h, setAttr } from "./dom.js";
import { bounds, Layout } from "./graph-layout.js";
import { Painter, PULSE } from "./graph-paint.js";
import { between, center, fit, Fingers, pan, START, zoom } from "./graph-viewport.js";

const LIMIT = 4000; // nodes drawn; the list has all
// Of a frame for the layout: 7 ms, or as long as painting takes, and at most 8 steps.
const BUDGET = 7;
const STEPS = 8;
const PULSES = 200; // more changes at once are not told apart

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class GraphCanvas {
  /** `pick(name or null)` is told what a click chose. */
  constructor(ctx, { pick, describedBy }) {
    this.ctx = ctx;
    this.pick = pick;
    this.layout = new Layout(1);
    this.view = START;
    this.goal = null; // the view on the way to which it is
    this.follows = true; // the whole is kept in sight until somebody moves it
    this.nodes = [];
    this.index = new Map();
    this.links = new Uint32Array(0);
    this.order = []; // indices, the best connected first
    this.colors = [];
    this.selected = null;
    this.hover = -1;
    this.cost = 0;
    this.pulses = new Map(); // name -> when it was first painted; null: not yet
    this.fingers = new Fingers();
    this.canvas = h("canvas", {
      class: "graph-canvas",
      tabindex: "0",
      role: "img",
      "aria-describedby": describedBy,
      on: this.handlers(),
    });
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.painter = new Painter(this.canvas);
    this.frame = this.frame.bind(this);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.canvas);
    this.offColors = onColors(() => {
      this.painter.theme();
      this.ask();
    });
  }

  end() {
    this.watch.disconnect();
    this.offColors();
    this.ended = true;
  }

  ask() {
    if (!this.ended) this.ctx.schedule(this.frame);
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.painter.resize(clientWidth, clientHeight);
    this.ask();
  }

  /* --- what is drawn --- */

  /** Follow the model: which nodes and links there are, and of which colour. */
  set(model, colors) {
    let nodes = [...model.nodes.values()];
    const all = nodes.length;
    if (all > LIMIT)
      nodes = nodes.sort((a, b) => b.links.size - a.links.size).slice(0, LIMIT);
    const index = new Map(nodes.map((node, i) => [node, i]));
    const links = [];
    for (const link of model.links.values()) {
      const a = index.get(link.from);
      const b = index.get(link.to);
      if (a !== undefined && b !== undefined) links.push(a, b);
    }
    this.nodes = nodes;
    this.index = new Map(nodes.map((node, i) => [node.name, i]));
    this.links = Uint32Array.from(links);
    this.order = nodes
      .map((_, i) => i)
      .sort((a, b) => nodes[b].links.size - nodes[a].links.size);
    this.layout.set(
      nodes.map((node) => node.name),
      this.links,
    );
    this.hover = -1;
    this.paintWith(colors);
    return all - nodes.length;
  }

  paintWith(colors) {
    this.colors = this.nodes.map((node) =>
      node.row ? (colors.get(node.type) ?? Infinity) : -1,
    );
    this.ask();
  }

  select(name, { reveal = false } = {}) {
    this.selected = name;
    const i = this.index.get(name);
    if (reveal && i !== undefined) this.reveal(i);
    this.ask();
  }

  /** Bring a node into sight, unless it is well within it already. */
  reveal(i) {
    const { width, height } = this.painter;
    const view = this.goal ?? this.view;
    const x = this.layout.x[i] * view.k + view.x;
    const y = this.layout.y[i] * view.k + view.y;
    const edge = Math.min(width, height) * 0.12;
    if (x > edge && y > edge && x < width - edge && y < height - edge) return;
    this.follows = false;
    this.goal = center(
      { ...view, k: Math.max(view.k, 0.5) },
      this.layout.x[i],
      this.layout.y[i],
      width,
      height,
    );
  }

  /** Nodes that have changed, for a moment to be seen. */
  pulse(names) {
    if (still.matches || names.size > PULSES) return;
    for (const name of names) this.pulses.set(name, null);
    this.ask();
  }

  /* --- one frame --- */

  frame(now) {
    if (!this.painter.width) return;
    const moved = this.settle();
    if (still.matches && moved) {
      // Without motion the drawing waits for the end; the page stays usable meanwhile.
      setAttr(this.canvas, "data-rest", "false");
      this.ask();
      return;
    }
    this.travel();
    const begun = performance.now();
    this.paint(now);
    this.cost = performance.now() - begun; // ms
    if (moved || this.goal || this.pulses.size > 0) this.ask();
  }

  settle() {
    const budget = still.matches ? 2 * BUDGET : Math.max(BUDGET, Math.min(this.cost, 50));
    const end = performance.now() + budget;
    for (let steps = 0; performance.now() < end && steps < STEPS; steps++)
      if (!this.layout.step()) return false;
    return !this.layout.resting;
  }

  travel() {
    const { width, height } = this.painter;
    if (this.follows) this.goal = fit(bounds(this.layout), width, height, 28);
    if (!this.goal) return;
    const { k, x, y } = this.goal;
    const near =
      Math.abs(k / this.view.k - 1) < 0.002 &&
      Math.hypot(x - this.view.x, y - this.view.y) < 0.5;
    const jump = near || still.matches || this.view === START;
    this.view = jump ? this.goal : between(this.view, this.goal, 0.18);
    if (jump) this.goal = null;
  }

  paint(now) {
    const selected = this.index.get(this.selected) ?? -1;
    const pulses = new Map();
    for (const [name, begin] of this.pulses) {
      if (begin === null) this.pulses.set(name, now);
      const t = (now - (begin ?? now)) / PULSE;
      const i = this.index.get(name);
      if (t >= 1) this.pulses.delete(name);
      else if (i !== undefined) pulses.set(i, Math.max(0, t));
    }
    this.painter.paint({
      nodes: this.nodes,
      x: this.layout.x,
      y: this.layout.y,
      links: this.links,
      view: this.view,
      colors: this.colors,
      order: this.order,
      selected,
      hover: this.hover,
      near: selected < 0 ? null : this.near(selected),
      pulses,
    });
    const { k, x, y } = this.view;
    setAttr(this.canvas, "data-view", `${k.toFixed(4)} ${x.toFixed(1)} ${y.toFixed(1)}`);
    setAttr(this.canvas, "data-rest", String(this.layout.resting));
    setAttr(this.canvas, "data-nodes", this.nodes.length);
    setAttr(this.canvas, "data-pulses", String(pulses.size));
    setAttr(
      this.canvas,
      "data-selected",
      selected < 0
        ? null
        : [this.painter.sx[selected], this.painter.sy[selected]].map((v) => v.toFixed(1)),
    );
  }

  near(selected) {
    const near = new Set();
    for (const link of this.nodes[selected].links)
      for (const end of [link.from, link.to]) {
        const i = this.index.get(end.name);
        if (i !== undefined && i !== selected) near.add(i);
      }
    return near;
  }

  /* --- what people do --- */

  move(view) {
    this.follows = false;
    this.goal = null;
    this.view = view;
    this.ask();
  }

  zoomBy(factor) {
    const { width, height } = this.painter;
    const view = zoom(this.goal ?? this.view, factor, width / 2, height / 2);
    if (still.matches) this.move(view);
    else {
      this.follows = false;
      this.goal = view;
      this.ask();
    }
  }

  fit() {
    this.follows = true;
    this.ask();
  }

  at(e) {
    const box = this.canvas.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }

  /**
   * The node under a place on the screen, or -1; small ones are easier to hit than seen.
   */
  find(sx, sy) {
    const { painter } = this;
    let [found, best] = [-1, Infinity];
    if (!painter.sx) return found;
    for (let i = 0; i < this.nodes.length; i++) {
      const d = Math.hypot(painter.sx[i] - sx, painter.sy[i] - sy) - painter.sr[i];
      if (d < best) [found, best] = [i, d];
    }
    return best < 7 ? found : -1;
  }

  wheel(e) {
    e.preventDefault();
    const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? 400 : 1;
    const by = Math.exp(-e.deltaY * unit * (e.ctrlKey ? 0.01 : 0.0016));
    this.move(zoom(this.view, by, ...this.at(e)));
  }

  handlers() {
    return {
      pointerdown: (e) => this.down(e),
      pointermove: (e) => this.drag(e),
      pointerup: (e) => this.up(e),
      pointercancel: (e) => this.fingers.up(e.pointerId),
      pointerleave: () => this.point(-1),
      dblclick: (e) => this.move(zoom(this.view, 1.8, ...this.at(e))),
      keydown: (e) => this.press(e),
    };
  }

  down(e) {
    if (e.button > 0) return;
    this.canvas.setPointerCapture(e.pointerId);
    this.fingers.down(e.pointerId, ...this.at(e));
    this.origin = this.fingers.size === 1 ? this.at(e) : null; // null: no click any more
  }

  drag(e) {
    const [x, y] = this.at(e);
    if (this.fingers.size === 0) {
      this.point(this.find(x, y));
      return;
    }
    if (this.origin && Math.hypot(x - this.origin[0], y - this.origin[1]) < 4) return;
    this.origin = null;
    this.move(this.fingers.move(this.view, e.pointerId, x, y));
  }

  up(e) {
    this.fingers.up(e.pointerId);
    if (!this.origin || this.fingers.size > 0) return;
    const i = this.find(...this.origin);
    this.origin = null;
    this.pick(i < 0 ? null : this.nodes[i].name);
  }

  point(i) {
    if (i === this.hover) return;
    this.hover = i;
    this.canvas.classList.toggle("over", i >= 0);
    this.ask();
  }

  press(e) {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    const by = {
      ArrowLeft: [60, 0],
      ArrowRight: [-60, 0],
      ArrowUp: [0, 60],
      ArrowDown: [0, -60],
    }[e.key];
    if (by) this.move(pan(this.goal ?? this.view, ...by));
    else if (e.key === "+" || e.key === "=") this.zoomBy(1.35);
    else if (e.key === "-") this.zoomBy(1 / 1.35);
    else if (e.key === "0" || e.key === "Home") this.fit();
    else if (e.key === "Escape") this.pick(null);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
