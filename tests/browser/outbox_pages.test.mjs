// SPDX-License-Identifier: BSD-2-Clause

// The outbox in Chromium, with IndexedDB and Web Locks, before the real gateway: reloads,
// answers that are lost, pages that share it, browsers that refuse to keep anything.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { startHouse } from "./lib/house.mjs";
import { launch, openContext, openPage } from "./lib/page.mjs";
import { startProxy } from "./lib/proxy.mjs";

const browser = await launch({ after });

const count = (n, first = 0) => Array.from({ length: n }, (_, i) => first + i);

/**
 * A house behind a proxy, and a browser whose files come by another way: pages load although
 * the proxy lets no connection through.
 */
async function setUp(t, { gateways = 2, options } = {}) {
  const house = await startHouse(t, { gateways, options });
  const proxy = await startProxy(t, house);
  // To Chromium a page that came by another way is no page of this machine.
  const context = await openContext(t, browser, { permissions: ["local-network-access"] });
  await context.route("**/*", async (route) => {
    const path = new URL(route.request().url()).pathname;
    const answer = await fetch(house.url + path);
    await route.fulfill({
      status: answer.status, body: Buffer.from(await answer.arrayBuffer()),
      headers: Object.fromEntries(["content-type", "content-security-policy"]
        .map((name) => [name, answer.headers.get(name)])),
    });
  });
  const begin = (page, o) => page.evaluate(async (o) => {
    const { Page } = await import("/test/outbox_page.js");
    window.page = new Page(o);
    if (o.listen !== false) window.page.listen();
    await window.page.box.ready;
  }, { token: house.token, store: "notes", ...o });
  const open = async (o) => {
    const page = await openPage(t, context, `https://127.0.0.1:${proxy.port}/test/blank.html`);
    await begin(page, o);
    return page;
  };
  const offline = () => {
    proxy.refusing = true;
    proxy.reset();
  };
  return { house, proxy, context, begin, open, offline };
}

const tell = (page) => page.evaluate(() => window.page.tell());
const append = (page, ...args) => page.evaluate((a) => window.page.append(...a), args);
const stored = (page) => page.evaluate(() => window.page.stored());

async function told(page, what, predicate) {
  let said;
  return until(what, async () => predicate(said = await tell(page)) && said).catch((error) => {
    throw new Error(`${error.message}; the page says ${JSON.stringify(said)}`, { cause: error });
  });
}

const connected = (page) => told(page, "it is connected", (s) => s.state === "connected");

test("a full outbox survives a reload, and all is stored once, in order", async (t) => {
  const { proxy, begin, open, offline } = await setUp(t);
  const page = await open();
  await connected(page);
  offline();
  await told(page, "it is offline", (s) => s.state !== "connected");
  await append(page, 0, 50);
  await until("all is on disk", () => page.evaluate(() => window.page.box.discard("none")
    .then(() => true)));
  await page.reload();
  await begin(page);
  const kept = await tell(page);
  assert.deepEqual(kept.waiting, count(50).map((n) => [n, "waiting"]));
  assert.equal(kept.persistent, true);
  // The server has not told this page who the user is.
  await append(page, 50, 10);
  proxy.pass();
  const { settled, promised } = await told(page, "all were told", (s) => s.settled.length === 60);
  assert.deepEqual(settled, count(60).map((n) => [n, "stored", false]));
  assert.deepEqual(promised, settled.slice(50));
  assert.deepEqual(await stored(page), count(60));
  await page.reload();
  await begin(page);
  const after_ = await tell(page);
  assert.deepEqual([after_.waiting, after_.settled, page.problems], [[], [], []]);
});

test("what was stored although the answer was lost is stored once, and told so", async (t) => {
  const { house, proxy, open } = await setUp(t);
  const page = await open();
  await connected(page);
  await append(page, 0);
  await told(page, "it is stored", (s) => s.settled.length === 1);
  proxy.stall();
  await append(page, 1, 3);
  await until("the first is stored", async () => (await house.state("o.item.1")).size === 1);
  proxy.reset();
  proxy.pass();
  const { settled } = await told(page, "all were told", (s) => s.settled.length === 4);
  assert.deepEqual(settled,
    [[0, "stored", false], [1, "stored", true], [2, "stored", false], [3, "stored", false]]);
  assert.deepEqual(await stored(page), count(4));
});

test("entries are stored once and in order while gateways and pages come and go", async (t) => {
  const { house, proxy, begin, open } = await setUp(t);
  const page = await open();
  let n = 0;
  for (let round = 0; round < 6; round++) {
    await connected(page);
    await append(page, n, 30);
    n += 30;
    await told(page, "some are stored", (s) => s.waiting.length < 25);
    if (round % 3 === 0) await house.replace("gateway");
    else if (round % 3 === 1) proxy.reset();
    else {
      await page.reload();
      await begin(page);
    }
  }
  await told(page, "nothing waits", (s) => s.waiting.length === 0);
  assert.deepEqual(await stored(page), count(n));
});

test("a thousand wait, one more is refused at once, also after a reload", async (t) => {
  const { proxy, begin, open, offline } = await setUp(t);
  const page = await open();
  await connected(page);
  offline();
  await told(page, "it is offline", (s) => s.state !== "connected");
  await append(page, 0, 1001);
  const full = await told(page, "one was refused", (s) => s.promised.length > 0);
  assert.deepEqual(full.promised, [[undefined, "refused", "too_large"]]);
  assert.equal(full.waiting.length, 1000);
  await until("all is on disk", () => page.evaluate(() => window.page.box.discard("none")
    .then(() => true)));
  await page.reload();
  await begin(page, { user: "dev" });
  await append(page, 1001);
  await told(page, "another was refused", (s) => s.promised.length > 0);
  const start = performance.now();
  proxy.pass();
  // To tell all that waits, again and again, would cost more than to send it.
  await until("all are stored", () => page.evaluate(() => window.page.settled.length === 1000),
    { deadline: 600_000, every: 200 });
  t.diagnostic(`1000 entries in ${Math.round(performance.now() - start)} ms`);
  assert.deepEqual(await stored(page), count(1000));
});

test("pages share an outbox: one sends, the one that appended is told", async (t) => {
  const { proxy, open, offline } = await setUp(t);
  const one = await open();
  const two = await open();
  await connected(one);
  await connected(two);
  await append(one, 0, 20);
  await append(two, 20, 20);
  await told(one, "its own are told", (s) => s.promised.length === 20);
  await told(two, "its own are told", (s) => s.promised.length === 20);
  for (const [page, first] of [[one, 0], [two, 20]]) {
    const { settled } = await tell(page);
    assert.deepEqual(settled, count(20, first).map((n) => [n, "stored", false]));
  }
  offline();
  await told(one, "it is offline", (s) => s.state !== "connected");
  await append(one, 40, 5);
  await told(two, "it knows of them", (s) => s.waiting.length === 5);
  await one.close();
  proxy.pass();
  const { settled } = await told(two, "it was told of them", (s) => s.settled.length === 25);
  assert.deepEqual(settled.slice(20), count(5, 40).map((n) => [n, "stored", false]));
  assert.deepEqual((await stored(two)).sort((a, b) => a - b), count(45));
});

test("outcomes wait for a page that listens", async (t) => {
  const { proxy, begin, open, offline } = await setUp(t);
  const page = await open();
  await connected(page);
  offline();
  await told(page, "it is offline", (s) => s.state !== "connected");
  await append(page, 0, 3);
  await until("all is on disk", () => page.evaluate(() => window.page.box.discard("none")
    .then(() => true)));
  await page.reload();
  await begin(page, { listen: false });
  proxy.pass();
  await told(page, "they are stored", (s) => s.state === "connected" && !s.waiting.length);
  await page.reload();
  await begin(page);
  const { settled } = await told(page, "it was told", (s) => s.settled.length === 3);
  assert.deepEqual(settled, count(3).map((n) => [n, "stored", false]));
});

test("what one user left is not sent as another one", async (t) => {
  const { house, proxy, begin, open, offline } = await setUp(t);
  const as = async (sub) => ({ token: await house.makeToken({ sub, read: [">"], write: [">"] }) });
  const page = await open(await as("ada"));
  await connected(page);
  offline();
  await told(page, "it is offline", (s) => s.state !== "connected");
  await append(page, 0, 2);
  await until("all is on disk", () => page.evaluate(() => window.page.box.discard("none")
    .then(() => true)));
  await page.reload();
  proxy.pass();
  await begin(page, await as("bob"));
  await append(page, 2);
  const { waiting } = await told(page, "his own is stored", (s) => s.promised.length === 1);
  assert.deepEqual(waiting, [[0, "held"], [1, "held"]]);
  await page.reload();
  await begin(page, await as("ada"));
  await told(page, "hers are stored", (s) =>
    [0, 1].every((n) => s.settled.some((o) => o[0] === n && o[1] === "stored")));
  const rows = [...(await house.state("o.>")).values()].map((r) => [r.topic, r.createdBy]);
  assert.deepEqual(rows.sort(),
    [["o.item.0", "ada"], ["o.item.1", "ada"], ["o.item.2", "bob"]]);
});

for (const [what, script] of [
  ["no IndexedDB", () => Object.defineProperty(window, "indexedDB", { value: undefined })],
  ["no Web Locks", () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined })],
  ["an IndexedDB that throws", () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("not here", "SecurityError");
    };
  }],
  ["an IndexedDB without room", () => {
    IDBObjectStore.prototype.add = () => {
      throw new DOMException("no room", "QuotaExceededError");
    };
  }],
]) {
  test(`with ${what} an outbox is in memory, and says so`, async (t) => {
    const { context, open } = await setUp(t);
    await context.addInitScript(script);
    const page = await open();
    await append(page, 0, 3);
    const said = await told(page, "all were told", (s) => s.promised.length === 3);
    assert.deepEqual(said.promised, count(3).map((n) => [n, "stored", false]));
    assert.equal(said.persistent, false);
    assert.equal(said.errors.filter((e) => /memory alone/.test(e)).length, 1);
  });
}

test("at random, in IndexedDB, each entry is stored once or told otherwise", async (t) => {
  const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
  t.diagnostic(`PEAL_SEED=${seed}`);
  const { open } = await setUp(t, { gateways: 1 });
  const page = await open();
  const wrong = await page.evaluate(async (seed) => {
    const { outbox } = await import("/outbox.js");
    const { run } = await import("/test/outbox_model.mjs");
    const found = [];
    for (let i = 0; i < 8; i++) {
      const users = i % 3 ? ["ada"] : ["ada", "bob"];
      const { drain } = await run({ seed: seed + i, outbox, users, store: `model ${i}` });
      found.push(...(await drain()).map((text) => `${seed + i}: ${text}`));
    }
    return found;
  }, seed);
  assert.deepEqual(wrong, []);
});
