// SPDX-License-Identifier: BSD-2-Clause
// Requests and their answers: by id on a connection, waiting while one is being made.
// Each ends once: answered, aborted, or with what a lost connection means for it.

import { onAbort } from "./emitter.js";
import { PealError, errorOf } from "./error.js";
import { check, part } from "./message.js";

/** What extends it has `connection` and request(m), which sends and returns an id. */
export class Requests {
  /** Sent: id -> request. One that was aborted stays until its answer is there. */
  #sent = new Map();
  #waiting = [];

  /** Resolves with what read(answer) makes of the message `reply`, or of a whole snapshot. */
  async ask(reply, m, { signal } = {}, read = (answer) => answer) {
    signal?.throwIfAborted();
    const { state, retryAt } = this.connection.getSnapshot();
    if (state === "disconnected") throw lost({}, retryAt - Date.now());
    let forget;
    const answer = new Promise((resolve, reject) => {
      forget = onAbort(signal, () => reject(signal.reason));
      const request = { reply, m, resolve, reject, read, signal };
      if (this.connection.since) this.#send(request);
      else this.#waiting.push(request);
    });
    return answer.finally(forget);
  }

  #send(request) {
    if (request.signal?.aborted) return;
    try {
      this.#sent.set(this.request(request.m), request);
    } catch (e) {
      request.reject(e);
    }
  }

  sendWaiting() {
    for (const request of this.#waiting.splice(0)) this.#send(request);
  }

  /** false: nobody has asked. */
  answered(m) {
    const { id, op } = m;
    const request = this.#sent.get(id);
    if (!request) return false;
    if (op === "error") request.reject(errorOf(m));
    else {
      check(op === request.reply);
      if (op === "snapshot" && !(request.round = part(request.round, m)).last) return true;
      request.resolve(request.read(request.round ?? m));
    }
    return this.#sent.delete(id);
  }

  loseAll(wait) {
    for (const { m, reject } of [...this.#sent.values(), ...this.#waiting]) reject(lost(m, wait));
    this.#sent.clear();
    this.#waiting = [];
  }
}

/** What was sent and can have been done is `unknown`. */
const lost = ({ op, id }, wait) => (id && /append|emit/.test(op)
  ? new PealError("unknown", "the connection broke")
  : new PealError("unavailable", "no connection", wait >= 0 && { retry_ms: wait }));
