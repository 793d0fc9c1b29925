// SPDX-License-Identifier: BSD-2-Clause

// Subscriptions at a stopped clock: going live, the chain of batches, lagging, coming back,
// and a position that moves only when handlers have returned.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Bench, LOG, ev, row, settle } from "./lib/fakesocket.mjs";

const OTHER = "fedcba9876543210fedcba9876543210-2";

/** Everything that a subscription hands over, in words. */
function listen(sub, seen = []) {
  sub.on("sync", (s) =>
    seen.push(`${s.full ? "all" : "diff"} ${s.seq}: ${s.rows.map((r) => r.topic)}`));
  sub.on("event", (e) => seen.push(`event ${e.seq} ${e.topic}`));
  sub.on("lagged", (l) => seen.push(`lagged ${l.reason} ${l.position} ${l.oldest}`));
  sub.on("error", (e) => seen.push(`error ${e.code}${e.fatal ? " fatal" : ""}`));
  return Object.assign(seen, { take: () => seen.splice(0) });
}

/** A bench with one subscription, asked for, and its far end. */
async function subscribed(t, patterns, o, welcome) {
  const b = new Bench(t);
  const sub = b.client.subscribe(patterns, o);
  const seen = listen(sub);
  const s = await b.welcome(welcome);
  return { b, sub, seen, s, ask: s.take("subscribe") };
}

/** Cut, come back, and what the client asks for then. */
async function back(b, welcome) {
  b.socket.cut();
  const s = await b.welcome(welcome);
  return s.take("subscribe");
}

const live = (s, id, seq) => s.say({ op: "subscribed", id, seq });
const snapshot = (s, id, seq, rows, o = {}) =>
  s.say({ op: "snapshot", id, seq, rows, full: true, last: true, ...o });

test("from now: live at once, batches in order, the position follows", async (t) => {
  const { b, sub, seen, s, ask } = await subscribed(t, "a.>", { types: ["x*"], conflate: 50 });
  assert.deepEqual(ask, { op: "subscribe", id: ask.id, topics: ["a.>"], from: "now",
    types: ["x*"], conflate: 50 });
  assert.equal(sub.position, undefined);
  live(s, ask.id, 100);
  assert.equal(sub.live, true);
  assert.deepEqual(sub.position, { log: LOG, seq: 100, scope: undefined });
  s.say([100, 105, ev(101), ev(104)], [105, 105], [105, 106, ev(106)]);
  assert.deepEqual(seen.take(), ["event 101 a.b", "event 104 a.b", "event 106 a.b"]);
  assert.equal(sub.position.seq, 106);
  assert.equal(b.client.complete.seq, 106);
});

test("an event has its fields, meta where there is one", async (t) => {
  const { sub, s, ask } = await subscribed(t, "a.>");
  const events = [];
  sub.on("event", (e) => events.push(e));
  live(s, ask.id, 5);
  s.say([5, 6, [6, 1700, "a.b", 2, "x_set", "ada", { k: 1 }, { key: "z" }]]);
  assert.deepEqual(events, [{ seq: 6, time: 1700, topic: "a.b", version: 2, type: "x_set",
    actor: "ada", data: { k: 1 }, meta: { key: "z" } }]);
});

for (const [name, after] of [["a gap", 106], ["a repeat", 104]]) {
  test(`${name} in the chain is counted, told and healed`, async (t) => {
    const { b, seen, s, ask } = await subscribed(t, "a.>");
    live(s, ask.id, 100);
    s.say([100, 105, ev(103)], [after, 110, ev(110)]);
    assert.equal(s.closed, 1000);
    assert.equal(b.client.counters.gaps, 1);
    assert.match(b.told.find(([type]) => type === "error")[1].message, /chain/);
    const again = (await b.welcome()).take("subscribe");
    assert.deepEqual([again.from, again.log], [105, LOG]);
    b.socket.say({ op: "subscribed", id: again.id },
      { op: "replay", id: again.id, after: 105, upto: 110, events: [ev(110)], last: true });
    assert.deepEqual(seen.take(), ["event 103 a.b", "event 110 a.b"]);
  });
}

test("a snapshot in parts is one sync, and live", async (t) => {
  const { sub, seen, s, ask } = await subscribed(t, ["a.>", "b.*"], { from: "snapshot" });
  assert.deepEqual(ask,
    { op: "subscribe", id: ask.id, topics: ["a.>", "b.*"], from: "snapshot" });
  s.say({ op: "subscribed", id: ask.id });
  snapshot(s, ask.id, 90, [row("a.b", 3)], { last: false });
  assert.deepEqual(seen.take(), []);
  snapshot(s, ask.id, 90, [row("b.c", 80)], { scope: "sc" });
  assert.deepEqual(seen.take(), ["all 90: a.b,b.c"]);
  assert.equal(sub.live, true);
  assert.deepEqual(sub.position, { log: LOG, seq: 90, scope: "sc" });
  s.say([90, 91, ev(91)]);
  assert.deepEqual(seen.take(), ["event 91 a.b"]);
});

test("a row has its fields", async (t) => {
  const { sub, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
  let rows;
  sub.on("sync", (sync) => ({ rows } = sync));
  snapshot(s, ask.id, 9, [["a.b", 2, 7, 11, "ada", 12, "bob", true, { v: 1 }]]);
  assert.deepEqual(rows, [{ topic: "a.b", version: 2, seq: 7, createdTime: 11,
    createdBy: "ada", updatedTime: 12, updatedBy: "bob", deleted: true, value: { v: 1 } }]);
});

test("rounds and replays lead a slow one back to the tip", async (t) => {
  const { sub, seen, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
  snapshot(s, ask.id, 90, [row("a.b", 3)], { live: false, scope: "1" });
  assert.equal(sub.live, false);
  snapshot(s, ask.id, 95, [row("a.c", 94)], { full: false, live: false, scope: "2" });
  s.say({ op: "replay", id: ask.id, after: 95, upto: 97, events: [ev(96)], last: false });
  assert.equal(sub.live, false);
  s.say({ op: "replay", id: ask.id, after: 97, upto: 99, events: [], last: true });
  assert.equal(sub.live, true);
  s.say([99, 100, ev(100)]);
  assert.deepEqual(seen.take(),
    ["all 90: a.b", "diff 95: a.c", "event 96 a.b", "event 100 a.b"]);
  assert.deepEqual(sub.position, { log: LOG, seq: 100, scope: "2" });
});

test("a snapshot that is cut off is asked for anew, one round later as a difference",
  async (t) => {
    const { b, seen, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
    snapshot(s, ask.id, 90, [row("a.b", 3)], { last: false });
    let again = await back(b);
    assert.deepEqual([again.from, again.since], ["snapshot", undefined]);
    snapshot(b.socket, again.id, 92, [row("a.b", 3)], { live: false, scope: "sc" });
    snapshot(b.socket, again.id, 95, [row("a.c", 94)], { full: false, last: false });
    again = await back(b);
    assert.deepEqual([again.from, again.since, again.log, again.scope],
      ["snapshot", 92, LOG, "sc"]);
    snapshot(b.socket, again.id, 99, [row("a.c", 94)], { full: false });
    assert.deepEqual(seen.take(), ["all 92: a.b", "diff 99: a.c"]);
  });

test("the snapshot of an empty log has a position, too", async (t) => {
  const { b, sub, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
  snapshot(s, ask.id, 0, [], { scope: "sc" });
  assert.deepEqual(sub.position, { log: LOG, seq: 0, scope: "sc" });
  s.say([0, 0, ev(0)]);
  assert.deepEqual(sub.position, { log: LOG, seq: 0, scope: "sc" });
  const again = await back(b);
  assert.deepEqual([again.since, again.scope], [0, "sc"]);
});

test("coming back twice with no event in between keeps position and scope", async (t) => {
  const { b, sub, seen, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
  snapshot(s, ask.id, 90, [], { scope: "sc" });
  for (let i = 0; i < 3; i++) {
    const again = await back(b);
    assert.deepEqual([again.since, again.scope], [90, "sc"]);
  }
  snapshot(b.socket, 1e6, 1, []);
  assert.equal(b.client.counters.malformed, 1);
  const again = (await b.welcome()).take("subscribe");
  snapshot(b.socket, again.id, 93, [row("a.b", 93)], { full: false, scope: "new" });
  assert.deepEqual(seen.take(), ["all 90: ", "diff 93: a.b"]);
  assert.deepEqual(sub.position, { log: LOG, seq: 93, scope: "new" });
});

test("from now comes back by replay, from what handlers have seen", async (t) => {
  const { b, seen, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  let again = await back(b);
  assert.deepEqual([again.from, again.log], [100, LOG]);
  b.socket.say({ op: "replay", id: again.id, after: 100, upto: 104, events: [ev(102)],
    last: false });
  again = await back(b);
  assert.equal(again.from, 104);
  b.socket.say({ op: "replay", id: again.id, after: 104, upto: 105, events: [], last: true });
  assert.deepEqual(seen.take(), ["event 102 a.b"]);
});

test("from a position: everything since, or as rows what changed", async (t) => {
  const from = { log: LOG, seq: 7, scope: "sc" };
  const { sub, ask } = await subscribed(t, "a.>", { from });
  assert.deepEqual(ask, { op: "subscribe", id: ask.id, topics: ["a.>"], from: 7, log: LOG });
  assert.deepEqual(sub.position, from);
});

test("from a position as rows asks with since and scope", async (t) => {
  const from = { log: LOG, seq: 7, scope: "sc" };
  const { ask } = await subscribed(t, "a.>", { from, resume: "snapshot" });
  assert.deepEqual(ask, { op: "subscribe", id: ask.id, topics: ["a.>"], from: "snapshot",
    since: 7, log: LOG, scope: "sc" });
});

test("two that overlap get each event once, one for each that matches", async (t) => {
  const b = new Bench(t);
  const seen = [];
  for (const [name, patterns, types] of [["all", ["a.>", "a.b"]], ["b", "a.b"],
    ["c", ["a.c", "$stat.x"]], ["set", ">", ["*set"]]]) {
    b.client.subscribe(patterns, { types }).on("event", (e) => seen.push(`${name} ${e.seq}`));
  }
  const s = await b.welcome();
  for (let i = 0; i < 4; i++) live(s, s.take("subscribe").id, 10);
  s.say([10, 14, ev(11, "a.b"), ev(12, "a.c", "x_cut"), ev(13, "a.b.c"), ev(14, "$stat.x")]);
  assert.deepEqual(seen, ["all 11", "b 11", "set 11", "all 12", "c 12", "all 13", "set 13",
    "c 14"]);
});

test("one that joins ahead of the chain gets nothing up to where it joined", async (t) => {
  const { b, s, ask, seen } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  const late = listen(b.client.subscribe("a.b"));
  live(s, s.take("subscribe").id, 103);
  s.say([100, 103, ev(102), [0, 1, "a.b", 0, "blip", "ada", 1]], [103, 104, ev(104)]);
  assert.deepEqual(late.take(), ["event 104 a.b"]);
  assert.deepEqual(seen.take(), ["event 102 a.b", "event 0 a.b", "event 104 a.b"]);
  assert.equal(b.client.counters.gaps, 0);
});

test("a chain that ends before one has joined goes on where that joined", async (t) => {
  const { b, s, ask, sub } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  const late = listen(b.client.subscribe("a.b"));
  live(s, s.take("subscribe").id, 110);
  sub.unsubscribe();
  s.say([100, 103, ev(102)], { op: "ok", id: ask.id }, [110, 111, ev(111)]);
  assert.deepEqual(late.take(), ["event 111 a.b"]);
  assert.equal(b.client.counters.gaps, 0);
});

test("one that goes live behind the chain has missed something", async (t) => {
  const { b, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  b.client.subscribe("b.>", { from: "snapshot" });
  snapshot(s, s.take("subscribe").id, 99, []);
  assert.equal(b.client.counters.gaps, 1);
  assert.equal(s.closed, 1000);
});

test("who has left hears nothing, while the chain goes on until ok", async (t) => {
  const { b, s, ask, sub, seen } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  sub.unsubscribe();
  assert.deepEqual(s.take("unsubscribe"), { op: "unsubscribe", id: ask.id });
  s.say([100, 101, ev(101)], { op: "ok", id: ask.id });
  assert.deepEqual(seen.take(), []);
  assert.equal(b.client.counters.malformed, 0);
  s.say([101, 102]);
  assert.equal(b.client.counters.malformed, 1, "a batch for nobody");
});

test("leaving in the middle of a snapshot, a replay, or when it lags is no error",
  async (t) => {
    const { b, s, ask, sub } = await subscribed(t, "a.>", { from: "snapshot" });
    snapshot(s, ask.id, 9, [row("a.b", 1)], { last: false });
    sub.unsubscribe();
    snapshot(s, ask.id, 9, [], { live: false });
    s.say({ op: "replay", id: ask.id, after: 9, upto: 12, events: [ev(11)], last: true },
      [12, 13, ev(13)],
      { op: "lagged", id: ask.id, reason: "ring", oldest: 1, head: 14, position: 13 },
      { op: "ok", id: ask.id });
    assert.equal(b.client.counters.malformed + b.client.counters.gaps, 0);
    assert.equal(b.client.counters.lagged, 0);
    assert.equal(b.state.state, "connected");
  });

test("lagged with an id: that one asks again from where it is", async (t) => {
  const { b, s, ask, seen } = await subscribed(t, "a.>", { from: "snapshot" });
  snapshot(s, ask.id, 100, [], { scope: "sc" });
  const other = b.client.subscribe("b.>");
  live(s, s.take("subscribe").id, 100);
  s.say([100, 105, ev(101)],
    { op: "lagged", id: ask.id, reason: "permissions", position: 105, oldest: 1, head: 110 });
  await settle();
  assert.deepEqual(seen.take(), ["all 100: ", "event 101 a.b", "lagged permissions 105 1"]);
  assert.equal(b.client.counters.lagged, 1);
  assert.equal(other.live, true);
  await b.tick(0);
  const again = s.take("subscribe");
  assert.deepEqual([again.since, again.scope], [105, "sc"]);
  assert.notEqual(again.id, ask.id);
  snapshot(s, again.id, 108, [row("a.z", 50)], { full: true, scope: "less" });
  s.say([105, 108], [108, 109, ev(109)]);
  assert.deepEqual(seen.take(), ["all 108: a.z", "event 109 a.b"]);
});

test("lagged without an id: all that had come as far as the chain, not who was ahead",
  async (t) => {
    const { b, s, ask, sub } = await subscribed(t, "a.>");
    live(s, ask.id, 100);
    const ahead = b.client.subscribe("a.b");
    live(s, s.take("subscribe").id, 120);
    s.say([100, 105], { op: "lagged", reason: "ring", position: 105, oldest: 1, head: 130 });
    assert.equal(sub.live, false);
    assert.equal(ahead.live, true);
    await b.tick(0);
    const again = s.take("subscribe");
    assert.deepEqual([again.from, s.has("subscribe")], [105, false]);
    s.say([120, 130], { op: "replay", id: again.id, after: 105, upto: 130, events: [],
      last: true });
    assert.equal(sub.live, true);
    assert.equal(b.client.counters.gaps, 0);
  });

test("one that lags again and again waits longer and longer", async (t) => {
  const { b, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  let { id } = ask;
  const lag = async (wait) => {
    s.say({ op: "lagged", id, reason: "ring", position: 100, oldest: 1, head: 100 });
    await b.tick(Math.max(0, wait - 1));
    assert.equal(s.has("subscribe"), wait === 0);
    await b.tick(1);
    ({ id } = s.take("subscribe"));
    s.say({ op: "replay", id, after: 100, upto: 100, events: [], last: true });
  };
  await lag(0);
  await lag(500);
  await lag(1000);
  for (let i = 0; i < 3; i++) {
    s.say([100, 100]);
    await b.tick(3000);
  }
  await lag(0);
});

test("5 s of being live count on whichever connection; waiting does not", async (t) => {
  const { b, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  let { id } = ask;
  const lag = async (wait) => {
    b.socket.say({ op: "lagged", id, reason: "ring", position: 100, oldest: 1, head: 100 });
    await b.tick(Math.max(0, wait - 1));
    assert.equal(b.socket.has("subscribe"), wait === 0);
    await b.tick(1);
    ({ id } = b.socket.take("subscribe"));
  };
  const replay = () =>
    b.socket.say({ op: "replay", id, after: 100, upto: 100, events: [], last: true });
  for (const wait of [0, 500, 1000, 2000, 4000, 8000]) {
    await lag(wait);
    replay();
  }
  // Live a moment, then without a connection for long.
  b.socket.cut();
  ({ id } = (await b.welcome()).take("subscribe"));
  replay();
  await lag(10000);
  replay();
  await b.tick(6000);
  ({ id } = await back(b));
  replay();
  await lag(0);
});

test("one that is refused again and again waits longer and longer", async (t) => {
  const { b, s, ask } = await subscribed(t, "a.>");
  let { id } = ask;
  for (const wait of [0, 500, 1000, 2000, 4000, 8000, 10000, 10000]) {
    s.say({ op: "error", id, code: "unavailable", message: "not yet", retry_ms: 40 });
    await b.tick(40 + wait - 1);
    assert.ok(!s.has("subscribe"), `before ${wait}`);
    await b.tick(1);
    ({ id } = s.take("subscribe"));
  }
});

test("who ends a subscription because of an error leaves no timer", async (t) => {
  const { s, ask, sub } = await subscribed(t, "a.>");
  sub.on("error", () => sub.unsubscribe());
  const timers = t.mock.method(globalThis, "setTimeout");
  s.say({ op: "error", id: ask.id, code: "unavailable", message: "no", retry_ms: 300000 });
  assert.equal(timers.mock.callCount(), 0);
});

test("events that are kept no more: from a position on from the oldest", async (t) => {
  const { b, s, ask, seen, sub } = await subscribed(t, "a.>", { from: { log: LOG, seq: 5 } });
  s.say({ op: "error", id: ask.id, code: "not_found", message: "gone", oldest: 50 });
  await settle();
  assert.deepEqual(seen.take(), ["lagged retention 5 50"]);
  assert.equal(sub.position.seq, 49);
  await b.tick(0);
  assert.equal(s.take("subscribe").from, 49);
});

test("and from now on from now", async (t) => {
  const { b, s, ask, seen } = await subscribed(t, "a.>");
  live(s, ask.id, 5);
  s.say({ op: "lagged", reason: "ring", position: 5, oldest: 50, head: 60 });
  await settle();
  assert.deepEqual(seen.take(), ["lagged ring 5 50"]);
  await b.tick(0);
  const again = s.take("subscribe");
  assert.equal(again.from, "now");
  live(s, again.id, 61);
  s.say([61, 62, ev(62)]);
  assert.deepEqual(seen.take(), ["event 62 a.b"]);
});

test("another log: rows anew, events from its oldest, now from now", async (t) => {
  const b = new Bench(t);
  const subs = [{ from: "snapshot" }, { from: { log: LOG, seq: 9 } }, {}]
    .map((o) => b.client.subscribe("a.>", o));
  const seen = subs.map((sub) => listen(sub));
  let s = await b.welcome();
  snapshot(s, s.take("subscribe").id, 100, [row("a.b", 1)], { scope: "sc" });
  s.say({ op: "replay", id: s.take("subscribe").id, after: 9, upto: 100, events: [],
    last: true });
  live(s, s.take("subscribe").id, 100);
  s.cut(1012);
  s = await b.welcome({ log: OTHER, oldest: 3, head: 20 });
  const asks = [0, 1, 2].map(() => s.take("subscribe"));
  assert.deepEqual(asks.map((m) => [m.from, m.since, m.scope, m.log]),
    [["snapshot", undefined, undefined, undefined], [2, undefined, undefined, OTHER],
      ["now", undefined, undefined, undefined]]);
  assert.deepEqual(seen.map((list) => list.take().at(-1)),
    Array(3).fill("lagged log_changed 100 3"));
  snapshot(s, asks[0].id, 20, [row("a.c", 1)]);
  assert.deepEqual(subs[0].position, { log: OTHER, seq: 20, scope: undefined });
});

test("who subscribes with a position of another log is told, also when connected",
  async (t) => {
    const b = new Bench(t);
    const s = await b.welcome();
    const seen = listen(b.client.subscribe("a.>", { from: { log: OTHER, seq: 9 } }));
    await settle();
    assert.deepEqual(seen.take(), ["lagged log_changed 9 1"]);
    assert.equal(s.take("subscribe").from, 0);
  });

for (const code of ["forbidden", "bad_request", "too_large"]) {
  test(`${code} is the end of a subscription`, async (t) => {
    const { b, s, ask, seen } = await subscribed(t, "a.>");
    s.say({ op: "error", id: ask.id, code, message: "no" });
    assert.deepEqual(seen.take(), [`error ${code} fatal`]);
    await b.tick(60000);
    assert.ok(!s.has("subscribe"));
  });
}

for (const code of ["ahead", "behind", "internal", "rate_limited", "unavailable",
  "log_changed"]) {
  test(`after ${code} it is asked for again`, async (t) => {
    const { b, s, ask, seen } = await subscribed(t, "a.>");
    s.say({ op: "error", id: ask.id, code, message: "not yet", retry_ms: 40 });
    assert.deepEqual(seen.take(), [`error ${code}`]);
    await b.tick(39);
    assert.ok(!s.has("subscribe"));
    await b.tick(1);
    assert.equal(s.take("subscribe").from, "now");
  });
}

test("an error that nobody listens to reaches the client's handlers", async (t) => {
  const b = new Bench(t);
  b.client.subscribe("a.>");
  const s = await b.welcome();
  s.say({ op: "error", id: s.take("subscribe").id, code: "forbidden", message: "no" });
  assert.equal(b.told.at(-1)[1].code, "forbidden");
});

test("the position moves when the handler has returned, not before", async (t) => {
  const { sub, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  const during = [];
  sub.on("event", () => during.push(sub.position.seq));
  s.say([100, 105, ev(101), ev(104)]);
  assert.deepEqual(during, [100, 101]);
});

test("a handler that throws is told, and the stream goes on", async (t) => {
  const { b, sub, seen, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
  for (const type of ["sync", "event", "mark"]) {
    sub.on(type, () => {
      throw new Error(`in ${type}`);
    });
  }
  snapshot(s, ask.id, 100, []);
  s.say([100, 102, ev(101), ev(102)]);
  assert.deepEqual(seen.take(), ["all 100: ", "event 101 a.b", "event 102 a.b"]);
  assert.equal(b.client.counters.thrown, 5);
  assert.equal(b.state.state, "connected");
  assert.equal(sub.position.seq, 102);
  assert.match(b.told.at(-1)[1].message, /in mark/);
});

test("a handler that reconnects in a batch gets the rest of it again, and only that",
  async (t) => {
    const { b, sub, seen, s, ask } = await subscribed(t, "a.>");
    live(s, ask.id, 100);
    sub.on("event", (e) => e.seq === 102 && s.cut());
    s.say([100, 105, ev(101), ev(102), ev(103)]);
    assert.equal(sub.position.seq, 102);
    const again = (await b.welcome()).take("subscribe");
    assert.equal(again.from, 102);
    assert.deepEqual(seen.take(), ["event 101 a.b", "event 102 a.b"]);
  });

for (const [name, act] of [["closes", (b) => b.client.close()],
  ["leaves", (b, sub) => sub.unsubscribe()]]) {
  test(`a handler that ${name} is the last that is called`, async (t) => {
    const { sub, seen, s, ask, b } = await subscribed(t, "a.>");
    live(s, ask.id, 100);
    sub.on("event", () => act(b, sub));
    s.say([100, 105, ev(101), ev(102)]);
    assert.deepEqual(seen.take(), ["event 101 a.b"]);
    assert.equal(b.client.counters.malformed, 0);
  });
}

test("a signal ends a subscription, a handler and a loop", async (t) => {
  const stop = new AbortController();
  const { sub, s, ask } = await subscribed(t, "a.>", { signal: stop.signal });
  const off = new AbortController();
  const heard = [];
  sub.on("event", (e) => heard.push(e.seq), { signal: off.signal });
  sub.on("event", (e) => heard.push(-e.seq), { once: true });
  live(s, ask.id, 1);
  s.say([1, 2, ev(2)], [2, 3, ev(3)]);
  off.abort();
  s.say([3, 4, ev(4)]);
  assert.deepEqual(heard, [2, -2, 3]);
  const loop = sub[Symbol.asyncIterator]();
  const next = loop.next();
  stop.abort();
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.ok(s.has("unsubscribe"));
});

test("a loop gets what handlers get; its position is what it has done", async (t) => {
  const { sub, s, ask } = await subscribed(t, "a.>", { from: "snapshot" });
  const loop = sub[Symbol.asyncIterator]();
  const next = loop.next();
  snapshot(s, ask.id, 100, []);
  s.say([100, 103, ev(101), ev(102)]);
  const { value } = await next;
  assert.equal(value.kind, "sync");
  assert.equal(value.sync.full, true);
  assert.equal(sub.position, undefined);
  assert.equal((await loop.next()).value.event.seq, 101);
  assert.equal(sub.position.seq, 100);
  assert.equal((await loop.next()).value.event.seq, 102);
  assert.equal(sub.position.seq, 101);
  const last = loop.next();
  await settle();
  assert.equal(sub.position.seq, 103);
  s.say({ op: "lagged", id: ask.id, reason: "ring", position: 103, oldest: 1, head: 104 });
  assert.equal((await last).value.lagged.reason, "ring");
});

test("a loop that does not keep up is told so, and misses nothing", async (t) => {
  const { b, sub, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 0);
  const loop = sub[Symbol.asyncIterator]();
  const got = [];
  const take = async (n) => {
    for (let i = 0; i < n; i++) {
      const { value } = await loop.next();
      got.push(value.event?.seq ?? value.lagged.reason);
    }
  };
  const first = loop.next();
  const many = (from, to) => Array.from({ length: to - from }, (_, i) => ev(from + i + 1));
  s.say([0, 9000, ...many(0, 9000)], [9000, 12000, ...many(9000, 12000)]);
  assert.ok(s.has("unsubscribe"));
  s.say([12000, 12001, ev(12001)], { op: "ok", id: ask.id });
  got.push((await first).value.event.seq);
  await take(10001);
  assert.equal(got.at(-1), "slow_reader");
  assert.ok(!s.has("subscribe"), "it goes on when it has caught up");
  const rest = take(2001);
  await settle();
  const again = s.take("subscribe");
  assert.equal(again.from, 10001);
  s.say({ op: "replay", id: again.id, after: 10001, upto: 12001,
    events: many(10001, 12001), last: true }, [12001, 12002, ev(12002)]);
  await rest;
  assert.deepEqual(got.filter((x) => x !== "slow_reader"),
    Array.from({ length: 12002 }, (_, i) => i + 1));
  assert.equal(b.client.counters.gaps, 0);
});

test("who leaves the last loop leaves the subscription", async (t) => {
  const { sub, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 0);
  const done = (async () => {
    for await (const { event } of sub) if (event.seq === 2) return event.seq;
  })();
  await settle();
  s.say([0, 3, ev(1), ev(2), ev(3)]);
  assert.equal(await done, 2);
  assert.ok(s.has("unsubscribe"));
});

test("an ephemeral event moves nothing", async (t) => {
  const { sub, seen, s, ask } = await subscribed(t, "a.>");
  live(s, ask.id, 100);
  s.say([100, 100, [0, 1, "a.b", 0, "blip", "ada", null]]);
  assert.deepEqual(seen.take(), ["event 0 a.b"]);
  assert.equal(sub.position.seq, 100);
});

test("complete is what is there of all that is asked for, and how old that is", async (t) => {
  const { b, s, ask } = await subscribed(t, "a.>");
  assert.equal(b.client.complete, undefined);
  live(s, ask.id, 100);
  b.client.subscribe("b.>", { from: "snapshot" });
  await b.tick(1000);
  s.say([100, 105]);
  assert.deepEqual(b.client.complete, { seq: 100, age: 1000 });
  snapshot(s, s.take("subscribe").id, 105, []);
  await b.tick(500);
  assert.deepEqual(b.client.complete, { seq: 105, age: 500 });
  s.cut();
  await b.tick(100);
  assert.deepEqual(b.client.complete, { seq: 105, age: 600 });
});
