// SPDX-License-Identifier: BSD-2-Clause

// What dies behind a page in Chromium, and what the page shows afterwards: gateways,
// the writer, the broker, killed or stopped in order, while events go on.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertFollowed, openFollower, tell, told } from "./lib/follow.mjs";
import { startHouse } from "./lib/house.mjs";
import { startLoad } from "./lib/load.mjs";
import { launch } from "./lib/page.mjs";

const KILLS = Number(process.env.PEAL_KILLS ?? 20);

const browser = await launch({ after });

/**
 * Kill gateways that have clients until one of them was the page's.  How many a gateway
 * has is told once in a while, so that the first look may be at who was there before.
 */
function killServing(house, page, n) {
  return until(`the page has lost ${n} gateways`, async () => {
    if ((await tell(page)).counters.reconnects >= n) return true;
    const alive = house.pids("gateway");
    for (const { role, clients, pid } of JSON.parse(await house.peal("readers", "--json"))) {
      if (role === "gateway" && clients > 0 && alive.includes(pid)) process.kill(pid, "SIGKILL");
    }
    return false;
  });
}

test(`gateways are killed ${KILLS} times while a page compares`, async (t) => {
  // Only what is a WebSocket counts as a client of a gateway.
  const house = await startHouse(t, {
    gateways: 4, options: ["gateway.keepalive_seconds=0"],
  });
  // Each time the bound of the first attempt: kills come faster than health is believed in.
  const page = await openFollower(t, browser, house, {
    compare: true, options: { maxDelay: 500 },
  });
  const load = await startLoad(t, house);
  for (let n = 1; n <= KILLS; n++) {
    const { compared } = await tell(page);
    await killServing(house, page, n);
    await told(page, `the page is back after kill ${n}`, (said) =>
      said.connection.state === "connected" && said.compared > compared);
  }
  const said = await assertFollowed(page, house, await load.stop());
  const gaps = (await page.evaluate(() => window.follow.away)).sort((a, b) => a - b);
  t.diagnostic(`${load.count} events, ${said.compared} comparisons; complete again after ` +
    `${gaps[gaps.length >> 1]} ms (median), ${gaps[Math.ceil(gaps.length * 0.95) - 1]} ms (p95)`);
  assert.equal(said.counters.lagged, 0);
  assert.equal(said.tokens.most, 1);
});

test("a gateway that stops in order sends its pages away, and they miss nothing", async (t) => {
  const house = await startHouse(t, { options: ["gateway.drain_seconds=2"] });
  const pages = [];
  for (let n = 0; n < 3; n++) {
    pages.push(await openFollower(t, browser, house, { compare: true }));
  }
  const load = await startLoad(t, house);
  const [first, second] = house.pids("gateway");
  await house.replace("gateway", first, "SIGTERM");
  await house.replace("gateway", second, "SIGTERM");
  for (const page of pages) {
    await told(page, "the page was with one that stopped, and is back", (said) =>
      said.counters.reconnects > 0 && said.connection.state === "connected");
  }
  const head = await load.stop();
  for (const page of pages) {
    const said = await assertFollowed(page, house, head);
    assert.equal(said.counters.lagged, 0);
    assert.deepEqual(page.problems, []);
  }
});

test("the writer is killed, and the page has each event once", async (t) => {
  const house = await startHouse(t);
  const page = await openFollower(t, browser, house, { compare: true });
  const load = await startLoad(t, house);
  for (let n = 0; n < 3; n++) {
    const { position } = await tell(page);
    await house.replace("writer");
    await told(page, "events come again", (said) => said.position > position + 50);
  }
  await assertFollowed(page, house, await load.stop());
});

test("the broker is killed: live goes on, and the state is right again", async (t) => {
  const house = await startHouse(t);
  const page = await openFollower(t, browser, house, { compare: true });
  const load = await startLoad(t, house);
  for (let n = 0; n < 3; n++) {
    const before = await tell(page);
    await house.replace("broker");
    await told(page, "events come, and the state can be asked for", (said) =>
      said.position > before.position && said.compared > before.compared);
  }
  const head = await load.stop();
  await assertFollowed(page, house, head);
  // A page that comes without rows takes them from the new broker.
  await assertFollowed(await openFollower(t, browser, house), house, head);
});
