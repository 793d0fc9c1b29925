// SPDX-License-Identifier: BSD-2-Clause
// A live map from topic to row; peal.d.ts says it all. What makes the rows is loaded with the
// first view: whoever has none does without, and until then a view is empty and incomplete.

import { Emitter } from "./emitter.js";

const NOTHING = { rows: new Map(), seq: 0, complete: false, changed: new Set() };

export function view(client, patterns, o) {
  const tell = new Emitter((e) => client.report(e, "thrown"));
  let made = { rows: NOTHING.rows, snapshot: NOTHING };
  const get = (topic) => made.rows.get(topic);
  const loading = import("./rows.js")
    .then(({ follow }) => (made = follow(client, patterns, o, tell, NOTHING)));
  const ready = loading.then(() => made.ready);
  // A subscription tells by itself.
  ready.catch((e) => {
    if (!made.ready) client.report(e);
  });
  return {
    ready,
    get,
    getSnapshot: () => made.snapshot,
    subscribe: (listener) => tell.on("", listener),
    row: (topic) => ({
      getSnapshot: () => get(topic),
      subscribe: (listener) => tell.on("." + topic, listener),
    }),
    on: tell.on.bind(tell),
    close: () => loading.then(() => made.close()),
  };
}
