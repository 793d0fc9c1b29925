// SPDX-License-Identifier: BSD-2-Clause
// The browser client of peal: connect() and what a client offers; peal.d.ts says it all.
// Nothing that a server sends, and no handler that throws, gets past this file.

import { Chain } from "./chain.js";
import { sample } from "./clock.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { PealError, errorOf } from "./error.js";
import { check, event, isUint } from "./message.js";
import { Requests, pack } from "./requests.js";
import { Subscription } from "./subscription.js";

export { PealError };

// Microseconds, as the protocol has them.
const micros = (t) => (t instanceof Date ? t.getTime() * 1000 : t);
const moment = (t) => (t instanceof Date ? { time: micros(t) } : t);

class Client {
  welcome;
  latency;
  counters = { reconnects: 0, gaps: 0, malformed: 0, lagged: 0, thrown: 0 };
  connection;
  #events = new Emitter(() => this.counters.thrown++);
  #connection;
  #requests;
  #chain;
  #subs = new Set();
  #acks = new Map();
  #id = 0;
  #clock;
  #complete;
  #host;

  constructor(options) {
    const report = (e, count) => {
      if (count) this.counters[count]++;
      if (!this.#events.emit("error", e)) console.error(e);
    };
    this.#connection = new Connection(options, this.#sink(report));
    this.#host = {
      report,
      connection: this.#connection,
      backoff: (n) => this.#connection.backoff(n),
      count: (name) => this.counters[name]++,
      nextId: () => ++this.#id,
      send: (m) => this.#send(m),
      open: (sub) => this.#open(sub),
      leave: (sub, gone) => this.#leave(sub, gone),
    };
    this.#requests = new Requests(this.#host);
    this.connection = {
      subscribe: (listener) => this.on("change", listener),
      getSnapshot: () => this.#connection.state,
    };
  }

  /** What the connection tells. */
  #sink(report) {
    return {
      report,
      welcome: (m) => this.#welcomed(m),
      batch: (m) => {
        check(this.#chain, "a batch before welcome");
        this.#chain.batch(m);
        this.#watermark();
      },
      message: (m) => {
        this.#message(m);
        this.#watermark();
      },
      lost: (wait) => this.#lost(wait),
      ended: (reason, code) => this.#ended(reason, code),
      ping: () => this.ping().catch(() => {}),
      auth: (token) => this.#requests.ask("ok", { op: "auth", token }),
      change: (state) => this.#changed(state),
    };
  }

  #changed(state) {
    this.#events.emit("change");
    // A listener may have changed it again.
    if (state !== this.#connection.state) return;
    this.#events.emit(state.state,
      state.state === "connected" ? { ...state, welcome: this.welcome } : state);
  }

  #send(m) {
    this.#connection.send(pack(m, this.welcome.max_message));
  }

  #welcomed(m) {
    this.welcome = this.#host.welcome = m;
    const chain = (this.#chain = new Chain());
    for (const sub of this.#subs) if (!chain.closed) this.#open(sub);
    if (chain.closed) return;
    for (const [name, { log, seq }] of this.#acks) if (log === m.log) this.ack(seq, name);
    this.#requests.connected();
  }

  #lost(wait) {
    if (this.#chain) {
      this.counters.reconnects++;
      this.#chain.closed = true;
      this.#chain = undefined;
    }
    for (const sub of this.#subs) sub.leg = undefined;
    this.#requests.lost(wait);
  }

  #ended(reason, code) {
    this.#lost();
    for (const sub of this.#subs)
      sub.end(code && new PealError("unauthorized", reason, { close: code }));
  }

  #message(m) {
    const { op, id } = m;
    if (op === "lagged") for (const sub of this.#chain.end(id)) sub.lagged(m);
    else if (this.#chain.has(id)) {
      if (op === "error") for (const sub of this.#chain.end(id)) sub.failed(errorOf(m));
      else this.#chain.message(m);
    } else if (this.#requests.has(id)) this.#requests.answer(m);
    else {
      check(op === "error" && id === undefined, `${op} that nobody asked for`);
      this.#host.report(errorOf(m));
    }
  }

  #watermark() {
    const seq = this.#chain?.mark;
    if (seq !== undefined) this.#complete = { seq, at: Date.now() };
  }

  #open(sub) {
    const ready = () => this.#connection.connected && !sub.leg && sub.open;
    if (!ready()) return;
    const m = sub.request(this.welcome);
    // Who was told lagged may have acted on it.
    if (!ready()) return;
    const id = ++this.#id;
    sub.leg = this.#chain.add(id, sub, m.since ?? (isUint(m.from) ? m.from : undefined));
    try {
      this.#send({ ...m, id });
    } catch (e) {
      this.#chain.end(id);
      sub.failed(e);
    }
  }

  #leave(sub, gone) {
    const { leg } = sub;
    if (gone) this.#subs.delete(sub);
    sub.leg = undefined;
    if (!leg) return;
    leg.sub = undefined;
    this.#send({ op: "unsubscribe", id: leg.id });
  }

  on(type, handler, o) {
    return this.#events.on(type, handler, o);
  }

  subscribe(patterns, o) {
    const sub = new Subscription(this.#host, patterns, o);
    this.#subs.add(sub);
    if (this.#connection.over) sub.end();
    if (sub.open) this.#open(sub);
    else this.#subs.delete(sub);
    return sub;
  }

  append(topic, type, data, o) {
    const many = Array.isArray(topic);
    const { signal, checks, ...rest } = (many ? type : o) ?? {};
    const events = many ? topic : [{ topic, type, data, ...rest }];
    return this.#requests.ask("appended", { op: "append", events, checks }, signal, (m) => {
      const { seq, versions, time, duplicate } = m;
      check(isUint(seq) && versions.length === events.length && versions.every(isUint),
        "a bad answer to append");
      return {
        seq: seq + events.length - 1, version: versions.at(-1), versions, time, duplicate,
      };
    });
  }

  async emit(topic, type, data, { signal } = {}) {
    await this.#requests.ask("ok", { op: "emit", topic, type, data }, signal);
  }

  state(patterns, { at, minSeq, signal } = {}) {
    const m = { op: "state", topics: [].concat(patterns), at: moment(at), min_seq: minSeq };
    return this.#requests.ask("snapshot", m, signal, ({ rows, seq }) => ({ rows, seq }));
  }

  at(at) {
    return { state: (patterns, o) => this.state(patterns, { ...o, at }) };
  }

  history({ fromTime, toTime, minSeq, signal, ...rest } = {}) {
    const m = {
      op: "history", ...rest,
      from_time: micros(fromTime), to_time: micros(toTime), min_seq: minSeq,
    };
    return this.#requests.ask("history", m, signal, ({ events, next }) =>
      ({ events: events.map(event), next }));
  }

  presence(patterns, { signal } = {}) {
    const m = { op: "presence", topics: [].concat(patterns) };
    return this.#requests.ask("presence", m, signal, ({ members }) => members.slice());
  }

  ack(seq, name = "") {
    this.#acks.set(name, { log: this.welcome?.log, seq });
    if (this.#connection.connected) this.#send({ op: "ack", seq, name });
  }

  async ping({ signal } = {}) {
    const sent = Date.now();
    const begin = performance.now();
    await this.#requests.ask("pong", { op: "ping" }, signal, ({ time }) => {
      check(Number.isSafeInteger(time), "a bad time");
      this.latency = performance.now() - begin;
      this.#clock = sample(this.#clock, sent, this.latency, time / 1000);
    });
    return this.latency;
  }

  get clock() {
    return this.#clock && { offset: this.#clock.offset, bound: this.#clock.bound };
  }

  get complete() {
    return this.#complete && { seq: this.#complete.seq, age: Date.now() - this.#complete.at };
  }

  reconnect() {
    this.#connection.reconnect();
  }

  close() {
    this.#connection.close();
  }
}

/** The page's own origin where url is left out. */
export function connect(url, options = {}) {
  const target = new URL(url ?? "/v1/ws", globalThis.location?.href);
  target.protocol = target.protocol.replace("http", "ws");
  if (target.pathname === "/") target.pathname = "/v1/ws";
  return new Client({
    WebSocket: globalThis.WebSocket, minDelay: 500, maxDelay: 20000, ...options, url: target.href,
  });
}
