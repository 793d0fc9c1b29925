// SPDX-License-Identifier: BSD-2-Clause

// A SharedWorker, and the locks by which it knows that a page died, for node: pages are made
// up, the relay and what a page has of it are the real ones.

import { Relay } from "../../../client/relay.js";

/** Two ends; what one posts the other gets, a turn later, as a copy. */
function channel() {
  const ends = [{ open: true }, { open: true }];
  ends.forEach((end, i) => {
    const other = ends[1 - i];
    end.onmessage = null;
    end.postMessage = (data, transfer) => {
      if (!end.open) return;
      const copy = structuredClone(data, { transfer });
      setImmediate(() => other.open && other.onmessage?.({ data: copy }));
    };
    // What was posted before arrives.
    end.close = () => setImmediate(() => (end.open = false));
  });
  return ends;
}

/** Makes the globals of a page; returns what tests do to its pages. */
export function sharedWorkers(WebSocket) {
  const held = new Map();
  const locks = {
    request(name, options, fn = options) {
      const before = held.get(name) ?? Promise.resolve();
      const turn = before.then(() => {
        if (options.signal?.aborted) throw options.signal.reason;
        return fn({ name });
      });
      held.set(name, turn.catch(() => {}));
      return turn;
    },
  };
  const died = (name, signal) => locks.request(name, { signal }, () => {});
  const relay = new Relay({ WebSocket, died });
  globalThis.SharedWorker = class {
    constructor() {
      const [ours, its] = channel();
      this.port = ours;
      setImmediate(() => relay.attach(its));
    }
  };
  Object.defineProperty(globalThis.navigator, "locks", { value: locks, configurable: true });
  return relay;
}
