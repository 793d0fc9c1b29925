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
  // Lists are replaced, never changed: who is being called does not notice.
  #handlers = new Map();
  #thrown;

  /** thrown(error) is told what handlers throw. */
  constructor(thrown) {
    this.#thrown = thrown;
  }

  on(type, handler, { signal, once } = {}) {
    const call = (e) => {
      if (once) off();
      handler(e);
    };
    let forget;
    const off = () => {
      forget?.();
      this.#handlers.set(type, this.#of(type).filter((other) => other !== call));
    };
    this.#handlers.set(type, [...this.#of(type), call]);
    forget = onAbort(signal, off);
    return off;
  }

  #of(type) {
    return this.#handlers.get(type) ?? [];
  }

  /** Tells how many handlers there were. */
  emit(type, value) {
    const handlers = this.#of(type);
    for (const handler of handlers) {
      try {
        handler(value);
      } catch (e) {
        this.#thrown(e);
      }
    }
    return handlers.length;
  }
}
