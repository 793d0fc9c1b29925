// SPDX-License-Identifier: BSD-2-Clause
// The subscriptions of one connection as its server sees them, and the chain of its batches.
// Nothing is handed on before it is known to follow on what came before.

import { check, events, isUint, part, Gap } from "./message.js";

export class Chain {
  /** Of a connection that has ended: whoever is handing over stops. */
  closed = false;
  /** id -> leg. A leg without `sub` was left, and stays until the server says `ok`. */
  #legs = new Map();

  /** For the request m. `seq` is how far the server has told it; undefined at first. */
  add(sub, { id, from, since = isUint(from) ? from : undefined }) {
    const leg = { id, sub, seq: since, now: from === "now", live: false };
    this.#legs.set(id, leg);
    return leg;
  }

  has(id) {
    return this.#legs.has(id);
  }

  #live() {
    return [...this.#legs.values()].filter((leg) => leg.live);
  }

  /** Where the next batch begins: those that are ahead of it joined late. */
  #next(live = this.#live()) {
    return Math.min(...live.map((leg) => leg.seq));
  }

  #follow(after, seq) {
    check(isUint(after));
    if (after !== seq) throw new Gap(`the chain broke: ${after} after ${seq}`);
  }

  batch(m) {
    const [after, upto] = m;
    const live = this.#live();
    check(live.length);
    this.#follow(after, this.#next(live));
    this.#hand(live, events(m, 2, after, upto), after, upto);
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
    if (next < Infinity && next > seq) throw new Gap(`live at ${seq}, behind ${next}`);
    leg.live = true;
  }

  message(m) {
    const { op, id, seq, after, upto } = m;
    const leg = this.#legs.get(id);
    const { sub } = leg;
    if (op === "ok" && !sub) return this.#legs.delete(id);
    check(!leg.live);
    if (op === "subscribed") {
      if (!leg.now) return;
      this.#goLive(leg, seq);
      this.#mark(leg, seq);
    } else if (op === "snapshot") this.#snapshot(leg, m);
    else {
      check(op === "replay" && !leg.round);
      this.#follow(after, leg.seq);
      const list = events(m.events, 0, after, upto);
      if (m.last) this.#goLive(leg, upto);
      this.#hand([leg], list, after, upto, true);
    }
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

  /** The server has ended it: one, or (without id) all that have come as far as the chain. */
  end(id) {
    const next = this.#next();
    const ended = id === undefined
      ? this.#live().filter((leg) => leg.seq === next) : [this.#legs.get(id)];
    return ended.map((leg) => {
      const { sub } = leg;
      leg.live = false;
      if (sub) this.#legs.delete(leg.id);
      return sub;
    }).filter(Boolean);
  }
}
