// SPDX-License-Identifier: BSD-2-Clause

// The rows that the state browser shows: a live view, or the state where the slider
// stands. Both look alike: `get(topic)`, `topics()`, and a tree that follows what appears
// and goes.

import { TopicTree } from "./topic-tree.js";

const OPEN_AT_FIRST = 40;

/** Live: the tree is told only what changed. */
function followView(client, pattern, tree, changed) {
  const view = client.view(pattern);
  let rows = new Map();
  const state = { fault: null, complete: false, seq: 0 };
  function take() {
    const snapshot = view.getSnapshot();
    const first = !state.complete && snapshot.complete && tree.size === 0;
    let shape = false;
    for (const topic of snapshot.changed) {
      shape = (snapshot.rows.has(topic) ? tree.add(topic) : tree.delete(topic)) || shape;
    }
    // A snapshot that replaced everything may have lost what `changed` does not name.
    if (tree.size !== snapshot.rows.size) shape = tree.set(snapshot.rows.keys()) || shape;
    rows = snapshot.rows;
    state.complete = snapshot.complete;
    state.seq = snapshot.seq;
    if (first) tree.openUpTo(OPEN_AT_FIRST);
    changed(shape);
  }
  const stop = view.subscribe(take);
  view.on("error", (e) => {
    state.fault = e.message;
    changed(false);
  });
  take();
  return {
    state,
    get: (topic) => rows.get(topic),
    end() {
      stop();
      view.close();
    },
  };
}

/** The past: one query at a time, the last one asked for wins. */
function followPast(client, pattern, tree, changed) {
  const controller = new AbortController();
  const state = { fault: null, complete: false, seq: 0 };
  let rows = new Map();
  let wanted = null;
  let busy = false;
  async function load() {
    if (busy || wanted === null) return;
    busy = true;
    const seq = wanted;
    wanted = null;
    try {
      const found = await client.at(seq).state(pattern, { signal: controller.signal });
      rows = new Map(
        found.rows.filter((row) => !row.deleted).map((row) => [row.topic, row]),
      );
      const first = tree.size === 0;
      const shape = tree.set(rows.keys());
      if (first) tree.openUpTo(OPEN_AT_FIRST);
      Object.assign(state, { fault: null, complete: true, seq });
      changed(shape);
    } catch (e) {
      if (controller.signal.aborted) return;
      state.fault = e.message;
      changed(false);
    }
    busy = false;
    load();
  }
  return {
    state,
    get: (topic) => rows.get(topic),
    show(seq) {
      wanted = seq;
      load();
    },
    end: () => controller.abort(),
  };
}

/** `changed(shape)`: something is to be drawn; `shape`: topics appeared or went. */
export function createRows(client, changed) {
  const tree = new TopicTree();
  let source = null;
  let mode = "";
  return {
    tree,
    get state() {
      return source.state;
    },
    get: (topic) => source.get(topic),
    /** Shows `pattern`, live (time null) or in the past. */
    show(pattern, time) {
      const next = `${time ? "past" : "live"} ${pattern}`;
      if (next !== mode) {
        mode = next;
        source?.end();
        source = (time ? followPast : followView)(client, pattern, tree, changed);
      }
      if (time) source.show(time.seq);
    },
    end: () => source?.end(),
  };
}
