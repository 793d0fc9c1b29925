// SPDX-License-Identifier: BSD-2-Clause

// The dashboard's table of events in Chromium: what it shows, filters, pauses and opens, what
// the past looks like, and that a flood of events leaves the page its user's.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { inPage, openDashboard, PHONE } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { append, startLoad } from "./lib/load.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";

const house = await startHouse({ after }, { gateways: 1 });
const browser = await launch({ after });

let serial = 0;
/** Topics of a test's own. */
const fresh = () => `t${++serial}`;

const event = (topic, data = {}, of = {}) =>
  ({ topic, type: "note_created", actor: "ada", data, ...of });

/** The topics in the table, the newest first. */
const topics = (page) => page.locator(".virtual-row:not([hidden]) .c-topic").allTextContents();

function shows(page, what, wanted) {
  return until(what, async () => {
    const found = await topics(page);
    return JSON.stringify(found.slice(0, wanted.length)) === JSON.stringify(wanted);
  });
}

async function filter(page, label, text) {
  const input = page.getByRole("textbox", { name: label, exact: true });
  await input.fill(text);
  await input.press("Enter");
}

test("what was before is there, and what comes is on top, each once", async (t) => {
  const p = fresh();
  await append(house, event(`${p}.1`), event(`${p}.2`));
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", `${p}.>`);
  await shows(page, "what was before", [`${p}.2`, `${p}.1`]);
  await append(house, event(`${p}.3`, { text: "new" }));
  await shows(page, "what came", [`${p}.3`, `${p}.2`, `${p}.1`]);
  const cells = await page.locator(".virtual-row:not([hidden])").first()
    .locator("[role=gridcell]").allTextContents();
  assert.deepEqual(cells.slice(2), [`${p}.3`, "note_created", "ada", '{"text": "new"}']);
  const title = await page.locator(".virtual-row .c-time").first().getAttribute("title");
  assert.match(title, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} [+−]\d\d:\d\d$/);
  assert.equal((await topics(page)).length, 3);
  assertNoProblems(page);
});

test("topics, type and actor filter what was and what comes", async (t) => {
  const p = fresh();
  const all = [event(`${p}.a`), event(`${p}.b`, {}, { type: "note_seen" }),
    event(`${p}.c`, {}, { actor: "bob" })];
  await append(house, ...all);
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", `${p}.*`);
  await shows(page, "all three", [`${p}.c`, `${p}.b`, `${p}.a`]);
  await filter(page, "Type", "*_seen");
  await shows(page, "those of the type", [`${p}.b`]);
  await append(house, ...all);
  await until("one more of the type", async () => (await topics(page)).length === 2);
  await filter(page, "Type", "");
  await filter(page, "Actor", "bob");
  await until("those of the actor", async () =>
    (await topics(page)).join() === `${p}.c,${p}.c`);
  await append(house, ...all);
  await until("one more of the actor", async () =>
    (await topics(page)).join() === `${p}.c,${p}.c,${p}.c`);
  await page.reload();
  await until("the filter is remembered", async () => (await topics(page)).length === 3);
});

test("a pattern that is none is refused in words, and mended", async (t) => {
  const p = fresh();
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", "a..b");
  await page.locator(".event-status[data-tone=bad]").waitFor();
  await filter(page, "Topics", `${p}.>`);
  await append(house, event(`${p}.1`));
  await shows(page, "what came", [`${p}.1`]);
  await page.locator(".event-status:not([data-tone])").waitFor();
});

test("a pause keeps what is seen, counts what comes, and goes on with it", async (t) => {
  const p = fresh();
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", `${p}.>`);
  await append(house, event(`${p}.1`));
  await shows(page, "the first", [`${p}.1`]);
  await page.getByRole("button", { name: "Pause" }).click();
  await append(house, event(`${p}.2`), event(`${p}.3`));
  await page.getByText("Paused · 2 events came meanwhile").waitFor();
  assert.deepEqual(await topics(page), [`${p}.1`]);
  await screenshot(page, "dash-events-paused");
  await page.getByRole("button", { name: "Go on" }).click();
  await shows(page, "all of them", [`${p}.3`, `${p}.2`, `${p}.1`]);
  await page.locator("#main").focus();
  await page.keyboard.press("p");
  await page.getByText("Paused · 0 events").waitFor();
});

test("arrows move in the table, which stands still for them; Enter opens", async (t) => {
  const p = fresh();
  await append(house, event(`${p}.1`, { deep: { n: 1 } }), event(`${p}.2`));
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", `${p}.>`);
  await shows(page, "both", [`${p}.2`, `${p}.1`]);
  const grid = page.getByRole("grid", { name: /Events/ });
  await grid.focus();
  await page.keyboard.press("ArrowDown");
  await page.getByText(/^Paused/).waitFor();
  await page.keyboard.press("ArrowDown");
  const active = async () => {
    const id = await grid.getAttribute("aria-activedescendant");
    return id && page.locator(`#${id} .c-topic`).textContent();
  };
  await until("the second is active", async () => (await active()) === `${p}.1`);
  await page.keyboard.press("Enter");
  const detail = page.getByRole("region", { name: "Event", exact: true });
  await detail.getByText('"deep"').waitFor();
  assert.equal(await page.locator(":focus").evaluate((e) => e.tagName), "H2");
  await page.keyboard.press("Escape");
  await detail.waitFor({ state: "hidden" });
  assert.ok(await grid.evaluate((e) => e === document.activeElement));
  await page.keyboard.press("Enter");
  await detail.getByRole("button", { name: "only this topic" }).click();
  await shows(page, "only that topic", [`${p}.1`]);
  assert.equal(await page.getByRole("textbox", { name: "Topics" }).inputValue(), `${p}.1`);
  await detail.getByRole("button", { name: `${p}.1`, exact: true }).click();
  await until("its state is shown", () => page.url().endsWith(`#/state/${p}.1`));
});

test("what is behind the slider is the past, and live comes back", async (t) => {
  const p = fresh();
  const first = await append(house, event(`${p}.1`));
  await append(house, event(`${p}.2`));
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", `${p}.>`);
  await shows(page, "both", [`${p}.2`, `${p}.1`]);
  const slider = page.locator("#time input[type=range]");
  await slider.focus();
  await until("the slider stands before the second", async () => {
    await page.keyboard.press("ArrowLeft");
    const text = await page.locator(".event-status").textContent();
    const found = /up to ([\d,]+)/.exec(text);
    return found && Number(found[1].replaceAll(",", "")) <= first;
  });
  await until("the second is not there yet", async () =>
    !(await topics(page)).includes(`${p}.2`));
  await append(house, event(`${p}.3`));
  await page.keyboard.press("End");
  await shows(page, "all of them", [`${p}.3`, `${p}.2`, `${p}.1`]);
});

test("a flood of events leaves the page its user's, and nothing grows with it", async (t) => {
  const p = fresh();
  const page = await openDashboard(t, browser, house);
  await filter(page, "Topics", `${p}.>`);
  await page.getByText("No event matches yet").waitFor(); // from here on each is counted
  await page.evaluate(() => {
    globalThis.frames_seen = 0;
    const count = () => {
      globalThis.frames_seen++;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  });
  const before = await inPage(page, "/dashboard/frame.js", "counts");
  const load = await startLoad(t, house, { rate: 10_000, prefix: `${p}.item` });
  const total = async () => Number((/([\d,]+) since/.exec(
    await page.locator(".event-status").textContent())?.[1] ?? "0").replaceAll(",", ""));
  await until("thousands have come", async () => (await total()) > 20_000);

  // Somebody types, pauses, opens and looks elsewhere while they come.
  const input = page.getByRole("textbox", { name: "Actor" });
  await input.pressSequentially("somebody");
  assert.equal(await input.inputValue(), "somebody");
  await input.fill("");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText(/Paused · [\d,]+ events came meanwhile/).waitFor();
  const held = await topics(page);
  await page.locator(".virtual-row:not([hidden])").nth(3).click();
  await page.getByRole("region", { name: "Event", exact: true }).waitFor();
  assert.deepEqual((await topics(page)).slice(0, 3), held.slice(0, 3));
  await screenshot(page, "dash-events-flood");
  await page.getByRole("button", { name: "Go on" }).click();
  const head = await load.stop();
  const newest = page.locator(".virtual-row:not([hidden]) .c-seq").first();
  await until("the newest is on top", async () =>
    Number((await newest.textContent()).replaceAll(",", "")) === head, { deadline: 600_000 });

  assert.equal(await total(), load.count);
  const rows = await page.locator(".event-row").count();
  assert.ok(rows < 80, `${rows} rows are in the document`);
  assert.equal(await page.getByRole("grid").getAttribute("aria-rowcount"), "1001");
  const now = await inPage(page, "/dashboard/frame.js", "counts");
  const seen = await page.evaluate(() => globalThis.frames_seen);
  assert.ok(now.frames - before.frames <= seen + 1, "more than one draw in a frame");
  assertNoProblems(page);
});

test("on a phone an event is two lines, and opens below", async (t) => {
  const p = fresh();
  await append(house, event(`${p}.a.long.name.of.a.topic.that.does.not.fit.at.all`));
  const page = await openDashboard(t, browser, house, { viewport: PHONE });
  await filter(page, "Topics", `${p}.>`);
  await page.locator(".virtual-row:not([hidden])").first().click();
  await page.getByRole("region", { name: "Event", exact: true }).waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px`);
  await screenshot(page, "dash-events-phone");
});
