// SPDX-License-Identifier: BSD-2-Clause

// The rows that the state browser shows, as of the time that is shown, and the tree of
// their topics, which follows what appears and goes.

import { createPast } from "./past.js";
import { TopicTree } from "./topic-tree.js";

const OPEN_AT_FIRST = 40;

/** `changed(shape)`: something is to be drawn; `shape`: topics appeared or went. */
export function createRows(ctx, changed) {
  const tree = new TopicTree();
  const state = { fault: null, complete: false, seq: 0 };
  let pattern = null;
  let past = null;
  let stop = () => {};

  function take() {
    const { rows, seq, complete, error, changed: topics } = past.getSnapshot();
    const first = tree.size === 0;
    let shape = false;
    for (const topic of topics ?? []) {
      shape = (rows.has(topic) ? tree.add(topic) : tree.delete(topic)) || shape;
    }
    if (tree.size !== rows.size || topics === null) {
      shape = tree.set(rows.keys()) || shape;
    }
    if (first) tree.openUpTo(OPEN_AT_FIRST);
    Object.assign(state, { fault: error?.message ?? null, complete, seq });
    changed(shape);
  }

  function end() {
    stop();
    past?.close();
  }

  return {
    tree,
    state,
    get: (topic) => past.getSnapshot().rows.get(topic),
    /** Shows what matches `next`, from now on. */
    show(next) {
      if (next === pattern) return;
      end();
      pattern = next;
      past = createPast(ctx, pattern);
      stop = past.subscribe(take);
      take();
    },
    end,
  };
}
