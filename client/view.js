// SPDX-License-Identifier: BSD-2-Clause
// A live map from topic to row; peal.d.ts says it all. What makes the rows is loaded with the
// first view: whoever has none does without, and until then a view is empty and incomplete.

import { Emitter } from "./emitter.js";
import { RELOAD_MS } from "./limits.js";

const NOTHING = { rows: new Map(), seq: 0, complete: false, changed: new Set() };

export function view(client, patterns, o = {}) {
  /** Listeners by "" (anything), "." and a topic, or the name of an event. */
  const tell = new Emitter(client);
  let made = { rows: NOTHING.rows, snapshot: NOTHING };
  let closed;
  let settle;
  const ready = new Promise((...ends) => (settle = ends));
  // A subscription tells by itself.
  ready.catch(() => {});
  const end = (e = new Error("closed")) => {
    closed = true;
    made.close?.();
    settle[1](e);
  };
  const get = (topic) => made.rows.get(topic);
  const begin = async () => {
    let rows;
    // Whoever is offline by now gets it when that is over.
    while (!rows && !closed && !o.signal?.aborted && !client.connection.over) {
      try {
        rows = await import("./rows.js");
      } catch (e) {
        client.report(e);
        await new Promise((resolve) => setTimeout(resolve, RELOAD_MS));
      }
    }
    if (closed || !rows) end();
    else made = rows.follow(client, patterns, o, tell, NOTHING, settle[0], end);
  };
  begin().catch((e) => {
    client.report(e);
    end(e);
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
    close: () => end(),
  };
}
