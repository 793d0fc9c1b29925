// SPDX-License-Identifier: BSD-2-Clause
// One WebSocket after the other: tokens, hello, backoff, and whether the other end still lives.
// Whatever happens to a socket leads to lose(), and that to the next attempt or to the end.

import { encode, decode } from "./codec.js";
import { onAbort } from "./emitter.js";
import { check, uint, Gap } from "./message.js";

const PROTOCOL = "peal.v1.msgpack";
const TOKEN_MS = 30000;
const ATTEMPT_MS = 15000;
const HEALTHY_MS = 5000;
const TICK_MS = 5000;
const PING_MS = 30000;
const PROBE_MS = 5000;
const SILENCE_MS = 10000;
// The timers of a hidden page run once a minute.
const HIDDEN_SILENCE_MS = 45000;
// Longer than any slot of a server; a timer takes 31 bits.
const SLOT_MAX_MS = 300000;
// Four times the largest page.
const MESSAGE_MAX = 1 << 24;

const hidden = () => globalThis.document?.hidden;

export class Connection {
  state = { state: "connecting", attempts: 0 };
  #o;
  #sink;
  #ws;
  /** The attempt or connection that counts; what belongs to another one is late. */
  #turn;
  #timer;
  #ticker;
  #attempts = 0;
  /** Since when it is connected. */
  #since;
  /** Not before then, and whether it is a time of our own, by the server's word. */
  #slot = 0;
  #own;
  #floor = 0;
  #heard = 0;
  #pinged = 0;
  #probed = 0;
  #interval;
  #said;
  #token;
  #closed = new AbortController();

  /** sink: welcome, batch, message, lost, ended, ping, auth, change, report. */
  constructor(options, sink) {
    this.#o = options;
    this.#sink = sink;
    this.#watch();
    queueMicrotask(() => this.#attempt());
    onAbort(options.signal, () => this.close());
  }

  get over() {
    return this.#closed.signal.aborted;
  }

  get connected() {
    return this.#since !== undefined;
  }

  /** Full jitter: anything up to a bound that doubles. */
  backoff(n) {
    const { minDelay, maxDelay } = this.#o;
    return Math.random() * (hidden() ? maxDelay : Math.min(maxDelay, minDelay * 2 ** n));
  }

  send(bytes) {
    try {
      this.#ws.send(bytes);
    } catch (e) {
      this.#sink.report(e);
    }
  }

  /** Now, whatever was agreed; where it is connected: is it really? */
  reconnect() {
    this.#floor = 0;
    this.#wake();
  }

  close(reason = "closed", code) {
    if (this.over) return;
    this.#drop(1000);
    this.#closed.abort();
    this.#sink.ended(reason, code);
    this.#set({ state: "disconnected", reason, code });
  }

  #set(state) {
    this.state = Object.freeze({ ...state, attempts: this.#attempts });
    this.#sink.change(this.state);
  }

  async #attempt() {
    if (this.over) return;
    clearTimeout(this.#timer);
    const turn = (this.#turn = {});
    this.#set({ state: "connecting" });
    try {
      const token = this.#o.getToken && (await this.#fetchToken());
      if (turn === this.#turn) this.#open(token ?? undefined);
    } catch (e) {
      if (turn === this.#turn) this.lose("no connection: " + e?.message);
    }
  }

  /** One call at a time: who asks meanwhile gets the same token. */
  #fetchToken() {
    return (this.#token ??= this.#askToken().finally(() => (this.#token = undefined)));
  }

  async #askToken() {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error("getToken takes too long")), TOKEN_MS);
    const forget = onAbort(this.#closed.signal, () => stop.abort());
    const { signal } = stop;
    try {
      return await Promise.race([
        this.#o.getToken({ signal }),
        new Promise((_, reject) => onAbort(signal, () => reject(signal.reason))),
      ]);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  #open(token) {
    const { url, WebSocket, client, agent } = this.#o;
    const ws = (this.#ws = new WebSocket(url, PROTOCOL));
    ws.binaryType = "arraybuffer";
    ws.onopen = () =>
      this.send(encode({ op: "hello", v: 1, token, client, agent }));
    ws.onmessage = (e) => this.#receive(e.data);
    ws.onclose = (e) => this.lose(this.#said || e.reason || "the connection broke", e.code);
    // A close follows; without a handler Node's ws would throw.
    ws.onerror = () => {};
    this.#said = undefined;
    this.#timer = setTimeout(() => this.lose("the server does not answer"), ATTEMPT_MS);
  }

  #receive(data) {
    this.#heard = Date.now();
    try {
      check(data?.byteLength <= MESSAGE_MAX, "a text, or too much");
      const m = decode(new Uint8Array(data));
      if (Array.isArray(m)) this.#sink.batch(m);
      else this.#control(m);
    } catch (e) {
      this.bad(e);
    }
  }

  /** A server that can't be understood is left; the counter of attempts goes on. */
  bad(error) {
    this.#sink.report(error, error instanceof Gap ? "gaps" : "malformed");
    this.#since = this.#since && Infinity;
    this.lose(error.message);
  }

  #control(m) {
    if (m.op === "draining") this.#wait(m.in, true);
    else if (m.op === "revoked") this.#said = "revoked: " + m.reason;
    else if (m.op === "expiring") this.#renew();
    else if (this.connected) this.#sink.message(m);
    else if (m.op === "error") {
      this.#said = m.message;
      if (m.retry_ms !== undefined) this.#wait(m.retry_ms);
    } else this.#welcome(m);
  }

  #wait(ms, own) {
    this.#slot = Date.now() + Math.min(uint(ms, "time to wait"), SLOT_MAX_MS);
    this.#own = own;
  }

  #welcome(m) {
    check(m.op === "welcome" && m.v === 1 && typeof m.log === "string", "no welcome");
    uint(m.head, "head");
    uint(m.oldest, "oldest");
    uint(m.max_message, "max_message");
    this.#interval = Math.min(uint(m.ping_interval, "ping_interval"), SLOT_MAX_MS);
    clearTimeout(this.#timer);
    this.#since = Date.now();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const turn = this.#turn;
    this.#sink.welcome(m);
    if (turn === this.#turn) this.#ping();
    if (turn === this.#turn) this.#set({ state: "connected" });
  }

  async #renew() {
    if (!this.#o.getToken) return;
    const turn = this.#turn;
    try {
      const token = await this.#fetchToken();
      if (turn === this.#turn && token) await this.#sink.auth(token);
    } catch (e) {
      // The next connection asks again.
      this.#sink.report(e);
    }
  }

  #tick() {
    // By the clock: timers stand still in a machine that sleeps, and run late in a hidden page.
    const now = Date.now();
    const silence = now - this.#heard;
    if (silence > this.#interval + (hidden() ? HIDDEN_SILENCE_MS : SILENCE_MS) ||
        (this.#probed > this.#heard && now - this.#probed >= PROBE_MS)) {
      this.lose("nothing was heard for " + Math.round(silence / 1000) + " s");
    } else if (now - this.#pinged >= Math.min(PING_MS, this.#interval + PROBE_MS)) this.#ping();
  }

  #ping() {
    this.#pinged = Date.now();
    this.#sink.ping();
  }

  /** Something happened to the page or the network: look at once. */
  #wake() {
    if (this.connected) {
      this.#tick();
      if (!this.connected) return this.#wake();
      this.#ping();
      this.#probed = Date.now();
      this.#timer = setTimeout(() => this.#tick(), PROBE_MS);
    } else if (!this.#turn) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#attempt(), Math.max(0, this.#floor - Date.now()));
    }
  }

  #watch() {
    const { signal } = this.#closed;
    const wake = () => hidden() || this.#wake();
    for (const type of ["online", "offline", "pageshow"])
      globalThis.addEventListener?.(type, wake, { signal });
    for (const type of ["visibilitychange", "resume"])
      globalThis.document?.addEventListener(type, wake, { signal });
    // A page with an open socket is not kept for the way back.
    globalThis.addEventListener?.("pagehide", () => this.#turn && this.lose("the page was left"),
      { signal });
  }

  #drop(code) {
    const ws = this.#ws;
    clearTimeout(this.#timer);
    clearInterval(this.#ticker);
    this.#ws = this.#turn = this.#since = undefined;
    if (!ws) return;
    ws.onopen = ws.onmessage = ws.onclose = null;
    try {
      ws.close(code);
    } catch (e) {
      this.#sink.report(e);
    }
  }

  lose(reason, code) {
    const now = Date.now();
    if (now - this.#since >= HEALTHY_MS) this.#attempts = 0;
    this.#drop();
    if (code >= 4500 && code < 5000) return this.close(reason, code);
    const wait = Math.max(0, this.#slot - now) +
      (this.#own ? 0 : this.backoff(this.#attempts));
    this.#floor = this.#slot;
    this.#slot = 0;
    this.#own = false;
    this.#attempts++;
    this.#timer = setTimeout(() => this.#attempt(), wait);
    this.#sink.lost(wait);
    this.#set({ state: "disconnected", reason, code, retryAt: now + wait });
  }
}
