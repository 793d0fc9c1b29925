// SPDX-License-Identifier: BSD-2-Clause

// The dashboard's tools in Chromium: the form that appends, the toasts of what others changed,
// and falling behind until the gateway says so.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertAccessible, openDashboard, passTime, PHONE, TOAST } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { append, startLoad } from "./lib/load.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";

const house = await startHouse({ after }, { gateways: 1 });
const browser = await launch({ after });

let serial = 0;
const fresh = () => `tool${++serial}`;
const event = (topic, actor = "ada") =>
  ({ topic, type: "note_updated", actor, data: { n: 1 } });

/** Opens the form and fills it: { Topic, Type, Data, Key }. */
async function form(page, fields) {
  if (!await page.getByRole("heading", { name: "Append an event" }).isVisible()) {
    await page.getByRole("button", { name: "Append", exact: true }).first().click();
  }
  for (const [label, text] of Object.entries(fields)) {
    await page.getByRole("complementary").getByLabel(label, { exact: true }).fill(text);
  }
}

const send = (page) => page.getByRole("complementary")
  .getByRole("button", { name: "Append", exact: true }).click();
const outcome = (page, text) => page.locator(".append-outcome", { hasText: text }).waitFor();
const toasts = (page) => page.locator(".toast");
const toastList = (page) => page.locator(".toast-list");

test("an append says as which event and version it was stored", async (t) => {
  const topic = fresh();
  const page = await openDashboard(t, browser, house);
  await form(page, { Topic: topic, Type: "note_created",
    Data: '{"text": "hello", "big": 12345678901234567890, "__proto__": {"a": 1}}' });
  await page.keyboard.press("Control+Enter");
  await outcome(page, /^Stored as event \d+, version 1 of /);
  const text = await page.locator(".append-outcome").textContent();
  assert.ok(text.includes(topic));
  await until("it is announced", async () =>
    /^Stored as event/.test(await page.locator("#status").textContent()));
  const [row] = [...(await house.state(topic)).values()];
  assert.equal(row.version, 1);
  const raw = await house.peal("state", "--json", topic);
  assert.match(raw, /12345678901234567890/);
  assert.match(raw, /"__proto__":\{"a":1\}/);
  await page.getByRole("button", { name: "Show the topic" }).click();
  assert.ok(page.url().endsWith(`#/state/${topic}`));
  await screenshot(page, "dash-append");
  assertNoProblems(page);
});

test("what is wrong with the input is said beside it, and nothing is sent", async (t) => {
  const page = await openDashboard(t, browser, house);
  await form(page, { Topic: "a.*", Type: "", Data: '{"a": 1,\n}' });
  await send(page);
  for (const [label, words] of [["Topic", "This is a pattern"], ["Type", "A type is missing"],
    ["Data", "Line 2, column 1: a comma before the end of the object"]]) {
    const input = page.getByRole("complementary").getByLabel(label, { exact: true });
    assert.equal(await input.getAttribute("aria-invalid"), "true");
    const [fault] = (await input.getAttribute("aria-describedby")).split(" ");
    assert.ok((await page.locator(`#${fault}`).textContent()).startsWith(words));
  }
  assert.equal(await page.locator(":focus").getAttribute("id"), "append-topic");
  await assertAccessible(page, "faults are shown");
  await form(page, { Topic: "a.b", Type: "x" });
  await send(page);
  assert.equal(await page.locator(":focus").getAttribute("id"), "append-data");
  await page.keyboard.type("}");
  await form(page, { Data: "[]" });
  assert.equal(await page.locator("#append-data-fault").textContent(), "");
  assert.equal(await page.locator(".append-outcome").textContent(), "");
});

test("a conflict says what was expected and what is there", async (t) => {
  const topic = fresh();
  await append(house, event(topic), event(topic));
  const page = await openDashboard(t, browser, house);
  await form(page, { Topic: topic, Type: "note_updated", Data: "{}" });
  const expect = page.getByLabel("Expect");
  await expect.selectOption("version");
  await page.getByLabel("Version").fill("1");
  await send(page);
  await outcome(page, "Expected: version 1; it is at version 2");
  await expect.selectOption("none");
  await send(page);
  await outcome(page, "Expected: no event yet; it is at version 2");
  await page.getByLabel("Expect").selectOption("version");
  await page.getByLabel("Version").fill("2");
  await send(page);
  await outcome(page, "version 3 of");
  await form(page, { Topic: `${topic}.new` });
  await page.getByLabel("Expect").selectOption("exists");
  await send(page);
  await outcome(page, "Expected: at least one event; it is new");
  await screenshot(page, "dash-append-conflict");
});

test("the same key stores nothing twice, and another event is refused", async (t) => {
  const topic = fresh();
  const page = await openDashboard(t, browser, house);
  await form(page, { Topic: topic, Type: "note_created", Data: "1", Key: `key-${topic}` });
  await send(page);
  await outcome(page, "Stored as event");
  await send(page);
  await outcome(page, "nothing was stored again");
  await form(page, { Data: "2" });
  await send(page);
  await outcome(page, "this key was used for another event");
  assert.equal([...(await house.state(topic)).values()][0].version, 1);
});

test("who may not write is told so", async (t) => {
  const token = await house.makeToken({ sub: "reader", read: [">"] });
  const page = await openDashboard(t, browser, house, { token });
  await form(page, { Topic: fresh(), Type: "note_created", Data: "{}" });
  await send(page);
  await outcome(page, "this token may not write there");
});

test("Esc closes the tool, and focus goes back to what opened it", async (t) => {
  const page = await openDashboard(t, browser, house, { viewport: PHONE });
  const button = page.locator("#tools").getByRole("button", { name: "Append" });
  await button.focus();
  await page.keyboard.press("Enter");
  assert.equal(await button.getAttribute("aria-expanded"), "true");
  await page.locator("#append-topic").waitFor();
  await until("the form has the focus", () => page.locator("#append-topic:focus").count()
    .then((n) => n === 1));
  await screenshot(page, "dash-append-phone");
  await page.keyboard.press("Escape");
  await page.getByRole("complementary").waitFor({ state: "hidden" });
  assert.ok(await button.evaluate((e) => e === document.activeElement));
});

test("others' changes are told for a while, one's own are not", async (t) => {
  const mine = fresh();
  const theirs = fresh();
  const page = await openDashboard(t, browser, house, { hold: TOAST });
  // They hear of what comes when this page's next request is answered.
  await toastList(page).waitFor({ state: "attached" });
  await form(page, { Topic: mine, Type: "note_created", Data: "{}" });
  await send(page);
  await outcome(page, "Stored as event");
  await append(house, event(theirs));
  const toast = toasts(page).first();
  await toast.waitFor();
  assert.equal(await toasts(page).count(), 1);
  assert.equal(await toast.locator(".toast-text").textContent(), "ada: note_updated");
  await until("it is announced", async () =>
    (await page.locator("#status").textContent()).includes(theirs));
  await screenshot(page, "dash-toast");
  await passTime(page);
  await toast.waitFor({ state: "detached" });
  assert.equal(await toasts(page).count(), 0);
});

test("a toast that is pointed at stays, leads to its topic, and is dismissed", async (t) => {
  const p = fresh();
  const page = await openDashboard(t, browser, house, { hold: TOAST });
  const kept = page.locator(".toast", { hasText: "bea" });
  // What came before the page listens is told to nobody.
  await until("the first is told", async () => {
    await append(house, event(`${p}.1`, "bea"));
    return (await kept.count()) > 0;
  });
  await kept.hover();
  await append(house, event(`${p}.2`, "cyd"));
  const later = page.locator(".toast", { hasText: "cyd" });
  await later.waitFor();
  await passTime(page);
  await later.waitFor({ state: "detached" });
  assert.equal(await kept.count(), 1);
  await kept.getByRole("button", { name: `${p}.1` }).focus();
  await page.mouse.move(600, 300);
  await append(house, event(`${p}.3`, "dot"));
  const last = page.locator(".toast", { hasText: "dot" });
  await last.waitFor();
  await passTime(page);
  await last.waitFor({ state: "detached" });
  assert.equal(await kept.count(), 1);
  await page.keyboard.press("Enter");
  assert.ok(page.url().endsWith(`#/state/${p}.1`));
  await kept.getByRole("button", { name: "Dismiss" }).click();
  await kept.waitFor({ state: "detached" });
});

test("a storm shows one toast", async (t) => {
  const p = fresh();
  const page = await openDashboard(t, browser, house, { hold: TOAST });
  await toastList(page).waitFor({ state: "attached" });
  await page.evaluate(() => {
    // Ten seconds without a change would end the storm, and a busy machine may take them.
    const now = performance.now();
    performance.now = () => now;
    globalThis.toasts_made = 0;
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) globalThis.toasts_made += addedNodes.length;
    }).observe(document.querySelector(".toast-list"), { childList: true });
  });
  const load = await startLoad(t, house, { rate: 500, prefix: p });
  // More than ten make a storm.
  await page.locator(".toast", { hasText: /(\d\d\d|[2-9]\d) changes to \d+ topics/ }).waitFor();
  await assertAccessible(page, "a toast is shown");
  await passTime(page);
  await until("it has gone while the storm goes on", async () =>
    (await toasts(page).count()) === 0);
  const before = load.head;
  await until("a thousand more have come", async () => {
    const text = await page.locator(".virtual-row:not([hidden]) .c-seq").first().textContent();
    return Number(text.replaceAll(",", "")) > before + 1000;
  });
  assert.equal(await page.evaluate(() => globalThis.toasts_made), 1);
  await load.stop();
});

test("toasts can be turned off", async (t) => {
  const p = fresh();
  const page = await openDashboard(t, browser, house);
  await page.keyboard.press("?");
  await page.getByLabel("Toasts tell what others change").uncheck();
  await page.keyboard.press("Escape");
  await append(house, event(p, "eve"));
  await page.locator(".virtual-row .c-topic", { hasText: p }).first().waitFor();
  assert.equal(await toasts(page).count(), 0);
});

test("falling behind really lags, and ends with every row right", async (t) => {
  // However long it stands, it is not given up for its silence.
  const shallow = await startHouse(t, { gateways: 1,
    options: ["ring.slots=4096", "ring.payload_bytes=1M", "gateway.ping_interval=300000"] });
  const page = await openDashboard(t, browser, shallow);
  const load = await startLoad(t, shallow, { rate: 1500, prefix: "busy", size: 1000 });
  await page.keyboard.press("b");
  await page.getByRole("complementary").getByRole("button", { name: "Fall behind" }).click();
  const step = (text) => page.locator(".step[data-state=done]", { hasText: text }).waitFor();
  await step(/^Followed everything: [\d,]+ rows?\./);
  await step(/^Stopped reading at event [\d,]+\./);
  await screenshot(page, "dash-behind-standing");
  await step("Reading again.");
  await step(/^Told “lagged”: the ring had moved past it\. We had got to event [\d,]+;/);
  await step(/^Took what changed since: [\d,]+ rows?, in one snapshot\./);
  await step(/^Compared with the server’s state at event [\d,]+: all [\d,]+ rows are right\./);
  await assertAccessible(page, "the steps are done");
  await screenshot(page, "dash-behind");
  await load.stop();
  assertNoProblems(page);
});

test("noise makes a quiet log busy, and is bounded and stopped", async (t) => {
  const shallow = await startHouse(t, { gateways: 1,
    options: ["ring.slots=4096", "ring.payload_bytes=1M"] });
  const page = await openDashboard(t, browser, shallow);
  await page.keyboard.press("b");
  const tool = page.getByRole("complementary");
  await tool.getByText(/128 MB at most/).waitFor();
  await tool.getByRole("button", { name: "Make noise" }).click();
  await tool.getByText(/[\d.]+ MB of noise made/).waitFor();
  await tool.getByRole("button", { name: "Stop the noise" }).click();
  await tool.getByRole("button", { name: "Make noise" }).waitFor();
  const version = async () => (await shallow.state("behind.noise")).get("behind.noise").version;
  let last = -1;
  await until("no more is made", async () => {
    const now = await version();
    const same = now === last;
    last = now;
    return same;
  });
  assert.ok(last > 0);
  assert.equal(await toasts(page).count(), 0);
});
