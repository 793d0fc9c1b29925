// SPDX-License-Identifier: BSD-2-Clause

// Pages in Chromium over one SharedWorker, before the real gateway: one connection, and each
// page's view is the server's state, whatever is killed or closed; and without such workers.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertFollowed, openFollower, tell, told } from "./lib/follow.mjs";
import { startHouse } from "./lib/house.mjs";
import { append, startLoad } from "./lib/load.mjs";
import { launch, openContext, openPage } from "./lib/page.mjs";

const KILLS = Number(process.env.PEAL_KILLS ?? 5);
// Nor does a connection end because a busy machine was silent for a while.
const ALONE = {
  gateways: 2, options: ["gateway.keepalive_seconds=0", "gateway.ping_interval=300000"],
};

// What a page may trust its workers may not.
const browser = await launch({ after }, { args: ["--ignore-certificate-errors"] });

/** Gateways that have clients, and how many. */
async function serving(house) {
  const readers = JSON.parse(await house.peal("readers", "--json"));
  return readers.filter(({ role, clients }) => role === "gateway" && clients > 0);
}

/** A page's files came by connections that end when they are read. */
const haveConnections = (house, n) => until(`there are ${n} connections`, async () =>
  (await serving(house)).reduce((sum, gateway) => sum + gateway.clients, 0) === n);

/** Pages follow, and share what they can. */
async function openPages(t, context, house, n) {
  const pages = [];
  for (let i = 0; i < n; i++)
    pages.push(await openFollower(t, context, house,
      { shared: true, compare: true, options: { maxDelay: 500 } }));
  return pages;
}

test("three pages have one connection, and their views are right while it is killed", async (t) => {
  const house = await startHouse(t, ALONE);
  const context = await openContext(t, browser);
  const pages = await openPages(t, context, house, 3);
  await haveConnections(house, 1);
  const load = await startLoad(t, house);
  for (let n = 1; n <= KILLS; n++) {
    const before = await Promise.all(pages.map(tell));
    for (const { pid } of await serving(house)) process.kill(pid, "SIGKILL");
    for (const [i, page] of pages.entries()) {
      await told(page, `page ${i} is back after kill ${n}`, (said) =>
        said.counters.reconnects >= n && said.connection.state === "connected" &&
        said.compared > before[i].compared);
    }
    await haveConnections(house, 1);
  }
  const head = await load.stop();
  for (const page of pages) {
    const said = await assertFollowed(page, house, head);
    assert.deepEqual([said.lagged, page.problems], [0, []]);
  }
});

test("pages come, reload and go while the others follow", async (t) => {
  const house = await startHouse(t, ALONE);
  const context = await openContext(t, browser);
  const [stays, goes] = await openPages(t, context, house, 2);
  const load = await startLoad(t, house);
  await goes.close();
  for (let n = 0; n < 4; n++) {
    const [page] = await openPages(t, context, house, 1);
    await told(page, "it compares", (said) => said.compared > 2);
    if (n % 2) await page.reload();
    await page.close();
  }
  const said = await assertFollowed(stays, house, await load.stop());
  assert.deepEqual([said.counters.reconnects, said.lagged], [0, 0]);
  await haveConnections(house, 1);
});

test("a page that is closed takes its subscriptions along", async (t) => {
  const house = await startHouse(t, ALONE);
  const context = await openContext(t, browser);
  const open = async (topic) => {
    const page = await openPage(t, context, `${house.url}/test/blank.html`);
    await page.evaluate(async ({ topic, token }) => {
      const { connect } = await import("/shared.js");
      window.c = connect(undefined, { getToken: () => token });
      window.sub = window.c.subscribe(topic);
    }, { topic, token: house.token });
    return page;
  };
  const [one, two] = [await open("room.one"), await open("room.two")];
  const present = () => one.evaluate(async () =>
    (await window.c.presence(["room.>", "room.one", "room.two"])).map((m) => m.topic).sort());
  await until("both are present", async () =>
    String(await present()) === "room.one,room.two");
  await haveConnections(house, 1);
  await two.close({ runBeforeUnload: false });
  await until("one is left", async () => String(await present()) === "room.one");
  assert.equal(await one.evaluate(() => window.sub.live), true);
});

test("users who differ have connections that differ", async (t) => {
  const house = await startHouse(t, ALONE);
  const context = await openContext(t, browser);
  const bob = await house.makeToken({ sub: "bob", read: ["w.>"] });
  const [one] = await openPages(t, context, house, 1);
  const two = await openFollower(t, context, house, { shared: true, token: bob });
  await haveConnections(house, 2);
  const user = (page) => page.evaluate(() => window.follow.client.welcome.user);
  assert.deepEqual([await user(one), await user(two)], ["dev", "bob"]);
});

test("a page that does not read is sent away, the others go on, and it comes back", async (t) => {
  const house = await startHouse(t, ALONE);
  const context = await openContext(t, browser);
  const [one] = await openPages(t, context, house, 1);
  // It says nothing of what it has read, as if it had read nothing.
  const two = await context.newPage();
  await two.addInitScript(() => {
    const { postMessage } = MessagePort.prototype;
    MessagePort.prototype.postMessage = function (m, ...rest) {
      if (!m?.read) postMessage.call(this, m, ...rest);
    };
  });
  await two.goto(`${house.url}/test/blank.html`);
  await two.evaluate(async (token) => {
    const { connect } = await import("/shared.js");
    window.codes = [];
    window.c = connect(undefined, { getToken: () => token });
    window.c.on("disconnected", ({ code }) => window.codes.push(code));
    window.sub = window.c.subscribe("w.>", { from: "snapshot" });
  }, house.token);
  await until("it is live", () => two.evaluate(() => window.sub.live));
  await haveConnections(house, 1);
  const text = "x".repeat(200_000);
  let head;
  await until("it was sent away", async () => {
    const some = Array.from({ length: 4 }, (_, n) =>
      ({ topic: `w.item.${n}`, type: "item_created", data: { text } }));
    head = await append(house, ...some);
    return two.evaluate(() => window.codes.includes(4409));
  });
  await assertFollowed(one, house, head);
  await until("it is back", () => two.evaluate(() => window.sub.live));
  assert.equal((await tell(one)).counters.reconnects, 0);
});

for (const [what, script] of [
  ["no SharedWorker", () => delete window.SharedWorker],
  ["no Web Locks", () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined })],
  ["a SharedWorker that is refused", () => {
    window.SharedWorker = class {
      constructor() {
        throw new DOMException("not here", "SecurityError");
      }
    };
  }],
]) {
  test(`with ${what} each page has a connection of its own`, async (t) => {
    const house = await startHouse(t, ALONE);
    const context = await openContext(t, browser);
    await context.addInitScript(script);
    const pages = await openPages(t, context, house, 2);
    await haveConnections(house, 2);
    const load = await startLoad(t, house);
    await told(pages[0], "events come", (said) => said.runs.length > 0);
    const head = await load.stop();
    for (const page of pages) await assertFollowed(page, house, head);
  });
}

test("a worker that can't be loaded is told, and the page has its own connection", async (t) => {
  const house = await startHouse(t, ALONE);
  const page = await openPage(t, browser, `${house.url}/test/blank.html`);
  const [state, said] = await page.evaluate(async (token) => {
    const { connect } = await import("/shared.js");
    const told = [];
    const c = connect(undefined, {
      getToken: () => token,
      shared: { worker: "/no-such-worker.js", fallback: (e) => told.push(e.message) },
    });
    await new Promise((connected) => c.on("connected", connected));
    return [c.connection.getSnapshot().state, told];
  }, house.token);
  assert.deepEqual([state, said], ["connected", ["the worker does not start"]]);
});
