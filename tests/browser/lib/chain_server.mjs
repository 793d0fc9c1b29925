// SPDX-License-Identifier: BSD-2-Clause

// A server that goes live as doc/protocol.md allows, at random: ahead of the chain, behind it,
// in rounds, lagged, draining, gone. What clients ought to have is known to it.

import { decode, encode } from "../../../client/codec.js";
import { matcher } from "../../../client/topic.js";

export class World {
  log = [];
  sockets = new Set();
  tokens = new Set();
  random;
  connects = 0;

  constructor(random) {
    this.random = random;
  }

  get head() {
    return this.log.length;
  }

  append() {
    const topic = `t.${this.random.below(4)}.${this.random.below(3)}`;
    const version = this.log.filter((e) => e[2] === topic).length + 1;
    const seq = this.head + 1;
    this.log.push([seq, seq * 1000, topic, version, "x_set", "ada", { n: seq }]);
  }

  rows(topics, seq, since = 0) {
    const rows = new Map();
    for (const e of this.log.slice(0, seq)) {
      const [at, time, topic, version, , actor, data] = e;
      if (!matcher(topics)(topic)) continue;
      const old = rows.get(topic);
      rows.set(topic,
        [topic, version, at, old?.[3] ?? time, old?.[4] ?? actor, time, actor, false, data]);
    }
    return [...rows.values()].filter((r) => r[2] > since);
  }

  /** The class that clients are given. */
  get WebSocket() {
    const world = this;
    return class extends ServerSocket {
      constructor() {
        super(world);
      }
    };
  }
}

class ServerSocket {
  readyState = 0;
  subs = new Map();
  chain;
  #world;
  #inbox = [];

  constructor(world) {
    this.#world = world;
    world.connects++;
    world.sockets.add(this);
    setImmediate(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.onopen?.({});
    });
  }

  send(bytes) {
    this.#inbox.push(decode(bytes.slice()));
  }

  close(code = 1000) {
    this.readyState = 3;
    this.#world.sockets.delete(this);
    setImmediate(() => this.onclose?.({ code, reason: "" }));
  }

  #say(m) {
    const bytes = encode(m);
    if (this.readyState === 1) this.onmessage?.({ data: bytes.buffer.slice(0) });
  }

  /** Something that a server might do now. */
  step() {
    const r = this.#world.random;
    if (this.readyState !== 1) return;
    if (this.#inbox.length && r.chance(0.7)) this.#request(this.#inbox.shift());
    else if (r.chance(0.6)) this.#opening();
    else if (r.chance(0.02)) this.#lagged();
    else if (r.chance(0.01)) this.#laggedOne();
    else if (r.chance(0.005)) this.close(1012);
    else this.#batch();
  }

  /** As far as everything goes: nothing is asked, nothing is under way. */
  settle() {
    while (this.readyState === 1 && this.#inbox.length) this.#request(this.#inbox.shift());
    while (this.readyState === 1 && [...this.subs.values()].some((s) => s.at === undefined))
      this.#opening();
    while (this.readyState === 1 && this.chain < this.#world.head) this.#batch(true);
  }

  #request(m) {
    const { head } = this.#world;
    const { id } = m;
    if (m.op === "hello") this.#hello(m);
    else if (m.op === "auth") this.#auth(m);
    else if (m.op === "ping") this.#say({ op: "pong", id, time: Date.now() * 1000, head });
    else if (m.op === "subscribe") {
      const { topics, from, since } = m;
      const sub = { id, topics, from, seq: from === "snapshot" ? since : from };
      this.subs.set(id, sub);
      this.#say(from === "now" ? { op: "subscribed", id, seq: head } : { op: "subscribed", id });
      if (from === "now") this.#announce(sub, head);
    } else if (m.op === "unsubscribe") {
      this.subs.delete(id);
      this.#say({ op: "ok", id });
      this.#advance();
    } else if (m.op === "presence") this.#say({ op: "presence", id, members: [] });
  }

  #hello({ v, token }) {
    const { head, tokens } = this.#world;
    if (v !== 1 || !tokens.has(token)) {
      this.#say({ op: "error", code: "unauthorized", message: "no" });
      return this.close(4401);
    }
    this.#say({
      op: "welcome", v: 1, session: "s", user: "ada", log: "l-1", head, oldest: 1, node: "n",
      time: Date.now() * 1000, mark_interval: 5000, ping_interval: 25000, max_message: 4194304,
      keys_seconds: 3600, fold: { version: 1, rules: [["*", "set"]] }, ack: {},
    });
  }

  #auth({ id, token }) {
    if (this.#world.tokens.has(token)) this.#say({ op: "ok", id });
    else this.#say({ op: "error", id, code: "unauthorized", message: "no" });
  }

  /** Rounds and replays of those that are not live, a part at a time. */
  #opening() {
    const r = this.#world.random;
    const sub = r.pick([...this.subs.values()].filter((s) => s.at === undefined));
    if (!sub) return;
    if (sub.from === "snapshot" && !sub.replay) this.#round(sub);
    else this.#replay(sub);
  }

  #round(sub) {
    const { random: r, head } = this.#world;
    const { id, topics } = sub;
    const since = sub.seq;
    const seq = Math.max(since ?? 0, head - r.below(5));
    const full = since === undefined;
    const rows = this.#world.rows(topics, seq, since);
    const half = r.below(rows.length + 1);
    this.#say({ op: "snapshot", id, seq, full, rows: rows.slice(0, half), last: false });
    const live = this.chain === undefined || seq >= this.chain;
    sub.seq = seq;
    sub.replay = !live && r.chance(0.5);
    // As the real one: only what is not live yet is told of.
    this.#say({ op: "snapshot", id, seq, full, rows: rows.slice(half), last: true,
      ...(!live && { live }) });
    if (live) this.#announce(sub, seq);
  }

  #replay(sub) {
    const { random: r, head, log } = this.#world;
    const end = sub.replay ? this.chain ?? sub.seq : head;
    const last = r.chance(0.6);
    const upto = last ? Math.max(end, sub.seq, this.chain ?? 0)
      : sub.seq + r.below(Math.max(end - sub.seq, 0) + 1);
    const events = log.slice(sub.seq, upto)
      .filter((e) => matcher(sub.topics)(e[2]));
    this.#say({ op: "replay", id: sub.id, after: sub.seq, upto, events, last });
    sub.seq = upto;
    if (last) this.#announce(sub, upto);
  }

  #announce(sub, at) {
    sub.at = at;
    this.#advance();
  }

  #advance() {
    const ready = [...this.subs.values()].filter((s) => s.at !== undefined);
    if (!ready.some((s) => s.live))
      this.chain = ready.length ? Math.min(...ready.map((s) => s.at)) : undefined;
    for (const s of ready) s.live ||= s.at <= this.chain;
  }

  #batch(all = false) {
    const { random: r, head, log } = this.#world;
    if (this.chain === undefined) return;
    const subs = [...this.subs.values()];
    const ahead = subs.filter((s) => s.at !== undefined && !s.live).map((s) => s.at);
    const most = Math.min(head, ...ahead);
    const upto = all ? most : this.chain + r.below(most - this.chain + 1);
    const live = subs.filter((s) => s.live);
    const events = log.slice(this.chain, upto)
      .filter((e) => live.some((s) => matcher(s.topics)(e[2])));
    if (r.chance(0.2)) events.push([0, 1, "t.0.0", 0, "x_moved", "ada", "soon gone"]);
    this.#say([this.chain, upto, ...events]);
    this.chain = upto;
    this.#advance();
  }

  #lagged() {
    if (this.chain === undefined) return;
    for (const s of this.subs.values()) if (s.live) this.subs.delete(s.id);
    const position = this.chain;
    this.#say({ op: "lagged", reason: "ring", position, oldest: 1, head: this.#world.head });
    this.#advance();
  }

  #laggedOne() {
    const sub = this.#world.random.pick([...this.subs.values()]);
    if (!sub) return;
    this.subs.delete(sub.id);
    this.#say({
      op: "lagged", id: sub.id, reason: "permissions", oldest: 1, head: this.#world.head,
    });
    this.#advance();
  }
}
