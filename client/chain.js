// SPDX-License-Identifier: BSD-2-Clause
// The subscriptions of one connection as its server sees them, and the chain of its batches.
// Nothing is handed on before it is known to follow on what came before.

import { check, events, isUint, part, uint, Gap } from "./message.js";

export class Chain {
  /** Of a connection that has ended: whoever is handing over stops. */
  closed = false;
  /** id -> leg. A leg without `sub` was left, and stays until the server says `ok`. */
  #legs = new Map();

  /** A leg's `seq` is how far the server has told it; undefined before its first snapshot. */
  add(id, sub, seq) {
    const leg = { id, sub, seq, live: false, round: undefined };
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

  /** Whether all are live, and up to where. */
  get mark() {
    const legs = [...this.#legs.values()].filter((leg) => leg.sub);
    return legs.length && legs.every((leg) => leg.live) ? this.#next(legs) : undefined;
  }

  #follow(after, seq) {
    uint(after, "begin");
    if (after !== seq) throw new Gap(`the chain broke: ${after} came after ${seq}`);
  }

  batch(m) {
    const live = this.#live();
    check(live.length, "a batch for nobody");
    const [after, upto] = m;
    this.#follow(after, this.#next(live));
    check(isUint(upto) && upto >= after, "a batch without an end");
    for (const e of events(m, 2, after, upto)) {
      for (const leg of live) {
        if (e.seq ? e.seq > leg.seq : leg.seq <= after) leg.sub?.take(e);
        if (this.closed) return;
      }
    }
    for (const leg of live) if (leg.seq <= upto) this.#mark(leg, upto);
  }

  #mark(leg, seq) {
    leg.seq = seq;
    if (!this.closed) leg.sub?.mark(seq);
  }

  #goLive(leg, seq) {
    const live = this.#live();
    if (live.length && this.#next(live) > seq)
      throw new Gap(`a subscription went live at ${seq}, behind the others`);
    leg.live = true;
    leg.seq = seq;
  }

  message(m) {
    const leg = this.#legs.get(m.id);
    const { op } = m;
    if (op === "subscribed") this.#subscribed(leg, m);
    else if (op === "snapshot") this.#snapshot(leg, m);
    else if (op === "replay") this.#replay(leg, m);
    else if (op === "ok" && !leg.sub) this.#legs.delete(m.id);
    else check(false, `${op} for a subscription`);
  }

  #subscribed(leg, m) {
    if (leg.seq !== undefined || leg.sub?.snapshots) return;
    this.#goLive(leg, uint(m.seq, "begin"));
    leg.sub?.mark(m.seq);
  }

  #snapshot(leg, m) {
    check(!leg.live && !(leg.seq > m.seq), "a snapshot of the past");
    const round = (leg.round = part(leg.round, m));
    if (!leg.sub) round.rows = [];
    if (!round.last) return;
    leg.round = undefined;
    leg.seq = m.seq;
    if (m.live !== false) this.#goLive(leg, m.seq);
    const { rows, full, seq } = round;
    leg.sub?.sync({ rows, full, seq }, m.scope);
    if (leg.live) this.#mark(leg, seq);
  }

  #replay(leg, m) {
    check(!leg.live && !leg.round, "a replay of what is live");
    this.#follow(m.after, leg.seq);
    const upto = uint(m.upto, "replay");
    check(upto >= m.after, "a replay without an end");
    for (const e of events(m.events, 0, m.after, upto)) {
      leg.sub?.take(e, true);
      if (this.closed) return;
    }
    leg.seq = upto;
    if (m.last) this.#goLive(leg, upto);
    this.#mark(leg, upto);
  }

  /** The server has ended it: one, or (without id) all that have come as far as the chain. */
  end(id) {
    const live = this.#live();
    const next = this.#next(live);
    const ended = id === undefined
      ? live.filter((leg) => leg.seq === next) : [this.#legs.get(id)];
    return ended.map((leg) => {
      leg.live = false;
      leg.round = undefined;
      if (leg.sub) this.#legs.delete(leg.id);
      return leg.sub;
    }).filter(Boolean);
  }
}
