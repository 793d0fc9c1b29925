// SPDX-License-Identifier: BSD-2-Clause

// What happens to a page in Chromium itself (three tabs, a reload, the way back, hidden,
// frozen, asleep, offline), and that it ends with each event once and the server's state.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { atEnd, until } from "./lib/await.mjs";
import { assertFollowed, openFollower, startFollowing, tell, told } from "./lib/follow.mjs";
import { startHouse } from "./lib/house.mjs";
import { startLoad } from "./lib/load.mjs";
import { launch, openContext, openPage } from "./lib/page.mjs";
import { startProxy } from "./lib/proxy.mjs";

const house = await startHouse({ after });
const browser = await launch({ after });
const blank = `${house.url}/test/blank.html`;

/** From here on the page waits as long as it may: what comes sooner was not waited for. */
function wait(page) {
  return page.evaluate(() => (Math.random = () => 0.999));
}

/** It has lost its connection, and would try again in more than ten minutes. */
const PATIENT = { minDelay: 3_600_000, maxDelay: 3_600_000 };
function waiting(page) {
  return told(page, "it waits", ({ connection: { state, retryAt } }) =>
    state === "disconnected" && retryAt - Date.now() > 600_000);
}

/** As the browser does it to the page of a tab that is not shown. */
function setHidden(page, hidden) {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
    Object.defineProperty(document, "visibilityState", {
      configurable: true, value: hidden ? "hidden" : "visible",
    });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

async function setLifecycle(t, page, state) {
  page.devtools ??= await page.context().newCDPSession(page);
  await page.devtools.send("Page.setWebLifecycleState", { state });
}

test("three tabs of one browser follow, each whole, when gateways die", async (t) => {
  const context = await openContext(t, browser);
  const pages = [];
  for (let n = 0; n < 3; n++) pages.push(await openFollower(t, context, house));
  const load = await startLoad(t, house);
  for (const pid of house.pids("gateway")) await house.replace("gateway", pid);
  for (const page of pages) {
    await told(page, "it is back", ({ counters }) => counters.reconnects > 0);
  }
  const head = await load.stop();
  for (const page of pages) await assertFollowed(page, house, head);
});

test("a page that is reloaded goes on from its position", async (t) => {
  const page = await openFollower(t, browser, house);
  const load = await startLoad(t, house);
  for (let n = 0; n < 3; n++) {
    const { position } = await told(page, "events come", ({ runs }) => runs.length > 0);
    await page.reload();
    await startFollowing(page, { token: house.token, resume: true });
    await told(page, "events come again", (said) => said.position > position);
  }
  await assertFollowed(page, house, await load.stop());
});

test("a page that was left comes back from the cache as it was, and goes on", async (t) => {
  // playwright turns that cache off.
  const own = await launch(t, { ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const page = await openFollower(t, own, house);
  const load = await startLoad(t, house);
  await told(page, "events come", ({ runs }) => runs.length > 0);
  await page.goto(`${blank}?elsewhere`);
  const { head } = load;
  await until("events were missed", () => load.head > head + 100);
  // Such a page is not loaded.
  await page.goBack({ waitUntil: "commit" });
  const said = await told(page, "it is connected again", ({ connection }) =>
    connection.state === "connected");
  assert.equal(said.revived, true);
  assert.match(said.states.join(), /left/);
  await assertFollowed(page, house, await load.stop());
});

test("a hidden page waits longer, and comes back at once when it is shown", async (t) => {
  const proxy = await startProxy(t, house);
  const page = await openFollower(t, browser, house, {
    port: proxy.port, options: { minDelay: 1, maxDelay: 3_600_000 },
  });
  const load = await startLoad(t, house);
  await wait(page);
  await setHidden(page, true);
  proxy.reset();
  await waiting(page);
  await setHidden(page, false);
  await assertFollowed(page, house, await load.stop());
});

test("a hidden page follows all the same", async (t) => {
  const page = await openFollower(t, browser, house);
  await setHidden(page, true);
  const load = await startLoad(t, house);
  const { position } = await tell(page);
  await told(page, "events come", (said) => said.position > position + 100);
  const head = await load.stop();
  await told(page, "all have come", (said) => said.position >= head);
  await setHidden(page, false);
  await assertFollowed(page, house, head);
});

test("a frozen page goes on when it thaws", async (t) => {
  const page = await openFollower(t, browser, house);
  const load = await startLoad(t, house);
  await told(page, "events come", ({ runs }) => runs.length > 0);
  await setLifecycle(t, page, "frozen");
  const { head } = load;
  await until("events were missed", () => load.head > head + 200);
  for (const pid of house.pids("gateway")) await house.replace("gateway", pid);
  await setLifecycle(t, page, "active");
  await assertFollowed(page, house, await load.stop());
});

test("a machine that slept for hours fetches a token before it connects again", async (t) => {
  const proxy = await startProxy(t, house);
  const rights = { sub: "sleeper", read: [">"] };
  const statusOf = async (token) => (await fetch(`${house.url}/v1/state?topic=w.none`, {
    headers: { authorization: `Bearer ${token}` },
  })).status;
  let token = await house.makeToken(rights);
  const page = await openPage(t, browser, `https://127.0.0.1:${proxy.port}/test/blank.html`);
  await page.exposeFunction("freshToken", () => token);
  await startFollowing(page, { options: PATIENT });
  const load = await startLoad(t, house);
  await told(page, "events come", ({ runs }) => runs.length > 0);

  // Nothing reaches it any more, its token is no longer worth anything, and its clock jumps.
  proxy.mute = true;
  const { tokens } = await tell(page);
  const stale = token;
  await house.peal("revoke", "sleeper");
  await until("the old token is refused", async () => (await statusOf(stale)) !== 200);
  await until("a new one is not", async () => {
    token = await house.makeToken(rights);
    return (await statusOf(token)) === 200;
  });
  proxy.pass();
  await page.evaluate(() => {
    const { now } = Date;
    Date.now = () => now() + 8 * 3_600_000;
    dispatchEvent(new Event("online"));
  });
  const revoked = [...(await house.state("$revoke.>")).values()].map(({ seq }) => seq);
  const said = await assertFollowed(page, house, await load.stop(), revoked);
  assert.ok(said.tokens.calls > tokens.calls);
  assert.equal(said.tokens.most, 1);
});

test("who was offline connects as soon as the browser is online", async (t) => {
  const proxy = await startProxy(t, house);
  const context = await openContext(t, browser);
  const page = await openFollower(t, context, house, { port: proxy.port, options: PATIENT });
  const load = await startLoad(t, house);
  await wait(page);
  await context.setOffline(true);
  atEnd(t, () => context.setOffline(false));
  proxy.reset();
  await waiting(page);
  await context.setOffline(false);
  await assertFollowed(page, house, await load.stop());
});
