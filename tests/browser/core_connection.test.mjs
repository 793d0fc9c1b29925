// SPDX-License-Identifier: BSD-2-Clause

// The life of connections at a stopped clock: tokens, backoff, slots, silence, the ways
// they end, and what all that means for requests.  No network, no time that passes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PealError } from "../../client/peal.js";
import { Bench, settle } from "./lib/fakesocket.mjs";

/** A promise's error, or undefined while it has none. */
function errorOf(promise) {
  const seen = { error: undefined };
  promise.catch((e) => (seen.error = e));
  return seen;
}

test("a connection begins with hello and is there with welcome", async (t) => {
  const b = new Bench(t, { getToken: () => "tok", client: "me", agent: "test/1" });
  assert.equal(b.state.state, "connecting");
  await settle();
  assert.equal(b.socket.url, "wss://peal.test/v1/ws");
  assert.equal(b.socket.protocols, "peal.v1.msgpack");
  assert.equal(b.socket.binaryType, "arraybuffer");
  const s = await b.welcome();
  assert.deepEqual(s.take("hello"),
    { op: "hello", v: 1, token: "tok", client: "me", agent: "test/1" });
  assert.deepEqual(b.told.map(([type, e]) => [type, e.state]),
    [["connecting", "connecting"], ["connected", "connected"]]);
  assert.equal(b.told[1][1].welcome.user, "ada");
  assert.equal(b.client.welcome.head, 100);
});

test("without a token hello has none", async (t) => {
  for (const getToken of [undefined, () => null, async () => undefined]) {
    await t.test(String(getToken), async (t) => {
      const b = new Bench(t, { getToken });
      const s = await b.welcome();
      assert.deepEqual(s.take("hello"), { op: "hello", v: 1 });
    });
  }
});

test("the store's snapshot is one object until something changes", async (t) => {
  const b = new Bench(t);
  let changes = 0;
  const { subscribe, getSnapshot } = b.client.connection;
  const off = subscribe(() => changes++);
  const before = b.state;
  assert.equal(getSnapshot(), before);
  await b.welcome();
  assert.notEqual(b.state, before);
  assert.equal(b.state, b.state);
  assert.equal(changes, 2);
  off();
  b.socket.cut();
  assert.equal(changes, 2);
});

test("waits are drawn from 0 to a bound that doubles from 0.5 s to 20 s", async (t) => {
  const b = new Bench(t);
  await settle();
  const waits = [];
  for (let i = 0; i < 9; i++) {
    b.random = i === 4 ? 0 : 0.999;
    b.socket.cut();
    assert.equal(b.state.state, "disconnected");
    assert.equal(b.state.attempts, i + 1);
    waits.push(Math.ceil(b.state.retryAt - Date.now()));
    await b.tick(Math.max(0, b.state.retryAt - Date.now() - 2));
    const count = b.sockets.length;
    await b.tick(3);
    assert.equal(b.sockets.length, count + (i === 4 ? 0 : 1), "not when it said");
    await settle();
  }
  assert.deepEqual(waits, [500, 999, 1998, 3996, 0, 15984, 19980, 19980, 19980]);
});

test("minDelay and maxDelay are the bounds", async (t) => {
  const b = new Bench(t, { minDelay: 10, maxDelay: 15 });
  b.random = 0.999;
  const waits = [];
  for (let i = 0; i < 3; i++) {
    await settle();
    b.socket.cut();
    waits.push(Math.ceil(b.state.retryAt - Date.now()));
    await b.tick(20);
  }
  assert.deepEqual(waits, [10, 15, 15]);
});

test("only 5 s of health begin the count anew", async (t) => {
  const b = new Bench(t);
  for (const [health, attempts] of [[0, 1], [4999, 2], [5000, 1], [1, 2]]) {
    const s = await b.welcome();
    await b.tick(health);
    s.cut();
    assert.equal(b.state.attempts, attempts, `after ${health} ms`);
  }
});

test("it tries at once when online or seen, later while hidden", async (t) => {
  const b = new Bench(t);
  await settle();
  for (let i = 0; i < 4; i++) {
    b.socket.cut();
    await b.tick(20000);
  }
  for (const wake of ["online", "pageshow", "visibilitychange"]) {
    b.socket.cut();
    const count = b.sockets.length;
    b.page.fire(wake);
    await b.tick(0);
    assert.equal(b.sockets.length, count + 1, wake);
  }
  await b.welcome();
  await b.tick(6000);
  b.page.show(true);
  b.random = 0.9;
  b.socket.cut();
  assert.equal(b.state.retryAt - Date.now(), 18000);
  b.page.fire("online");
  const count = b.sockets.length;
  await b.tick(0);
  assert.equal(b.sockets.length, count, "a hidden page waits");
  b.page.show();
  await b.tick(0);
  assert.equal(b.sockets.length, count + 1);
});

test("reconnect() tries now", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  s.say({ op: "draining", in: 60000 });
  s.cut(1012);
  b.client.reconnect();
  await b.tick(0);
  assert.equal(b.sockets.length, 2);
});

test("it comes back in the slot that draining gave it, not before", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  s.say({ op: "draining", in: 3000 });
  assert.equal(b.state.state, "connected");
  await b.tick(1000);
  b.random = 0;
  s.cut(1012);
  assert.equal(b.state.retryAt - Date.now(), 2000);
  b.page.fire("online");
  await b.tick(1999);
  assert.equal(b.sockets.length, 1);
  await b.tick(1);
  assert.equal(b.sockets.length, 2);
});

test("retry_ms of a refusal is waited for, and a time beyond reason is not", async (t) => {
  const b = new Bench(t);
  b.random = 0;
  await settle();
  const refuse = (retry_ms) => {
    b.socket.open();
    b.socket.say({ op: "error", code: "rate_limited", message: "too many", retry_ms });
    b.socket.cut(4429);
    return b.state;
  };
  const { retryAt, reason, code } = refuse(7000);
  assert.equal(retryAt - Date.now(), 7000);
  assert.deepEqual([reason, code], ["too many", 4429]);
  await b.tick(7000);
  assert.equal(refuse(1e15).retryAt - Date.now(), 300000);
  await b.tick(300000);
  refuse("soon");
  assert.equal(b.client.counters.malformed, 1);
});

for (const code of [4500, 4503, 4505, 4999]) {
  test(`${code} ends it for good`, async (t) => {
    const b = new Bench(t);
    const sub = b.client.subscribe("a.>");
    const errors = [];
    sub.on("error", (e) => errors.push(e));
    const s = await b.welcome();
    const loop = sub[Symbol.asyncIterator]().next();
    const answer = errorOf(b.client.append("a.b", "x_set", 1));
    const rejected = errorOf(loop);
    if (code === 4503) s.say({ op: "revoked", reason: "you left" });
    s.cut(code, "over");
    await b.tick(600000);
    assert.equal(b.sockets.length, 1);
    assert.deepEqual(b.state, { state: "disconnected", code, attempts: 0,
      reason: code === 4503 ? "revoked: you left" : "over" });
    assert.equal(answer.error.code, "unknown");
    assert.equal(errors.length, 1);
    assert.ok(errors[0] instanceof PealError);
    assert.equal(errors[0].fatal, true);
    assert.equal(rejected.error, errors[0]);
    await assert.rejects(b.client.state("a.>"), { code: "unavailable", retryMs: undefined });
    b.client.reconnect();
    b.page.fire("online");
    await b.tick(600000);
    assert.equal(b.sockets.length, 1);
  });
}

for (const code of [1000, 1001, 1006, 1009, 1012, 4000, 4401, 4409, 4499, 5000]) {
  test(`after ${code} it comes back`, async (t) => {
    const b = new Bench(t);
    const s = await b.welcome();
    s.cut(code);
    assert.equal(b.state.code, code);
    await b.welcome();
    assert.equal(b.sockets.length, 2);
  });
}

test("a revocation in answer to hello ends it", async (t) => {
  const b = new Bench(t);
  await settle();
  b.socket.open();
  b.socket.say({ op: "error", code: "unauthorized", message: "revoked" },
    { op: "revoked", reason: "at noon" });
  b.socket.cut(4503);
  assert.equal(b.state.reason, "revoked: at noon");
  assert.equal(b.state.retryAt, undefined);
});

test("each connection has a fresh token", async (t) => {
  let n = 0;
  const b = new Bench(t, { getToken: async () => `t${++n}` });
  for (const token of ["t1", "t2", "t3"]) {
    const s = await b.welcome();
    assert.equal(s.take("hello").token, token);
    s.cut(4401);
  }
});

test("a token is renewed on the live connection when it expires", async (t) => {
  let n = 0;
  const b = new Bench(t, { getToken: async () => `t${++n}` });
  const s = await b.welcome();
  s.say({ op: "expiring", in: 60000 });
  await b.tick(1);
  const auth = s.take("auth");
  assert.equal(auth.token, "t2");
  s.say({ op: "expiring", in: 1 });
  await b.tick(20000);
  assert.ok(!s.has("auth"), "the first one is not answered");
  s.say({ op: "ok", id: auth.id });
  await settle();
  s.say({ op: "expiring", in: 1 });
  await b.tick(1);
  s.say({ op: "error", id: s.take("auth").id, code: "unauthorized", message: "no" });
  await settle();
  assert.equal(b.told.at(-1)[1].code, "unauthorized");
  assert.equal(b.state.state, "connected");
});

test("tokens that end at once are not fetched as fast as they end", async (t) => {
  let n = 0;
  const b = new Bench(t, { getToken: () => `t${++n}` });
  const s = await b.welcome();
  for (let ms = 0; ms < 59000; ms += 500) {
    s.say({ op: "expiring", in: 0 });
    await b.tick(500);
    if (s.has("auth")) s.say({ op: "ok", id: s.take("auth").id });
    await settle();
  }
  assert.equal(n, 1 + 6);
});

test("a server that answers no ping is not sent more and more of them", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  for (let i = 0; i < 20; i++) {
    await b.tick(20000);
    s.say({ op: "draining", in: 0 });
  }
  assert.equal(b.state.state, "connected");
  assert.equal(s.sent.filter((m) => m.op === "ping").length, 1);
});

test("one call of getToken is out at a time", async (t) => {
  const calls = [];
  const b = new Bench(t, {
    getToken: ({ signal }) => new Promise((resolve, reject) =>
      calls.push({ resolve, reject, signal })),
  });
  await settle();
  calls[0].resolve("t1");
  const s = await b.welcome();
  s.say({ op: "expiring", in: 60000 }, { op: "expiring", in: 60000 });
  await b.tick(1);
  assert.equal(calls.length, 2);
  s.cut(4401);
  await b.tick(500);
  assert.equal(b.state.state, "connecting");
  assert.equal(calls.length, 2);
  calls[1].resolve("t2");
  await settle();
  b.socket.open();
  assert.equal(b.socket.take("hello").token, "t2");
});

test("a token that can't be had is waited for with backoff", async (t) => {
  let fail = true;
  const b = new Bench(t, { getToken: () => {
    if (fail) throw new Error("the bakery is closed");
    return "t";
  } });
  await settle();
  assert.match(b.state.reason, /the bakery is closed/);
  await b.tick(500);
  assert.equal(b.state.attempts, 2);
  fail = false;
  await b.welcome();
});

test("a call of getToken that never ends is given up, its signal says so", async (t) => {
  const signals = [];
  const b = new Bench(t, { getToken: ({ signal }) => {
    signals.push(signal);
    return signals.length > 1 ? "t" : new Promise(() => {});
  } });
  await settle();
  await b.tick(20000);
  assert.equal(signals[0].aborted, true);
  assert.equal(b.state.state, "disconnected");
  await b.welcome();
  assert.equal(b.socket.take("hello").token, "t");
});

test("a call that was given up and answers late leaves the next one alone", async (t) => {
  const calls = [];
  const b = new Bench(t, {
    getToken: () => new Promise((resolve) => calls.push(resolve)),
  });
  await settle();
  await b.tick(20000);
  await b.tick(500);
  assert.deepEqual([b.state.state, calls.length], ["connecting", 2]);
  calls[0]("old");
  await settle();
  assert.equal(b.sockets.length, 0);
  b.page.fire("pagehide");
  b.page.fire("pageshow");
  await b.tick(0);
  assert.deepEqual([b.state.state, calls.length], ["connecting", 2]);
  calls[1]("new");
  const s = await b.welcome();
  assert.equal(s.take("hello").token, "new");
});

test("close() ends everything", async (t) => {
  let signal;
  const b = new Bench(t, { getToken: (o) => new Promise(() => ({ signal } = o)) });
  const waiting = errorOf(b.client.state(">"));
  await settle();
  b.client.close();
  await b.tick(100000);
  assert.equal(signal.aborted, true);
  assert.equal(b.sockets.length, 0);
  assert.equal(waiting.error.code, "unavailable");
  assert.deepEqual(b.types(), ["connecting", "disconnected"]);
  assert.equal(b.client.subscribe(">").live, false);
  for await (const item of b.client.subscribe(">")) assert.fail(item);
});

test("nobody waits for a view of a client that has ended", async (t) => {
  for (const [what, end, code] of [
    ["closed", (b) => b.client.close()],
    ["refused for good", (b) => b.socket.cut(4503, "you left"), "unauthorized"],
  ]) {
    await t.test(what, async (t) => {
      const b = new Bench(t);
      const { ready } = b.client.view("a.>");
      const s = await b.welcome();
      while (!s.has("subscribe")) await settle();
      end(b);
      await assert.rejects(ready, (e) => e.code === code);
      await assert.rejects(b.client.view("a.>").ready, /closed/);
    });
  }
});

test("a signal ends the client", async (t) => {
  const stop = new AbortController();
  const b = new Bench(t, { signal: stop.signal });
  const s = await b.welcome();
  stop.abort();
  assert.equal(s.closed, 1000);
  assert.equal(b.state.state, "disconnected");
});

test("a signal that was aborted before lets nothing begin", async (t) => {
  const b = new Bench(t, { signal: AbortSignal.abort() });
  await b.tick(100000);
  assert.equal(b.sockets.length, 0);
  assert.equal(b.state.state, "disconnected");
});

test("handlers may close or reconnect whenever they are called", async (t) => {
  for (const type of ["connecting", "connected", "disconnected"]) {
    for (const act of ["close", "reconnect"]) {
      await t.test(`${act} on ${type}`, async (t) => {
        const b = new Bench(t);
        b.client.on(type, () => b.client[act]());
        await settle();
        b.socket?.open();
        b.socket?.say({ ...(await import("./lib/fakesocket.mjs")).WELCOME });
        b.socket?.cut();
        await b.tick(1000);
        if (act === "close") assert.equal(b.state.reason, "closed");
        else assert.equal(b.sockets.length, 2);
        assert.equal(b.client.counters.thrown, 0);
      });
    }
  }
});

test("a server that does not answer hello is left after 20 s", async (t) => {
  const b = new Bench(t);
  await settle();
  b.socket.open();
  await b.tick(19999);
  assert.equal(b.state.state, "connecting");
  await b.tick(1);
  assert.equal(b.state.state, "disconnected");
  assert.equal(b.socket.closed, 1000);
});

test("a constructor that throws is an attempt that failed", async (t) => {
  class Refused {
    constructor() {
      throw new Error("mixed content");
    }
  }
  const b = new Bench(t, { WebSocket: Refused });
  await settle();
  assert.match(b.state.reason, /mixed content/);
  assert.ok(b.state.retryAt);
});

test("silence beyond ping_interval + 10 s is a connection that has gone", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  await b.tick(34999);
  assert.equal(b.state.state, "connected");
  await b.tick(1);
  assert.equal(b.state.state, "disconnected");
  assert.equal(s.closed, 1000);
});

test("anything that is heard is life", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  for (let i = 0; i < 10; i++) {
    await b.tick(25000);
    s.say({ op: "draining", in: 0 });
  }
  assert.equal(b.state.state, "connected");
});

test("a hidden page has 70 s", async (t) => {
  const b = new Bench(t);
  await b.welcome();
  b.page.show(true);
  await b.tick(69999);
  assert.equal(b.state.state, "connected");
  await b.tick(1);
  assert.equal(b.state.state, "disconnected");
});

for (const wake of ["visibilitychange", "pageshow", "online"]) {
  test(`after hours asleep the clock tells that it has gone (${wake})`, async (t) => {
    const b = new Bench(t);
    await b.welcome();
    b.random = 0.999;
    b.sleep(4 * 3600 * 1000);
    b.page.fire(wake);
    await b.tick(0);
    assert.equal(b.sockets.length, 2, "it tries at once");
    assert.equal(b.client.counters.reconnects, 1);
  });
}

async function answered(socket, ping) {
  socket.say({ op: "pong", id: ping.id, t: null, time: 1, head: 1 });
  await settle();
}

test("who comes online asks, and leaves a server that does not answer in 5 s", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  await answered(s, s.take("ping"));
  await b.tick(1000);
  b.page.fire("online");
  await answered(s, s.take("ping"));
  await b.tick(6000);
  assert.equal(b.state.state, "connected");
  b.page.fire("offline");
  s.take("ping");
  await b.tick(4999);
  assert.equal(b.state.state, "connected");
  await b.tick(1);
  assert.equal(b.state.state, "disconnected");
});

test("what was under way when it came online is no answer, and buys 5 s", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  const something = { op: "draining", in: 3600000 };
  await answered(s, s.take("ping"));
  b.page.fire("online");
  const asked = s.take("ping");
  for (let i = 0; i < 5; i++) {
    await b.tick(4000);
    s.say(something);
  }
  assert.equal(b.state.state, "connected", "the answer may be behind what comes");
  await answered(s, asked);
  await b.tick(9000);
  assert.equal(b.state.state, "connected");
  b.page.fire("online");
  s.say(something);
  await b.tick(4999);
  assert.equal(b.state.state, "connected");
  await b.tick(1);
  assert.equal(b.state.state, "disconnected");
});

test("a page that is left closes, and comes back when it is shown", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  b.page.fire("pagehide");
  assert.equal(s.closed, 1000);
  b.page.fire("pageshow");
  await b.tick(0);
  assert.equal(b.sockets.length, 2);
});

test("a ping every 30 s measures the round trip and the clock", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  assert.equal(b.client.latency, undefined);
  const answer = (ahead) => s.say({ op: "pong", id: s.take("ping").id, t: null,
    time: (Date.now() + ahead) * 1000, head: 1 });
  answer(5000);
  assert.ok(b.client.latency >= 0);
  assert.ok(Math.abs(b.client.clock.offset - 5000) <= b.client.clock.bound + 1);
  await b.tick(25000);
  assert.ok(!s.has("ping"));
  await b.tick(5000);
  answer(5000);
  const ms = b.client.ping();
  answer(5000);
  assert.equal(typeof await ms, "number");
});

test("requests made while it connects wait for it, in order", async (t) => {
  const b = new Bench(t);
  const first = b.client.append("a.b", "x_set", 1, { expect: 0, key: "k" });
  const second = b.client.append([{ topic: "a.c", type: "y", data: null },
    { topic: "a.d", type: "y", data: [1] }], { checks: [{ topic: "q", version: 1 }] });
  const s = await b.welcome();
  const one = s.take("append");
  const two = s.take("append");
  assert.deepEqual(one.events,
    [{ topic: "a.b", type: "x_set", data: 1, expect: 0, key: "k" }]);
  assert.deepEqual(two.checks, [{ topic: "q", version: 1 }]);
  s.say({ op: "appended", id: two.id, seq: 8, versions: [4, 5], time: 7, duplicate: false },
    { op: "appended", id: one.id, seq: 3, versions: [1], time: 6, duplicate: true });
  assert.deepEqual(await first,
    { seq: 3, version: 1, versions: [1], time: 6, duplicate: true });
  assert.deepEqual(await second,
    { seq: 9, version: 5, versions: [4, 5], time: 7, duplicate: false });
});

test("what was in flight is unknown where it may have been done", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  const asked = {
    append: errorOf(b.client.append("a.b", "x_set", 1)),
    emit: errorOf(b.client.emit("a.b", "blip", 1)),
    state: errorOf(b.client.state(">")),
    history: errorOf(b.client.history()),
    presence: errorOf(b.client.presence(">")),
    ping: errorOf(b.client.ping()),
  };
  s.cut();
  await settle();
  for (const [name, { error }] of Object.entries(asked))
    assert.equal(error.code, /append|emit/.test(name) ? "unknown" : "unavailable", name);
  const late = errorOf(b.client.append("a.b", "x_set", 1));
  await settle();
  assert.equal(late.error.code, "unavailable");
  assert.equal(late.error.retryMs, b.state.retryAt - Date.now());
  await b.tick(500);
  assert.equal(b.state.state, "connecting");
  const waiting = errorOf(b.client.append("a.b", "x_set", 1));
  b.socket.cut();
  await settle();
  assert.equal(waiting.error.code, "unavailable", "it was not sent");
});

test("a refusal carries its code and what it says", async (t) => {
  const b = new Bench(t);
  const s = await b.welcome();
  const asked = b.client.append("a.b", "x_set", 1, { expect: 3 });
  s.say({ op: "error", id: s.take("append").id, code: "conflict", message: "is at 4",
    topic: "a.b", expected: 3, actual: 4 });
  await assert.rejects(asked, (e) => {
    assert.ok(e instanceof PealError && e instanceof Error);
    assert.deepEqual([e.name, e.code, e.message], ["PealError", "conflict", "is at 4"]);
    assert.deepEqual(e.details, { topic: "a.b", expected: 3, actual: 4 });
    return true;
  });
  const limited = b.client.emit("a.b", "blip", 1);
  s.say({ op: "error", id: s.take("emit").id, code: "rate_limited", message: "slowly",
    retry_ms: 70 });
  await assert.rejects(limited, { code: "rate_limited", retryMs: 70 });
});

test("a request that was aborted is forgotten, and its answer is no surprise", async (t) => {
  const b = new Bench(t);
  const early = new AbortController();
  const waiting = errorOf(b.client.append("a.early", "x_set", 1, { signal: early.signal }));
  early.abort();
  const s = await b.welcome();
  assert.equal(waiting.error.name, "AbortError");
  assert.ok(!s.has("append"), "it was not sent");
  const stop = new AbortController();
  const asked = errorOf(b.client.state(">", { signal: stop.signal }));
  const { id } = s.take("state");
  stop.abort(new Error("enough"));
  await settle();
  assert.equal(asked.error.message, "enough");
  s.say({ op: "snapshot", id, seq: 5, rows: [], full: true, last: false },
    { op: "snapshot", id, seq: 5, rows: [], full: true, last: true });
  assert.equal(b.client.counters.malformed, 0);
  await assert.rejects(b.client.ping({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("what can't be sent is refused, and the connection stays", async (t) => {
  const b = new Bench(t);
  await b.welcome({ max_message: 1000 });
  await assert.rejects(b.client.append("a.b", "x_set", "x".repeat(1000)),
    { code: "too_large" });
  await assert.rejects(b.client.append("a.b", "x_set", () => {}));
  assert.equal(b.state.state, "connected");
});

test("handlers that throw are counted and told, those of error without end", async (t) => {
  const b = new Bench(t);
  b.told.push = () => {
    throw new Error("in the handler of everything");
  };
  const s = await b.welcome();
  assert.equal(b.state.state, "connected");
  // connecting and connected threw, and the error that tells it did each time.
  assert.equal(b.client.counters.thrown, 4);
  s.cut();
  assert.equal(b.client.counters.thrown, 6);
});

test("ack goes out while there is a connection, and its refusal is told", async (t) => {
  const b = new Bench(t);
  b.client.ack(5);
  const s = await b.welcome();
  b.client.ack(7, "view");
  assert.deepEqual(s.take("ack"), { op: "ack", seq: 7, name: "view" });
  s.say({ op: "error", code: "bad_request", message: "no client" });
  assert.equal(b.told.at(-1)[1].code, "bad_request");
  assert.equal(b.state.state, "connected");
});
