// SPDX-License-Identifier: BSD-2-Clause
// One subscription over all connections: what it asks for, where it is, whom it tells.
// Its position moves when handlers have returned, so that going on from it misses nothing.

import { Emitter, onAbort } from "./emitter.js";
import { matcher, matchesGlob } from "./topic.js";

// What a loop may have before it.
const BUFFER = 10000;
const HEALTHY_MS = 5000;
const FATAL = /bad_request|unauthorized|forbidden|not_found|too_large/;

export class Subscription extends Emitter {
  patterns;
  /** It gets rows, and after an interruption those that changed; otherwise every event. */
  snapshots;
  /** What the present connection has of it; see chain.js. */
  leg;
  /** It is wanted, and no loop is far behind. */
  open = true;
  #client;
  #o;
  #matches;
  #where;
  /** Of each loop, what it has not done yet: [item, position before it]. */
  #loops = new Set();
  #full;
  #ended;
  #error;
  #timer;
  #tries = 0;
  #liveAt;
  #forget;

  constructor(client, patterns, o) {
    super((e) => client.report(e, "thrown"));
    const { from, resume, signal } = o;
    this.patterns = [].concat(patterns);
    this.#matches = matcher(this.patterns);
    this.snapshots = from === "snapshot" || resume === "snapshot";
    if (from?.log) this.#where = from;
    this.#client = client;
    this.#o = o;
    this.#forget = onAbort(signal, () => this.unsubscribe());
  }

  get live() {
    return !!this.leg?.live;
  }

  get position() {
    let where = this.#where;
    for (const [first] of this.#loops)
      if (first && !(first[1]?.seq > where?.seq)) where = first[1];
    return where;
  }

  unsubscribe() {
    this.end();
  }

  /** For good. */
  end(error) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#forget?.();
    this.#leave();
    this.#client.forget(this);
    if (error) this.#fail(Object.assign(error, { fatal: true }));
    for (const loop of this.#loops) {
      if (!error) loop.length = 0;
      loop.wake?.();
    }
  }

  #leave() {
    this.open = false;
    clearTimeout(this.#timer);
    this.#client.leave(this);
  }

  /** What to ask the server for, from where it has got. */
  request({ log, oldest, head }) {
    clearTimeout(this.#timer);
    if (this.#where && this.#where.log !== log)
      this.#skip({ reason: "log_changed", position: this.#where.seq, oldest, head });
    const { seq, scope } = this.#where ?? {};
    const m = {
      op: "subscribe", topics: this.patterns, types: this.#o.types, conflate: this.#o.conflate,
      log: this.#where && log,
    };
    return this.snapshots ? { ...m, from: "snapshot", since: seq, scope }
      : { ...m, from: seq ?? "now" };
  }

  #at(seq, scope = this.#where?.scope) {
    this.#where = { log: this.#client.welcome.log, seq, scope };
  }

  #hand(kind, value) {
    this.emit(kind, value);
    for (const loop of this.#loops) {
      loop.push([{ kind, [kind]: value }, this.#where]);
      if (loop.length > BUFFER) this.#full = true;
      loop.wake?.();
    }
  }

  /** An event that somebody on this connection asked for, or (sure) this subscription did. */
  take(e, sure) {
    if (!this.open || !(sure || this.#wants(e))) return;
    this.#hand("event", e);
    if (e.seq) this.#at(e.seq);
    this.#pause();
  }

  #wants({ topic, type }) {
    return this.#matches(topic) &&
      (this.#o.types?.some((g) => matchesGlob(g, type)) ?? true);
  }

  sync(sync, scope) {
    if (!this.open) return;
    this.#hand("sync", sync);
    this.#at(sync.seq, scope);
    this.#pause();
  }

  mark(seq) {
    if (!this.open) return;
    this.#at(seq);
    const now = Date.now();
    this.#liveAt = this.live ? this.#liveAt ?? now : undefined;
    if (now - this.#liveAt >= HEALTHY_MS) this.#tries = 0;
    this.#client.marked();
    this.emit("mark", { seq });
  }

  /** The server has ended it, with or without leaving something out. */
  lagged({ reason, position, oldest, head }) {
    const lagged = { reason, position, oldest, head };
    if (!this.snapshots && oldest > this.#where?.seq + 1) this.#skip(lagged);
    else this.#lag(lagged);
    this.#later();
  }

  #lag(lagged) {
    this.#client.counters.lagged++;
    this.#hand("lagged", lagged);
  }

  /** What is missing can't be had any more: on from what there is, or from now. */
  #skip(lagged) {
    // Whoever has just subscribed has no handlers yet.
    queueMicrotask(() => this.#ended || this.#lag(lagged));
    if (this.#o.from?.log && !this.snapshots) this.#at(lagged.oldest - 1);
    else this.#where = undefined;
  }

  failed(error) {
    const { code, details: { oldest } } = error;
    if (code === "not_found" && oldest && this.#where) {
      this.lagged({ reason: "retention", position: this.#where.seq, oldest,
        head: this.#client.welcome.head });
    } else if (FATAL.test(code)) this.end(error);
    else {
      this.#fail(error);
      this.#later(error.retryMs);
    }
  }

  #fail(error) {
    if (!this.emit("error", error)) this.#client.report(error);
  }

  /** At once the first time, then with backoff. */
  #later(ms = 0) {
    this.#liveAt = undefined;
    this.#timer = setTimeout(() => this.#client.open(this),
      ms + (this.#tries && this.#client.connection.backoff(this.#tries)));
    this.#tries++;
  }

  /** A loop does not keep up: what it has it keeps, the rest it gets from its position. */
  #pause() {
    if (!this.#full || !this.open) return;
    this.#leave();
    const { oldest, head } = this.#client.welcome;
    this.#lag({ reason: "slow_reader", position: this.#where?.seq, oldest, head });
  }

  async *[Symbol.asyncIterator]() {
    const loop = [];
    this.#loops.add(loop);
    try {
      for (;;) {
        while (loop.length) {
          yield loop[0][0];
          // Whoever comes back has done it.
          loop.shift();
        }
        if (this.#ended) break;
        this.#caughtUp();
        await new Promise((resolve) => (loop.wake = resolve));
      }
      if (this.#error) throw this.#error;
    } finally {
      this.#loops.delete(loop);
      if (!this.#loops.size) this.unsubscribe();
    }
  }

  #caughtUp() {
    if (this.open || [...this.#loops].some((loop) => loop.length)) return;
    this.open = true;
    this.#full = false;
    this.#client.open(this);
  }
}
