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
  let many = EVENTS;

  const request = () =>
    Array.from({ length: many }, () => ({
      topic: TOPIC,
      type: "noise_reported",
      data,
      key: ownKey(),
    }));

  async function one() {
    const events = request();
    left -= BYTES * events.length;
    try {
      await client.append(events, { signal });
      made(BYTES * events.length);
    } catch (e) {
      if (signal.aborted) return;
      // A small ring takes small requests.
      if (e.code === "too_large" && events.length > 1) many = events.length >> 1;
      else if (e.retryMs !== undefined) await wait(e.retryMs, signal);
      else throw e;
    }
  }

  async function some() {
    while (!signal.aborted && left > 0) await one();
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}
