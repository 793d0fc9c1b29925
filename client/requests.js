// SPDX-License-Identifier: BSD-2-Clause
// Requests and their answers: by id on a connection, waiting while one is being made.
// Each ends once: answered, aborted, or with what a lost connection means for it.

import { onAbort } from "./emitter.js";
import { encode } from "./codec.js";
import { PealError, errorOf } from "./error.js";
import { check, part } from "./message.js";

// What may have been done although nobody said so.
const CHANGES = ["append", "emit"];

export class Requests {
  #host;
  #pending = new Map();
  #waiting = [];

  /** host: connection, nextId, send. */
  constructor(host) {
    this.#host = host;
  }

  has(id) {
    return this.#pending.has(id);
  }

  /** Resolves with what read(answer) makes of the message `reply`, or of a whole snapshot. */
  ask(reply, m, signal, read = (answer) => answer) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const { state, retryAt } = this.#host.connection.state;
      if (state === "disconnected") throw lost(m, false, retryAt - Date.now());
      const request = { reply, m, resolve, reject, signal, read };
      request.forget = onAbort(signal, () => reject(signal.reason));
      if (this.#host.connection.connected) this.#send(request);
      else this.#waiting.push(request);
    });
  }

  #send(request) {
    const { m, reject, signal, forget } = request;
    if (signal?.aborted) return;
    const id = this.#host.nextId();
    try {
      this.#host.send({ ...m, id });
      this.#pending.set(id, request);
    } catch (e) {
      forget();
      reject(e);
    }
  }

  connected() {
    for (const request of this.#waiting.splice(0)) this.#send(request);
  }

  answer(m) {
    const request = this.#pending.get(m.id);
    const { reply, resolve, reject, forget, read } = request;
    if (m.op === "error") reject(errorOf(m));
    else {
      check(m.op === reply, `${m.op} instead of ${reply}`);
      if (reply === "snapshot" && !(request.round = part(request.round, m)).last) return;
      resolve(read(request.round ?? m));
    }
    forget();
    this.#pending.delete(m.id);
  }

  lost(wait) {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { m, reject, forget } of pending) forget(), reject(lost(m, true, wait));
    for (const { m, reject, forget } of this.#waiting.splice(0))
      forget(), reject(lost(m, false, wait));
  }
}

function lost({ op }, sent, wait) {
  const unknown = sent && CHANGES.includes(op);
  return new PealError(unknown ? "unknown" : "unavailable",
    unknown ? "the connection was lost before the answer came" : "there is no connection",
    wait >= 0 ? { retry_ms: wait } : {});
}

/** A message as bytes; what can't be sent throws. */
export function pack(m, max) {
  let bytes;
  try {
    bytes = encode(m);
  } catch (e) {
    throw new PealError("bad_request", e.message);
  }
  if (bytes.length > max) throw new PealError("too_large", `${m.op} of ${bytes.length} bytes`);
  return bytes;
}
