// SPDX-License-Identifier: BSD-2-Clause

// One run of falling behind: a client of its own follows everything, stops reading until
// the ring has moved on, reads again, and is made whole by the client's own recovery.
// Nothing is acted: each step is what the server said, and the end is compared with the
// server's state.

import { createPausable } from "./pausable.js";

// What was on its way when it stopped is not in the ring alone: sockets hold it, too. So
// much has to be out of the ring since, in bytes, and in parts of the ring.
const SOCKETS = 4 << 20;
const DEEPER = 0.2;

/** What the ring holds, as the vitals tell: `told({ window_ms, ring_oldest, events, bytes })`. */
function watchRing(client, signal, told) {
  const sub = client.subscribe("$stat.ring", { from: "now", signal });
  sub.on("event", ({ data }) => {
    if (["window_ms", "ring_oldest", "events", "bytes"].every((n) => Number.isFinite(data?.[n])))
      told(data);
  });
  sub.on("error", () => {}); // who may not see vitals decides by himself when to read on
}

/** Is every row at the version that the server's state had at `seq`? */
async function compare(client, { rows, seq }, signal) {
  const state = await client.at(seq).state(">", { signal });
  const there = state.rows.filter((row) => !row.deleted);
  const alike = there.filter((row) => rows.get(row.topic)?.version === row.version);
  return {
    seq,
    rows: rows.size,
    right: alike.length === there.length && alike.length === rows.size,
  };
}

/**
 * `connect(options)` makes a client with this tab's token; `client` is the page's own.
 * `state.step` is one of "connecting", "following", "standing", "reading", "lagged",
 * "whole", "compared" and "failed"; `changed()` is called when something in it is
 * another.
 */
export class Run {
  constructor(connect, client, changed) {
    this.client = client;
    this.changed = changed;
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.pausable = createPausable();
    this.mine = connect({ WebSocket: this.pausable.WebSocket, signal });
    this.view = this.mine.view(">", { signal });
    this.state = {
      step: "connecting",
      since: Date.now(),
      stoodAt: undefined, // seq where it stopped reading
      passed: 0, // events since
      window: undefined, // ms that the ring holds
      lagged: null,
      lost: null,
      changes: 0, // rows that the recovery brought
      target: undefined,
      result: null,
      fault: null,
    };
    this.view.subscribe(() => this.look());
    this.view.on("lagged", (l) => this.lagged(l));
    this.view.on("error", (e) => e.fatal && this.fail(e));
    this.mine.on("disconnected", ({ reason }) => this.lost(reason));
    const passing = client.subscribe(">", { from: "now", signal });
    passing.on("event", () => this.passed());
    watchRing(client, signal, (ring) => {
      this.state.window = ring.window_ms;
      this.readOnIfOvertaken(ring);
    });
    this.look();
  }

  to(step) {
    this.state.step = step;
    this.state.since = Date.now();
    this.changed();
  }

  fail(e) {
    if (this.controller.signal.aborted) return;
    this.state.fault = e.message;
    this.end();
    this.to("failed");
  }

  /** The view is another. */
  look() {
    const snapshot = this.view.getSnapshot();
    const { step, lagged, target } = this.state;
    if (!snapshot.complete) return;
    if (step === "connecting") this.to("following");
    else if (step === "lagged" || (step === "reading" && snapshot.seq >= target)) {
      this.state.changes = lagged ? snapshot.changed.size : 0;
      this.to("whole");
      this.check(snapshot);
    }
  }

  async check(snapshot) {
    try {
      const { signal } = this.controller;
      this.state.result = await compare(this.client, snapshot, signal);
      this.end();
      this.to("compared");
    } catch (e) {
      this.fail(e);
    }
  }

  passed() {
    if (this.state.step !== "standing") return;
    this.state.passed++;
    this.changed();
  }

  stop() {
    if (this.state.step !== "following") return;
    this.pausable.pause();
    this.state.stoodAt = this.view.getSnapshot().seq;
    this.to("standing");
  }

  /** Has the ring moved on by more than what may be under way? */
  readOnIfOvertaken({ ring_oldest, events, bytes }) {
    const { step, stoodAt } = this.state;
    const gone = ((ring_oldest - stoodAt) * bytes) / events;
    if (step === "standing" && gone > Math.max(SOCKETS, DEEPER * bytes)) this.readOn();
  }

  readOn() {
    if (this.state.step !== "standing") return;
    this.state.target = this.client.complete?.seq ?? 0;
    this.pausable.resume();
    this.to("reading");
    this.look();
  }

  lagged(l) {
    if (this.state.step !== "standing" && this.state.step !== "reading") return;
    this.state.lagged = l;
    this.pausable.resume();
    this.to("lagged");
  }

  lost(reason) {
    if (this.state.step !== "standing" && this.state.step !== "reading") return;
    this.state.lost = reason ?? "the connection broke";
    this.readOn();
  }

  end() {
    this.pausable.resume();
    this.controller.abort();
    this.mine.close();
  }
}
