// SPDX-License-Identifier: BSD-2-Clause

// A page with an outbox: what it appended, and what it was told.

import { outbox } from "/outbox.js";
import { connect } from "/peal.js";

export class Page {
  /** Outcomes as promises told them, and as the event did: [n, outcome, duplicate]. */
  promised = [];
  settled = [];
  errors = [];

  constructor({ token, store, limit, user }) {
    this.client = connect(undefined, { getToken: () => token, minDelay: 50, maxDelay: 500 });
    this.box = outbox(this.client, { store, limit, user, minDelay: 50, maxDelay: 500 });
    this.box.on("error", (e) => this.errors.push(String(e)));
    this.client.on("error", (e) => this.errors.push(String(e)));
  }

  listen() {
    this.box.on("settled", (o) => this.settled.push(this.#brief(o)));
  }

  #brief({ outcome, entry, result, error }) {
    return [entry?.events[0].data.n, outcome, result?.duplicate ?? error.code];
  }

  /** Entries first … first + count - 1, each on a topic of its own. */
  append(first, count = 1) {
    for (let n = first; n < first + count; n++) {
      const data = { n, at: new Date(0), bytes: Uint8Array.of(n) };
      this.box.append(`o.item.${n}`, "item_created", data)
        .then((o) => this.promised.push(this.#brief(o)));
    }
  }

  /** n of each event that is stored, in order. */
  async stored() {
    const all = [];
    let after = 0;
    while (after !== undefined) {
      const { events, next } = await this.client.history({ topic: "o.>", limit: 1000, after });
      all.push(...events.map((e) => e.data.n));
      after = next;
    }
    return all;
  }

  tell() {
    const { promised, settled, errors } = this;
    const { entries, persistent } = this.box.getSnapshot();
    const { state } = this.client.connection.getSnapshot();
    return {
      promised, settled, errors, persistent, state,
      waiting: entries.map((e) => [e.events[0].data.n, e.state]),
    };
  }
}
