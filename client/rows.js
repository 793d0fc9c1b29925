// SPDX-License-Identifier: BSD-2-Clause
// The rows of a view: what a subscription tells, folded.
// Listeners are told once per frame, and what they get then stays as it is.

import { fold } from "./fold.js";
import { LATE_MS, MAX_TOPICS, SOON_MS, TOMBSTONES } from "./limits.js";

/**
 * `client` as in peal.d.ts, and its report(error); listeners are those of `tell`, see view.js.
 * The snapshot is `snapshot` until there is something to tell. ready() is called when it first
 * is complete, end(error) when the subscription has ended.
 */
export function follow(client, patterns, o, tell, snapshot, ready, end) {
  const { from = "snapshot", conflate, signal } = o;
  let rows = new Map();
  let deleted = new Map();
  let complete = false;
  let seq = 0;
  /** Topics of unknown rows -> events that wait for them. */
  const unknown = new Map();
  let asking;
  /** Topics that changed since listeners were told, and since the snapshot. */
  let fresh = new Set();
  let changed = new Set();
  let stale;
  let timer;
  let frame;

  const flush = () => {
    if (!timer) return;
    clearTimeout(timer);
    // Those of a hidden page would wait, one for each time, until it is seen.
    globalThis.cancelAnimationFrame?.(frame);
    const topics = fresh;
    timer = undefined;
    fresh = new Set();
    stale = true;
    for (const topic of topics) changed.add(topic);
    if (complete) ready();
    for (const topic of topics) tell.emit("." + topic);
    tell.emit("");
  };
  const soon = () => {
    if (timer) return;
    frame = (globalThis.requestAnimationFrame ?? setTimeout)(flush, SOON_MS);
    timer = setTimeout(flush, LATE_MS);
  };
  const look = () => {
    const is = sub.live && !unknown.size;
    if (is !== complete) soon();
    complete = is;
  };

  const known = (topic) => rows.get(topic) ?? deleted.get(topic);
  const put = (row) => {
    const { topic } = row;
    if (known(topic)?.version >= row.version) return;
    (row.deleted ? rows : deleted).delete(topic);
    (row.deleted ? deleted : rows).set(topic, row);
    if (deleted.size > TOMBSTONES) deleted.delete(deleted.keys().next().value);
    fresh.add(topic);
    soon();
  };
  const apply = (e) => put(fold(known(e.topic), e, client.welcome.fold.rules));
  /** Topics that were deleted so long ago that nothing of them is here come back. */
  const ask = async () => {
    asking = true;
    const topics = [...unknown.keys()].slice(0, MAX_TOPICS);
    try {
      (await client.state(topics, { minSeq: seq, signal })).rows.forEach(put);
      for (const topic of topics) {
        const events = unknown.get(topic) ?? [];
        unknown.delete(topic);
        if (known(topic)) events.forEach(apply);
      }
      look();
    } catch {
      // The next mark asks again.
    }
    asking = false;
  };

  const sub = client.subscribe(patterns, { from, resume: "snapshot", conflate, signal });
  sub.on("sync", (sync) => {
    if (sync.full) {
      for (const topic of rows.keys()) fresh.add(topic);
      rows = new Map();
      deleted = new Map();
      unknown.clear();
    }
    sync.rows.forEach(put);
  });
  sub.on("event", (e) => {
    const { topic, version } = e;
    if (version > 1 && !known(topic) && !unknown.has(topic)) unknown.set(topic, []);
    if (unknown.has(topic)) unknown.get(topic).push(e);
    else if (version) apply(e);
  });
  sub.on("mark", (mark) => {
    seq = mark.seq;
    if (unknown.size && !asking) ask();
    look();
  });
  sub.on("lagged", (lagged) => {
    look();
    tell.emit("lagged", lagged);
  });
  sub.on("error", (e) => {
    look();
    if (!tell.emit("error", e)) client.report(e);
  });
  sub.on("end", end);
  const off = client.on("change", look, { signal });

  return {
    get rows() {
      return rows;
    },
    get snapshot() {
      if (stale) {
        stale = false;
        snapshot = { rows: new Map(rows), seq, complete, changed };
        changed = new Set();
      }
      return snapshot;
    },
    close() {
      off();
      sub.unsubscribe();
    },
  };
}
