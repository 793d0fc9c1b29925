// SPDX-License-Identifier: BSD-2-Clause
// Handlers by type, and listeners to AbortSignals.
// A handler that throws stops neither the others nor whoever emits.

/** Calls fn once, at once if need be; returns what forgets it. */
export function onAbort(signal, fn) {
  if (signal?.aborted) fn();
  signal?.addEventListener("abort", fn, { once: true });
  return () => signal?.removeEventListener("abort", fn);
}

export class Emitter {
  #handlers = new Map();
  #client;

  /** client.report(error, "thrown") is told what handlers throw. */
  constructor(client) {
    this.#client = client;
  }

  on(type, handler, { signal, once } = {}) {
    // The same function twice is two handlers.
    const call = (e) => {
      if (once) off();
      handler(e);
    };
    const handlers = this.#handlers.get(type) ?? new Set();
    let forget;
    const off = () => {
      forget?.();
      handlers.delete(call);
    };
    this.#handlers.set(type, handlers.add(call));
    forget = onAbort(signal, off);
    return off;
  }

  heard(type) {
    return this.#handlers.get(type)?.size > 0;
  }

  /** Tells how many handlers there were; those that come or go meanwhile do not count. */
  emit(type, value) {
    const handlers = [...this.#handlers.get(type) ?? []];
    for (const handler of handlers) {
      try {
        handler(value);
      } catch (e) {
        this.#client.report(e, "thrown");
      }
    }
    return handlers.length;
  }
}
