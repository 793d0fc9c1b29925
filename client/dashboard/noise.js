// SPDX-License-Identifier: BSD-2-Clause

// Makes a quiet log busy: events that are stored like any others, as fast as the server takes
// them, and no more than a bound. Ephemeral ones would not do: they never push stored events
// out of the ring before a reader had its time.

import { ownKey } from "./own.js";

export const TOPIC = "behind.noise";
/** Bytes that are made at most: twice the ring that peal has at first. */
export const NOISE_MOST = 128 << 20;
const BYTES = 1000; // of an event, nearly
const EVENTS = 500; // of a request
const AT_ONCE = 2;

function wait(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const stop = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Runs until the signal is aborted or the bound is reached; `made(bytes)` hears of it. */
export async function makeNoise(client, signal, made) {
  const data = { pad: "~".repeat(BYTES) };
  let left = NOISE_MOST;

  async function many() {
    while (!signal.aborted && left > 0) {
      left -= BYTES * EVENTS;
      const events = Array.from({ length: EVENTS }, () => ({
        topic: TOPIC,
        type: "noise_reported",
        data,
        key: ownKey(),
      }));
      try {
        await client.append(events, { signal });
        made(BYTES * EVENTS);
      } catch (e) {
        if (signal.aborted) return;
        if (e.retryMs === undefined) throw e;
        await wait(e.retryMs, signal);
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, many));
}
