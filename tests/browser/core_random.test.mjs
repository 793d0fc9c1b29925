// SPDX-License-Identifier: BSD-2-Clause

// Any server that keeps to the protocol, any network, any application: subscriptions come
// and go, connections break in the middle of everything, handlers throw.  What handlers got
// is what the log holds: no gap, no repeat, and rows that are right.  PEAL_SEED names a run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Bench, LOG } from "./lib/fakesocket.mjs";
import { dice, FakePeal, stands } from "./lib/fakepeal.mjs";

const RUNS = Number(process.env.PEAL_RUNS ?? 150);
const STEPS = 250;
const TOPICS = ["a.b", "a.c", "a.b.c", "b.a", "b.b", "c"];
const PATTERNS = [["a.>"], ["a.b"], ["*.b", "c"], [">"], ["a.*", "b.*"], ["nobody"]];

/** A subscription and what its handlers got. */
class Follower {
  events = [];
  rows = new Map();
  begin;

  constructor(bench, d) {
    this.patterns = d.pick(PATTERNS);
    const head = bench.peal.head;
    const from = { log: LOG, seq: d.below(head + 1) };
    const o = d.pick([{ from: "snapshot" }, {}, { from }, { types: ["x*", "blip"] }]);
    this.types = o.types;
    this.snapshots = o.from === "snapshot";
    if (o.from === from) this.begin = from.seq;
    this.sub = bench.client.subscribe(this.patterns, o);
    this.sub.on("mark", ({ seq }) => (this.begin ??= seq));
    this.sub.on("sync", (sync) => {
      if (sync.full) this.rows.clear();
      for (const row of sync.rows) this.rows.set(row.topic, row);
    });
    this.sub.on("event", (e) => {
      if (!e.seq) return;
      if (!this.snapshots) this.events.push(e.seq);
      else {
        const before = this.rows.get(e.topic);
        const deleted = e.type === "x_deleted";
        this.rows.set(e.topic, { ...e, deleted, value: deleted ? before?.value : e.data });
      }
      if (bench.calm) return;
      if (d.chance(0.02)) throw new Error("thrown by the test");
      if (d.chance(0.01) && bench.peal.there) bench.peal.cut();
    });
  }

  judge(peal) {
    if (this.snapshots) {
      const rows = [...this.rows.values()].filter((row) => !row.deleted)
        .map((row) => [row.topic, row.version, row.seq, row.value]);
      const truth = [...peal.rows(this.patterns).values()].filter((row) => !row[7])
        .map((row) => [row[0], row[1], row[2], row[8]]);
      assert.deepEqual(rows.sort(), truth.sort());
    } else {
      const truth = peal.log.slice(this.begin)
        .filter((e) => this.patterns.some((p) => stands(p, e[2])))
        .filter((e) => !this.types || e[4] === "x_set" || e[4] === "x_deleted");
      assert.deepEqual(this.events, truth.map(([seq]) => seq));
    }
  }
}

async function run(t, seed) {
  const d = dice(seed);
  const b = new Bench(t);
  b.told.push = () => {}; // nobody looks
  const peal = (b.peal = new FakePeal(d, TOPICS));
  const followers = [];
  const accept = async () => {
    if (peal.there) return;
    await b.tick(20000);
    if (b.socket?.readyState === 0) peal.accept(b.socket);
  };
  for (let i = 0; i < STEPS; i++) {
    if (d.chance(0.5)) peal.append();
    if (d.chance(0.06) && followers.length < 6) followers.push(new Follower(b, d));
    if (d.chance(0.02) && followers.length)
      followers.splice(d.below(followers.length), 1)[0].sub.unsubscribe();
    if (d.chance(0.03)) await b.tick(d.pick([1, 600, 7000]));
    if (d.chance(0.02) && peal.there) peal.cut();
    await accept();
    peal.step();
  }
  b.calm = true;
  for (let i = 0; i < 30; i++) {
    await accept();
    peal.finish();
    await b.tick(3000);
  }
  const { gaps, malformed } = b.client.counters;
  assert.deepEqual({ gaps, malformed }, { gaps: 0, malformed: 0 });
  for (const follower of followers) {
    assert.equal(follower.sub.live, true);
    follower.judge(peal);
  }
  return peal.did;
}

const first = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const did = {};

test(`handlers get what the log holds (seeds ${first} to ${first + RUNS - 1})`, async (t) => {
  for (let seed = first; seed < first + RUNS; seed++) {
    await t.test(`seed ${seed}`, async (t) => {
      for (const [what, n] of Object.entries(await run(t, seed)))
        did[what] = (did[what] ?? 0) + n;
    });
  }
});

test("and whatever a server may do has been done", () => {
  console.log(`# ${JSON.stringify(did)}`);
  for (const what of ["batch", "cut", "joined ahead", "lagged", "lagged id", "now", "ok",
    "part", "replay", "snapshot live", "then replay", "then snapshot"])
    assert.ok(did[what] > 0 || RUNS < 100, `${what} never happened`);
});
