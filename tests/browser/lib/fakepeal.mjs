// SPDX-License-Identifier: BSD-2-Clause

// A server that does, at random, whatever doc/protocol.md lets a server do: rounds of
// snapshots, replays, joins ahead of the chain and behind it, lagging, ephemeral events.
// It knows the log, so that what a client has can be judged.

import { WELCOME } from "./fakesocket.mjs";

/** Numbers from a seed. */
export function dice(seed) {
  let x = seed >>> 0 || 1;
  const next = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (n) => Math.floor(next() * n),
    chance: (p) => next() < p,
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

/** Does the pattern stand for the topic? Written apart from the client's. */
export function stands(pattern, topic) {
  const re = pattern.split(".").map((t) =>
    t === "*" ? "[^.]+" : t === ">" ? ".+" : t.replace(/[$+?()|[\]\\^{}]/g, "\\$&"));
  return new RegExp(`^${re.join("\\.")}$`).test(topic);
}

const asks = (sub, e) => sub.topics.some((p) => stands(p, e[2])) &&
  (!sub.types || sub.types.some((g) => new RegExp(`^${g.replace("*", ".*")}$`).test(e[4])));

export class FakePeal {
  /** Events of the wire; the one at index i has seq i + 1. */
  log = [];
  #dice;
  #topics;
  /** Of the connection there is: its socket, subscriptions, and the chain. */
  #socket;
  #subs = new Map();
  #chain;
  /** How often it did what. */
  did = {};

  constructor(dice, topics) {
    this.#dice = dice;
    this.#topics = topics;
  }

  get head() {
    return this.log.length;
  }

  append() {
    const topic = this.#dice.pick(this.#topics);
    const seq = this.head + 1;
    const version = 1 + this.log.filter((e) => e[2] === topic).length;
    const type = this.#dice.pick(["x_set", "x_set", "y_set", "x_deleted"]);
    this.log.push([seq, 1700000000000000 + seq, topic, version, type, "ada", seq]);
  }

  /** topic -> row of the wire, after the event `at`. */
  rows(topics, at = this.head) {
    const rows = new Map();
    for (const [seq, time, topic, version, type, actor, data] of this.log.slice(0, at)) {
      if (!topics.some((p) => stands(p, topic))) continue;
      const deleted = type === "x_deleted";
      const before = rows.get(topic);
      rows.set(topic, [topic, version, seq, before?.[3] ?? time, before?.[4] ?? actor, time,
        actor, deleted, deleted ? before?.[8] ?? null : data]);
    }
    return rows;
  }

  events(sub, after, upto) {
    return this.log.slice(after, upto).filter((e) => asks(sub, e));
  }

  #say(what, ...messages) {
    this.did[what] = (this.did[what] ?? 0) + 1;
    this.#socket.say(...messages);
  }

  /** A socket that the client has made. */
  accept(socket) {
    this.#socket = socket;
    this.#subs.clear();
    this.#chain = undefined;
    socket.open();
  }

  get there() {
    return this.#socket?.readyState === 1;
  }

  cut() {
    this.did.cut = (this.did.cut ?? 0) + 1;
    this.#socket.cut();
  }

  #live() {
    return [...this.#subs.values()].filter((sub) => sub.state === "live");
  }

  /** Those whose events ride in batches; the others have joined ahead. */
  #atTip() {
    return this.#live().filter((sub) => sub.pos <= this.#chain);
  }

  #goLive(sub, at) {
    if (this.#chain === undefined) this.#chain = at;
    sub.state = "live";
    sub.pos = at;
  }

  #gone(id) {
    this.#subs.delete(id);
    this.#chainEnds();
  }

  #chainEnds() {
    if (this.#chain === undefined || this.#atTip().length) return;
    const ahead = this.#live();
    this.#chain = ahead.length ? Math.min(...ahead.map((sub) => sub.pos)) : undefined;
  }

  /** Read what the client has sent. */
  read() {
    for (const m of this.#socket.sent.splice(0)) {
      if (m.op === "hello") this.#socket.say({ ...WELCOME, head: this.head });
      else if (m.op === "ping") this.#socket.say({ op: "pong", id: m.id, time: 1, head: 1 });
      else if (m.op === "subscribe") this.#subscribe(m);
      else if (m.op === "unsubscribe") {
        this.#gone(m.id);
        this.#say("ok", { op: "ok", id: m.id });
      } else throw new Error(`the client sent ${m.op}`);
    }
  }

  #subscribe(m) {
    const now = m.from === "now";
    const replay = typeof m.from === "number";
    const sub = { ...m, pos: replay ? m.from : m.since, state: replay ? "replay" : m.from };
    this.#subs.set(m.id, sub);
    if (sub.pos > this.head) throw new Error(`a position beyond the head: ${sub.pos}`);
    if (!now) return this.#say("subscribed", { op: "subscribed", id: m.id });
    const at = Math.max(this.#chain ?? 0, this.head - this.#dice.below(3));
    this.#goLive(sub, Math.max(at, 0));
    this.#say("now", { op: "subscribed", id: m.id, seq: sub.pos });
  }

  /** One thing that a server might do next. */
  step() {
    if (!this.there) return;
    const d = this.#dice;
    if (d.chance(0.4)) return this.read();
    const waiting = [...this.#subs.values()].filter((sub) => sub.state !== "live");
    if (waiting.length && d.chance(0.5)) {
      const sub = d.pick(waiting);
      if (d.chance(0.03)) this.#lagOne(sub);
      else if (sub.state === "replay") this.#replay(sub);
      else this.#snapshot(sub);
    } else if (this.#chain !== undefined) {
      if (d.chance(0.02)) this.#lagOne(d.pick(this.#live()));
      else if (d.chance(0.02)) this.#lagAll();
      else this.#batch();
    }
  }

  /** Nothing more by chance: everything that is asked for is given. */
  finish() {
    this.read();
    for (const sub of [...this.#subs.values()]) {
      while (sub.state === "snapshot") this.#snapshot(sub);
      while (sub.state === "replay") this.#replay(sub);
    }
    while (this.#chain !== undefined && this.#chain < this.head) this.#batch();
  }

  #snapshot(sub) {
    const d = this.#dice;
    if (!sub.round) {
      const seq = Math.max(sub.pos ?? 0, this.head - d.below(4));
      const full = sub.pos === undefined || (!sub.rounds && d.chance(0.3));
      const rows = [...this.rows(sub.topics, seq).values()]
        .filter((row) => (full ? !row[7] : row[2] > sub.pos));
      sub.round = { seq, full, rows };
    }
    const { seq, full, rows } = sub.round;
    const m = { op: "snapshot", id: sub.id, seq, full,
      rows: rows.splice(0, 1 + d.below(4)), last: !rows.length };
    if (!m.last) return this.#say("part", m);
    sub.round = undefined;
    sub.rounds = (sub.rounds ?? 0) + 1;
    sub.pos = seq;
    m.scope = "sc";
    if (seq >= (this.#chain ?? 0) && d.chance(0.5)) this.#goLive(sub, seq);
    else {
      m.live = false;
      sub.state = d.chance(0.7) ? "replay" : "snapshot";
    }
    this.#say(m.live === false ? `then ${sub.state}` : "snapshot live", m);
  }

  #replay(sub) {
    const d = this.#dice;
    const upto = Math.min(this.head, sub.pos + d.below(5));
    const last = upto >= (this.#chain ?? 0) && d.chance(0.5);
    const m = { op: "replay", id: sub.id, after: sub.pos, upto, last,
      events: this.events(sub, sub.pos, upto) };
    sub.pos = upto;
    if (last) this.#goLive(sub, upto);
    this.#say(last && this.#chain < upto ? "joined ahead" : "replay", m);
  }

  #batch() {
    const d = this.#dice;
    const after = this.#chain;
    const at = this.#atTip();
    const ahead = this.#live().filter((sub) => sub.pos > after).map((sub) => sub.pos);
    const upto = Math.min(this.head, after + d.below(6), ...ahead);
    const list = this.log.slice(after, upto).filter((e) => at.some((sub) => asks(sub, e)));
    if (d.chance(0.1)) list.push([0, 1, d.pick(this.#topics), 0, "blip", "ada", null]);
    this.#chain = upto;
    for (const sub of at) sub.pos = upto;
    this.#say("batch", [after, upto, ...list]);
  }

  #lagged(o) {
    return { op: "lagged", reason: "ring", oldest: 1, head: this.head, ...o };
  }

  #lagOne(sub) {
    this.#gone(sub.id);
    this.#say("lagged id", this.#lagged({ id: sub.id, position: sub.pos }));
  }

  #lagAll() {
    const position = this.#chain;
    for (const sub of this.#atTip()) this.#subs.delete(sub.id);
    this.#chainEnds();
    this.#say("lagged", this.#lagged({ position }));
  }
}
