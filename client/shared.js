// SPDX-License-Identifier: BSD-2-Clause
// One connection for all pages of a browser: connect() with a WebSocket that is a SharedWorker's.
// Where there is no such worker, or it does not answer, each page has a connection of its own.

import { connect as connectAlone } from "./peal.js";

// A worker that has not answered by then is taken for one that never will.
const OPEN_MS = 10000;
// How much is read before the worker is told.
const READ = 1 << 16;

let broken = false;

const possible = () => !broken && globalThis.SharedWorker !== undefined &&
  globalThis.navigator?.locks !== undefined;

// Pages and workers of different versions of this file have different names.
function startWorker({ worker }) {
  if (worker) return new SharedWorker(worker, { type: "module", name: "peal 1" });
  // Bundlers know a worker by this expression, written out.
  return new SharedWorker(new URL("./shared-worker.js", import.meta.url),
    { type: "module", name: "peal 1" });
}

/** Held while the page lives: the worker waits for it. Returns its name, and what frees it. */
async function holdLock() {
  const name = "peal.page." + Array.from(crypto.getRandomValues(new Uint32Array(4))).join(".");
  let free;
  const freed = new Promise((resolve) => (free = resolve));
  await new Promise((held, failed) => {
    navigator.locks.request(name, () => {
      held();
      return freed;
    }).catch(failed);
  });
  return { name, free };
}

/** As much of a WebSocket as the client uses. */
class SharedSocket {
  binaryType = "arraybuffer";
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #o;
  #url;
  #protocol;
  #worker;
  #port;
  #own;
  #lock;
  #timer;
  #read = 0;

  constructor(o, url, protocol) {
    this.#o = o;
    this.#url = String(url);
    this.#protocol = protocol;
    this.#start().catch((e) => this.#alone(e));
  }

  async #start() {
    if (broken) return this.#alone();
    this.#lock = await holdLock();
    if (this.readyState !== 0) return this.#leave();
    this.#timer = setTimeout(() => this.#alone(new Error("the worker does not answer")), OPEN_MS);
    // Nobody else refers to it: collected, it would tell of no error.
    this.#worker = startWorker(this.#o);
    this.#worker.onerror = () => this.#alone(new Error("the worker does not start"));
    this.#port = this.#worker.port;
    this.#port.onmessage = (e) => this.#receive(e.data);
    this.#port.postMessage({ open: this.#url, lock: this.#lock.name });
  }

  #receive(data) {
    if (data instanceof ArrayBuffer) {
      this.#read += data.byteLength;
      if (this.#read >= READ) {
        this.#port.postMessage({ read: this.#read });
        this.#read = 0;
      }
      this.onmessage?.({ data });
    } else if (data.open) {
      clearTimeout(this.#timer);
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.onopen?.({});
    } else this.#ended(data.close, data.reason);
  }

  /** No worker: a connection of this page's own, and none of the others tries again. */
  #alone(error) {
    if (this.readyState !== 0 || this.#own) return;
    if (!broken) this.#o.fallback?.(error);
    broken = true;
    this.#leave();
    const ws = (this.#own = new WebSocket(this.#url, this.#protocol));
    ws.binaryType = "arraybuffer";
    ws.onopen = (e) => {
      this.readyState = 1;
      this.onopen?.(e);
    };
    ws.onmessage = (e) => this.onmessage?.(e);
    ws.onclose = (e) => this.#ended(e.code, e.reason);
    ws.onerror = (e) => this.onerror?.(e);
  }

  #leave() {
    clearTimeout(this.#timer);
    if (this.#port) {
      this.#port.onmessage = null;
      this.#port.close();
    }
    this.#lock?.free();
  }

  #ended(code, reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#leave();
    this.onclose?.({ code, reason, wasClean: code !== 1006 });
  }

  send(data) {
    if (this.readyState !== 1) throw new DOMException("not open", "InvalidStateError");
    if (this.#own) return this.#own.send(data);
    const copy = data.slice().buffer;
    this.#port.postMessage(copy, [copy]);
  }

  close(code = 1000, reason = "") {
    if (this.readyState > 1) return;
    this.readyState = 2;
    if (this.#own) return this.#own.close(code, reason);
    this.#port?.postMessage({ close: true });
    queueMicrotask(() => this.#ended(code, reason));
  }
}

/** For connect(url, { WebSocket: sharedWebSocket() }); a plain one where it can't be shared. */
export function sharedWebSocket(options = {}) {
  if (!possible()) return globalThis.WebSocket;
  return class extends SharedSocket {
    constructor(url, protocol) {
      super(options, url, protocol);
    }
  };
}

/** connect() of peal.js, over the one connection of this browser. */
export function connect(url, { shared, ...options } = {}) {
  return connectAlone(url, { WebSocket: sharedWebSocket(shared), ...options });
}
