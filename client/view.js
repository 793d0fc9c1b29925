// SPDX-License-Identifier: BSD-2-Clause
// A live map from topic to row; peal.d.ts says it all. What makes the rows is loaded with the
// first view: whoever has none does without, and until then a view is empty and incomplete.

import { Emitter } from "./emitter.js";
import { RELOAD_MS } from "./limits.js";

const NOTHING = { rows: new Map(), seq: 0, complete: false, changed: new Set() };

export function view(client, patterns, o) {
  /** Listeners by "" (anything), "." and a topic, or the name of an event. */
  const tell = new Emitter(client);
  let made = { rows: NOTHING.rows, snapshot: NOTHING };
  let closed;
  const get = (topic) => made.rows.get(topic);
  /** Whoever is offline by now gets it when that is over. */
  const load = async () => {
    while (!closed) {
      try {
        return await import("./rows.js");
      } catch (e) {
        client.report(e);
        await new Promise((resolve) => setTimeout(resolve, RELOAD_MS));
      }
    }
  };
  const loading = load().then((module) => {
    if (module) made = module.follow(client, patterns, o, tell, NOTHING);
  });
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
    close() {
      closed = true;
      loading.then(() => made.close?.());
    },
  };
}
