// SPDX-License-Identifier: BSD-2-Clause
// One WebSocket after the other: tokens, hello, backoff, and whether the other end still lives.
// Whatever happens to a socket leads to lose(), and that to the next attempt or to the end.

import { encode, decode } from "./codec.js";
import { onAbort } from "./emitter.js";
import { errorOf, waitOf } from "./error.js";
import { check, shaped } from "./message.js";
import {
  ATTEMPT_MS, HEALTHY_MS, HIDDEN_SILENCE_MS, MAX_MESSAGE, PING_MS, RENEW_MS, SILENCE_MS, TICK_MS,
} from "./limits.js";

const hidden = () => globalThis.document?.hidden;

/** Is what peal.d.ts calls `client.connection`, too. */
export class Connection {
  #client;
  #o;
  #state;
  #ws;
  /** The attempt or connection that counts; what belongs to another one is late. */
  #turn;
  #timer;
  #ticker;
  #attempts = 0;
  /** When it was welcomed; undefined while it is not connected. */
  since;
  /** Not before then, by the server's word. */
  #slot = 0;
  #heard;
  /** How much less than now what comes counts for while it is asked whether it lives. */
  #less = 0;
  /** When the last ping was sent; Infinity while it is out. */
  #pinged;
  #interval;
  /** The last refusal. */
  #said;
  /** The call of getToken that is out, and what ends it. */
  #token;
  #stop;
  /** Whether a live connection needs another token; when it last asked, Infinity meanwhile. */
  #expiring;
  #renewed;
  #end = new AbortController();

  constructor(client, options) {
    this.#client = client;
    this.#o = options;
    this.#state = { state: "connecting", attempts: 0 };
    queueMicrotask(() => {
      onAbort(options.signal, () => this.close());
      this.#attempt();
    });
    // Captured, since some of these do not bubble from the document.
    const o = { signal: this.#end.signal, capture: true };
    for (const type of ["online", "offline", "visibilitychange", "pageshow", "pagehide"])
      globalThis.addEventListener?.(type, () => this.#look(type), o);
  }

  // React calls these without what they belong to.
  subscribe = (listener) => this.#client.on("change", listener);
  getSnapshot = () => this.#state;

  get over() {
    return this.#end.signal.aborted;
  }

  /** Full jitter: anything up to a bound that doubles. */
  backoff(n) {
    const { minDelay, maxDelay } = this.#o;
    return Math.random() * (hidden() ? maxDelay : Math.min(maxDelay, minDelay * 2 ** n));
  }

  send(bytes) {
    this.#ws.send(bytes);
  }

  close() {
    if (!this.over) this.lose("closed", undefined, true);
  }

  #set(state) {
    this.#state = { ...state, attempts: this.#attempts };
    this.#client.changed(this.#state);
  }

  async #attempt() {
    if (this.over) return;
    const turn = (this.#turn = {});
    this.#after(ATTEMPT_MS, () => {
      this.#stop?.abort();
      this.#token = undefined;
      this.lose("no connection");
    });
    this.#set({ state: "connecting" });
    if (turn !== this.#turn) return;
    try {
      const token = await this.#getToken();
      if (turn === this.#turn) this.#open(token ?? undefined);
    } catch (e) {
      if (turn === this.#turn) this.lose(e?.message);
    }
  }

  /** One call at a time: who asks meanwhile gets the same token. */
  #getToken() {
    const token = (this.#token ??= this.#askToken().finally(() => {
      // One that was given up may come when the next is being asked for.
      if (token === this.#token) this.#token = undefined;
    }));
    return token;
  }

  async #askToken() {
    this.#stop = new AbortController();
    return this.#o.getToken?.({ signal: this.#stop.signal });
  }

  #open(token) {
    const { url, WebSocket, client, agent } = this.#o;
    const ws = (this.#ws = new WebSocket(url, "peal.v1.msgpack"));
    this.#said = "";
    ws.binaryType = "arraybuffer";
    ws.onopen = () => ws.send(encode({ op: "hello", v: 1, token, client, agent }));
    ws.onmessage = (e) => this.#receive(e.data);
    ws.onclose = (e) => this.lose(this.#said || e.reason || "the connection broke", e.code);
    // A close follows; without a handler Node's ws would throw.
    ws.onerror = () => {};
  }

  #receive(data) {
    const turn = this.#turn;
    let m;
    this.#heard = Date.now() - this.#less;
    try {
      check(data.byteLength <= MAX_MESSAGE);
      m = decode(new Uint8Array(data));
      this.#control(m);
    } catch (e) {
      // Whoever can't be understood is left, and not taken for healthy.
      e.cause ??= m;
      this.#client.report(e, e.counter ?? "malformed");
      if (turn !== this.#turn) return;
      this.since &&= Infinity;
      this.lose(e.message);
    }
  }

  #control(m) {
    const { op } = m;
    if (op === "draining") this.#slot = Date.now() + waitOf(m.in);
    else if (this.since && op === "expiring") {
      this.#expiring = true;
      this.#tick();
    }
    else if (op === "revoked") this.#said = `revoked: ${m.reason}`;
    else if (this.since) this.#client.received(m);
    else if (op === "error") {
      const { message, retryMs } = errorOf(m);
      this.#said = message;
      this.#slot = Date.now() + (retryMs ?? 0);
    } else this.#welcome(m);
  }

  #welcome(m) {
    check(m.op === "welcome");
    shaped("suuu", [m.log, m.head, m.oldest, m.max_message]);
    this.#interval = waitOf(m.ping_interval);
    this.since = Date.now();
    this.#renewed = 0;
    clearTimeout(this.#timer);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const turn = this.#turn;
    this.#client.welcomed(m);
    if (turn !== this.#turn) return;
    this.#ping();
    this.#set({ state: "connected" });
  }

  async #renew() {
    const turn = this.#turn;
    const begin = Date.now();
    this.#expiring = false;
    this.#renewed = Infinity;
    try {
      const token = await this.#getToken();
      if (turn === this.#turn && token) await this.#client.auth(token);
    } catch (e) {
      // The next connection asks again.
      this.#client.report(e);
    }
    if (turn === this.#turn) this.#renewed = begin;
  }

  /** By the clock: timers stand still while a machine sleeps, and run late in a hidden page. */
  #tick() {
    const now = Date.now();
    if (now - this.#heard >= this.#interval + (hidden() ? HIDDEN_SILENCE_MS : SILENCE_MS))
      return this.lose("silence");
    if (now - this.#pinged >= Math.min(PING_MS, this.#interval + TICK_MS)) this.#ping();
    if (this.#expiring && now - this.#renewed >= RENEW_MS) this.#renew();
  }

  #ping() {
    const begin = Date.now();
    this.#pinged = Infinity;
    return this.#client.ping().catch(() => {}).then(() => (this.#pinged = begin));
  }

  /** Something happened to the page or to the network. */
  #look(type) {
    // A page with an open socket is not kept for the way back.
    if (type === "pagehide") this.lose("page left");
    else if (!hidden()) this.#wake(Math.max(0, this.#slot - Date.now()));
  }

  /** Now, whatever was agreed. */
  reconnect() {
    this.#wake(0);
  }

  #wake(wait) {
    if (this.since) this.#tick();
    if (this.since) {
      // Does the other end answer soon? What was under way before is no answer: it buys a tick.
      this.#less = this.#interval + SILENCE_MS - TICK_MS;
      this.#heard = Math.min(this.#heard, Date.now() - this.#less);
      this.#ping().then(() => {
        this.#less = 0;
        this.#heard = Date.now();
      });
      this.#after(TICK_MS, () => this.#tick());
    } else if (!this.#turn) this.#after(wait, () => this.#attempt());
  }

  #after(ms, fn) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(fn, ms);
  }

  /** What is `over` is not tried again: what was closed, and what has no use. */
  lose(reason, code, over = code >= 4500 && code < 5000) {
    const ws = this.#ws;
    const now = Date.now();
    clearInterval(this.#ticker);
    if (now - this.since >= HEALTHY_MS) this.#attempts = 0;
    const wait = over ? NaN : Math.max(0, this.#slot - now) + this.backoff(this.#attempts++);
    this.#ws = this.#turn = this.since = this.#expiring = undefined;
    if (ws) {
      ws.onopen = ws.onmessage = ws.onclose = null;
      ws.close(1000);
    }
    this.#after(wait, () => this.#attempt());
    if (over) {
      clearTimeout(this.#timer);
      this.#end.abort();
      this.#stop?.abort();
    }
    this.#client.lost(wait);
    this.#set({ state: "disconnected", reason, code, ...(over || { retryAt: now + wait }) });
    if (over) this.#client.ended(reason, code);
  }
}
