// SPDX-License-Identifier: BSD-2-Clause

// Pages over one connection, in node, before a server that is made up: each page sees what a
// server of its own would have told it, however that server goes live, lags and leaves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../client/shared.js";
import { until } from "./lib/await.mjs";
import { World } from "./lib/chain_server.mjs";
import { sharedWorkers } from "./lib/worker.mjs";
import { random } from "./pages/outbox_model.mjs";

const SEED = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const RUNS = Number(process.env.PEAL_RUNS ?? 40);
const PATTERNS = ["t.>", "t.0.>", "t.*.1", "t.3.2"];

const turn = () => new Promise((go) => setImmediate(go));

function token(claims) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
  return [part({ alg: "none" }), part({ exp: 2e9, ...claims }), "x"].join(".");
}

const ada = token({ sub: "ada" });

function setUp(t, seed = 1) {
  const world = new World(random(seed));
  world.tokens.add(ada);
  sharedWorkers(world.WebSocket);
  const end = new AbortController();
  t.after(() => end.abort());
  const page = (bearer = ada) => connect("wss://server.test/v1/ws", {
    getToken: () => bearer, minDelay: 1, maxDelay: 5, signal: end.signal,
  });
  /** Lets the server do things until something holds. */
  const serve = (what, probe) => until(what, async () => {
    for (let i = 0; i < 20; i++) {
      for (const socket of [...world.sockets]) socket.step();
      await turn();
      const value = probe();
      if (value) return value;
    }
    return false;
  }, { every: 0 });
  return { world, page, serve };
}

const connected = (...clients) => () =>
  clients.every((c) => c.connection.getSnapshot().state === "connected");

/** What a page heard of one subscription, and whether it can be true. */
function listen(client, world, r) {
  const from = r.pick(["now", "snapshot", "position"]);
  const pattern = r.pick(PATTERNS);
  const seen = [];
  const rows = new Map();
  let begin = from === "position" ? r.below(world.head + 1) : undefined;
  const sub = client.subscribe(pattern, {
    from: from === "position" ? { log: "l-1", seq: begin } : from,
  });
  const wrong = [];
  sub.on("sync", ({ rows: list, full }) => {
    if (full) rows.clear();
    for (const row of list) rows.set(row.topic, row.value.n);
  });
  sub.on("event", (e) => {
    if (!e.seq) return;
    if (e.seq <= (seen.at(-1) ?? 0)) wrong.push(`${e.seq} came after ${seen.at(-1)}`);
    seen.push(e.seq);
    rows.set(e.topic, e.data.n);
  });
  sub.on("mark", ({ seq }) => (begin ??= seq));
  const check = () => {
    const match = world.rows([pattern], world.head);
    const all = world.log.map((e) => e[0]).filter((n) =>
      world.rows([pattern], n, n - 1).length && n > begin);
    if (from === "snapshot") {
      const truth = new Map(match.map((row) => [row[0], row[8].n]));
      assert.deepEqual([...rows].sort(), [...truth].sort(), `the view of ${pattern}`);
    } else assert.deepEqual(seen, all, `events of ${pattern} from ${from}, beyond ${begin}`);
    assert.deepEqual(wrong, []);
  };
  return { sub, check, from };
}

test("at random, each page sees what a server of its own would tell it", async (t) => {
  t.diagnostic(`PEAL_SEED=${SEED} PEAL_RUNS=${RUNS}`);
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const { world, page, serve } = setUp(t, seed);
    const r = world.random;
    const pages = [page(), page(), page()];
    const errors = [];
    for (const c of pages) c.on("error", (e) => errors.push(e));
    const listening = [];
    await serve("all are connected", connected(...pages));
    for (let i = 0; i < 400; i++) {
      if (r.chance(0.3)) world.append();
      if (r.chance(0.05)) listening.push(listen(r.pick(pages), world, r));
      if (r.chance(0.03) && listening.length)
        listening.splice(r.below(listening.length), 1)[0].sub.unsubscribe();
      for (const socket of [...world.sockets]) socket.step();
      if (r.chance(0.6)) await turn();
    }
    await until("all have everything", async () => {
      for (const socket of [...world.sockets]) socket.settle();
      await turn();
      return connected(...pages)() && listening.every(({ sub }) =>
        sub.live && sub.position?.seq === world.head);
    }, { every: 1 });
    for (const { check } of listening) check();
    for (const { counters } of pages)
      assert.deepEqual([counters.gaps, counters.malformed, counters.thrown], [0, 0, 0],
        `seed ${seed}: ${errors.map((e) => e.stack)}`);
    for (const c of pages) c.close();
    await until("the connection has ended", () => world.sockets.size === 0);
  }
});

test("pages of one user share a connection, others have theirs", async (t) => {
  const { world, page, serve } = setUp(t);
  const bob = token({ sub: "bob" });
  const wide = token({ sub: "ada", peal: { read: [">"] } });
  for (const known of [bob, wide]) world.tokens.add(known);
  const pages = [page(), page(), page(bob), page(wide), page()];
  await serve("all are connected", connected(...pages));
  assert.equal(world.sockets.size, 3);
  for (const c of pages) c.close();
  await until("all have ended", () => world.sockets.size === 0);
});

test("a page whose token the server refuses gets no connection through another's", async (t) => {
  const { world, page, serve } = setUp(t);
  const first = page();
  await serve("it is connected", connected(first));
  const forged = page(token({ sub: "ada", jti: 2 }));
  await serve("it was sent away", () => forged.connection.getSnapshot().code === 4401);
  const fresh = token({ sub: "ada", jti: 3 });
  world.tokens.add(fresh);
  const second = page(fresh);
  await serve("it is connected", connected(second));
  assert.equal(world.connects, 1);
});

test("who leaves takes the subscriptions along, and nobody else's", async (t) => {
  const { world, page, serve } = setUp(t);
  const [one, two] = [page(), page()];
  await serve("both are connected", connected(one, two));
  const mine = one.subscribe("t.>");
  const theirs = two.subscribe("t.>");
  await serve("both are live", () => mine.live && theirs.live);
  const [socket] = world.sockets;
  one.close();
  await serve("one is left", () => socket.subs.size === 1);
  assert.equal(world.connects, 1);
  assert.ok(theirs.live);
  two.close();
});

test("a server that drains gets no new pages", async (t) => {
  const { world, page, serve } = setUp(t);
  const one = page();
  await serve("it is connected", connected(one));
  const [socket] = world.sockets;
  socket.onmessage({ data: new Uint8Array([
    0x82, 0xa2, 0x6f, 0x70, 0xa8, ...Buffer.from("draining"), 0xa2, 0x69, 0x6e, 0xcd, 0x27, 0x10,
  ]).buffer });
  const two = page();
  await serve("it is connected", connected(two));
  assert.equal(world.sockets.size, 2);
});

test("nobody comes to a connection that slept for hours", async (t) => {
  const { world, page, serve } = setUp(t);
  const one = page();
  await serve("it has asked all it asks for", () => one.latency !== undefined);
  const [slept] = world.sockets;
  let asked = 0;
  slept.send = () => asked++;
  const now = Date.now;
  t.mock.method(Date, "now", () => now() + 4 * 3600 * 1000);
  const two = page();
  await until("it comes somewhere", () => asked + world.connects > 1);
  assert.deepEqual([asked, slept.readyState], [0, 3]);
  await serve("both are connected", connected(one, two));
  assert.equal(one.counters.reconnects, 1);
});

test("a server that breaks the chain is left, and every page counts the break", async (t) => {
  const { world, page, serve } = setUp(t);
  const pages = [page(), page()];
  const errors = [];
  for (const c of pages) c.on("error", (e) => errors.push(e));
  await serve("both are connected", connected(...pages));
  const subs = pages.map((c) => c.subscribe("t.>", { from: "snapshot" }));
  await serve("both are live", () => subs.every((s) => s.live));
  const [socket] = world.sockets;
  socket.onmessage({ data: new Uint8Array([0x92, 0x70, 0x71]).buffer });
  await serve("both came back", () => pages.every((c) => c.counters.reconnects === 1) &&
    connected(...pages)() && subs.every((s) => s.live));
  assert.deepEqual(pages.map((c) => c.counters.gaps), [1, 1]);
});
