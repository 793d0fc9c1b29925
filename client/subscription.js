// SPDX-License-Identifier: BSD-2-Clause
// One subscription over all connections: what it asks for, where it is, whom it tells.
// Its position moves when handlers have returned, so that going on from it misses nothing.

import { Emitter, onAbort } from "./emitter.js";
import { BUFFER, HEALTHY_MS } from "./limits.js";
import { matcher, typeMatcher } from "./topic.js";

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
  #types;
  #where;
  /** Of each loop, what it has not done yet: [item, position before it]. */
  #loops = new Set();
  /** { error }, or none, once it is over. */
  #ended;
  #timer;
  #tries = 0;
  #liveAt;
  #forget;

  constructor(client, patterns, o) {
    super(client);
    const { from, resume, signal, types } = o;
    this.patterns = [].concat(patterns);
    this.#matches = matcher(this.patterns);
    this.#types = types ? typeMatcher(types) : () => true;
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
    this.#ended = { error };
    this.#forget?.();
    this.#leave();
    this.#client.forget(this);
    if (error) this.#fail(Object.assign(error, { fatal: true }));
    for (const loop of this.#loops) {
      if (!error) loop.length = 0;
      loop.wake?.();
    }
    // For rows.js. Whoever has just subscribed has no handlers yet.
    queueMicrotask(() => this.emit("end", error));
  }

  #leave() {
    this.open = false;
    clearTimeout(this.#timer);
    this.#client.leave(this);
  }

  /** The server has no leg of it any more. */
  lost() {
    this.leg = undefined;
    if (Date.now() - this.#liveAt >= HEALTHY_MS) this.#tries = 0;
    this.#liveAt = undefined;
  }

  /** What to ask the server for, from where it has got. */
  request(welcome) {
    clearTimeout(this.#timer);
    const { log } = welcome;
    if (this.#where && this.#where.log !== log) this.#lag("log_changed", welcome, true);
    const { types, conflate } = this.#o;
    const { seq, scope } = this.#where ?? {};
    return {
      op: "subscribe", topics: this.patterns, types, conflate, log: this.#where && log,
      ...(this.snapshots ? { from: "snapshot", since: seq, scope } : { from: seq ?? "now" }),
    };
  }

  #at(seq, scope = this.#where?.scope) {
    this.#where = { log: this.#client.welcome.log, seq, scope };
  }

  /** To all handlers and loops; then the position is `seq`, if there is one. */
  #hand(kind, value, seq, scope) {
    const before = this.#where;
    let slow;
    this.emit(kind, value);
    for (const loop of this.#loops) {
      if (loop.push([{ kind, [kind]: value }, before]) > BUFFER) slow = true;
      loop.wake?.();
    }
    if (seq >= 0) this.#at(seq, scope);
    if (!slow || !this.open) return;
    // That loop keeps what it has, and gets the rest from the position.
    this.#leave();
    this.#lag("slow_reader", this.#client.welcome);
  }

  /** An event that somebody on this connection asked for, or (sure) this subscription did. */
  take(e, sure) {
    if (this.open && (sure || (this.#matches(e.topic) && this.#types(e.type))))
      this.#hand("event", e, e.seq || undefined);
  }

  sync(sync, scope) {
    if (this.open) this.#hand("sync", sync, sync.seq, scope);
  }

  mark(seq) {
    if (!this.open) return;
    this.#at(seq);
    if (this.live) this.#liveAt ??= Date.now();
    this.#client.marked();
    this.emit("mark", { seq });
  }

  /** The server has ended it, with or without leaving something out. */
  lagged(m) {
    this.#lag(m.reason, m, !this.snapshots && m.oldest > this.#where?.seq + 1);
    this.#later();
  }

  /** What is missing follows from its position; or is lost, then from what there is, or now. */
  #lag(reason, { oldest, head }, lost) {
    const lagged = { reason, position: this.#where?.seq, oldest, head };
    // Whoever has just subscribed has no handlers yet.
    queueMicrotask(() => {
      if (this.#ended) return;
      this.#client.counters.lagged++;
      this.#hand("lagged", lagged);
    });
    if (!lost) return;
    if (this.#o.from?.log && !this.snapshots) this.#at(oldest - 1);
    else this.#where = undefined;
  }

  failed(error) {
    const { code, retryMs, details: { oldest } } = error;
    if (code === "not_found" && oldest && this.#where)
      this.lagged({ ...this.#client.welcome, reason: "retention", oldest });
    else if (FATAL.test(code)) this.end(error);
    else {
      this.#fail(error);
      this.#later(retryMs);
    }
  }

  #fail(error) {
    if (!this.emit("error", error)) this.#client.report(error);
  }

  /** At once the first time, then with backoff. */
  #later(ms = 0) {
    // A handler may have ended it.
    if (!this.open) return;
    this.#timer = setTimeout(() => this.#client.open(this),
      ms + (this.#tries && this.#client.connection.backoff(this.#tries)));
    this.#tries++;
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
        if (!this.open && ![...this.#loops].some((other) => other.length)) {
          this.open = true;
          this.#client.open(this);
        }
        await new Promise((resolve) => (loop.wake = resolve));
      }
      if (this.#ended.error) throw this.#ended.error;
    } finally {
      this.#loops.delete(loop);
      if (!this.#loops.size) this.unsubscribe();
    }
  }
}
