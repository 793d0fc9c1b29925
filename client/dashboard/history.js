// SPDX-License-Identifier: BSD-2-Clause

// The history of one topic, newest first, in pages: who did what, when, and what that
// changed. It follows a topic that changes often by asking for what is new, one query at
// a time; what is wanted meanwhile is done next, and what the server could not answer is
// asked again when it says so.

import { createChanges } from "./changes.js";
import { h, replace, setText } from "./dom.js";
import { count, exactTime, number, timeText } from "./format.js";
import { brief, showValue } from "./value.js";

const PAGE = 20;
const MOST = 400; // kept on the page
const PATIENCE = 500; // ms, at least, until it is asked again

const SIGNS = { added: "+", removed: "−", changed: "~" };

function difference({ path, kind, before, after }) {
  const value = (v, cls) => h("span", { class: `mono ${cls}` }, brief(v, 300));
  return h(
    "li",
    { class: `diff-${kind}` },
    h("span", { class: "sign mono", "aria-hidden": "true" }, SIGNS[kind]),
    h(
      "span",
      {},
      h("span", { class: "visually-hidden" }, `${kind}: `),
      path !== "" && [h("span", { class: "mono path" }, path), " "],
      kind !== "added" && value(before, "old"),
      kind === "changed" && [
        h("span", { "aria-hidden": "true" }, " → "),
        h("span", { class: "visually-hidden" }, " became "),
      ],
      kind !== "removed" && value(after, "new"),
    ),
  );
}

function describe(change) {
  if (change === undefined) return h("p", { class: "small muted" }, "…");
  if (change.fault) return h("p", { class: "small muted" }, change.fault);
  const { differences, deleted, more } = change;
  return h(
    "ul",
    { class: "diff small" },
    deleted === true && h("li", {}, h("span", { class: "badge bad" }, "deleted")),
    deleted === false && h("li", {}, h("span", { class: "badge good" }, "back again")),
    differences.map(difference),
    more && h("li", { class: "muted" }, "and more"),
    differences.length === 0 &&
      deleted === undefined &&
      h("li", { class: "muted" }, "left the value as it was"),
  );
}

function makeEntry(event) {
  const box = h("div", {}, describe(undefined));
  const data = h("div", {});
  const more = h(
    "details",
    {
      class: "small",
      on: {
        toggle: () => {
          if (more.open && data.childElementCount === 0)
            data.append(showValue(event.data, 4000));
        },
      },
    },
    h("summary", {}, "its data"),
    data,
  );
  const element = h(
    "li",
    { class: "change" },
    h(
      "p",
      { class: "change-head" },
      h("span", { class: "badge" }, `v${number(event.version)}`),
      h("span", { class: "mono" }, event.type),
      h(
        "span",
        { class: "muted" },
        "by ",
        h("span", { class: "who" }, event.actor || "unknown"),
        " · ",
        h("time", { title: exactTime(event.time) }, timeText(event.time)),
        ` · event ${number(event.seq)}`,
      ),
    ),
    box,
    more,
  );
  return { event, element, box, described: false };
}

/** Entries, oldest first, in pieces in which no version is missing. */
function withoutGaps(entries) {
  const pieces = [];
  let before;
  for (const entry of entries) {
    const { version } = entry.event;
    if (version - 1 === before) pieces.at(-1).push(entry);
    else pieces.push([entry]);
    before = version;
  }
  return pieces;
}

class History {
  constructor(ctx, topic) {
    this.client = ctx.client;
    this.topic = topic;
    this.ask = () => ctx.schedule(this.drawBound);
    this.drawBound = () => this.draw();
    this.controller = new AbortController();
    this.changes = createChanges(ctx.client, topic, this.controller.signal);
    this.entries = []; // newest first
    this.next = undefined; // where older ones begin
    this.wanted = null; // { seq }: what is to be shown next
    this.pages = 0; // of older ones, asked for
    this.busy = false;
    this.list = h("ol", { class: "changes", "aria-label": "History, newest first" });
    this.status = h("p", { class: "small muted" }, "Reading …");
    this.older = h(
      "button",
      { type: "button", hidden: true, on: { click: () => this.showOlder() } },
      "Show older",
    );
    this.root = h("div", { class: "history" }, this.list, this.status, this.older);
  }

  /** Shows the events up to `seq`; undefined: up to the newest. */
  upTo(seq) {
    this.seq = seq;
    this.wanted = { seq };
    this.work();
  }

  showOlder() {
    this.pages++;
    this.work();
  }

  async work() {
    if (this.busy) return;
    this.busy = true;
    let wait;
    while (wait === undefined && (this.wanted || this.pages > 0)) {
      try {
        // Who asks for older ones gets them, however often newer ones come.
        await (this.pages > 0 ? this.takeOlder() : this.takeNewer());
        await this.describeAll();
        this.fault = null;
      } catch (e) {
        if (this.controller.signal.aborted) return;
        this.fault = `The history could not be read: ${e.message}`;
        wait = e.retryMs;
        if (wait === undefined) this.pages = 0;
      }
    }
    this.busy = false;
    if (wait !== undefined) this.again(wait);
    this.ask();
  }

  again(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.upTo(this.seq), Math.max(ms, PATIENCE));
  }

  page(query) {
    return this.client.history({
      topic: this.topic,
      reverse: true,
      limit: PAGE,
      signal: this.controller.signal,
      ...query,
    });
  }

  async takeNewer() {
    const { seq } = this.wanted;
    this.wanted = null;
    if (seq !== undefined)
      this.entries = this.entries.filter((e) => e.event.seq <= seq);
    const newest = this.entries[0]?.event;
    if (newest && seq !== undefined && newest.seq >= seq) return;
    const { events, next } = await this.page(
      seq === undefined ? {} : { before: seq + 1, minSeq: seq },
    );
    const fresh = events.filter((e) => !newest || e.seq > newest.seq);
    const joins =
      newest && (fresh.length === 0 || fresh.at(-1).version === newest.version + 1);
    if (!joins) {
      this.entries = [];
      this.next = next;
    }
    this.entries = [...fresh.map(makeEntry), ...this.entries];
    if (this.entries.length > MOST) {
      this.entries.length = MOST;
      this.next = this.entries.at(-1).event.seq;
    }
    this.loaded = true;
  }

  async takeOlder() {
    if (this.next === undefined) {
      this.pages = 0;
      return;
    }
    const { events, next } = await this.page({ before: this.next });
    this.pages--;
    this.next = next;
    this.entries.push(...events.map(makeEntry));
  }

  /** Says of each event what it changed. */
  async describeAll() {
    this.ask();
    const open = this.entries.filter((entry) => !entry.described).reverse();
    for (const piece of withoutGaps(open)) {
      const found = await this.changes(piece.map((entry) => entry.event));
      piece.forEach((entry, i) => {
        entry.described = true;
        replace(entry.box, describe(found[i]));
      });
    }
  }

  draw() {
    const elements = this.entries.map((entry) => entry.element);
    const now = this.list.children;
    if (elements.length !== now.length || elements.some((e, i) => e !== now[i])) {
      this.list.replaceChildren(...elements);
    }
    const more = this.next === undefined ? "" : ", and older ones";
    const many = this.loaded ? count(elements.length, "event") + more : "Reading …";
    setText(this.status, this.fault ?? many);
    this.older.hidden = this.next === undefined || elements.length >= MOST;
  }

  end() {
    clearTimeout(this.timer);
    this.controller.abort();
  }
}

export function createHistory(ctx, topic) {
  const history = new History(ctx, topic);
  return {
    root: history.root,
    upTo: (seq) => history.upTo(seq),
    end: () => history.end(),
  };
}
