// SPDX-License-Identifier: BSD-2-Clause

// The view over a client that is made up: whatever a subscription tells in whatever order,
// the rows are what folding all events gives.

import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";

import { Emitter } from "../../client/emitter.js";
import { fold } from "../../client/fold.js";
import { RELOAD_MS } from "../../client/limits.js";
import { view } from "../../client/view.js";
import { deferred, until } from "./lib/await.mjs";
import { random } from "./lib/random.mjs";

const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const RULES = [["*set", "set"], ["*updated", "merge"], ["*deleted", "delete"],
  ["*added", "add"], ["*removed", "remove"]];

/** A client as peal.d.ts has it, so far as a view sees it. */
class FakeClient {
  welcome = { fold: { rules: RULES } };
  connection = { over: false };
  reports = [];
  asked = [];
  #events = new Emitter(this);

  subscribed = deferred();

  subscribe(patterns, o) {
    this.options = o;
    const emitter = new Emitter(this);
    this.sub = {
      live: false,
      on: (type, handler, p) => emitter.on(type, handler, p),
      emit: (type, value) => emitter.emit(type, value),
      unsubscribe: () => this.end(),
    };
    this.subscribed.resolve();
    return this.sub;
  }

  on(type, handler, o) {
    return this.#events.on(type, handler, o);
  }

  report(e, counter) {
    this.reports.push([counter, e.message]);
  }

  state(topics, { minSeq }) {
    return new Promise((resolve, reject) => this.asked.push({ topics, minSeq, resolve, reject }));
  }

  // What a server would do.

  sync(rows, full, seq) {
    this.sub.emit("sync", { rows, full, seq });
  }

  mark(seq) {
    this.sub.emit("mark", { seq });
  }

  live(seq) {
    this.sub.live = true;
    this.mark(seq);
  }

  /** As a subscription that is left, or refused for good. */
  end(error) {
    if (this.ended) return;
    this.ended = true;
    if (error) this.sub.emit("error", Object.assign(error, { fatal: true }));
    queueMicrotask(() => this.sub.emit("end", error));
  }

  cut() {
    this.sub.live = false;
    this.#events.emit("change");
  }
}

const event = (seq, topic, version, type, data) =>
  ({ seq, time: 1e15 + seq, topic, version, type, actor: `user${seq % 3}`, data });

/** A view of it that has begun. */
async function open(client) {
  const v = view(client, "a.>");
  await client.subscribed.promise;
  return v;
}

/** One frame later: whoever listens has been told. */
function frame(v) {
  return new Promise((resolve) => {
    const off = v.subscribe(() => (off(), resolve()));
  });
}

test("a hidden page does not heap up frames", async (t) => {
  const frames = new Map();
  let n = 0;
  globalThis.requestAnimationFrame = (fn) => (frames.set(++n, fn), n);
  globalThis.cancelAnimationFrame = (id) => frames.delete(id);
  t.after(() => {
    delete globalThis.requestAnimationFrame;
    delete globalThis.cancelAnimationFrame;
  });
  const client = new FakeClient();
  const v = await open(client);
  for (let seq = 1; seq <= 3; seq++) {
    client.sub.emit("event", event(seq, `a.${seq}`, 1, "x_set", seq));
    await frame(v);
  }
  assert.deepEqual([n, frames.size, v.getSnapshot().rows.size], [3, 0, 3]);
});

const shown = (snapshot) => Object.fromEntries(snapshot.rows);

test("rows come with the first sync, and events change them", async () => {
  const client = new FakeClient();
  const v = await open(client);
  assert.equal(client.options.from, "snapshot");
  const first = v.getSnapshot();
  assert.equal(v.getSnapshot(), first);
  assert.deepEqual([first.rows.size, first.complete], [0, false]);
  const one = fold(undefined, event(1, "a.1", 1, "x_set", { n: 1 }), RULES);
  client.sync([one], true, 5);
  client.live(5);
  await v.ready;
  const second = v.getSnapshot();
  assert.deepEqual([shown(second), second.complete, second.seq], [{ "a.1": one }, true, 5]);
  assert.deepEqual([...second.changed], ["a.1"]);
  assert.equal(first.rows.size, 0);
  client.sub.emit("event", event(6, "a.1", 2, "x_updated", { m: 2 }));
  client.sub.emit("event", event(7, "a.2", 1, "x_set", 3));
  assert.deepEqual(v.get("a.1").value, { n: 1, m: 2 });
  assert.equal(v.getSnapshot(), second);
  await frame(v);
  const third = v.getSnapshot();
  assert.deepEqual([...third.changed], ["a.1", "a.2"]);
  assert.deepEqual(second.rows.get("a.1").value, { n: 1 });
  assert.equal(v.getSnapshot(), third);
});

test("what is done before the view has begun counts", async () => {
  const client = new FakeClient();
  const v = view(client, "a.>");
  const before = v.getSnapshot();
  let told = 0;
  v.subscribe(() => told++);
  assert.equal(v.get("a.1"), undefined);
  v.close();
  await assert.rejects(v.ready, /closed/);
  assert.equal(v.getSnapshot(), before);
  const another = new FakeClient();
  const ended = view(another, "a.>", { signal: AbortSignal.abort() });
  await assert.rejects(ended.ready, /closed/);
  assert.equal(another.sub ?? client.sub, undefined);
  assert.equal(ended.getSnapshot().complete, false);
  assert.equal(told, 0);
});

test("a snapshot is another object only when something changed", async () => {
  const client = new FakeClient();
  const v = await open(client);
  client.sync([], true, 1);
  client.live(1);
  await v.ready;
  const before = v.getSnapshot();
  let told = 0;
  v.subscribe(() => told++);
  client.mark(2);
  client.sub.emit("event", event(0, "a.1", 0, "x_set", 1)); // ephemeral
  client.mark(3);
  client.sync([], false, 4);
  client.live(4);
  client.sub.emit("event", event(5, "a.1", 1, "x_set", 1));
  await frame(v);
  assert.equal(told, 1);
  const after = v.getSnapshot();
  assert.notEqual(after, before);
  client.sub.emit("event", event(5, "a.1", 1, "x_set", 1)); // a second time
  assert.equal(v.getSnapshot(), after);
});

test("a store of one topic tells of that topic alone", async () => {
  const client = new FakeClient();
  const v = await open(client);
  client.sync([], true, 1);
  client.live(1);
  const calls = [];
  const store = v.row("a.1");
  const off = store.subscribe(() => calls.push(store.getSnapshot()?.version));
  v.row("a.2").subscribe(() => calls.push("a.2"));
  client.sub.emit("event", event(2, "a.1", 1, "x_set", 1));
  await frame(v);
  client.sub.emit("event", event(3, "a.1", 2, "x_deleted", null));
  await frame(v);
  off();
  client.sub.emit("event", event(4, "a.1", 3, "x_set", 2));
  await frame(v);
  assert.deepEqual(calls, [1, undefined]);
  assert.equal(store.getSnapshot().version, 3);
});

test("an interruption makes it incomplete until it is live again", async () => {
  const client = new FakeClient();
  const v = await open(client);
  client.sync([], true, 1);
  client.mark(1);
  assert.equal(v.getSnapshot().complete, false); // between two rounds
  client.live(1);
  await v.ready;
  assert.equal(v.getSnapshot().complete, true);
  client.cut();
  await frame(v);
  assert.equal(v.getSnapshot().complete, false);
  client.live(2);
  await frame(v);
  assert.equal(v.getSnapshot().complete, true);
  client.sub.live = false;
  client.sub.emit("lagged", { reason: "ring" });
  await frame(v);
  assert.equal(v.getSnapshot().complete, false);
});

test("a topic that comes back after a deletion that was forgotten is asked for", async () => {
  const client = new FakeClient();
  const v = await open(client);
  client.sync([], true, 1);
  client.live(1);
  await v.ready;
  const old = fold(undefined, event(1, "a.1", 1, "x_set", { n: 1 }), RULES);
  const gone = fold(old, event(2, "a.1", 2, "x_deleted", null), RULES);
  const back = event(9, "a.1", 3, "x_set", { n: 2 });
  client.sub.emit("event", back);
  assert.equal(v.get("a.1"), undefined);
  client.mark(9);
  assert.deepEqual(client.asked.map(({ topics, minSeq }) => [topics, minSeq]), [[["a.1"], 9]]);
  client.asked[0].reject(new Error("no connection"));
  await until("it asks again", () => (client.mark(10), client.asked.length === 2));
  client.sub.emit("event", event(11, "a.1", 4, "x_updated", { m: 1 }));
  await until("it says so", () => !v.getSnapshot().complete);
  client.asked[1].resolve({ rows: [fold(gone, back, RULES)] });
  await until("it is there", () => v.get("a.1"));
  assert.deepEqual([v.get("a.1").createdTime, v.get("a.1").value, v.get("a.1").version],
    [old.createdTime, { n: 2, m: 1 }, 4]);
  await until("it is complete", () => v.getSnapshot().complete);
});

test("what happens to a row that is deleted is remembered", async () => {
  const client = new FakeClient();
  const v = await open(client);
  const gone = { ...fold(undefined, event(1, "a.1", 1, "x_set", { n: 1 }), RULES),
    version: 2, deleted: true };
  client.sync([gone], true, 2);
  client.live(2);
  assert.equal(v.get("a.1"), undefined);
  client.sub.emit("event", event(3, "a.1", 3, "x_updated", { m: 2 }));
  assert.equal(v.get("a.1"), undefined);
  client.sub.emit("event", event(4, "a.1", 4, "x_set", { n: 3 }));
  assert.deepEqual([v.get("a.1").value, v.get("a.1").createdTime], [{ n: 3 }, gone.createdTime]);
});

test("deleted rows are kept, but not without bound", async () => {
  const client = new FakeClient();
  const v = await open(client);
  client.sync([], true, 1);
  client.live(1);
  const N = 10001;
  for (let i = 0; i < N; i++) {
    client.sub.emit("event", event(2 + 2 * i, `a.${i}`, 1, "x_set", i));
    client.sub.emit("event", event(3 + 2 * i, `a.${i}`, 2, "x_deleted", null));
  }
  client.sub.emit("event", event(9e6, "a.1", 3, "x_set", "back"));
  assert.equal(v.get("a.1").createdTime, 1e15 + 4);
  client.sub.emit("event", event(9e6 + 1, "a.0", 3, "x_set", "back"));
  assert.equal(v.get("a.0"), undefined);
  client.mark(9e6 + 1);
  assert.deepEqual(client.asked[0].topics, ["a.0"]);
});

test("listeners that throw are counted and stop nobody", async () => {
  const client = new FakeClient();
  const v = await open(client);
  v.subscribe(() => {
    throw new Error("mine");
  });
  client.sync([], true, 1);
  client.live(1);
  await frame(v);
  await v.ready;
  assert.deepEqual(client.reports, [["thrown", "mine"]]);
});

test("errors and lags are told, and a fatal error ends what waits", async () => {
  const client = new FakeClient();
  const v = await open(client);
  client.sub.emit("error", new Error("alone"));
  const told = [];
  v.on("error", (e) => told.push(e.message));
  v.on("lagged", (e) => told.push(e.reason));
  client.sub.emit("lagged", { reason: "ring" });
  client.end(new Error("no"));
  assert.deepEqual(client.reports, [[undefined, "alone"]]);
  assert.deepEqual(told, ["ring", "no"]);
  await assert.rejects(v.ready, /no/);
  v.close();
});

test("nobody waits for a view that has ended", async () => {
  const client = new FakeClient();
  const closed = await open(client);
  closed.close();
  await assert.rejects(closed.ready, /closed/);
  assert.equal(client.ended, true);
  const other = new FakeClient();
  const left = await open(other);
  other.end(); // by a signal, or since the client was closed
  await assert.rejects(left.ready, /closed/);
});

/** What makes a view where rows.js can't be had; `refused` tells how often it was asked for. */
async function withoutRows(t, allow = Infinity) {
  const seen = { refused: 0 };
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "./rows.js" && seen.refused < allow) {
        seen.refused++;
        throw new Error("offline");
      }
      return next(specifier, context);
    },
  });
  t.after(() => hooks.deregister());
  const wait = setTimeout;
  t.mock.method(globalThis, "setTimeout", (fn, ms) =>
    (ms === RELOAD_MS ? (seen.again = fn) : wait(fn, ms)));
  // Another copy of it: node remembers what the first has imported.
  return Object.assign(seen, await import(`../../client/view.js?${t.name}`));
}

test("rows that can't be loaded are asked for until they come", async (t) => {
  const seen = await withoutRows(t, 3);
  const client = new FakeClient();
  seen.view(client, "a.>");
  for (let n = 1; n <= 3; n++) {
    await until("it is refused", () => client.reports.length === n);
    assert.equal(client.sub, undefined);
    seen.again();
  }
  await client.subscribed.promise;
  assert.deepEqual(client.reports, Array(3).fill([undefined, "offline"]));
});

const ways = {
  "is closed": ({ v }) => v.close(),
  "is left by its signal": ({ stop }) => stop.abort(),
  "has a client that is closed": ({ client }) => (client.connection.over = true),
};
for (const [what, leave] of Object.entries(ways)) {
  test(`a view that ${what} asks for them no more`, async (t) => {
    const seen = await withoutRows(t);
    const client = new FakeClient();
    const stop = new AbortController();
    const v = seen.view(client, "a.>", { signal: stop.signal });
    await until("it is refused", () => client.reports.length === 1);
    leave({ v, stop, client });
    seen.again();
    await assert.rejects(v.ready, /closed/);
    assert.deepEqual([seen.refused, client.sub], [1, undefined]);
    assert.equal(v.getSnapshot().complete, false);
  });
}

/** A log, and a client that is told of it with every kind of interruption. */
class World {
  topics = new Map();
  seq = 0;
  events = [];

  constructor(dice) {
    this.dice = dice;
  }

  append() {
    const { int, pick, chance } = this.dice;
    const topic = `a.${int(12)}`;
    const row = this.topics.get(topic);
    const version = (row?.version ?? 0) + 1;
    const [type, data] = pick([["x_set", { n: int(9) }], ["x_updated", { m: int(9), n: null }],
      ["x_deleted", null], ["x_added", { tags: int(3) }], ["x_removed", { tags: int(3) }],
      ["x_seen", 1]]);
    const e = event(++this.seq, topic, version, chance(0.1) ? "x_set" : type, data);
    this.topics.set(topic, fold(row, e, RULES));
    this.events.push(e);
  }

  rows(since = 0) {
    return [...this.topics.values()].filter((row) => row.seq > since);
  }

  alive() {
    return Object.fromEntries(
      this.rows().filter((row) => !row.deleted).map((row) => [row.topic, row]));
  }
}

/** Sends events up to the tip; conflated: those before the newest set of a topic are left out. */
function batch(client, world, from, conflated) {
  const events = world.events.slice(from);
  const newest = new Map();
  for (const e of events) if (e.type === "x_set") newest.set(e.topic, e.seq);
  for (const e of events) {
    const left = conflated && e.version > 1 && e.seq < (newest.get(e.topic) ?? 0);
    if (!left) client.sub.emit("event", e);
  }
  client.mark(world.seq);
  return world.seq;
}

test(`interleavings of rounds, events and losses give the fold of all, seed ${seed}`, async () => {
  for (let round = 0; round < 15; round++) {
    const dice = random(seed + round);
    const world = new World(dice);
    const client = new FakeClient();
    const v = await open(client);
    let at = 0;
    const seen = new Map();
    for (let step = 0; step < 80; step++) {
      for (let n = dice.int(6); n > 0; n--) world.append();
      const what = client.sub.live ? dice.int(6) : 5;
      if (what < 4) at = batch(client, world, at, dice.chance(0.4));
      else if (what === 4) client.cut();
      else {
        const full = at === 0 || dice.chance(0.2);
        client.sync(world.rows(full ? 0 : at), full, (at = world.seq));
        if (dice.chance(0.7)) client.live(at);
      }
      if (client.sub.live && dice.chance(0.2)) {
        world.append();
        at = batch(client, world, at);
        await frame(v);
        const { rows } = v.getSnapshot();
        seen.set(rows, structuredClone(rows));
      }
      if (client.sub.live && at === world.seq) {
        for (const [topic, row] of Object.entries(world.alive()))
          assert.deepEqual(v.get(topic), row);
      }
    }
    client.sync(world.rows(at), false, world.seq);
    client.live(world.seq);
    world.append();
    batch(client, world, world.seq - 1);
    await frame(v);
    assert.deepEqual(shown(v.getSnapshot()), world.alive(), `round ${round}`);
    for (const [rows, then] of seen) assert.deepEqual(rows, then); // they stayed as they were
    assert.deepEqual(client.asked, []);
  }
});

test("the judge of interleavings sees a row that is wrong", () => {
  const world = new World(random(1));
  for (let i = 0; i < 50; i++) world.append();
  const rows = world.alive();
  const [topic] = Object.keys(rows);
  assert.notDeepEqual({ ...rows, [topic]: { ...rows[topic], version: 0 } }, world.alive());
});
