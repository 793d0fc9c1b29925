// SPDX-License-Identifier: BSD-2-Clause

// What bench.mjs measures in a page: how quickly messages are decoded, what frames cost
// while a view of many rows changes, and how long a view is incomplete.

import { decode, encode } from "/codec.js";
import { event } from "/message.js";
import { connect } from "/peal.js";

const BATCH = 200;
const BATCHES = 200;

/** Batches of events of about 150 bytes each, of 10,000 topics. */
function makeBatches() {
  let state = 12345;
  const int = (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 1;
    return state % n;
  };
  let seq = 1_000_000;
  return Array.from({ length: BATCHES }, () => [seq, seq + BATCH,
    ...Array.from({ length: BATCH }, () => [++seq, 1795831189306587 + seq * 13,
      `memory.item.${int(10000)}`, 1 + int(300), "memory:updated", `user-${int(50)}`,
      { text: `note ${int(1e6)} of the day`, count: int(1e5), tags: ["alpha", "beta"],
        ratio: int(1000) / 7, done: true, id: `x${int(1e9)}` }])]);
}

/** What there is to decode, and what decodes it. */
export async function prepare() {
  const batches = makeBatches();
  const packed = batches.map((batch) => encode(batch));
  const texts = batches.map((batch) => new TextEncoder().encode(JSON.stringify(batch)));
  const utf8 = new TextDecoder();
  const peer = await import("/test/msgpack.js");
  window.ways = {
    "peal": [packed, decode],
    "@msgpack/msgpack": [packed, peer.decode],
    "JSON.parse": [texts, (bytes) => JSON.parse(utf8.decode(bytes))],
  };
  const events = BATCH * BATCHES;
  return { events, bytes: packed.reduce((sum, message) => sum + message.length, 0) / events };
}

/** Decodes all of it once, in a way; the milliseconds that took. */
export function pass(name) {
  const [messages, read] = window.ways[name];
  let seqs = 0;
  const begin = performance.now();
  for (const message of messages) {
    const batch = read(message);
    for (let i = 2; i < batch.length; i++) seqs += event(batch[i]).seq;
  }
  window.seqs = seqs;
  return performance.now() - begin;
}

/** A page that shows a view: the newest forty rows in a list, once per frame. */
export async function watch(token, patterns) {
  const client = connect(undefined, { getToken: () => token });
  const view = client.view(patterns);
  const list = document.createElement("ol");
  const items = Array.from({ length: 40 }, () => list.appendChild(document.createElement("li")));
  document.body.append(list);
  const seen = { client, view, changes: 0, draws: 0, frames: [], back: [] };
  let complete = false;
  let last;
  view.subscribe(() => {
    const snapshot = view.getSnapshot();
    seen.draws++;
    seen.changes += snapshot.changed.size;
    if (snapshot.complete && !complete) seen.back.push(Date.now());
    complete = snapshot.complete;
    let n = 0;
    for (const topic of snapshot.changed) {
      if (n === items.length) break;
      const row = snapshot.rows.get(topic);
      if (row) items[n++].textContent = `${topic} ${row.version} ${row.updatedBy}`;
    }
  });
  const frame = (now) => {
    if (last) seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  window.seen = seen;
  await view.ready;
}
