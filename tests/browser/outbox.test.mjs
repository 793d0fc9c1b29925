// SPDX-License-Identifier: BSD-2-Clause
// The outbox in front of a server, a network and pages that are made up: whatever happens,
// each entry is stored once or told otherwise.

import assert from "node:assert/strict";
import { test } from "node:test";

import { outbox } from "../../client/outbox.js";
import { MemoryStore } from "../../client/outbox-store.js";
import { until } from "./lib/await.mjs";
import { Client, Refusal, Server, judge, lag, random, run } from "./pages/outbox_model.mjs";

const SEED = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const RUNS = Number(process.env.PEAL_RUNS ?? 60);

/**
 * What IndexedDB, locks and channels are to pages, in memory: copies, and one sender.
 * `turns` says how often one has begun to send.
 */
function disk() {
  const memory = new MemoryStore();
  const pages = new Map();
  let hearers = [];
  const sends = new Map();
  const open = async (_, page, hear) => {
    const me = { page, hear };
    hearers.push(me);
    pages.set(page, []);
    const copy = (r) => r && structuredClone(r);
    return {
      persistent: true,
      load: async () => ({
        entries: structuredClone([...memory.entries]),
        outcomes: structuredClone([...memory.outcomes]),
      }),
      add: async (records) => {
        const copies = structuredClone(records);
        await memory.add(copies);
        records.forEach((r, i) => (r.n = copies[i].n));
      },
      first: async (owner) => copy(await memory.first(owner)),
      mark: (id, sent) => memory.mark(id, sent),
      own: (ids, owner) => memory.own(ids, owner),
      settle: (record, outcome) => memory.settle(record, structuredClone(outcome)),
      forget: (id) => memory.forget(id),
      discard: (id, unsent) => memory.discard(id, unsent),
      take: async (ids) => (await Promise.all(ids.map((id) => memory.discard(id))), ids),
      lock(owner, signal, fn) {
        const turn = (sends.get(owner) ?? Promise.resolve())
          .then(() => (signal.aborted ? undefined : (open.turns++, fn())));
        sends.set(owner, turn.catch(() => {}));
        return turn;
      },
      alive: async (p) => pages.has(p),
      gone: (p) => new Promise((end) => pages.has(p) ? pages.get(p).push(end) : end()),
      say(message) {
        const data = structuredClone(message);
        for (const { page: p, hear: tell } of hearers)
          if (p !== page) queueMicrotask(() => tell(structuredClone(data)));
      },
      close() {
        const awaited = pages.get(page) ?? [];
        pages.delete(page);
        for (const end of awaited) end();
        hearers = hearers.filter((h) => h !== me);
      },
    };
  };
  open.turns = 0;
  return open;
}

function setUp(options = {}) {
  const server = new Server();
  const client = new Client(server, random(1));
  const box = outbox(client, { minDelay: 1, maxDelay: 4, ...options });
  return { server, client, box };
}

const stored = (server) => server.log.map((e) => e.data);

test("the judge refuses what must not be", () => {
  const entry = (n, ...told) => ({ n, page: "p", user: "ada", told });
  const log = (...ns) => ({ log: ns.map((n) => ({ user: "ada", data: { n } })) });
  assert.deepEqual(judge(log(0, 1), [entry(0, "stored"), entry(1, "unknown")]), []);
  assert.match(judge(log(0, 0), [entry(0, "stored")])[0], /twice/);
  assert.match(judge(log(), [entry(0)])[0], /nobody was told/);
  assert.match(judge(log(), [entry(0, "stored")])[0], /not stored/);
  assert.match(judge(log(0), [entry(0, "conflict")])[0], /refused, and is/);
  assert.match(judge(log(0), [entry(0, "stored", "unknown")])[0], /stored and unknown/);
  assert.match(judge(log(1, 0), [entry(0, "stored"), entry(1, "stored")])[0], /before one/);
  const bobs = { log: [{ user: "bob", data: { n: 0 } }] };
  assert.match(judge(bobs, [entry(0, "stored")])[0], /as bob/);
});

/** What an application writes in an afternoon: tries again until it works, without keys. */
function naive(client) {
  return {
    on() {},
    close() {},
    async append(topic, type, data) {
      for (;;) {
        try {
          const key = String(Math.random());
          return { outcome: "stored", result: await client.append([{ topic, type, data, key }]) };
        } catch (e) {
          if (!["unknown", "unavailable", "rate_limited"].includes(e.code))
            return { outcome: "refused" };
          await lag(2);
        }
      }
    },
  };
}

test("the schedules catch a queue that repeats without keys", async (t) => {
  const faults = [];
  for (let seed = 1; seed <= 10; seed++)
    faults.push(...(await (await run({ seed, outbox: naive })).drain()));
  assert.ok(faults.some((text) => /twice/.test(text)));
});

test("at random, each entry is stored once or told otherwise", async (t) => {
  t.diagnostic(`PEAL_SEED=${SEED} PEAL_RUNS=${RUNS}`);
  const kinds = new Map();
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const users = seed % 3 ? ["ada"] : ["ada", "bob"];
    const store = seed % 4 ? disk() : undefined;
    const { entries, drain } = await run({ seed, outbox, users, store });
    assert.deepEqual(await drain(), [], `seed ${seed}`);
    for (const { told } of entries) kinds.set(told[0], (kinds.get(told[0]) ?? 0) + 1);
  }
  t.diagnostic(JSON.stringify([...kinds]));
  for (const kind of ["stored", "conflict", "refused", "unknown"])
    assert.ok(RUNS < 60 || kinds.has(kind), `${kind} was among them`);
});

test("what is appended offline is sent in order when there is a connection", async () => {
  const { server, client, box } = setUp();
  const outcomes = [];
  for (let n = 0; n < 50; n++) outcomes.push(box.append("t", "note_set", { n }, { expect: n }));
  assert.equal(box.getSnapshot().entries.length, 50);
  assert.equal(box.getSnapshot().entries[0].state, "waiting");
  client.connect("ada");
  for (const [n, o] of (await Promise.all(outcomes)).entries())
    assert.deepEqual([o.outcome, o.result.version], ["stored", n + 1]);
  assert.deepEqual(stored(server), Array.from({ length: 50 }, (_, n) => ({ n })));
  assert.deepEqual(box.getSnapshot().entries, []);
});

test("an option that is undefined is left out", async () => {
  const { client, box } = setUp({ limit: undefined, bytes: undefined, store: undefined });
  client.connect("ada");
  assert.equal((await box.append("t", "x_set", { n: 0 })).outcome, "stored");
});

test("handlers that throw are told of, stop nothing, and are not told of each other", async (t) => {
  const { client, box } = setUp();
  const said = t.mock.method(console, "error", () => {});
  const heard = [];
  const fail = () => {
    throw new Error("a handler");
  };
  for (const type of ["settled", "error"]) box.on(type, fail);
  box.on("error", (e) => heard.push(e.message));
  const { subscribe } = box;
  subscribe(fail);
  client.connect("ada");
  for (const n of [0, 1])
    assert.equal((await box.append("t", "x_set", { n })).outcome, "stored");
  assert.ok(heard.length >= 2 && heard.every((m) => m === "a handler"));
  assert.equal(said.mock.callCount(), heard.length);
});

test("several events are one entry, and are stored together", async () => {
  const { server, client, box } = setUp();
  const done = box.append([
    { topic: "a", type: "x_set", data: { n: 0 } }, { topic: "b", type: "x_set", data: { n: 1 } }]);
  client.connect("ada");
  assert.deepEqual((await done).result.versions, [1, 1]);
  assert.equal(new Set(server.log.map((e) => e.key)).size, 2);
});

test("beyond its limits an outbox refuses at once", async () => {
  const { box } = setUp({ limit: 3, bytes: 4000 });
  for (let n = 0; n < 3; n++) box.append("t", "x_set", { n });
  const full = await box.append("t", "x_set", { n: 3 });
  assert.deepEqual([full.outcome, full.error.code, full.error.details.full],
    ["refused", "too_large", true]);
  await box.discard(box.getSnapshot().entries[0].id);
  const big = await box.append("t", "x_set", { n: 3, text: "x".repeat(5000) });
  assert.equal(big.error.code, "too_large");
  box.append("t", "x_set", { n: 4 });
  assert.equal(box.getSnapshot().entries.length, 3);
});

test("what can't be encoded is refused at once, and nothing throws", async () => {
  const { box } = setUp();
  for (const data of [Symbol("x"), () => {}]) {
    const { outcome, error } = await box.append("t", "x_set", data);
    assert.deepEqual([outcome, error.code], ["refused", "bad_request"]);
  }
  assert.equal((await box.append([])).outcome, "refused");
  assert.equal(box.getSnapshot().entries.length, 0);
});

test("what is changed after append does not change what is sent", async () => {
  const { server, client, box } = setUp();
  const data = { n: 0, list: [1], bytes: Uint8Array.of(1) };
  const done = box.append("t", "x_set", data);
  data.list.push(2);
  data.bytes[0] = 2;
  const shown = box.getSnapshot().entries[0].events[0].data;
  shown.list.push(3);
  shown.bytes[0] = 3;
  client.connect("ada");
  await done;
  assert.deepEqual(stored(server), [{ n: 0, list: [1], bytes: Uint8Array.of(1) }]);
});

/** A client that answers as it is told, one code after the other. */
function scripted(codes, options) {
  const setup = setUp(options);
  const { client } = setup;
  const append = client.append.bind(client);
  const sent = [];
  client.append = (events) => {
    sent.push(events[0]);
    const code = codes.shift();
    if (!code) return append(events);
    return Promise.reject(new Refusal(code, code === "unavailable" ? { retry_ms: 1 } : {}));
  };
  return { ...setup, sent };
}

test("what is not stored is sent again, with the same key, before what follows", async () => {
  const { server, client, box, sent } = scripted(
    ["rate_limited", "unavailable", "storage_full", "unauthorized", "unknown", "internal"]);
  const done = [box.append("t", "x_set", { n: 0 }), box.append("t", "x_set", { n: 1 })];
  client.connect("ada");
  assert.deepEqual((await Promise.all(done)).map((o) => o.outcome), ["stored", "stored"]);
  assert.deepEqual(sent.map((e) => e.data.n), [0, 0, 0, 0, 0, 0, 0, 1]);
  assert.equal(new Set(sent.map((e) => e.key)).size, 2);
  assert.deepEqual(stored(server), [{ n: 0 }, { n: 1 }]);
});

for (const [codes, outcome] of [
  [["conflict"], "conflict"], [["forbidden"], "refused"], [["too_large"], "refused"],
  [["bad_request"], "refused"], [["key_reused"], "refused"],
  // A gateway refuses before anybody looks at keys: the attempt before may be stored.
  [["unknown", "forbidden"], "unknown"], [["unknown", "conflict"], "conflict"],
  [["internal", "internal", "internal", "internal", "internal", "internal"], "unknown"],
  [["rate_limited", "forbidden"], "refused"],
]) {
  test(`an entry that is answered ${codes.join(", ")} ends as ${outcome}`, async () => {
    const { client, box } = scripted([...codes]);
    const heard = [];
    box.on("settled", (o) => heard.push(o.outcome));
    const done = box.append("t", "x_set", { n: 0 });
    client.connect("ada");
    const o = await done;
    assert.deepEqual([o.outcome, o.error.code, heard], [outcome, codes.at(-1), [outcome]]);
    assert.equal((await box.append("t", "x_set", { n: 1 })).outcome, "stored");
  });
}

test("what may be stored and is older than the server's keys is not sent again", async () => {
  const { server, client, box, sent } = scripted(["unknown"], { minDelay: 1e6, maxDelay: 1e6 });
  client.connect("ada");
  const first = box.append("t", "x_set", { n: 0 });
  await until("it was sent", () => sent.length === 1);
  client.disconnect();
  const second = box.append("t", "x_set", { n: 1 });
  server.sleep(2 * 3600_000);
  client.connect("ada");
  assert.equal((await first).outcome, "unknown");
  assert.equal((await second).outcome, "stored", "it was never sent before");
  assert.deepEqual(sent.map((e) => e.data.n), [0, 1]);
});

test("entries of one user wait while another one is connected", async () => {
  const { server, client, box } = setUp();
  client.connect("ada");
  client.disconnect();
  const ada = box.append("t", "x_set", { n: 0 });
  client.connect("bob");
  const bob = box.append("t", "x_set", { n: 1 });
  assert.equal((await bob).outcome, "stored");
  assert.deepEqual(box.getSnapshot().entries.map((e) => [e.state, e.user]), [["held", "ada"]]);
  client.connect("ada");
  assert.equal((await ada).outcome, "stored");
  assert.deepEqual(server.log.map((e) => [e.user, e.data.n]), [["bob", 1], ["ada", 0]]);
});

test("entries that a page left before it knew its user wait for a claim", async () => {
  const store = disk();
  const first = setUp({ store });
  first.box.append("t", "x_set", { n: 0 });
  await first.box.ready;
  await until("it is kept", () => first.box.discard("none").then(() => true));
  first.box.close();
  const { server, client, box } = setUp({ store });
  client.connect("bob");
  const next = box.append("t", "x_set", { n: 1 });
  assert.equal((await next).outcome, "stored");
  assert.deepEqual(box.getSnapshot().entries.map((e) => [e.state, e.user]), [["held", undefined]]);
  assert.equal(await box.claim(), 1);
  await until("it was sent", () => server.log.length === 2);
});

test("what ended while nobody listened is told to the first who does", async () => {
  const store = disk();
  const first = setUp({ store });
  first.client.connect("ada");
  first.client.disconnect();
  first.box.append("t", "x_set", { n: 0 });
  await first.box.discard("none");
  first.box.close();
  const { server, client, box } = setUp({ store });
  client.connect("ada");
  await until("it was sent", () => server.log.length === 1);
  await until("it is out of the queue", () => !box.getSnapshot().entries.length);
  const heard = [];
  box.on("settled", (o) => heard.push(o));
  await until("it was told", () => heard.length > 0);
  assert.deepEqual([heard[0].outcome, heard[0].entry.events[0].data], ["stored", { n: 0 }]);
});

test("what ended is kept while nobody listens any more", async () => {
  const store = disk();
  const first = setUp({ store });
  first.client.connect("ada");
  first.client.disconnect();
  first.box.append("t", "x_set", 1);
  first.box.append("t", "x_set", 2);
  await first.box.discard("none");
  first.box.close();
  const { server, client, box } = setUp({ store });
  box.on("settled", () => assert.fail("it is not there any more"))();
  client.connect("ada");
  await until("they were sent", () => server.log.length === 2);
  await until("they are out of the queue", () => !box.getSnapshot().entries.length);
  client.disconnect();
  client.connect("ada");
  await box.append("t", "x_set", 3); // whoever sends has looked into the store
  const heard = [];
  const hear = ({ entry }) => heard.push(entry.events[0].data);
  for (let n = 1; n <= 2; n++) {
    box.on("settled", hear, { once: true });
    await until("one was told", () => heard.length === n);
  }
  assert.deepEqual(heard, [1, 2]);
  box.close();
});

test("what the store has said is not told again when a page says it", async () => {
  const store = disk();
  const said = [];
  await store("", "another", (m) => said.push(m));
  let hear;
  const { box } = setUp({ store: (name, page, tell) => store(name, page, (hear = tell)) });
  const told = [];
  box.on("settled", ({ outcome }) => told.push(outcome));
  const heard = box.append("a.b", "note_set", 1);
  await until("it is added", () => said.some((m) => m.added));
  const [gone] = said.find((m) => m.added).added;
  hear({ gone, outcome: { outcome: "stored", result: { seq: 1 } } });
  hear({ gone, outcome: { outcome: "refused", error: { code: "bad_request", message: "" } } });
  assert.deepEqual([told, (await heard).outcome], [["stored"], "stored"]);
  box.close();
});

test("what a page that is closing does not hear is told by another one", async () => {
  const store = disk();
  const deaf = (name, page) => store(name, page, () => {});
  const { server, client, box } = setUp({ store });
  const told = [];
  box.on("settled", ({ outcome, entry }) => told.push([entry.events[0].data, outcome]));
  client.connect("ada");
  await box.ready;
  await until("it has the turn", () => store.turns === 1);
  const other = new Client(server, random(2));
  const closing = outbox(other, { store: deaf, minDelay: 1, maxDelay: 4 });
  other.connect("ada");
  closing.append("a.b", "note_set", 1);
  await until("it is stored", () => server.log.length === 1);
  assert.equal((await box.append("a.b", "note_set", 2)).outcome, "stored");
  assert.deepEqual(told, [[2, "stored"]]);
  closing.close();
  await until("it is told", () => told.length === 2);
  assert.deepEqual(told[1], [1, "stored"]);
  box.close();
});

test("an entry is taken back unless it may be stored", async () => {
  const { client, box, sent } = scripted(["unknown"], { minDelay: 1e6, maxDelay: 1e6 });
  const heard = box.append("t", "x_set", { n: 0 });
  const [{ id }] = box.getSnapshot().entries;
  assert.equal(await box.discard(id), true);
  assert.deepEqual([(await heard).outcome, await box.discard(id)], ["refused", false]);
  box.append("t", "x_set", { n: 1 });
  const { id: other } = box.getSnapshot().entries[0];
  client.connect("ada");
  await until("it was sent", () => sent.length === 1);
  assert.equal(await box.discard(other), false);
  box.close();
});

for (const op of ["open", "add", "first", "mark", "settle"]) {
  test(`an outbox whose disk fails at ${op} goes on in memory, and says so`, async () => {
    const good = disk();
    const store = async (...args) => {
      if (op === "open") throw new Error("no disk");
      const d = await good(...args);
      d[op] = async () => {
        throw new Error("the disk is full");
      };
      return d;
    };
    const { server, client, box } = setUp({ store });
    const errors = [];
    box.on("error", (e) => errors.push(e.message));
    client.connect("ada");
    const done = [0, 1, 2].map((n) => box.append("t", "x_set", { n }));
    assert.deepEqual((await Promise.all(done)).map((o) => o.outcome),
      ["stored", "stored", "stored"]);
    assert.deepEqual(stored(server).map((d) => d.n), [0, 1, 2]);
    assert.equal(box.getSnapshot().persistent, false);
    assert.match(errors[0], /memory alone/);
    assert.equal(errors.length, 1);
  });
}

test("closing tells of what is in memory that it is lost", async () => {
  const { client, box, sent } = scripted(["unknown"], { minDelay: 1e6, maxDelay: 1e6 });
  client.connect("ada");
  const done = [0, 1].map((n) => box.append("t", "x_set", { n }));
  await until("one was sent", () => sent.length === 1);
  await until("it is marked", () => box.getSnapshot().entries[0].state === "sent");
  box.close();
  assert.deepEqual((await Promise.all(done)).map((o) => o.outcome), ["unknown", "refused"]);
  assert.equal((await box.append("t", "x_set", { n: 2 })).outcome, "refused");
});
