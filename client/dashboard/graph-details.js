// SPDX-License-Identifier: BSD-2-Clause

// What is known of the selected entity: its observations, its relations as a list that
// leads from neighbour to neighbour, and who changed it. All of it as of the time that is
// shown.

import { h, replace, setText } from "./dom.js";
import { count, exactTime, timeText } from "./format.js";
import { glyph } from "./glyphs.js";
import { neighbours, observationsOf } from "./graph-model.js";
import { Listbox } from "./listbox.js";

const HISTORY = 8;
const OBSERVATIONS = 200;

/** A spot in the colour of a type; forms differ besides, for whom colours do not. */
export function swatch(type, colors) {
  const i = type === undefined ? undefined : (colors.get(type) ?? 6);
  return h("span", { class: "swatch", "data-type": i ?? "none", "aria-hidden": "true" });
}

export class GraphDetails {
  /**
   * `follow(name)`: go on to a neighbour; `back()`: to where one came from, false where
   * that is nowhere; `leave()`: to the list of entities.
   */
  constructor(ctx, { follow, back, leave, close }) {
    this.ctx = ctx;
    this.o = { follow, back, leave };
    this.node = null;
    this.title = h("h2", { class: "graph-name", id: "graph-name", tabindex: "-1" });
    this.facts = h("div", { class: "graph-facts" });
    this.observations = h("ul", { class: "graph-observations" });
    this.relations = new Listbox({
      label: "Relations",
      schedule: ctx.schedule,
      key: (n) => `${n.link.topic}${n.out ? ">" : "<"}`,
      fill: (option, n) => this.fillRelation(option, n),
      keys: (e, n) => this.press(e, n),
      chosen: (n) => follow(n.node.name),
    });
    this.noRelations = h("p", { class: "muted" }, "None.");
    this.relationsTitle = h("h3");
    this.observationsTitle = h("h3");
    this.changes = h("ol", { class: "graph-changes" });
    this.body = h(
      "div",
      { class: "graph-details-body" },
      h(
        "div",
        { class: "graph-details-head" },
        this.title,
        h(
          "button",
          {
            type: "button",
            class: "quiet square",
            "aria-label": "Close details",
            on: { click: close },
          },
          glyph("close"),
        ),
      ),
      this.facts,
      h("section", {}, this.relationsTitle, this.relations.element, this.noRelations),
      h("section", {}, this.observationsTitle, this.observations),
      h("section", {}, h("h3", {}, "Who changed it"), this.changes),
    );
    this.hint = h(
      "div",
      { class: "empty" },
      h("p", {}, "Select an entity to see what is known of it."),
      h(
        "p",
        { class: "small" },
        "In the list: ",
        h("kbd", {}, "→"),
        " its relations, ",
        h("kbd", {}, "Enter"),
        " on to a neighbour, ",
        h("kbd", {}, "←"),
        " back.",
      ),
    );
    this.element = h(
      "aside",
      { class: "graph-details", "aria-label": "Entity" },
      this.hint,
      this.body,
    );
    this.show(null);
  }

  end() {
    this.relations.end();
    this.asking?.abort();
  }

  /** Show a node, or the same once more when it changed; `at` null or {seq, time}. */
  show(node, { at = null, colors = new Map() } = {}) {
    const other = node?.name !== this.node?.name;
    this.node = node;
    this.at = at;
    this.colors = colors;
    this.hint.hidden = node !== null;
    this.body.hidden = node === null;
    if (!node) return;
    setText(this.title, node.name);
    this.showFacts();
    const list = neighbours(node);
    setText(this.relationsTitle, count(list.length, "relation"));
    this.relations.label(`Relations of ${node.name}`);
    if (other) this.relations.point(undefined);
    this.relations.element.hidden = list.length === 0;
    this.noRelations.hidden = list.length > 0;
    this.relations.element.style.setProperty("--list-length", list.length);
    this.relations.set(list);
    this.showObservations();
    if (other) this.changes.replaceChildren();
    this.askChanges(other);
  }

  showFacts() {
    const { node } = this;
    const row = node.row;
    const open =
      row &&
      h(
        "button",
        { type: "button", class: "link", on: { click: () => this.ctx.open(row.topic) } },
        "Open in State",
      );
    replace(
      this.facts,
      h(
        "p",
        { class: "graph-type" },
        swatch(row ? node.type : undefined, this.colors),
        row ? node.type || "entity without a type" : "named by relations only",
        open,
      ),
      row &&
        h(
          "p",
          { class: "small muted", title: exactTime(row.updatedTime) },
          `version ${row.version} by ${row.updatedBy || "unknown"}, `,
          timeText(row.updatedTime),
        ),
    );
  }

  showObservations() {
    const all = observationsOf(this.node.row);
    setText(this.observationsTitle, count(all.length, "observation"));
    replace(
      this.observations,
      all.slice(0, OBSERVATIONS).map((text) => h("li", {}, text)),
      all.length > OBSERVATIONS &&
        h(
          "li",
          { class: "muted" },
          `and ${all.length - OBSERVATIONS} more: open it in State`,
        ),
    );
    this.observations.hidden = all.length === 0;
  }

  fillRelation(option, { link, node, out }) {
    replace(
      option,
      h("span", { class: "relation-way", "aria-hidden": "true" }, out ? "→" : "←"),
      h("span", { class: "relation-type" }, out ? link.type : `${link.type} by`),
      swatch(node.row ? node.type : undefined, this.colors),
      h("span", { class: "relation-name" }, node.name),
    );
    option.title = node.name;
  }

  press(e, item) {
    if (e.key === "Enter" || e.key === "ArrowRight") {
      if (item) this.o.follow(item.node.name);
      return true;
    }
    if (e.key === "ArrowLeft") {
      if (!this.o.back()) this.o.leave();
      return true;
    }
    if (e.key === "Escape") {
      this.o.leave();
      return true;
    }
    return false;
  }

  focus() {
    if (!this.relations.element.hidden) this.relations.focus();
    else this.title.focus();
  }

  /* --- who changed it --- */

  askChanges(other) {
    const topic = this.node.row?.topic;
    const key = `${topic} ${this.node.row?.seq}`;
    if (key === this.asked && !other) return;
    this.asked = key;
    this.asking?.abort();
    clearTimeout(this.timer);
    if (!topic) {
      replace(this.changes, h("li", { class: "muted" }, "There is no event of its own."));
      return;
    }
    // Who walks through the list does not want an answer for each step.
    this.timer = setTimeout(() => this.fetchChanges(topic), 150);
  }

  async fetchChanges(topic) {
    const asking = (this.asking = new AbortController());
    try {
      const { events } = await this.ctx.client.history({
        topic,
        reverse: true,
        limit: HISTORY,
        before: this.at ? this.at.seq + 1 : undefined,
        signal: asking.signal,
      });
      if (this.asking === asking) this.showChanges(events);
    } catch (error) {
      if (asking.signal.aborted) return;
      replace(
        this.changes,
        h("li", { class: "fault" }, `Not to be had: ${error.message}`),
      );
    }
  }

  showChanges(events) {
    replace(
      this.changes,
      events.map((e) =>
        h(
          "li",
          {},
          h("span", { class: "change-what" }, e.type),
          h("span", { class: "change-who" }, e.actor || "unknown"),
          h("time", { class: "muted", title: exactTime(e.time) }, timeText(e.time)),
        ),
      ),
    );
  }
}
