// SPDX-License-Identifier: BSD-2-Clause

// The history of a topic in the dashboard: what each event changed, in pages, whether events
// come one by one or many at once, and although the server can't always answer.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { openDashboard } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { append } from "./lib/load.mjs";
import { assertNoProblems, launch, openPage, screenshot } from "./lib/page.mjs";
import { startProxy } from "./lib/proxy.mjs";

const PAGE = 20; // entries that are asked for at once

const house = await startHouse({ after }, { gateways: 1 });
const browser = await launch({ after });

let serial = 0;
const fresh = () => `h${++serial}`;
const event = (topic, type, data, actor = "ada") => ({ topic, type, data, actor });
/** Changes whose `n` are first..last. */
const updates = (topic, first, last) => Array.from({ length: last - first + 1 }, (_, i) =>
  event(topic, "note_updated", { n: first + i }));

const entries = (page) => page.locator(".change");
const older = (page) => page.getByRole("button", { name: "Show older" });
const change = (page, version) => page.locator(".change", {
  has: page.locator(".badge", { hasText: new RegExp(`^v${version}$`) }) });
const says = (page, version, text) =>
  change(page, version).locator(".diff", { hasText: text }).waitFor();

/** All versions are there, down from the newest, and each tells what it changed. */
async function assertWhole(page, newest) {
  await until("all are described", async () =>
    !(await page.locator(".history").textContent()).includes("…"));
  const versions = await page.locator(".change-head > .badge").allTextContents();
  assert.deepEqual(versions, Array.from({ length: newest }, (_, i) => `v${newest - i}`));
}

test("the history says what each event changed", async (t) => {
  const topic = fresh();
  await append(house, event(topic, "note_created", { n: 0, tags: ["a"] }),
    event(topic, "note_updated", { n: 1, who: { name: "Ada" } }, "bob"),
    event(topic, "tag_added", { tags: "b" }), event(topic, "note_seen", {}),
    event(topic, "note_deleted", null), event(topic, "note_restored", { n: 9 }));
  const page = await openDashboard(t, browser, house, { hash: `#/state/${topic}` });
  await says(page, 6, "back again");
  await says(page, 6, /changed: n 1 → ?.*9/);
  await says(page, 6, "removed: tags");
  await says(page, 5, "deleted");
  await says(page, 4, "left the value as it was");
  await says(page, 3, "added: tags[1] \"b\"");
  await says(page, 2, "added: who {\"name\": \"Ada\"}");
  await says(page, 2, "changed: n 0");
  assert.match(await change(page, 2).locator(".change-head").textContent(),
    /note_updatedby bob · /);
  await assertWhole(page, 6);
  await screenshot(page, "dash-state-history");
  assertNoProblems(page);
});

test("what comes is on top, and however much comes at once, nothing is missing", async (t) => {
  const topic = fresh();
  await append(house, ...updates(topic, 1, 6));
  const page = await openDashboard(t, browser, house, { hash: `#/state/${topic}` });
  await says(page, 6, "changed: n 5");
  // No more than a page: it joins what is there.
  for (const [first, last] of [[7, 7], [8, 6 + PAGE], [7 + PAGE, 6 + 2 * PAGE]]) {
    await append(house, ...updates(topic, first, last));
    await says(page, last, `changed: n ${last - 1}`);
    await assertWhole(page, last);
  }
  // More than a page: how many of them the page hears of at once, and so where its list
  // begins anew, is not ours to say.
  const last = 6 + 5 * PAGE;
  await append(house, ...updates(topic, 7 + 2 * PAGE, last));
  await says(page, last, `changed: n ${last - 1}`);
  while (await older(page).isVisible()) {
    const before = await entries(page).count();
    await older(page).click();
    await until("there are more, or no more", async () =>
      (await entries(page).count()) > before || !(await older(page).isVisible()));
  }
  await assertWhole(page, last);
  assertNoProblems(page);
});

test("older ones come in pages, one for each time that they are asked for", async (t) => {
  const topic = fresh();
  await append(house, ...updates(topic, 1, 56));
  const proxy = await startProxy(t, house);
  const near = { ...house, url: `https://127.0.0.1:${proxy.port}` };
  const page = await openDashboard(t, browser, near, { hash: `#/state/${topic}` });
  await says(page, 56 - PAGE + 1, `changed: n ${56 - PAGE}`);
  assert.equal(await entries(page).count(), PAGE);
  await page.locator(".history").getByText(`${PAGE} events, and older ones`).waitFor();
  // The second time while the first page is on its way.
  proxy.stall();
  await older(page).click();
  await older(page).click();
  proxy.stall(false);
  await until("all of them are there", async () => (await entries(page).count()) === 56);
  await older(page).waitFor({ state: "hidden" });
  await says(page, 2, "changed: n 1");
  await assertWhole(page, 56);
  assertNoProblems(page);
});

/**
 * A page with a history of a made-up client, whose log has events 1..`made.grow(n)`:
 * `made.failing`, while it is not null, says with which retry_ms states are refused.
 */
async function openMade(t) {
  const page = await openPage(t, browser, `${house.url}/test/blank.html`);
  await page.evaluate(async () => {
    const { createHistory } = await import("/dashboard/history.js");
    const { PealError } = await import("/peal.js");
    const log = [];
    const made = { failing: null };
    const client = {
      welcome: { fold: { version: 1, rules: [["*", "set"]] } },
      history: async ({ before = Infinity, limit }) => {
        const found = log.filter((e) => e.seq < before).reverse();
        const events = found.slice(0, limit);
        return { events, next: found.length > limit ? events.at(-1).seq : undefined };
      },
      at: (seq) => ({ state: async () => {
        if (made.failing !== null)
          throw new PealError("unavailable", "not now", { retry_ms: made.failing });
        const { version, data } = log.findLast((e) => e.seq <= seq);
        return { rows: [{ topic: "x", version, deleted: false, value: data }] };
      } }),
    };
    const { root, upTo } = createHistory(
      { client, schedule: (fn) => requestAnimationFrame(fn) }, "x");
    made.grow = (n) => {
      while (log.length < n) {
        const version = log.length + 1;
        log.push({ seq: version * 10, time: version, topic: "x", version, type: "x_set",
          actor: "ada", data: { n: version } });
      }
      upTo(n * 10);
    };
    made.goTo = (version) => upTo(version * 10);
    document.body.append(root);
    globalThis.made = made;
  });
  return page;
}

const grow = (page, n) => page.evaluate((to) => globalThis.made.grow(to), n);
const fail = (page, ms) => page.evaluate((to) => (globalThis.made.failing = to), ms);
const was = (page, version) =>
  until(`version ${version} tells what was before`, async () =>
    (await change(page, version).locator(".old").allTextContents()).join() ===
      String(version - 1));

test("an event is compared with the one before, not with the last that is told of", async (t) => {
  const page = await openMade(t);
  await grow(page, 60);
  await was(page, 60);
  await fail(page, 3_600_000);
  await older(page).click();
  await page.getByText("The history could not be read: not now").waitFor();
  assert.equal(await entries(page).count(), 2 * PAGE);
  assert.match(await change(page, 40).textContent(), /…/);
  await fail(page, null);
  await grow(page, 61);
  await was(page, 61);
  await was(page, 40);
  await was(page, 21);
  await page.getByText(`${2 * PAGE + 1} events, and older ones`).waitFor();
  assertNoProblems(page);
});

test("what the server can't answer now is asked again", async (t) => {
  const page = await openMade(t);
  await fail(page, 1);
  await grow(page, 60);
  await page.getByText("The history could not be read: not now").waitFor();
  await fail(page, null);
  await was(page, 60);
  await page.getByText(`${PAGE} events, and older ones`).waitFor();
});

test("entries that were too many to keep are older ones, too", async (t) => {
  const page = await openMade(t);
  for (let n = PAGE; n <= 420; n += PAGE) {
    await grow(page, n);
    await was(page, n);
  }
  assert.equal(await entries(page).count(), 400);
  await page.getByText("400 events, and older ones").waitFor();
  await page.evaluate(() => globalThis.made.goTo(100));
  await page.getByText("80 events, and older ones").waitFor();
  await older(page).click();
  await page.getByText("100 events", { exact: true }).waitFor();
  await assertWhole(page, 100);
});
