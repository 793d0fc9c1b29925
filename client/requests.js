// SPDX-License-Identifier: BSD-2-Clause
// Requests and their answers: by id on a connection, waiting while one is being made.
// Each ends once: answered, aborted, or with what a lost connection means for it.

import { onAbort } from "./emitter.js";
import { PealError, errorOf } from "./error.js";
import { check, part } from "./message.js";

export class Requests {
  #client;
  /** Sent: id -> request. One that was aborted stays until its answer is there. */
  #sent = new Map();
  #waiting = [];

  constructor(client) {
    this.#client = client;
  }

  has(id) {
    return this.#sent.has(id);
  }

  /** Resolves with what read(answer) makes of the message `reply`, or of a whole snapshot. */
  ask(reply, m, o, read = () => {}) {
    const signal = o?.signal;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const { connection } = this.#client;
      const { state, retryAt } = connection.getSnapshot();
      if (state === "disconnected") throw lost({}, retryAt - Date.now());
      const forget = onAbort(signal, () => reject(signal.reason));
      const request = { reply, m, resolve, reject, read, signal, forget };
      if (connection.connected) this.#send(request);
      else this.#waiting.push(request);
    });
  }

  #send(request) {
    if (request.signal?.aborted) return;
    try {
      this.#sent.set(this.#client.request(request.m), request);
    } catch (e) {
      request.forget();
      request.reject(e);
    }
  }

  connected() {
    for (const request of this.#waiting.splice(0)) this.#send(request);
  }

  answer(m) {
    const request = this.#sent.get(m.id);
    const { reply, resolve, reject, forget, read } = request;
    if (m.op === "error") reject(errorOf(m));
    else {
      check(m.op === reply);
      if (reply === "snapshot" && !(request.round = part(request.round, m)).last) return;
      resolve(read(request.round ?? m));
    }
    forget();
    this.#sent.delete(m.id);
  }

  lost(wait) {
    for (const { m, reject, forget } of [...this.#sent.values(), ...this.#waiting]) {
      forget();
      reject(lost(m, wait));
    }
    this.#sent.clear();
    this.#waiting = [];
  }
}

/** What was sent and can have been done is `unknown`. */
function lost({ op, id }, wait) {
  return id && /append|emit/.test(op)
    ? new PealError("unknown", "the connection was lost before the answer")
    : new PealError("unavailable", "no connection", wait >= 0 && { retry_ms: wait });
}
