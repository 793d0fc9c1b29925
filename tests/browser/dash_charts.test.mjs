// SPDX-License-Identifier: BSD-2-Clause

// The panel of charts in Chromium: the vitals of a running peal become figures and lines,
// in words and as a table, too; without vitals it says what is missing.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertAccessible, openDashboard, SCREENS } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";

const house = await startHouse({ after });
const browser = await launch({ after });

const figure = (page, id) => page.locator(`#chart-${id} .chart-figure`).textContent();
const line = (page, id) =>
  page.locator(`#chart-${id} .chart-plot`).getAttribute("aria-label");

/** Are there pixels of the line that is drawn, and not the grid alone? */
const inked = (page, id) =>
  page.locator(`#chart-${id} canvas`).evaluate((canvas) => {
    const { data } = canvas
      .getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 200 && Math.abs(data[i] - data[i + 2]) > 60) n++;
    return n;
  });

test("charts show what is appended, delivered and flushed", async (t) => {
  const page = await openDashboard(t, browser, house, { hash: "#/charts" });
  let n = 0;
  await until("events a second are seen", async () => {
    await house.peal("append", "note.1", "note_set", String(++n));
    return /stored [1-9]/.test((await line(page, "events")) ?? "");
  });
  await until("deliveries are", async () => {
    await house.peal("append", "note.1", "note_set", String(++n));
    return Number(await figure(page, "deliveries")) > 0;
  });
  assert.match(await line(page, "flush"), /^Flush time, milliseconds a flush.*mean \d/);
  assert.match(await line(page, "window"), /held [\d.]+/);
  await until("each gateway's lag is told", async () => {
    const words = await line(page, "lag");
    return house.pids("gateway").every((pid) => words.includes(`gateway ${pid} `));
  });
  await until("lines are drawn", async () => (await inked(page, "events")) > 50);
  assertNoProblems(page);
});

test("the table says what the lines show", async (t) => {
  const page = await openDashboard(t, browser, house, { hash: "#/charts" });
  await page.locator(".charts-table summary").click();
  const row = page.locator(".charts-table tbody tr", { hasText: "Events, /s" }).first();
  await row.waitFor();
  assert.deepEqual((await row.locator("td").allTextContents()).slice(0, 2), [
    "Events, /s",
    "stored",
  ]);
  await until("it has figures", async () =>
    (await row.locator("td").allTextContents())
      .slice(2)
      .every((text) => /^\d/.test(text)),
  );
});

test("a token without rights is told what it lacks", async (t) => {
  const token = await house.makeToken({ sub: "ada", read: [">"], write: [">"] });
  const page = await openDashboard(t, browser, house, { hash: "#/charts", token });
  const said = page.locator(".charts-missing");
  await said.getByText("may not read the vitals").waitFor();
  assert.match(
    await said.textContent(),
    /peal token --sub NAME --admin --read '\$stat\.>'/,
  );
  await assertAccessible(page);
});

test("without vitals it says who tells them", async (t) => {
  const silent = await startHouse(t, { gateways: 1, args: ["--no-vitals"] });
  const page = await openDashboard(t, browser, silent, { hash: "#/charts" });
  await page.locator(".charts-missing").getByText("No vitals have come yet").waitFor();
});

for (const [name, options] of Object.entries(SCREENS)) {
  test(`charts are accessible and fit: ${name}`, async (t) => {
    const page = await openDashboard(t, browser, house, { hash: "#/charts", ...options });
    await page.locator("#chart-lag .chart-legend li").nth(1).waitFor();
    await page.locator(".charts-table summary").click();
    await page.locator(".charts-table tbody tr").first().waitFor();
    await assertAccessible(page);
    const wide = await page.evaluate(() => {
      const panel = document.querySelector("#panel-charts");
      return panel.scrollWidth - panel.clientWidth;
    });
    assert.equal(wide, 0);
    await screenshot(page, `dash-charts-${name}`);
    assertNoProblems(page);
  });
}
