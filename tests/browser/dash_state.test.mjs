// SPDX-License-Identifier: BSD-2-Clause

// The dashboard's state browser in Chromium: topics, rows, values, the past, and what others
// wrote shown as text, never run.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { go, openDashboard, PHONE, TOAST } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { append } from "./lib/load.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";

const house = await startHouse({ after }, { gateways: 1 });
const browser = await launch({ after });

let serial = 0;
const fresh = () => `s${++serial}`;
const event = (topic, type, data, actor = "ada") => ({ topic, type, data, actor });

const labels = (page) => page.locator(".topic-item:not([hidden]) .topic-label")
  .allTextContents();

async function only(page, pattern) {
  const input = page.getByRole("textbox", { name: "Topics, a pattern" });
  await input.fill(pattern);
  await input.press("Enter");
}

function lists(page, what, wanted) {
  return until(what, async () => JSON.stringify(await labels(page)) === JSON.stringify(wanted));
}

test("topics are a tree that is walked by keys and follows what comes and goes", async (t) => {
  const p = fresh();
  const set = (topic) => event(`${p}.${topic}`, "note_created", { at: topic });
  await append(house, set("a.1"), set("a.2"), set("b.c.1"), set("d"));
  const page = await openDashboard(t, browser, house, { hash: "#/state" });
  await only(page, `${p}.>`);
  const open = ["s1.", "a.", "1", "2", "b.c.1", "d"];
  await lists(page, "all of it, open", open);
  const tree = page.getByRole("tree", { name: "Topics" });
  await tree.focus();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await press("Home", "ArrowDown", "ArrowLeft");
  await lists(page, "a is closed", ["s1.", "a.", "b.c.1", "d"]);
  assert.equal(await page.locator(".topic-item.active").getAttribute("aria-expanded"), "false");
  await press("ArrowRight", "ArrowRight", "Enter");
  await page.getByRole("heading", { name: `${p}.a.1` }).waitFor();
  assert.ok(page.url().endsWith(`#/state/${p}.a.1`));
  const chosen = page.locator(".topic-item[aria-selected=true]");
  await until("it is selected", async () => (await chosen.getAttribute("title")) === `${p}.a.1`);
  assert.equal(await chosen.getAttribute("aria-level"), "3");
  assert.equal(await chosen.getAttribute("aria-setsize"), "2");
  await append(house, set("a.3"), event(`${p}.d`, "note_deleted", null));
  await lists(page, "a.3 came, d went", ["s1.", "a.", "1", "2", "3", "b.c.1"]);
  await page.getByRole("searchbox", { name: "Find in the names" }).fill(".C.");
  await lists(page, "what is found", [`${p}.b.c.1`]);
  await page.getByText("1 topic of 4").waitFor();
  assertNoProblems(page);
});

test("a topic tells its value, who made and changed it, and follows", async (t) => {
  const topic = fresh();
  await append(house, event(topic, "note_created", { text: "first" }));
  const page = await openDashboard(t, browser, house, { hash: `#/state/${topic}` });
  const detail = page.getByRole("region", { name: "Topic", exact: true });
  await detail.getByText('"first"').first().waitFor();
  await append(house, event(topic, "note_updated", { text: "second" }, "bob"));
  await detail.locator(".json", { hasText: '"second"' }).first().waitFor();
  const facts = await detail.locator(".facts").textContent();
  assert.match(facts, /Createdada · .*Changedbob · .*Version2Seq/);
  const title = await detail.locator(".facts time").first().getAttribute("title");
  assert.match(title, /\.\d{6} /);
  await detail.locator(".change").nth(1).waitFor();
  await page.getByRole("button", { name: "Append to it" }).click();
  assert.equal(await page.locator("#append-topic").inputValue(), topic);
  await append(house, event(topic, "note_deleted", null));
  await detail.getByText("It is deleted, or never was").waitFor();
});

test("behind the slider stands what was, and it says so", async (t) => {
  const topic = fresh();
  const seq = await append(house, event(topic, "note_created", { text: "then" }));
  await append(house, event(topic, "note_updated", { text: "now" }, "bob"));
  const page = await openDashboard(t, browser, house, { hash: `#/state/${topic}` });
  const value = page.locator(".topic-detail > div > .json");
  await value.getByText('"now"').waitFor();
  await page.getByRole("button", { name: "Go to" }).click();
  await page.locator("#goto-seq").fill(String(seq));
  await page.keyboard.press("Enter");
  await value.getByText('"then"').waitFor();
  await page.locator(".topic-detail .badge", { hasText: "the past" }).waitFor();
  await until("the newer event is not in the history", async () =>
    (await page.locator(".change").count()) === 1);
  await page.locator("#time input[type=range]").focus();
  await page.keyboard.press("End");
  await value.getByText('"now"').waitFor();
});

test("ten thousand topics cost the rows in sight", async (t) => {
  const p = fresh();
  for (let i = 0; i < 10_000; i += 1000) {
    await append(house, ...Array.from({ length: 1000 }, (_, k) =>
      event(`${p}.${i + k}`, "note_created", { n: i + k })));
  }
  const page = await openDashboard(t, browser, house, { hash: "#/state" });
  await only(page, `${p}.>`);
  await page.getByText("10,000 topics").first().waitFor();
  await page.getByRole("tree").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End"); // within the same frame, maybe
  await page.locator(".topic-item.active", { hasText: "9999" }).waitFor();
  const items = await page.locator(".topic-item").count();
  assert.ok(items < 60, `${items} rows are in the document`);
  await page.getByRole("searchbox").fill("777");
  await page.getByText(/of 10000|of 10,000/).waitFor();
  assert.ok((await labels(page)).every((l) => l.includes("777")));
});

test("a key that is quicker than a frame counts for what is there then", async (t) => {
  const p = fresh();
  await append(house, ...Array.from({ length: 500 }, (_, i) =>
    event(`${p}.${String(i).padStart(3, "0")}`, "note_created", { i })));
  const page = await openDashboard(t, browser, house, { hash: "#/state" });
  await only(page, `${p}.>`);
  await page.getByText("500 topics").first().waitFor();
  await page.getByRole("tree").evaluate((tree) => {
    tree.focus();
    for (const key of ["Home", "ArrowRight", "End"]) {
      tree.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    }
  });
  await page.locator(".topic-item.active", { hasText: "499" }).waitFor();
});

test("what others wrote is text: it is shown, sets nothing and asks for nothing", async (t) => {
  const p = fresh();
  const html = "<img src=x onerror=globalThis.hacked=1><script>globalThis.hacked=1</script>";
  const bad = `${p}.<img/src=x/onerror=globalThis.hacked=1//`;
  const data = JSON.parse(`{"__proto__":{"polluted":1},"constructor":{"x":1},
    "${html.replaceAll('"', "")}":"${html}","url":"javascript:globalThis.hacked=1"}`);
  const hostile = (topic, type) => ({ topic, type, actor: html.slice(0, 120), data });
  await append(house, hostile(bad, "<b onmouseover=globalThis.hacked=1>_created"),
    hostile(`${p}.__proto__`, "note_created"), hostile(`${p}.constructor`, "note_created"));
  const page = await openDashboard(t, browser, house, { hold: TOAST });
  const asked = [];
  page.on("request", (r) => asked.push(r.url()));
  await page.locator(".toast-list").waitFor({ state: "attached" });
  await page.getByRole("textbox", { name: "Topics" }).fill(`${p}.>`);
  await page.keyboard.press("Enter");
  const row = page.locator(".virtual-row", { hasText: bad }).first();
  await row.waitFor(); // what the toasts have asked for is answered, too
  await append(house, hostile(bad, "<b>_updated"));
  await page.locator(".toast", { hasText: "<img src=x" }).waitFor();
  await row.click();
  await page.getByRole("region", { name: "Event", exact: true }).getByText("__proto__").waitFor();
  await screenshot(page, "dash-hostile");
  for (const topic of [bad, `${p}.__proto__`, `${p}.constructor`]) {
    await go(page, `#/state/${encodeURIComponent(topic)}`);
    await page.getByRole("heading", { name: topic }).waitFor();
    await page.locator(".topic-detail .json", { hasText: "polluted" }).first().waitFor();
    await page.locator(".change .diff", { hasText: html.slice(0, 30) }).first().waitFor();
  }
  for (const panel of ["graph", "charts"]) {
    await go(page, `#/${panel}`);
    await page.locator(`#panel-${panel}`).waitFor();
  }
  assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
  assert.equal(await page.evaluate(() => ({}).polluted), undefined);
  assert.equal(await page.locator("main img, main script, .toast img").count(), 0);
  const elsewhere = asked.filter((url) => !url.startsWith(`${house.url}/`)
    || !/\/(dashboard\/[\w./-]+|[\w-]+\.js)$/.test(new URL(url).pathname));
  assert.deepEqual(elsewhere, []);
  assertNoProblems(page);
});

test("on a phone the topics and one topic are two pages, with a way back", async (t) => {
  const p = fresh();
  await append(house, event(`${p}.x`, "note_created", { a: 1 }));
  const page = await openDashboard(t, browser, house, { viewport: PHONE,
    hash: `#/state/${p}.x` });
  await page.getByRole("heading", { name: `${p}.x` }).waitFor();
  assert.equal(await page.getByRole("tree").isVisible(), false);
  await screenshot(page, "dash-state-phone");
  await page.getByRole("button", { name: "Back to the topics" }).click();
  await page.getByRole("tree").waitFor();
  assert.ok(page.url().endsWith("#/state"));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px`);
});
