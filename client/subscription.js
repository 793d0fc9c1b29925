// SPDX-License-Identifier: BSD-2-Clause
// One subscription over all connections: what it asks for, where it is, whom it tells.
// Its position moves when handlers have returned, so that going on from it misses nothing.

import { Emitter, onAbort } from "./emitter.js";
import { PealError } from "./error.js";
import { isUint } from "./message.js";
import { matches, matchesGlob } from "./topic.js";

const BUFFER = 10000;
const HEALTHY_MS = 5000;
const FATAL = ["bad_request", "unauthorized", "forbidden", "not_found", "too_large"];

export class Subscription extends Emitter {
  patterns;
  /** Gets rows, and after an interruption those that changed; otherwise every event. */
  snapshots;
  /** On the present connection, where it has been asked for there. */
  leg;
  #host;
  #o;
  #where;
  #loops = new Set();
  /** A loop has too much before it; and so nothing is asked for. */
  #full = false;
  #paused = false;
  #ended = false;
  #error;
  #timer;
  #tries = 0;
  #liveAt;
  #forget;

  /** host: open, leave, report, count, backoff, welcome. */
  constructor(host, patterns, o = {}) {
    super((e) => host.report(e, "thrown"));
    const { from = "now", resume } = o;
    this.patterns = [].concat(patterns);
    this.snapshots = from === "snapshot" || resume === "snapshot";
    if (typeof from === "object") this.#where = from;
    this.#host = host;
    this.#o = o;
    this.#forget = onAbort(o.signal, () => this.unsubscribe());
  }

  get live() {
    return this.leg?.live ?? false;
  }

  get position() {
    let where = this.#where;
    for (const { oldest } of this.#loops)
      if (oldest && !(oldest.where?.seq >= where?.seq)) where = oldest.where;
    return where;
  }

  get open() {
    return !this.#ended && !this.#paused;
  }

  unsubscribe() {
    this.end();
  }

  /** For good; with an error that is told. */
  end(error) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#forget?.();
    clearTimeout(this.#timer);
    this.#host.leave(this, true);
    if (error) this.#tell(Object.assign(error, { fatal: true }));
    for (const loop of this.#loops) loop.wake();
  }

  /** What to ask the server for, from where it has got. */
  request(welcome) {
    clearTimeout(this.#timer);
    const { log, oldest, head } = welcome;
    if (this.#where && this.#where.log !== log)
      this.#skip({ reason: "log_changed", position: this.#where.seq, oldest, head });
    const { seq, scope } = this.#where ?? {};
    const { types, conflate } = this.#o;
    const m = { op: "subscribe", topics: this.patterns, types, conflate };
    if (!this.snapshots) return { ...m, from: seq ?? "now", log: this.#where && log };
    return { ...m, from: "snapshot", since: seq, log: this.#where && log, scope };
  }

  #at(seq, scope = this.#where?.scope) {
    this.#where = { log: this.#host.welcome.log, seq, scope };
  }

  #hand(kind, value) {
    this.emit(kind, value);
    for (const loop of this.#loops) {
      loop.push({ kind, [kind]: value }, this.#where);
      if (loop.length > BUFFER) this.#full = true;
    }
  }

  /** An event that somebody on this connection asked for, or (sure) this subscription did. */
  take(e, sure) {
    if (!this.open || !(sure || this.#wants(e))) return;
    this.#hand("event", e);
    if (e.seq) this.#at(e.seq);
    if (this.#full) this.#overflow();
  }

  #wants({ topic, type }) {
    const { types } = this.#o;
    return this.patterns.some((p) => matches(p, topic)) &&
      (!types || types.some((g) => matchesGlob(g, type)));
  }

  sync(sync, scope) {
    if (!this.open) return;
    this.#hand("sync", sync);
    this.#at(sync.seq, scope);
    if (this.#full) this.#overflow();
  }

  mark(seq) {
    if (!this.open) return;
    this.#at(seq);
    const now = Date.now();
    if (!this.live) this.#liveAt = undefined;
    else if (now - (this.#liveAt ??= now) >= HEALTHY_MS) this.#tries = 0;
    this.emit("mark", { seq });
  }

  /** The server has ended it, with or without leaving something out. */
  lagged({ reason, position, oldest, head }) {
    this.leg = undefined;
    const lagged = { reason, position, oldest, head };
    if (!this.snapshots && this.#where && oldest > this.#where.seq + 1) this.#skip(lagged);
    else this.#lag(lagged);
    this.#later();
  }

  #lag(lagged) {
    this.#host.count("lagged");
    this.#hand("lagged", lagged);
  }

  /** What is missing can't be had any more: on from what there is, or from now. */
  #skip(lagged) {
    this.#lag(lagged);
    if (this.snapshots || (this.#o.from ?? "now") === "now") this.#where = undefined;
    else this.#at(lagged.oldest - 1);
  }

  failed(error) {
    this.leg = undefined;
    const { oldest } = error.details;
    if (error.code === "not_found" && isUint(oldest) && this.#where) {
      return this.lagged({ reason: "retention", position: this.#where.seq, oldest,
        head: this.#host.welcome.head });
    }
    if (FATAL.includes(error.code)) return this.end(error);
    this.#tell(error);
    this.#later(error.retryMs);
  }

  #tell(error) {
    if (!this.emit("error", error)) this.#host.report(error);
  }

  /** At once the first time, then with backoff. */
  #later(ms = 0) {
    if (this.#tries) ms += this.#host.backoff(this.#tries);
    this.#tries++;
    this.#timer = setTimeout(() => this.#host.open(this), ms);
  }

  /** A loop does not keep up: what it has got it keeps, the rest it gets from its position. */
  #overflow() {
    this.#paused = true;
    this.#host.leave(this);
    const { oldest, head } = this.#host.welcome;
    this.#lag({ reason: "slow_reader", position: this.#where?.seq, oldest, head });
  }

  #caughtUp() {
    if (!this.#paused || [...this.#loops].some((loop) => loop.length)) return;
    this.#paused = this.#full = false;
    this.#host.open(this);
  }

  [Symbol.asyncIterator]() {
    const loop = new Loop(() => this.#caughtUp(), () => this.#ended, () => this.#error);
    this.#loops.add(loop);
    return {
      next: () => loop.next(),
      return: async (value) => {
        this.#loops.delete(loop);
        if (!this.#loops.size) this.unsubscribe();
        return { value, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

/** What a `for await` has not taken yet. */
class Loop {
  /** The item that it works on, and where that lies. */
  held;
  #items = [];
  #waiting = [];
  #empty;
  #ended;
  #error;

  constructor(empty, ended, error) {
    this.#empty = empty;
    this.#ended = ended;
    this.#error = error;
  }

  get oldest() {
    return this.held ?? this.#items[0];
  }

  get length() {
    return this.#items.length;
  }

  push(item, where) {
    this.#items.push({ item, where });
    this.wake();
  }

  next() {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.wake();
    });
  }

  wake() {
    while (this.#waiting.length && (this.#items.length || this.#ended())) {
      const { resolve, reject } = this.#waiting.shift();
      this.held = this.#items.shift();
      if (this.held) resolve({ value: this.held.item, done: false });
      else if (this.#error()) reject(this.#error());
      else resolve({ value: undefined, done: true });
    }
    if (this.#waiting.length) {
      this.held = undefined;
      this.#empty();
    }
  }
}
