// SPDX-License-Identifier: BSD-2-Clause

// A WebSocket without a network, and a clock that a test turns: the client's state machine
// step by step.  The far end speaks with the MessagePack of another project.

import assert from "node:assert/strict";
import { mock } from "node:test";

import { decode, encode } from "@msgpack/msgpack";

import { connect } from "../../../client/peal.js";

export const LOG = "0123456789abcdef0123456789abcdef-1";

export const WELCOME = {
  op: "welcome", v: 1, session: "s", user: "ada", client: "c", log: LOG, head: 100, oldest: 1,
  node: "n", time: 1700000000000000, mark_interval: 5000, ping_interval: 25000,
  max_message: 4194304, keys_seconds: 3600, fold: { version: 1, rules: [["*set", "set"]] },
  ack: {},
};

/** Everything that was due now and can be done has been done. */
export const settle = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

class FakeSocket {
  readyState = 0;
  binaryType = "blob";
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  /** What the client has sent and nobody has looked at. */
  sent = [];
  /** How the client closed it. */
  closed = undefined;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(bytes) {
    assert.equal(this.readyState, 1, "the client sent before open");
    this.sent.push(decode(bytes));
  }

  close(code) {
    this.readyState = 3;
    this.closed = code ?? 1005;
  }

  // The far end.

  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  say(...messages) {
    for (const m of messages) this.raw(Uint8Array.from(encode(m)).buffer);
  }

  raw(data) {
    this.onmessage?.({ data });
  }

  cut(code = 1006, reason = "") {
    this.readyState = 3;
    if (code === 1006) this.onerror?.({});
    this.onclose?.({ code, reason });
  }

  /** The next message of this op; those before it are passed over. */
  take(op) {
    const at = this.sent.findIndex((m) => m.op === op);
    assert.notEqual(at, -1, `the client sent no ${op}: ${JSON.stringify(this.sent)}`);
    return this.sent.splice(0, at + 1).at(-1);
  }

  has(op) {
    return this.sent.some((m) => m.op === op);
  }
}

/** A page: what it listens to, and whether it is seen. */
class Page {
  #target = new EventTarget();
  hidden = false;

  constructor() {
    globalThis.addEventListener = this.#target.addEventListener.bind(this.#target);
    globalThis.document = this;
  }

  fire(type) {
    this.#target.dispatchEvent(new Event(type));
  }

  show(hidden = false) {
    this.hidden = hidden;
    this.fire("visibilitychange");
  }

  gone() {
    delete globalThis.addEventListener;
    delete globalThis.document;
  }
}

/** A client at a stopped clock, in a page, with sockets that the test is the far end of. */
export class Bench {
  sockets = [];
  /** What the client emitted: [type, value]. */
  told = [];
  /** What Math.random() says. */
  random = 0.5;

  constructor(t, options = {}) {
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1700000000000 });
    mock.method(Math, "random", () => this.random);
    this.page = new Page();
    const { sockets } = this;
    this.client = connect("wss://peal.test", {
      WebSocket: class extends FakeSocket {
        constructor(...args) {
          super(...args);
          sockets.push(this);
        }
      },
      ...options,
    });
    for (const type of ["connecting", "connected", "disconnected", "error"])
      this.client.on(type, (e) => this.told.push([type, e]));
    t.after(() => {
      this.client.close();
      this.page.gone();
      mock.timers.reset();
      mock.restoreAll();
    });
  }

  get socket() {
    return this.sockets.at(-1);
  }

  get state() {
    return this.client.connection.getSnapshot();
  }

  /** Types of what was told since the last time. */
  types() {
    return this.told.splice(0).map(([type]) => type);
  }

  async tick(ms) {
    mock.timers.tick(ms);
    await settle();
  }

  /** The machine sleeps: the clock goes on, timers do not. */
  sleep(ms) {
    mock.timers.setTime(Date.now() + ms);
  }

  /** Lets the client open the next socket, and welcomes it. */
  async welcome(o = {}) {
    await settle();
    if (!this.socket || this.socket.readyState !== 0) await this.tick(20000);
    assert.equal(this.socket?.readyState, 0, "the client opened no socket");
    this.socket.open();
    this.socket.say({ ...WELCOME, time: Date.now() * 1000, ...o });
    await settle();
    return this.socket;
  }
}

/** An event of the wire. */
export const ev = (seq, topic = "a.b", type = "x_set", data = seq) =>
  [seq, 1700000000000000 + seq, topic, seq, type, "ada", data];

/** A row of the wire. */
export const row = (topic, seq, value = seq, deleted = false) =>
  [topic, seq, seq, 1, "ada", 2, "bob", deleted, value];
