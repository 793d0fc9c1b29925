// SPDX-License-Identifier: BSD-2-Clause

// Rows of patterns as of ctx.time, as a store: the live view's rows, or those of the
// past, asked for once and from there folded forward as long as the tape holds what
// follows. An answer for a time that is no longer wanted is dropped.

import { fold } from "/fold.js";
import { matcher } from "/topic.js";
import { recordingOf } from "./recording.js";

const SETTLE = 70; // ms that a slider rests before the server is asked

const EMPTY = {
  rows: new Map(),
  seq: 0,
  complete: false,
  changed: new Set(),
  at: null,
  pending: true,
  error: null,
};

/**
 * A store of {rows, seq, complete, changed, at, pending, error}: `rows` topic to row
 * without deleted ones, `at` null (live) or {seq, time}, `changed` the topics that
 * changed since the snapshot before or null for all, `pending` while what is shown is not
 * yet what was asked for.
 */
export function createPast(ctx, patterns) {
  return new Past(ctx, patterns);
}

class Past {
  constructor(ctx, patterns) {
    this.ctx = ctx;
    this.patterns = [patterns].flat();
    this.matches = matcher(this.patterns);
    // The tape holds what `>` means, and that is nothing of the system's.
    this.taped = !this.patterns.some((p) => p.startsWith("$"));
    this.recording = recordingOf(ctx.client);
    this.listeners = new Set();
    this.snapshot = EMPTY;
    this.base = null; // {rows, seq}: of the past, deleted rows included
    this.view = ctx.client.view(this.patterns);
    this.stops = [
      this.view.subscribe(() => this.live()),
      ctx.time.subscribe(() => this.follow()),
      this.view.on("error", (error) => this.fail(error)),
    ];
    this.live();
    this.follow();
  }

  subscribe(fn) {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  getSnapshot() {
    return this.snapshot;
  }

  close() {
    this.drop();
    for (const stop of this.stops) stop();
    this.view.close();
    this.listeners.clear();
  }

  publish(snapshot) {
    this.snapshot = snapshot;
    for (const fn of [...this.listeners]) fn();
  }

  live(all = false) {
    if (this.ctx.time.getSnapshot()) return;
    const { rows, seq, complete, changed } = this.view.getSnapshot();
    this.publish({
      rows,
      seq,
      complete,
      changed: all ? null : changed,
      at: null,
      pending: !complete,
      error: null,
    });
  }

  fail(error) {
    this.publish({ ...this.snapshot, error, pending: false });
  }

  /** Forget the question that is on its way. */
  drop() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = null;
  }

  follow() {
    const at = this.ctx.time.getSnapshot();
    if (!at) {
      this.drop();
      this.base = null;
      if (this.snapshot.at) this.live(true);
      return;
    }
    if (this.asking && this.asking.seq === at.seq) return;
    if (this.base && this.base.seq === at.seq) {
      this.drop();
      if (this.snapshot.pending || this.snapshot.at !== at) this.show(at, new Set());
    } else if (this.base && this.forward(at)) {
      this.drop();
    } else if (!this.asking?.reachable(at.seq)) {
      this.want(at);
    }
  }

  /** Fold on to `at`, if the tape holds all that happened until then. */
  forward(at) {
    const {
      base,
      recording: { tape },
    } = this;
    const { version, rules } = this.ctx.client.welcome?.fold ?? {};
    if (version === undefined || version !== base.rules) return false;
    if (!this.taped || at.seq < base.seq || !tape.covers(base.seq, at.seq)) return false;
    const changed = new Set();
    for (const event of tape.between(base.seq, at.seq)) {
      if (!this.matches(event.topic)) continue;
      base.rows.set(event.topic, fold(base.rows.get(event.topic), event, rules));
      changed.add(event.topic);
    }
    base.seq = at.seq;
    this.show(at, changed);
    return true;
  }

  show(at, changed) {
    let rows = this.snapshot.rows;
    if (changed === null || this.snapshot.at === null) {
      rows = new Map();
      for (const [topic, row] of this.base.rows) if (!row.deleted) rows.set(topic, row);
    } else if (changed.size > 0) {
      rows = new Map(rows);
      for (const topic of changed) {
        const row = this.base.rows.get(topic);
        if (row.deleted) rows.delete(topic);
        else rows.set(topic, row);
      }
    }
    this.publish({
      rows,
      seq: this.base.seq,
      complete: true,
      changed,
      at,
      pending: false,
      error: null,
    });
  }

  want(at) {
    this.drop();
    // While it plays, time passes on: the answer is for the time asked, and folding
    // follows.
    const asking = new AbortController();
    asking.seq = at.seq;
    asking.reachable = (seq) =>
      this.taped && seq >= asking.seq && this.recording.tape.covers(asking.seq, seq);
    this.asking = asking;
    this.publish({
      ...this.snapshot,
      complete: false,
      changed: new Set(),
      pending: true,
      error: null,
    });
    this.timer = setTimeout(() => this.ask(asking), this.base ? SETTLE : 0);
  }

  async ask(asking) {
    try {
      const { rows, seq } = await this.ctx.client
        .at(asking.seq)
        .state(this.patterns, { signal: asking.signal });
      if (this.asking !== asking) return;
      this.asking = null;
      const rules = this.ctx.client.welcome?.fold.version;
      this.base = {
        rows: new Map(rows.map((row) => [row.topic, row])),
        seq,
        rules,
      };
      const at = this.ctx.time.getSnapshot();
      this.show(at.seq === seq ? at : { ...at, seq }, null);
      if (at.seq !== seq && !this.forward(at)) this.want(at);
    } catch (error) {
      if (this.asking !== asking) return;
      this.asking = null;
      this.base = null;
      if (error.details?.oldest !== undefined)
        this.recording.keepFrom(error.details.oldest);
      this.fail(error);
    }
  }
}
