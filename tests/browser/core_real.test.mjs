// SPDX-License-Identifier: BSD-2-Clause

// The client in node against the real system: every request, and what gateways that are
// killed, a writer that starts again, another log, tokens and grants do to subscriptions.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import NodeSocket from "ws";

import { connect, PealError } from "../../client/peal.js";
import { until } from "./lib/await.mjs";
import { startHouse } from "./lib/house.mjs";
import { startProxy } from "./lib/proxy.mjs";

const house = await startHouse({ after });

/** A client of the house, closed with the test. */
function client(t, { url = house.socketUrl(), token = house.token, ...o } = {}) {
  const c = connect(url, { getToken: () => token, maxDelay: 2000, ...o });
  c.errors = [];
  c.on("error", (e) => c.errors.push(e));
  t.after(() => c.close());
  return c;
}

const connected = (c, n = 1) => {
  let seen = c.connection.getSnapshot().state === "connected" ? 1 : 0;
  c.on("connected", () => seen++);
  return until("the client is connected", () => seen >= n);
};

/** The seqs that a subscription's handler gets. */
function follow(sub) {
  const seqs = [];
  sub.on("event", (e) => e.seq && seqs.push(e.seq));
  return seqs;
}

/** Rows as a subscription from a snapshot tells them, newest version first. */
function table(sub) {
  const rows = new Map();
  sub.on("sync", (sync) => {
    if (sync.full) rows.clear();
    for (const row of sync.rows) rows.set(row.topic, [row.version, row.deleted]);
  });
  sub.on("event", (e) => rows.set(e.topic, [e.version, /deleted$/.test(e.type)]));
  return rows;
}

async function everySeq(c, topic, from) {
  const seqs = [];
  for (let next = from; next !== undefined;) {
    const page = await c.history({ topic, after: next, limit: 1000 });
    seqs.push(...page.events.map((e) => e.seq));
    ({ next } = page);
  }
  return seqs;
}

test("every request is answered as the types say", async (t) => {
  const c = client(t);
  const first = await c.append("note.1", "note_set", { a: 1 }, { expect: 0, key: "k1" });
  assert.deepEqual([first.version, first.versions, first.duplicate], [1, [1], false]);
  const again = await c.append("note.1", "note_set", { a: 1 }, { expect: 0, key: "k1" });
  assert.deepEqual([again.seq, again.duplicate], [first.seq, true]);
  await assert.rejects(c.append("note.1", "note_set", { a: 2 }, { key: "k1" }),
    { code: "key_reused" });
  const two = await c.append([{ topic: "note.1", type: "note_updated", data: { b: 2n } },
    { topic: "note.2", type: "note_set", data: new Uint8Array([1, 2]) }],
  { checks: [{ topic: "note.3", version: 0 }] });
  assert.deepEqual([two.seq, two.versions], [first.seq + 2, [2, 1]]);
  await assert.rejects(c.append("note.1", "note_set", 1, { expect: 7 }), (e) => {
    assert.ok(e instanceof PealError);
    assert.deepEqual([e.code, e.details.topic, e.details.expected, e.details.actual],
      ["conflict", "note.1", 7, 2]);
    return true;
  });
  const { rows, seq } = await c.state("note.>", { minSeq: two.seq });
  assert.ok(seq >= two.seq);
  assert.deepEqual(rows.map((r) => [r.topic, r.version, r.updatedBy]),
    [["note.1", 2, "dev"], ["note.2", 1, "dev"]]);
  assert.deepEqual(rows[0].value, { a: 1, b: 2 });
  const past = await c.at(first.seq).state(["note.>", "other"]);
  assert.deepEqual(past.rows.map((r) => r.value), [{ a: 1 }]);
  const when = new Date(Math.ceil(two.time / 1000));
  assert.equal((await c.at(when).state("note.>")).rows.length, 2);
  const page = await c.history({ topic: "note.1", reverse: true, limit: 1 });
  assert.equal(page.events[0].version, 2);
  assert.equal(page.next, page.events[0].seq);
  const before = await c.history({ topic: "note.*", toTime: new Date(first.time / 1000 - 1) });
  assert.deepEqual(before.events, []);
  await assert.rejects(c.history({ topic: "no topic" }), { code: "bad_request" });
  assert.ok(await c.ping() >= 0);
  assert.ok(c.clock.bound < 60000 && Math.abs(c.clock.offset) < 60000);
});

test("who is subscribed is present, and what is emitted reaches who listens", async (t) => {
  const c = client(t, { client: "presence-test" });
  const sub = c.subscribe("blip.*");
  await until("it is live", () => sub.live);
  const members = await c.presence("blip.*");
  assert.deepEqual(members.map((m) => [m.user, m.client]), [["dev", "presence-test"]]);
  const heard = [];
  sub.on("event", (e) => heard.push(e));
  for (let x = 0; x < 10; x++) await c.emit("blip.1", "blip", { x });
  await until("all of them were heard", () => heard.length === 10);
  assert.deepEqual(heard.map((e) => [e.seq, e.data.x]), [...Array(10).keys()].map((x) => [0, x]));
  c.ack(c.welcome.head, "here");
  c.ack(2 ** 50, "there");
  await until("a position beyond the head is refused", () => c.errors.length > 0);
  await until("the other one is stored", async () => {
    const other = client(t, { client: "presence-test" });
    await connected(other);
    other.close();
    return other.welcome.ack?.here === c.welcome.head;
  });
  assert.deepEqual(c.errors.map((e) => e.code), ["ahead"]);
});

test("node's ws will do", async (t) => {
  const c = client(t, { WebSocket: class extends NodeSocket {
    constructor(...args) {
      super(...args, { ca: house.certificate });
    }
  } });
  const sub = c.subscribe("ws.>");
  const seqs = follow(sub);
  await until("it is live", () => sub.live);
  const { seq } = await c.append("ws.a", "x_set", 1);
  await until("the event came", () => seqs.includes(seq));
});

test("gateways that are killed, and the writer, cost neither a gap nor a repeat",
  async (t) => {
    const c = client(t);
    const w = client(t);
    const from = (await w.append("kill.begin", "x_set", 0)).seq;
    await connected(c);
    const lists = [
      follow(c.subscribe("kill.>", { from: { log: c.welcome.log, seq: from - 1 } })),
      follow(c.subscribe(["kill.*"], { from: { log: c.welcome.log, seq: from - 1 } })),
    ];
    const looped = [];
    const loop = c.subscribe("kill.>", { from: { log: c.welcome.log, seq: from - 1 } });
    (async () => {
      for await (const item of loop) if (item.kind === "event") looped.push(item.event.seq);
    })();
    lists.push(looped);
    const snapshots = c.subscribe("kill.>", { from: "snapshot" });
    const rows = table(snapshots);
    let done = false;
    let n = 0;
    let stopped = 0;
    const writing = (async () => {
      while (!done) {
        const type = n % 5 === 4 ? "x_deleted" : "x_set";
        const sent = w.append(`kill.${n % 17}`, type, { n: n++ });
        await sent.catch((e) => assert.match(e.code, /unknown|unavailable|rate_limited/));
        if (w.connection.getSnapshot().state !== "connected") await connected(w);
      }
    })();
    for (const kind of ["gateway", "gateway", "writer", "gateway", "gateway"]) {
      const before = n;
      await until("appends go on", () => n > before + 30);
      for (const pid of kind === "gateway" ? house.pids(kind) : [undefined])
        await house.replace(kind, pid, stopped++ % 3 ? "SIGKILL" : "SIGTERM");
    }
    await until("appends go on", () => w.connection.getSnapshot().state === "connected");
    done = true;
    await writing;
    const { seq } = await until("the last one is stored",
      () => w.append("kill.end", "x_set", n).catch(() => false));
    for (const list of lists) await until("the last one came", () => list.at(-1) === seq);
    await until("and its row", () => rows.has("kill.end"));
    const truth = await everySeq(w, "kill.>", from - 1);
    for (const list of lists) assert.deepEqual(list, truth);
    const state = await w.state("kill.>");
    assert.deepEqual(
      [...rows].filter(([, [, deleted]]) => !deleted).map(([x, [v]]) => [x, v]).sort(),
      state.rows.filter((r) => !r.deleted).map((r) => [r.topic, r.version]).sort());
    assert.ok(c.counters.reconnects > 0);
    assert.deepEqual([c.counters.gaps, c.counters.malformed], [0, 0]);
  });

test("interrupted at random, and twice in a row, rows and events are right", async (t) => {
  const proxy = await startProxy(t, house);
  const c = client(t, { url: house.socketUrl(proxy.port), minDelay: 20, maxDelay: 200 });
  const w = client(t);
  await connected(w);
  await connected(c);
  const { seq: from } = await w.append("cut.begin", "x_set", 0);
  const list = follow(c.subscribe("cut.>", { from: { log: c.welcome.log, seq: from } }));
  const view = c.view("cut.>");
  const rows = table(c.subscribe("cut.>", { from: "snapshot" }));
  for (let i = 0; i < 30; i++) {
    for (let j = 0; j < 20; j++)
      w.append(`cut.${(i * 20 + j) % 50}`, j % 7 ? "x_set" : "x_deleted", { i, j });
    await w.ping();
    // In the middle of whatever is under way, sometimes twice.
    const n = c.counters.reconnects;
    if (i % 2) {
      proxy.reset();
      await until("it was noticed", () => c.counters.reconnects > n ||
        c.connection.getSnapshot().state !== "connected");
    }
  }
  const { seq } = await w.append("cut.end", "x_set", 1);
  await until("the last event came", () => list.at(-1) === seq);
  await until("the view is complete", () => view.getSnapshot().complete && view.get("cut.end"));
  const truth = await w.state("cut.>", { minSeq: seq });
  const there = truth.rows.filter((r) => !r.deleted).map((r) => [r.topic, r.version]).sort();
  await until("the snapshot's rows are there", () => rows.has("cut.end"));
  assert.deepEqual(list, await everySeq(w, "cut.>", from));
  assert.deepEqual([...view.getSnapshot().rows.values()].map((r) => [r.topic, r.version]).sort(),
    there);
  assert.deepEqual([...rows].filter(([, [, gone]]) => !gone).map(([x, [v]]) => [x, v]).sort(),
    there);
  assert.deepEqual([c.counters.gaps, c.counters.malformed], [0, 0]);
});

test("a token that expires is renewed, and who is given none new comes back", async (t) => {
  let tokens = 0;
  const c = client(t, { getToken: () => {
    tokens++;
    return house.makeToken({ sub: "ada", read: [">"], write: [">"], ttl: tokens > 1 ? 3600 : 59 });
  } });
  const seqs = follow(c.subscribe("token.>"));
  await connected(c);
  // `expiring` comes at once: the token has less than 60 s.
  await until("a fresh token was asked for", () => tokens >= 2);
  const { seq } = await c.append("token.a", "x_set", 1);
  await until("the event came", () => seqs.includes(seq));
  assert.equal(c.counters.reconnects, 0);
  assert.deepEqual(c.errors, []);
});

test("a bad token is told, and a good one heals it", async (t) => {
  let token = "no.token.here";
  const reasons = [];
  const c = client(t, { getToken: () => token, minDelay: 20, maxDelay: 50 });
  c.on("disconnected", (e) => reasons.push(e));
  await until("it was refused", () => reasons.length > 1);
  assert.equal(reasons[0].code, 4401);
  assert.ok(reasons[0].reason);
  token = house.token;
  await connected(c);
});

test("a grant that changes is told as lagged, and the rows are those one may read",
  async (t) => {
    const token = await house.makeToken({ sub: "eve", read: ["grant.a"] });
    const c = client(t, { token });
    const admin = client(t);
    await admin.append([{ topic: "grant.a", type: "x_set", data: 1 },
      { topic: "grant.b", type: "x_set", data: 2 }]);
    const sub = c.subscribe("grant.*", { from: "snapshot" });
    const rows = table(sub);
    const lags = [];
    sub.on("lagged", (l) => lags.push(l.reason));
    await until("what may be read is there", () => rows.has("grant.a"));
    assert.ok(!rows.has("grant.b"));
    await house.peal("append", "$acl.eve", "acl_changed",
      '{"read":["grant.b"],"write":[]}');
    await until("what may be read now is there", () => rows.has("grant.b"));
    assert.deepEqual(lags, ["permissions"]);
    await c.append("grant.b", "x_set", 1).then(() => assert.fail("it was let"),
      (e) => assert.equal(e.code, "forbidden"));
    const none = c.subscribe("secret.>");
    const fatal = await new Promise((resolve) => none.on("error", resolve));
    assert.deepEqual([fatal.code, fatal.fatal], ["forbidden", true]);
  });

test("a revocation is the end", async (t) => {
  const token = await house.makeToken({ sub: "mallory", read: [">"] });
  const c = client(t, { token });
  const sub = c.subscribe(">");
  const errors = [];
  sub.on("error", (e) => errors.push(e));
  await connected(c);
  await house.peal("append", "$revoke.mallory", "access_changed",
    JSON.stringify({ before: Math.floor(Date.now() / 1000) + 60 }));
  await until("it has ended", () => c.connection.getSnapshot().code === 4503);
  assert.equal(c.connection.getSnapshot().retryAt, undefined);
  assert.equal(errors[0].fatal, true);
});

test("a position of another log, and one beyond what is kept, are told and gone on from",
  async (t) => {
    const c = client(t);
    await connected(c);
    const { seq } = await c.append("log.a", "x_set", 1);
    const from = { log: `${"0".repeat(32)}-1`, seq: 5, scope: "s" };
    const told = [];
    for (const o of [{ from }, { from, resume: "snapshot" }]) {
      const sub = c.subscribe("log.>", o);
      sub.on("lagged", (l) => told.push(l.reason));
      sub.on("event", (e) => told.push(e.seq));
      sub.on("sync", (s) => told.push(s.full && s.rows[0].seq));
      await until("it is live", () => sub.live);
    }
    assert.deepEqual(told, ["log_changed", seq, "log_changed", seq]);
  });

test("where another log is served rows begin anew, and events are all that it has", async (t) => {
  const one = await startHouse(t);
  // Nobody comes to the other log before there is something in it.
  let token = one.token;
  let port = one.port;
  const proxy = await startProxy(t, () => port);
  const c = client(t, { url: one.socketUrl(proxy.port), getToken: () => token });
  const first = await c.append(
    [1, 2, 3].map((i) => ({ topic: `log.${i}`, type: "x_set", data: i })));
  // A snapshot is of what the broker has folded.
  await c.state("log.>", { minSeq: first.seq });
  const told = { rows: [], all: [], now: [] };
  const log = c.welcome.log;
  const subs = [c.subscribe("log.>", { from: "snapshot" }),
    c.subscribe("log.>", { from: { log, seq: 0 } }), c.subscribe("log.>")];
  Object.values(told).forEach((list, i) => {
    subs[i].on("lagged", (l) => list.push(l.reason));
    subs[i].on("event", (e) => list.push(e.topic));
    subs[i].on("sync", (sync) => list.push(sync.full && sync.rows.map((r) => r.topic).join()));
  });
  const view = c.view("log.>");
  await view.ready;
  await until("all are live", () => subs.every((sub) => sub.live));
  let come;
  token = new Promise((resolve) => (come = resolve));
  await one.stop();
  const two = await startHouse(t);
  port = two.port;
  await two.peal("append", "log.new", "x_set", "1");
  await until("that is folded, too", async () => (await two.state("log.>")).size === 1);
  come(two.token);
  await until("it is connected to the other log", () => c.welcome.log !== log);
  await until("all are live again", () => subs.every((sub) => sub.live));
  const { seq } = await c.append("log.last", "x_set", 1);
  await until("the last event came", () => subs.every((sub) => sub.position.seq >= seq));
  assert.deepEqual(told, {
    rows: ["log.1,log.2,log.3", "log_changed", "log.new", "log.last"],
    all: ["log.1", "log.2", "log.3", "log_changed", "log.new", "log.last"],
    now: ["log_changed", "log.last"],
  });
  await until("the view is that of the other log", () =>
    [...view.getSnapshot().rows.keys()].sort().join() === "log.last,log.new");
});

test("a snapshot of many parts is one sync", async (t) => {
  const c = client(t);
  const data = "x".repeat(2000);
  let last;
  for (let i = 0; i < 1000; i += 100) {
    last = await c.append(Array.from({ length: 100 }, (_, j) =>
      ({ topic: `many.${i + j}`, type: "x_set", data })));
  }
  // A snapshot is of what the broker has folded.
  await until("it has folded all", () => c.state("many.>", { minSeq: last.seq }));
  const sub = c.subscribe("many.>", { from: "snapshot" });
  const syncs = [];
  sub.on("sync", (s) => syncs.push(s.rows.length));
  await until("it is live", () => sub.live);
  assert.equal(syncs[0], 1000);
  assert.equal((await c.state("many.>")).rows.length, 1000);
});

test("conflated rows are right at the end", async (t) => {
  const c = client(t);
  const sub = c.subscribe("con.>", { from: "snapshot", conflate: 100 });
  const rows = table(sub);
  await until("it is live", () => sub.live);
  const sent = [];
  for (let i = 0; i < 200; i++) sent.push(c.append("con.a", "x_set", i));
  await Promise.all(sent);
  await until("the last version is there", () => rows.get("con.a")?.[0] === 200);
});

test("a program ends when its client was closed", async () => {
  // This file's own: node --test would wait for ever.
  const c = connect(house.socketUrl(), { getToken: () => house.token });
  await connected(c);
  c.close();
  await until("nothing of it is left", () =>
    !process.getActiveResourcesInfo().includes("TLSSocketWrap"));
});
