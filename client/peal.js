// SPDX-License-Identifier: BSD-2-Clause
// The browser client of peal: connect() and what a client offers; peal.d.ts says it all.
// Nothing that a server sends, and no handler that throws, gets past this file.

import { Chain } from "./chain.js";
import { sample } from "./clock.js";
import { encode } from "./codec.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { PealError, errorOf } from "./error.js";
import { check, event, isUint, shaped } from "./message.js";
import { Requests } from "./requests.js";
import { Subscription } from "./subscription.js";
import { view } from "./view.js";

export { PealError };

/** Options as the protocol has them: names_so, and times in microseconds. */
const wire = ({ signal, ...o }) => Object.fromEntries(Object.entries(o).map(([name, value]) => [
  name.replace(/[A-Z]/, (c) => "_" + c.toLowerCase()), value instanceof Date ? value * 1000 : value,
]));

class Client extends Requests {
  welcome;
  latency;
  clock;
  counters = { reconnects: 0, gaps: 0, malformed: 0, lagged: 0, thrown: 0 };
  connection;
  #events = new Emitter(this);
  #chain;
  #subs = new Set();
  #id = 0;
  #complete;
  #reporting;

  constructor(options) {
    super();
    this.connection = new Connection(this, options);
  }

  on(type, handler, o) {
    return this.#events.on(type, handler, o);
  }

  subscribe(patterns, o = {}) {
    const sub = new Subscription(this, patterns, o);
    if (this.connection.over) sub.end();
    if (sub.open) {
      this.#subs.add(sub);
      this.open(sub);
    }
    return sub;
  }

  view(patterns, o) {
    return view(this, patterns, o);
  }

  append(topic, type, data, o) {
    const many = Array.isArray(topic);
    const { signal, checks, ...rest } = (many ? type : o) ?? {};
    const events = many ? topic : [{ topic, type, data, ...rest }];
    return this.ask("appended", { op: "append", events, checks }, { signal }, (m) => {
      const { seq, versions, time, duplicate } = m;
      check(versions.length === events.length && [seq, ...versions].every(isUint));
      return {
        seq: seq + events.length - 1, version: versions.at(-1), versions, time, duplicate,
      };
    });
  }

  emit(topic, type, data, o) {
    return this.ask("ok", { op: "emit", topic, type, data }, o);
  }

  state(patterns, o = {}) {
    const m = { ...wire(o), op: "state", topics: [].concat(patterns) };
    if (o.at instanceof Date) m.at = { time: m.at };
    return this.ask("snapshot", m, o);
  }

  at(at) {
    return { state: (patterns, o) => this.state(patterns, { ...o, at }) };
  }

  history(o = {}) {
    return this.ask("history", { ...wire(o), op: "history" }, o, ({ events, next }) =>
      ({ events: events.map(event), next }));
  }

  presence(patterns, o) {
    const m = { op: "presence", topics: [].concat(patterns) };
    return this.ask("presence", m, o, ({ members }) => members);
  }

  ack(seq, name = "") {
    if (this.connection.since) this.#send({ op: "ack", seq, name });
  }

  ping(o) {
    const sent = Date.now();
    const begin = performance.now();
    return this.ask("pong", { op: "ping" }, o, ({ time }) => {
      const rtt = (this.latency = performance.now() - begin);
      shaped("u", [time]);
      this.clock = sample(this.clock, sent, rtt, time / 1000);
      return rtt;
    });
  }

  get complete() {
    return this.#complete && { seq: this.#complete.seq, age: Date.now() - this.#complete.at };
  }

  reconnect() {
    this.connection.reconnect();
  }

  close() {
    this.connection.close();
  }

  // What follows is for the modules beside this one.

  /** Tells the application what has no better place; never throws. */
  report(e, counter) {
    if (counter) this.counters[counter]++;
    if (this.#reporting) return;
    this.#reporting = true;
    if (!this.#events.emit("error", e)) console.error(e);
    this.#reporting = false;
  }

  /** Gives the message an id. */
  request(m) {
    m.id = ++this.#id;
    this.#send(m);
    return m.id;
  }

  #send(m) {
    const bytes = encode(m);
    if (bytes.length > this.welcome.max_message) throw new PealError("too_large", "too large");
    this.connection.send(bytes);
  }

  open(sub) {
    if (!this.connection.since || sub.leg || !sub.open) return;
    try {
      const m = sub.request(this.welcome);
      this.request(m);
      sub.leg = this.#chain.add(sub, m);
    } catch (e) {
      sub.end(e);
    }
  }

  leave(sub) {
    const { leg } = sub;
    sub.lost();
    if (!leg) return;
    leg.sub = undefined;
    this.#send({ op: "unsubscribe", id: leg.id });
  }

  forget(sub) {
    this.#subs.delete(sub);
  }

  /** Everything that is live is there up to where the last one is. */
  marked() {
    const subs = [...this.#subs];
    if (subs.every((sub) => sub.live))
      this.#complete = { seq: Math.min(...subs.map((sub) => sub.leg.seq)), at: Date.now() };
  }

  changed(state) {
    this.#events.emit("change");
    // A listener may have changed it again.
    if (state !== this.connection.getSnapshot()) return;
    const { welcome } = this;
    this.#events.emit(state.state, state.state === "connected" ? { ...state, welcome } : state);
  }

  welcomed(m) {
    this.#chain = new Chain();
    this.welcome = m;
    for (const sub of this.#subs) this.open(sub);
    this.sendWaiting();
  }

  auth(token) {
    return this.ask("ok", { op: "auth", token });
  }

  received(m) {
    if (Array.isArray(m)) this.#chain.batch(m);
    else if (!this.#chain.message(m) && !this.answered(m)) {
      check(m.op === "error" && !m.id);
      this.report(errorOf(m));
    }
  }

  lost(wait) {
    const chain = this.#chain;
    if (chain && !chain.closed) {
      this.counters.reconnects++;
      chain.closed = true;
    }
    for (const sub of this.#subs) sub.lost();
    this.loseAll(wait);
  }

  ended(reason, code) {
    for (const sub of this.#subs)
      sub.end(code && new PealError("unauthorized", reason, { close: code }));
  }
}

/** The page's own origin where url is left out. */
export function connect(url = "/v1/ws", options) {
  const target = new URL(url, globalThis.location?.href);
  target.protocol = target.protocol.replace("http", "ws");
  if (target.pathname === "/") target.pathname = "/v1/ws";
  return new Client({
    WebSocket: globalThis.WebSocket, minDelay: 500, maxDelay: 20000, ...options, url: target.href,
  });
}
