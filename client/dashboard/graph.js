// SPDX-License-Identifier: BSD-2-Clause

// The panel of the memory graph: a drawing, a list of the same entities for those who do
// not see or do not point, and details. All three show one model and one selection.

import { h, setAttr, setText } from "./dom.js";
import { number } from "./format.js";
import { glyph } from "./glyphs.js";
import { GraphCanvas } from "./graph-canvas.js";
import { GraphDetails, swatch } from "./graph-details.js";
import { GraphModel, GRAPH_TOPICS, search, typesOf } from "./graph-model.js";
import { Listbox } from "./listbox.js";
import { createPast } from "./past.js";

const COLORS = 6; // types with a colour of their own; tokens.css has as many
const TRAIL = 100;

export function mount(root, ctx) {
  const panel = new GraphPanel(root, ctx);
  return {
    destroy: () => panel.destroy(),
    route: (name) => name && panel.select(name, { reveal: true }),
  };
}

class GraphPanel {
  constructor(root, ctx) {
    this.root = root;
    this.ctx = ctx;
    this.model = new GraphModel();
    this.selected = null;
    this.trail = []; // where one came from, neighbour by neighbour
    this.colors = new Map();
    this.shape = -1;
    this.applied = null; // the snapshot that the model follows
    this.draw = this.draw.bind(this);
    this.build();
    this.rows = createPast(ctx, GRAPH_TOPICS);
    this.stop = this.rows.subscribe(() => this.note());
    this.pending = new Set(); // topics that changed since the last draw; null: all
    this.note();
  }

  destroy() {
    this.stop();
    this.rows.close();
    this.canvas.end();
    this.list.end();
    this.details.end();
    this.root.replaceChildren();
  }

  /* --- the page --- */

  build() {
    this.canvas = new GraphCanvas(this.ctx, {
      pick: (name) => this.select(name),
      describedBy: "graph-keys",
    });
    this.list = new Listbox({
      label: "Entities",
      schedule: this.ctx.schedule,
      key: (node) => node.name,
      fill: (option, node) => this.fillEntity(option, node),
      active: (node) => this.select(node.name, { reveal: true }),
      keys: (e) => this.pressList(e),
    });
    this.details = new GraphDetails(this.ctx, {
      follow: (name) => this.follow(name),
      back: () => this.back(),
      leave: () => this.list.focus(),
      close: () => this.select(null),
    });
    this.find = h("input", {
      type: "search",
      id: "graph-find",
      class: "grow",
      placeholder: "Find by name or type",
      "aria-label": "Find entities",
      spellcheck: "false",
      autocomplete: "off",
      on: { input: () => this.searched(), keydown: (e) => this.pressFind(e) },
    });
    this.total = h("span", { class: "muted small graph-total" });
    this.legend = h("ul", { class: "graph-legend", "aria-label": "Types" });
    this.note_ = h("p", { class: "graph-note small", hidden: true });
    this.empty = h("div", { class: "empty graph-empty", hidden: true });
    this.foundNone = h(
      "p",
      { class: "muted list-none", hidden: true },
      "None of that name.",
    );
    this.grid = h(
      "div",
      { class: "graph-grid", "data-view": "drawing" },
      h(
        "section",
        { class: "graph-list", "aria-label": "List" },
        this.list.element,
        this.foundNone,
      ),
      h(
        "div",
        { class: "graph-stage" },
        this.canvas.canvas,
        this.legend,
        this.note_,
        this.buttons(),
        this.empty,
      ),
      this.details.element,
    );
    this.root.append(
      h("div", { class: "toolbar graph-bar" }, this.find, this.total, this.switch()),
      h(
        "p",
        { class: "visually-hidden", id: "graph-keys" },
        "Arrow keys move the drawing, plus and minus zoom, 0 shows all of it. ",
        "The list beside it holds the same entities.",
      ),
      this.grid,
    );
  }

  /** On a narrow screen there is room for the drawing or the list. */
  switch() {
    const button = (view, text) =>
      h(
        "button",
        {
          type: "button",
          "data-view": view,
          "aria-pressed": String(view === "drawing"),
          on: { click: () => this.turn(view) },
        },
        text,
      );
    this.views = [button("drawing", "Drawing"), button("list", "List")];
    return h(
      "div",
      { class: "graph-views", role: "group", "aria-label": "Show" },
      this.views,
    );
  }

  turn(view) {
    this.grid.dataset.view = view;
    for (const b of this.views)
      setAttr(b, "aria-pressed", String(b.dataset.view === view));
  }

  buttons() {
    const button = (label, sign, click) =>
      h(
        "button",
        {
          type: "button",
          class: "square",
          "aria-label": label,
          title: label,
          on: { click },
        },
        glyph(sign),
      );
    return h(
      "div",
      { class: "graph-zoom", role: "group", "aria-label": "Zoom" },
      button("Zoom in", "plus", () => this.canvas.zoomBy(1.35)),
      button("Zoom out", "minus", () => this.canvas.zoomBy(1 / 1.35)),
      button("Show all", "whole", () => this.canvas.fit()),
    );
  }

  fillEntity(option, node) {
    const links = node.links.size;
    option.replaceChildren(
      swatch(node.row ? node.type : undefined, this.colors),
      h("span", { class: "entity-name" }, node.name),
      h(
        "span",
        { class: "visually-hidden" },
        `, ${node.row ? node.type : "named by relations only"}, `,
      ),
      h(
        "span",
        { class: "entity-links" },
        number(links),
        h("span", { class: "visually-hidden" }, links === 1 ? " relation" : " relations"),
      ),
    );
    option.title = node.name;
  }

  /* --- what changed --- */

  note() {
    const { changed } = this.rows.getSnapshot();
    if (changed === null || this.pending === null) this.pending = null;
    else for (const topic of changed) this.pending.add(topic);
    this.ctx.schedule(this.draw);
  }

  draw() {
    const snapshot = this.rows.getSnapshot();
    const first =
      this.applied === null || (this.applied.at === null) !== (snapshot.at === null);
    const pending = first ? null : this.pending;
    this.pending = new Set();
    if (snapshot !== this.applied) this.follow_(snapshot, pending, first);
  }

  follow_(snapshot, pending, first) {
    const had = this.model.nodes.size > 0;
    const touched = this.model.apply(snapshot.rows, pending ?? undefined);
    this.applied = snapshot;
    if (touched.size > 0) {
      this.recolor();
      if (this.shape !== this.model.shape) this.reshape();
      else this.canvas.paintWith(this.colors);
      if (had && !first) this.canvas.pulse(touched);
      this.listed();
    }
    if (touched.has(this.selected) || touched.size === 0) this.detail();
    else if (this.selected !== null && !this.model.nodes.has(this.selected))
      this.detail();
    this.summarize(snapshot);
  }

  reshape() {
    this.shape = this.model.shape;
    this.left = this.canvas.set(this.model, this.colors);
  }

  /** Types keep their colours; the frequent get one first, then whoever comes. */
  recolor() {
    for (const { type } of typesOf(this.model.nodes.values()))
      if (!this.colors.has(type) && this.colors.size < COLORS)
        this.colors.set(type, this.colors.size);
  }

  summarize(snapshot) {
    const { entities, links, nodes } = this.model;
    const words =
      `${number(entities)} ${entities === 1 ? "entity" : "entities"}, ` +
      `${number(links.size)} ${links.size === 1 ? "relation" : "relations"}`;
    setText(this.total, words);
    setAttr(this.canvas.canvas, "aria-label", `Drawing of ${words}`);
    const types = typesOf(nodes.values()).slice(0, COLORS);
    const key = JSON.stringify(types.map((t) => [t.type, t.n]));
    if (key !== this.legendKey) {
      this.legendKey = key;
      this.legend.replaceChildren(
        ...types.map(({ type, n }) =>
          h(
            "li",
            {},
            swatch(type, this.colors),
            type || "no type",
            h("span", { class: "muted" }, number(n)),
          ),
        ),
      );
    }
    setText(
      this.note_,
      this.left > 0
        ? `Drawn are the ${number(nodes.size - this.left)} with ` +
            "most relations; the list has all."
        : "",
    );
    this.note_.hidden = !(this.left > 0);
    this.explain(snapshot);
  }

  /** Why there is nothing to see. */
  explain({ error, pending, complete, at }) {
    const nothing = this.model.nodes.size === 0;
    this.empty.hidden = !nothing && !error;
    this.empty.classList.toggle("over", !nothing);
    if (this.empty.hidden) return;
    if (error) setText(this.empty, `The graph can't be shown: ${error.message}`);
    else if (pending || !complete) setText(this.empty, "Waiting for the first rows…");
    else if (at) setText(this.empty, "There was no entity yet at that time.");
    else
      this.empty.replaceChildren(
        h("p", {}, "No entity yet."),
        h(
          "p",
          { class: "small" },
          "Entities are topics graph.entity.NAME. ",
          h("code", {}, "peal import FILE"),
          " takes a memory graph, one JSON object a line.",
        ),
      );
  }

  /* --- list and selection --- */

  listed() {
    const found = search(this.model.nodes.values(), this.find.value);
    this.list.element.hidden = found.length === 0;
    this.foundNone.hidden = found.length > 0 || this.model.nodes.size === 0;
    this.list.set(found);
    if (this.selected !== null) this.list.point(this.selected);
    this.found = found;
  }

  searched() {
    this.list.element.scrollTop = 0;
    this.listed();
    clearTimeout(this.saying);
    this.saying = setTimeout(
      () => this.ctx.announce(`${number(this.found.length)} found`),
      600,
    );
  }

  pressFind(e) {
    if (e.key === "Enter" && this.found?.[0]) {
      this.select(this.found[0].name, { reveal: true });
      this.say();
    } else if (e.key === "ArrowDown" && this.found?.length) this.list.focus();
    else if (e.key === "Escape" && this.find.value) {
      this.find.value = "";
      this.searched();
    } else return;
    e.preventDefault();
  }

  pressList(e) {
    if (e.key === "ArrowRight" || e.key === "Enter") {
      if (this.selected !== null) this.details.focus();
      return true;
    }
    if (e.key === "Escape") {
      this.select(null);
      return true;
    }
    return false;
  }

  select(name, { reveal = false, keepTrail = false } = {}) {
    if (!keepTrail) this.trail = [];
    this.selected = name;
    this.canvas.select(name, { reveal });
    this.list.point(name ?? undefined);
    if (reveal) this.list.reveal();
    this.detail();
  }

  detail() {
    const node = this.model.nodes.get(this.selected) ?? null;
    this.grid.classList.toggle("has-selection", node !== null);
    this.details.show(node, { at: this.applied?.at ?? null, colors: this.colors });
  }

  follow(name) {
    if (this.selected !== null) this.trail.push(this.selected);
    if (this.trail.length > TRAIL) this.trail.shift();
    this.arrive(name);
  }

  back() {
    const name = this.trail.pop();
    if (name === undefined) return false;
    this.arrive(name);
    return true;
  }

  arrive(name) {
    this.select(name, { reveal: true, keepTrail: true });
    this.details.focus();
    this.say();
  }

  say() {
    const node = this.model.nodes.get(this.selected);
    if (!node) return;
    const links = node.links.size;
    this.ctx.announce(
      `${node.name}, ${node.row ? node.type || "no type" : "no entity"}, ` +
        `${number(links)} ${links === 1 ? "relation" : "relations"}`,
    );
  }
}
