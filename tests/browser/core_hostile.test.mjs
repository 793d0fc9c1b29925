// SPDX-License-Identifier: BSD-2-Clause

// Servers that lie: every message that no server could send, and valid conversations with
// something changed at random. The client reports, leaves, comes back with backoff; it never
// throws into the loop, never grows. PEAL_SEED names a run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { encode } from "@msgpack/msgpack";

import { Bench, WELCOME, ev, row } from "./lib/fakesocket.mjs";
import { dice, FakePeal } from "./lib/fakepeal.mjs";

/** What reached the loop: nothing may. */
const loose = [];
process.on("uncaughtException", (e) => loose.push(e));
process.on("unhandledRejection", (e) => loose.push(e));

const bytes = (...list) => Uint8Array.from(list).buffer;
const wrong = [null, true, -1, 1.5, 2 ** 53, "x", [], [1], {}, new Uint8Array([1])];

/** A client with a subscription that is live at 100, one in a snapshot, and a request. */
async function conversation(t) {
  const b = new Bench(t);
  const s = await b.welcome();
  const sub = b.client.subscribe("a.>");
  const live = s.take("subscribe").id;
  s.say({ op: "subscribed", id: live, seq: 100 });
  b.client.subscribe("b.>", { from: "snapshot" });
  const joining = s.take("subscribe").id;
  s.say({ op: "snapshot", id: joining, seq: 100, full: true, last: false, rows: [] });
  const answers = [b.client.append("a.b", "x_set", 1), b.client.history(),
    b.client.presence(">"), b.client.state(">"), b.client.ping()];
  const errors = answers.map((p) => p.then(() => undefined, (e) => e));
  const ids = ["append", "history", "presence", "state", "ping"].map((op) => s.take(op).id);
  return { b, s, sub, live, joining, errors, ids };
}

/** The client saw that it was wrong, left, and can come back. */
async function refused(c, what) {
  const { b, s } = c;
  const { gaps, malformed } = b.client.counters;
  assert.equal(gaps + malformed, 1, `${what}: nothing was counted`);
  assert.equal(s.closed, 1000, what);
  assert.equal(b.state.state, "disconnected", what);
  assert.ok(b.state.retryAt > Date.now(), what);
  const { cause } = b.told.find(([type]) => type === "error")[1];
  assert.notEqual(cause, undefined, `${what}: the report shows no message`);
  await b.welcome();
  assert.equal(b.socket.take("subscribe").from, 100, what);
  assert.ok((await Promise.all(c.errors)).every((e) => e?.code), what);
}

/** Messages by what is wrong with them; each is made for a conversation. */
const lies = {
  "no batch": () => [],
  "a batch of one number": () => [100],
  "a chain that jumps": () => [101, 102],
  "a chain that goes back": () => [99, 102],
  "a batch that ends before it begins": () => [100, 99],
  "a batch with an end beyond 53 bits": () => [100, 2 ** 53],
  "an event beyond the end": () => [100, 101, ev(102)],
  "an event up to the begin": () => [100, 101, ev(100)],
  "events in another order": () => [100, 105, ev(103), ev(102)],
  "an event twice": () => [100, 105, ev(103), ev(103)],
  "an event that is none": () => [100, 105, 7],
  "an event that is a string": () => [100, 105, "abcdefgh"],
  "a short event": () => [100, 105, ev(103).slice(0, 4)],
  nil: () => null,
  "a number": () => 7,
  "a string": () => "welcome",
  "an empty map": () => ({}),
  "an unknown op": () => ({ op: "explode" }),
  "an op that is none": () => ({ op: 7 }),
  "an op of the prototype": () => ({ op: "constructor" }),
  "a second welcome": () => WELCOME,
  "ok for nobody": () => ({ op: "ok", id: 1e6 }),
  "ok for a subscription that nobody left": ({ live }) => ({ op: "ok", id: live }),
  "an answer to nobody": () => ({ op: "appended", id: 1e6, seq: 1, versions: [1], time: 1 }),
  "an error for nobody": () => ({ op: "error", id: 1e6, code: "internal", message: "" }),
  "lagged for nobody": () => ({ op: "lagged", id: 1e6, reason: "ring", oldest: 1, head: 1 }),
  "lagged without an oldest": ({ live }) => ({ op: "lagged", id: live, reason: "ring" }),
  "subscribed again": ({ live }) => ({ op: "subscribed", id: live, seq: 101 }),
  "a snapshot of what is live": ({ live }) =>
    ({ op: "snapshot", id: live, seq: 101, full: true, last: true, rows: [] }),
  "a part of another seq": ({ joining }) =>
    ({ op: "snapshot", id: joining, seq: 101, full: true, last: true, rows: [] }),
  "a part of another kind": ({ joining }) =>
    ({ op: "snapshot", id: joining, seq: 100, full: false, last: true, rows: [] }),
  "a part without rows": ({ joining }) =>
    ({ op: "snapshot", id: joining, seq: 100, full: true, last: true }),
  "a row that is none": ({ joining }) =>
    ({ op: "snapshot", id: joining, seq: 100, full: true, last: true, rows: [[1, 2]] }),
  "a replay within a snapshot": ({ joining }) =>
    ({ op: "replay", id: joining, after: 100, upto: 101, events: [], last: true }),
  "a replay of what is live": ({ live }) =>
    ({ op: "replay", id: live, after: 100, upto: 101, events: [], last: true }),
  "an append that stored less": ({ ids }) =>
    ({ op: "appended", id: ids[0], seq: 1, versions: [], time: 1, duplicate: false }),
  "an answer of another kind": ({ ids }) => ({ op: "presence", id: ids[1], members: [] }),
  "a page without events": ({ ids }) => ({ op: "history", id: ids[1] }),
  "a page with half an event": ({ ids }) => ({ op: "history", id: ids[1], events: [[1]] }),
  "a state of half a row": ({ ids }) =>
    ({ op: "snapshot", id: ids[3], seq: 1, full: true, last: true, rows: [["a"]] }),
  "a pong without a time": ({ ids }) => ({ op: "pong", id: ids[4], time: "noon" }),
  "an error without a code": ({ ids }) => ({ op: "error", id: ids[0], message: "m" }),
  "a wait that is none": ({ live }) =>
    ({ op: "error", id: live, code: "behind", message: "m", retry_ms: "soon" }),
  "a slot that is none": () => ({ op: "draining", in: "soon" }),
};

for (const [what, lie] of Object.entries(lies)) {
  test(`${what} is refused`, async (t) => {
    const c = await conversation(t);
    c.s.say(lie(c));
    await refused(c, what);
    assert.deepEqual(loose, []);
  });
}

const noMessages = {
  "a text": "[100,101]", "no data": undefined, "nothing": bytes(), "half a map": bytes(0x81),
  "a length without bytes": bytes(0xdd, 0xff, 0xff, 0xff, 0xff),
  "a string without end": bytes(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61),
  "bytes behind the value": bytes(0x92, 100, 101, 0),
  "no such type": bytes(0xc1), "a broken string": bytes(0xa1, 0xff),
  "a thousand levels": Uint8Array.from(Array(1000).fill(0x91)).buffer,
  "17 MiB": new ArrayBuffer(17 << 20),
};

for (const [what, data] of Object.entries(noMessages)) {
  test(`${what} is refused`, async (t) => {
    const c = await conversation(t);
    c.s.raw(data);
    await refused({ ...c, b: c.b }, what).catch((e) => {
      // What is no message at all has none to show.
      if (!/shows no message/.test(e.message)) throw e;
    });
    assert.equal(c.b.client.counters.malformed, 1);
    assert.equal(c.s.closed, 1000);
  });
}

const places = {
  batch: () => [100, 101, ev(101)],
  snapshot: (c) => ({ op: "snapshot", id: c.joining, seq: 100, full: true, last: true,
    live: false, scope: "s", rows: [row("b.c", 7)] }),
  lagged: (c) => ({ op: "lagged", id: c.live, reason: "ring", position: 100, oldest: 1,
    head: 100 }),
  error: (c) => ({ op: "error", id: c.live, code: "behind", message: "m", retry_ms: 5 }),
  appended: (c) => ({ op: "appended", id: c.ids[0], seq: 1, versions: [1], time: 1,
    duplicate: false }),
  history: (c) => ({ op: "history", id: c.ids[1], events: [ev(1)], next: 1 }),
  presence: (c) => ({ op: "presence", id: c.ids[2],
    members: [{ user: "u", client: "c", topic: "t", since: 1 }] }),
  pong: (c) => ({ op: "pong", id: c.ids[4], t: 1, time: 1, head: 1 }),
  draining: () => ({ op: "draining", in: 5 }),
  revoked: () => ({ op: "revoked", reason: "r" }),
  expiring: () => ({ op: "expiring", in: 60000 }),
};

/** Every way to put something wrong at one place of the value. */
function* spoilt(value) {
  yield* wrong;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++)
      for (const v of spoilt(value[i])) yield value.with(i, v);
  } else if (value && typeof value === "object") {
    for (const key of Object.keys(value)) {
      for (const v of spoilt(value[key])) yield { ...value, [key]: v };
      const { [key]: _, ...rest } = value;
      yield rest;
    }
  }
}

for (const [op, make] of Object.entries(places)) {
  test(`a wrong value anywhere in ${op} reaches nobody's loop`, async (t) => {
    const c = await conversation(t);
    const { b } = c;
    b.told.push = () => {};
    for (const m of spoilt(make(c))) {
      const again = b.state.state === "connected" ? c : undefined;
      if (!again) {
        await b.welcome();
        const now = b.socket;
        c.live = now.take("subscribe").id;
        now.say({ op: "replay", id: c.live, after: 100, upto: 100, events: [], last: true });
      }
      b.socket.say(m);
      assert.deepEqual(loose, [], JSON.stringify(m));
      await b.tick(1000);
      if (b.socket.readyState === 1) b.socket.cut();
    }
    const broken = b.client.counters.thrown;
    assert.equal(broken, 0);
  });
}

test("a welcome with a wrong value anywhere is refused or harmless", async (t) => {
  const b = new Bench(t);
  b.told.push = () => {};
  for (const m of spoilt(WELCOME)) {
    await b.tick(20000);
    if (b.socket.readyState !== 0) b.socket.cut();
    await b.tick(20000);
    b.socket.open();
    b.socket.say(m);
    await b.tick(0);
    assert.deepEqual(loose, [], JSON.stringify(m));
  }
  await b.tick(20000);
});

test("what an application is given is what types say, whatever was sent", async (t) => {
  const c = await conversation(t);
  const got = [];
  c.sub.on("event", (e) => got.push(e));
  c.s.say([100, 101, ev(101, "a.b", "x_set",
    JSON.parse('{"__proto__":{"polluted":1},"constructor":"<b>"}'))]);
  assert.equal({}.polluted, undefined);
  assert.equal(got.length, 1);
  assert.deepEqual(Object.keys(got[0].data), ["__proto__", "constructor"]);
});

test("a snapshot without end is given up", async (t) => {
  const c = await conversation(t);
  const rows = Array(1 << 16).fill(row("b.c", 7));
  const part = Uint8Array.from(encode(
    { op: "snapshot", id: c.joining, seq: 100, full: true, last: false, rows })).buffer;
  let parts = 0;
  while (!c.s.closed) {
    c.s.raw(part);
    assert.ok(++parts <= 17, "it goes on");
  }
  assert.equal(c.b.client.counters.malformed, 1);
});

test("a wait beyond reason is no wait of none", async (t) => {
  const { b, s, live } = await conversation(t);
  s.say({ op: "error", id: live, code: "behind", message: "m", retry_ms: 2 ** 40 });
  for (let ms = 0; ms < 299000; ms += 20000) {
    await b.tick(19999);
    s.say({ op: "draining", in: 0 });
    assert.ok(!s.has("subscribe"));
  }
  await b.tick(20000);
  assert.ok(s.has("subscribe"));
});

test("a server that always lies is asked ever less often", async (t) => {
  const b = new Bench(t);
  b.told.push = () => {};
  const waits = [];
  for (let i = 0; i < 8; i++) {
    const s = await b.welcome();
    await b.tick(10000);
    s.say({ op: "explode" });
    waits.push(b.state.retryAt - Date.now());
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 10000, 10000]);
});

const first = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const RUNS = Number(process.env.PEAL_RUNS ?? 100);

/** Change the bytes of a message as a broken server or a hostile one might. */
function mutate(d, buffer) {
  const b = new Uint8Array(buffer.slice(0));
  switch (d.below(5)) {
    case 0: return b.slice(0, d.below(b.length)).buffer;
    case 1: return Uint8Array.from([...b, d.below(256)]).buffer;
    case 2: b[d.below(b.length)] ^= 1 << d.below(8); break;
    case 3: b[d.below(b.length)] = d.below(256); break;
    default: b.copyWithin(d.below(b.length), d.below(b.length));
  }
  return b.buffer;
}

test(`mutations of valid conversations (seeds ${first} to ${first + RUNS - 1})`,
  async (t) => {
    let refusals = 0;
    for (let seed = first; seed < first + RUNS; seed++) {
      await t.test(`seed ${seed}`, async (t) => {
        const d = dice(seed);
        const b = new Bench(t);
        b.told.push = () => {};
        const peal = new FakePeal(d, ["a.b", "a.c", "b"]);
        for (const from of ["snapshot", "now", { log: WELCOME.log, seq: 0 }])
          b.client.subscribe("a.>", { from });
        for (let i = 0; i < 150; i++) {
          if (d.chance(0.4)) peal.append();
          if (!peal.there) {
            await b.tick(20000);
            if (b.socket?.readyState !== 0) continue;
            peal.accept(b.socket);
            const { socket } = b;
            const { raw } = socket;
            socket.raw = (data) => raw.call(socket, d.chance(0.03) ? mutate(d, data) : data);
          }
          try {
            peal.step();
          } catch (e) {
            // The client was told of a position that the log has not.
            if (!/beyond the head/.test(e.message)) throw e;
            peal.cut();
          }
          if (d.chance(0.1)) await b.tick(1000);
        }
        refusals += b.client.counters.malformed + b.client.counters.gaps;
        assert.equal(b.client.counters.thrown, 0);
        assert.deepEqual(loose, []);
      });
    }
    assert.ok(refusals > RUNS / 2, `only ${refusals} were refused`);
  });
