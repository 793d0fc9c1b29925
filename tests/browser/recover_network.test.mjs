// SPDX-License-Identifier: BSD-2-Clause

// What a network does to a page in Chromium (resets, cuts, delays, silence, half-closed
// connections, a reader that stands still), and that the page misses nothing.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertFollowed, openFollower, tell, told } from "./lib/follow.mjs";
import { startHouse } from "./lib/house.mjs";
import { seedOf, startLoad } from "./lib/load.mjs";
import { launch, openPage } from "./lib/page.mjs";
import { startProxy } from "./lib/proxy.mjs";
import { random } from "./lib/random.mjs";

// Silence of a busy machine is no reason to leave a connection, but where it has to be one.
const PATIENT = "gateway.ping_interval=300000";
const IMPATIENT = "gateway.ping_interval=1000";

const house = await startHouse({ after }, { options: [PATIENT] });
const browser = await launch({ after });
const QUICK = { minDelay: 50, maxDelay: 200 };

/** A page behind a proxy, and events that go on. */
async function follow(t, o, of = house) {
  const proxy = await startProxy(t, of);
  const page = await openFollower(t, browser, of, { port: proxy.port, options: QUICK, ...o });
  const load = await startLoad(t, of);
  return { proxy, page, load };
}

function connected(page, n) {
  return told(page, `it is connected again (${n})`, (said) =>
    said.counters.reconnects >= n && said.connection.state === "connected");
}

test("connections that are reset again and again lose nothing", async (t) => {
  const { proxy, page, load } = await follow(t, { compare: true });
  for (let n = 1; n <= 8; n++) {
    proxy.reset();
    await connected(page, n);
  }
  await assertFollowed(page, house, await load.stop());
});

test("a view whose module could not be loaded is there when it can be", async (t) => {
  const page = await openPage(t, browser, `${house.url}/test/blank.html`);
  let refused = 0;
  await page.route("**/rows.js", (route) => (refused++ < 1 ? route.abort() : route.continue()));
  const said = await page.evaluate(async (token) => {
    const { connect } = await import("/peal.js");
    const client = connect(undefined, { getToken: () => token });
    const errors = [];
    client.on("error", (e) => errors.push(e.message));
    const view = client.view("w.>");
    const before = view.getSnapshot().complete;
    await view.ready;
    return { errors, before, complete: view.getSnapshot().complete };
  }, house.token);
  assert.equal(said.errors.length, 1, said.errors.join());
  assert.deepEqual([refused, said.before, said.complete], [2, false, true]);
});

test("nor do those that are cut at any byte", async (t) => {
  const { proxy, page, load } = await follow(t);
  const dice = random(seedOf(t));
  for (let n = 0; n < 16; n++) {
    // Within TLS, the upgrade, welcome, rows, or batches.
    proxy.cut = 1 + dice.int(2 ** (4 + (n % 12)));
    const { accepted } = proxy;
    proxy.reset();
    await until("it was cut", () => proxy.accepted > accepted && proxy.open === 0);
  }
  proxy.pass();
  await assertFollowed(page, house, await load.stop());
});

test("a slow network delays, and breaks nothing", async (t) => {
  const { proxy, page, load } = await follow(t, { compare: true });
  proxy.delay = 400;
  const latency = await page.evaluate(() => window.follow.client.ping());
  assert.ok(latency >= 400, `a round trip of ${latency} ms`);
  const { compared, position } = await tell(page);
  await told(page, "events come, and the view is compared", (said) =>
    said.position > position && said.compared > compared);
  const said = await assertFollowed(page, house, await load.stop());
  assert.equal(said.counters.reconnects, 0);
});

test("a connection that the other side seems to have closed is left", async (t) => {
  const { proxy, page, load } = await follow(t);
  for (let n = 1; n <= 3; n++) {
    proxy.halfClose();
    await connected(page, n);
  }
  await assertFollowed(page, house, await load.stop());
});

test("silence is noticed, and the connection given up", async (t) => {
  const quick = await startHouse(t, { options: [IMPATIENT] });
  const { proxy, page, load } = await follow(t, {}, quick);
  proxy.mute = true;
  await told(page, "it has given it up", ({ states }) => /silence/.test(states));
  proxy.pass();
  const said = await assertFollowed(page, quick, await load.stop());
  assert.equal(said.counters.lagged, 0);
});

test("who is told that the network came back looks at once", async (t) => {
  const { proxy, page, load } = await follow(t);
  // Bytes are under way, and come when the network is gone already.
  proxy.delay = 1000;
  const { position } = await tell(page);
  await told(page, "events come late", (said) => said.position > position);
  const { accepted } = proxy;
  proxy.mute = true;
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await until("it has tried another connection", () => proxy.accepted > accepted);
  proxy.pass();
  proxy.reset();
  await assertFollowed(page, house, await load.stop());
});

test("a server that refuses is asked until it accepts", async (t) => {
  const { proxy, page, load } = await follow(t);
  proxy.refusing = true;
  proxy.reset();
  await told(page, "it has tried five times", ({ connection }) => connection.attempts >= 5);
  proxy.refusing = false;
  const said = await assertFollowed(page, house, await load.stop());
  assert.equal(said.counters.reconnects, 1);
});

test("a page that is too slow is told so, and ends with every event and row", async (t) => {
  const small = await startHouse(t, {
    options: ["ring.slots=1024", "ring.payload_bytes=1M", PATIENT],
  });
  const proxy = await startProxy(t, small);
  const page = await openFollower(t, browser, small, { port: proxy.port });
  const load = await startLoad(t, small, { rate: 2000, size: 4000 });
  proxy.stall();
  await until("the gateway was lapped by what it could not send", () => load.head > 8000);
  proxy.stall(false);
  const said = await assertFollowed(page, small, await load.stop());
  assert.ok(said.counters.lagged > 0 && said.lagged > 0, JSON.stringify(said.counters));
  assert.equal(said.counters.reconnects, 0);
});
