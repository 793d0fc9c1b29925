// SPDX-License-Identifier: BSD-2-Clause
// The subscriptions of one connection as its server sees them, and the chain of its batches.
// Nothing is handed on before it is known to follow on what came before.

import { errorOf } from "./error.js";
import { check, events, follow, isUint, part, shaped } from "./message.js";

export class Chain {
  /** Of a connection that has ended: whoever is handing over stops. */
  closed;
  /** id -> leg. A leg without `sub` was left, and stays until the server says `ok`. */
  #legs = new Map();

  /** For the request m. `seq` is how far the server has told it; at first what was asked for. */
  add(sub, m) {
    const leg = { id: m.id, sub, seq: m.since ?? m.from };
    this.#legs.set(m.id, leg);
    return leg;
  }

  #live() {
    return [...this.#legs.values()].filter((leg) => leg.live);
  }

  /** Where the next batch begins: those that are ahead of it joined late. */
  #next() {
    return Math.min(...this.#live().map((leg) => leg.seq));
  }

  batch(m) {
    const [after, upto] = m;
    const next = this.#next();
    check(next < Infinity);
    follow(after, next);
    this.#hand(this.#live(), events(m.slice(2), after, upto), after, upto);
  }

  #hand(legs, list, after, upto, sure) {
    for (const e of list) {
      for (const leg of legs) {
        if (e.seq ? e.seq > leg.seq : leg.seq <= after) leg.sub?.take(e, sure);
        if (this.closed) return;
      }
    }
    for (const leg of legs) if (leg.seq <= upto) this.#mark(leg, upto);
  }

  #mark(leg, seq) {
    leg.seq = seq;
    if (!this.closed) leg.sub?.mark(seq);
  }

  #goLive(leg, seq) {
    check(isUint(seq));
    const next = this.#next();
    // Behind the others it would have missed what they have got.
    if (next < Infinity) follow(Math.min(seq, next), next);
    leg.live = true;
  }

  /** false: it is no message for a subscription. */
  message(m) {
    const { op, id, seq, after, upto } = m;
    const leg = this.#legs.get(id);
    if (op === "lagged") {
      shaped("uus", [m.oldest, m.head, m.reason]);
      const next = this.#next();
      // Without id: all that have come as far as the chain.
      const ended = id === undefined ? this.#live().filter((one) => one.seq === next) : [leg];
      for (const one of ended) this.#end(one)?.lagged(m);
    } else if (!leg) return false;
    else if (op === "error") this.#end(leg)?.failed(errorOf(m));
    else if (op === "ok" && !leg.sub) this.#legs.delete(id);
    else {
      check(!leg.live);
      if (op === "snapshot") this.#snapshot(leg, m);
      else if (op === "replay") {
        check(!leg.round);
        follow(after, leg.seq);
        const list = events(m.events, after, upto);
        if (m.last) this.#goLive(leg, upto);
        this.#hand([leg], list, after, upto, true);
      } else {
        check(op === "subscribed");
        if (leg.seq === "now") {
          this.#goLive(leg, seq);
          this.#mark(leg, seq);
        }
      }
    }
    return true;
  }

  /** The subscription that had it; none, where it was left and `ok` is still to come. */
  #end(leg) {
    const { sub } = leg;
    leg.live = false;
    if (sub) {
      sub.lost();
      this.#legs.delete(leg.id);
    }
    return sub;
  }

  #snapshot(leg, m) {
    const { seq } = m;
    check(!(leg.seq > seq));
    const round = (leg.round = part(leg.round, m));
    if (!leg.sub) round.rows = [];
    if (!round.last) return;
    leg.round = undefined;
    leg.seq = seq;
    if (m.live !== false) this.#goLive(leg, seq);
    leg.sub?.sync({ rows: round.rows, full: round.full, seq }, m.scope);
    if (leg.live) this.#mark(leg, seq);
  }
}
