// SPDX-License-Identifier: BSD-2-Clause

// The panel of the memory graph in Chromium: what `peal import` stored is in the drawing
// and in the list, what changes is seen at once, and everything can be done by keyboard.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertAccessible, openDashboard, SCREENS } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";

const house = await startHouse({ after });
const browser = await launch({ after });

const HOSTILE = "<img src=x onerror=window.ran=1>";

/** A small memory graph: a hub of ten services, people, and names that want care. */
function memory() {
  const lines = [];
  const entity = (name, entityType, ...observations) =>
    lines.push({ type: "entity", name, entityType, observations });
  const relation = (from, relationType, to) =>
    lines.push({ type: "relation", from, to, relationType });
  entity("gateway", "service", "listens on 8443", "speaks WebSocket");
  for (let i = 0; i < 10; i++) {
    entity(`service.${i}`, "service");
    relation("gateway", "calls", `service.${i}`);
  }
  for (const name of ["ada", "bob", "cyd"]) {
    entity(name, "person", `${name} is on call`);
    relation(name, "owns", "gateway");
  }
  entity("__proto__", "person");
  entity(HOSTILE, "service", HOSTILE);
  relation("ada", "knows", "__proto__");
  relation("ada", "saw", HOSTILE);
  relation("bob", "awaits", "nobody yet");
  return lines;
}

const file = join(house.directory, "memory.jsonl");
writeFileSync(
  file,
  memory()
    .map((line) => `${JSON.stringify(line)}\n`)
    .join(""),
);
await house.peal("import", file);
const count = (type) => memory().filter((line) => line.type === type).length;

const canvas = (page) => page.locator(".graph-canvas");
const attribute = (page, name) => canvas(page).getAttribute(`data-${name}`);
const view = async (page) => (await attribute(page, "view")).split(" ").map(Number);
const selected = (page) => page.locator("#graph-name").textContent();
const active = (page) =>
  page.evaluate(() => {
    const list = document.activeElement;
    const option = document.getElementById(list.getAttribute("aria-activedescendant"));
    return `${list.getAttribute("aria-label")}: ${option?.textContent}`;
  });

/** The panel with all of the graph, at rest. */
async function open(t, options = {}) {
  const page = await openDashboard(t, browser, house, { hash: "#/graph", ...options });
  await until(
    "the drawing is at rest",
    async () =>
      Number(await attribute(page, "nodes")) > count("entity") &&
      (await attribute(page, "rest")) === "true",
  );
  return page;
}

/** The view when it has stopped moving: while it moves it does so in each frame. */
async function steady(page) {
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const { dataset } = document.querySelector(".graph-canvas");
        let before;
        let same = 0;
        const look = () => {
          same = dataset.view === before && dataset.rest === "true" ? same + 1 : 0;
          before = dataset.view;
          if (same < 5) requestAnimationFrame(look);
          else resolve();
        };
        look();
      }),
  );
  return view(page);
}

test("what was imported is in the drawing, the list and the legend", async (t) => {
  const page = await open(t);
  assert.equal(
    await canvas(page).getAttribute("aria-label"),
    `Drawing of ${count("entity")} entities, ${count("relation")} relations`,
  );
  const names = memory()
    .filter((l) => l.type === "entity")
    .map((l) => l.name);
  const shown = page.locator(".graph-list [role=option]:not([hidden]) .entity-name");
  await until(
    "the list has all of them, and what only relations name",
    async () =>
      (await shown.allTextContents()).sort().join() ===
      [...names, "nobody yet"].sort().join(),
  );
  const first = page.locator(".graph-list [role=option]").first();
  assert.equal(await first.getAttribute("aria-setsize"), String(names.length + 1));
  assert.equal(await first.textContent(), "gateway, service, 13 relations");
  assert.deepEqual(await page.locator(".graph-legend li").allTextContents(), [
    "service12",
    "person4",
  ]);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assertNoProblems(page);
});

test("details tell observations, relations and who changed it", async (t) => {
  const page = await open(t);
  await page.locator("#graph-find").fill("onerror");
  await page.keyboard.press("Enter");
  assert.equal(await selected(page), HOSTILE);
  assert.deepEqual(await page.locator(".graph-observations li").allTextContents(), [
    HOSTILE,
  ]);
  await page.locator("#graph-find").fill("gateway");
  await page.keyboard.press("Enter");
  assert.deepEqual(await page.locator(".graph-observations li").allTextContents(), [
    "listens on 8443",
    "speaks WebSocket",
  ]);
  await page.locator(".graph-changes .change-what").first().waitFor();
  assert.equal(
    await page.locator(".graph-changes .change-what").textContent(),
    "entity_created",
  );
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assertNoProblems(page);
});

test("one walks from neighbour to neighbour by keyboard, and back", async (t) => {
  const page = await open(t);
  await page.locator("#graph-find").focus();
  await page.keyboard.press("ArrowDown"); // into the list
  await until("the list is reached", async () =>
    (await active(page)).startsWith("Entities"),
  );
  assert.equal(await selected(page), "gateway");
  await page.keyboard.press("ArrowDown");
  await until("the next is selected", async () => (await selected(page)) === "ada");
  await until("it is told of it", async () =>
    (await active(page)).startsWith("Entities: ada, person, 3 relations"),
  );
  await page.keyboard.press("ArrowRight");
  await until(
    "its relations are reached",
    async () => (await active(page)) === "Relations of ada: →knows__proto__",
  );
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await until(
    "the neighbour is selected",
    async () => (await selected(page)) === "gateway",
  );
  await until("its relations are drawn", async () =>
    (await active(page)).startsWith("Relations of gateway: →callsservice.0"),
  );
  await page.locator("#status").getByText("gateway, service, 13 relations").waitFor();
  await page.keyboard.press("End");
  await until("those that own it are last", async () =>
    (await active(page)).endsWith("←owns bycyd"),
  );
  await page.keyboard.press("Enter");
  await until("on to the next", async () => (await selected(page)) === "cyd");
  await page.keyboard.press("ArrowLeft");
  await until("back", async () => (await selected(page)) === "gateway");
  await page.keyboard.press("ArrowLeft");
  await until("and back", async () => (await selected(page)) === "ada");
  await page.keyboard.press("ArrowLeft");
  await until("to the list", async () =>
    (await active(page)).startsWith("Entities: ada"),
  );
  await page.keyboard.press("Escape");
  await until("nothing is selected", () =>
    page.locator(".graph-details-body").isHidden(),
  );
  assertNoProblems(page);
});

test("drawing and list have one selection", async (t) => {
  const page = await open(t);
  await page.locator(".graph-list [role=option]", { hasText: "ada" }).click();
  await until("the drawing has it", () => attribute(page, "selected"));
  await steady(page);
  const [x, y] = (await attribute(page, "selected")).split(/[ ,]/).map(Number);
  await page.keyboard.press("Escape");
  await until("it is gone", async () => !(await attribute(page, "selected")));
  await canvas(page).click({ position: { x, y } });
  await until("a click selects it", async () => (await selected(page)) === "ada");
  assert.equal(
    await page.locator(".graph-list [aria-selected=true] .entity-name").textContent(),
    "ada",
  );
  await canvas(page).click({ position: { x: 3, y: 3 } });
  await until(
    "a click beside all clears it",
    async () => !(await attribute(page, "selected")),
  );
  assertNoProblems(page);
});

test("the drawing is moved and zoomed by keys, wheel, pointer and buttons", async (t) => {
  const page = await open(t);
  const whole = await steady(page);
  await canvas(page).focus();
  await page.keyboard.press("ArrowLeft");
  await until("it moved by a key", async () => (await view(page))[1] > whole[1]);
  await page.keyboard.press("+");
  const near = await until("it is nearer", async () => {
    const v = await steady(page);
    return v[0] > whole[0] * 1.3 && v;
  });
  await canvas(page).hover();
  await page.mouse.wheel(0, -300);
  await until("the wheel zooms", async () => (await view(page))[0] > near[0] * 1.2);
  const [k, x, y] = await steady(page);
  await page.mouse.down();
  await page.mouse.move(700, 500);
  await page.mouse.move(720, 530);
  await page.mouse.up();
  const dragged = await until("dragging moves it", async () => {
    const v = await view(page);
    return (v[1] !== x || v[2] !== y) && v;
  });
  assert.equal(dragged[0], k);
  await page.getByRole("button", { name: "Zoom out" }).click();
  await until("a button zooms out", async () => (await view(page))[0] < k);
  await page.getByRole("button", { name: "Show all" }).click();
  await until("all of it is shown again", async () => {
    const v = await steady(page);
    return Math.abs(v[0] / whole[0] - 1) < 0.02;
  });
  assertNoProblems(page);
});

test("two fingers pinch", async (t) => {
  const page = await open(t, { ...SCREENS.phone });
  const [k] = await steady(page);
  const session = await page.context().newCDPSession(page);
  const box = await canvas(page).boundingBox();
  const [cx, cy] = [box.x + box.width / 2, box.y + box.height / 2];
  const touch = (type, apart) =>
    session.send("Input.dispatchTouchEvent", {
      type,
      touchPoints:
        apart === undefined
          ? []
          : [
              { x: cx - apart, y: cy, id: 1 },
              { x: cx + apart, y: cy, id: 2 },
            ],
    });
  await touch("touchStart", 30);
  for (const apart of [40, 55, 70, 90]) await touch("touchMove", apart);
  await touch("touchEnd");
  await until("it is nearer", async () => (await view(page))[0] > k * 2);
  assertNoProblems(page);
});

/** Counts frames of the drawing, and keeps the most pulses seen at once. */
const watch = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector(".graph-canvas");
    globalThis.watched = { frames: 0, pulses: 0 };
    const g = canvas.getContext("2d");
    const clear = g.clearRect;
    g.clearRect = function (...box) {
      globalThis.watched.frames++;
      return clear.apply(this, box);
    };
    new MutationObserver(() => {
      globalThis.watched.pulses = Math.max(
        globalThis.watched.pulses,
        Number(canvas.dataset.pulses),
      );
    }).observe(canvas, { attributes: true });
  });
const watched = (page) => page.evaluate(() => globalThis.watched);

for (const reducedMotion of ["no-preference", "reduce"]) {
  test(`a live change appears, and pulses: motion ${reducedMotion}`, async (t) => {
    const page = await open(t, { reducedMotion });
    const total = page.locator(".graph-total");
    const before = await total.textContent();
    await steady(page);
    await watch(page);
    const name = `late.${reducedMotion}`;
    await house.peal(
      "append",
      `graph.entity.late%2E${reducedMotion}`,
      "entity_created",
      JSON.stringify({ name, entityType: "service", observations: [] }),
    );
    await house.peal(
      "append",
      `graph.relation.ada.made.late%2E${reducedMotion}`,
      "relation_created",
      JSON.stringify({ from: "ada", to: name, relationType: "made" }),
    );
    await until("it is counted", async () => (await total.textContent()) !== before);
    await page.locator("#graph-find").fill(name);
    await page.keyboard.press("Enter");
    await until("it is selected", async () => (await selected(page)) === name);
    await page
      .locator(".graph-details [role=option]", { hasText: "made byada" })
      .waitFor();
    await until(
      "it came to rest",
      async () =>
        (await attribute(page, "rest")) === "true" &&
        (await attribute(page, "pulses")) === "0",
    );
    const { pulses, frames } = await watched(page);
    assert.equal(pulses > 0, reducedMotion === "no-preference", `${pulses} pulses`);
    assert.ok(frames > 0);
    await house.peal(
      "append",
      `graph.entity.late%2E${reducedMotion}`,
      "observation_added",
      JSON.stringify({ observations: "seen" }),
    );
    await page.locator(".graph-observations li", { hasText: "seen" }).waitFor();
    await house.peal(
      "append",
      `graph.relation.ada.made.late%2E${reducedMotion}`,
      "relation_deleted",
      "{}",
    );
    await house.peal(
      "append",
      `graph.entity.late%2E${reducedMotion}`,
      "entity_deleted",
      "{}",
    );
    await until("it is gone", async () => (await total.textContent()) === before);
    assertNoProblems(page);
  });
}

test("at rest nothing is drawn, and nothing while another panel is shown", async (t) => {
  const page = await open(t);
  await page.locator("#graph-find").focus(); // no pointer over the drawing
  await steady(page);
  await watch(page);
  const frames = (n) =>
    page.evaluate(
      (many) =>
        new Promise((resolve) => {
          const next = (left) =>
            left > 0 ? requestAnimationFrame(() => next(left - 1)) : resolve();
          next(many);
        }),
      n,
    );
  await frames(40);
  assert.equal((await watched(page)).frames, 0);
  await page.locator("#tab-events").click();
  await house.peal("append", "graph.entity.zed", "entity_created", '{"name":"zed"}');
  await page.locator("#panel-events").getByText("graph.entity.zed").first().waitFor();
  await frames(20);
  assert.equal((await watched(page)).frames, 0);
  await page.locator("#tab-graph").click();
  await until(
    "it is drawn when it is shown",
    async () => (await watched(page)).frames > 0,
  );
  await house.peal("append", "graph.entity.zed", "entity_deleted", "{}");
  assertNoProblems(page);
});

test("a link leads to an entity", async (t) => {
  const page = await openDashboard(t, browser, house, { hash: "#/graph/ada" });
  await until("it is selected", async () => (await selected(page)) === "ada");
  await page.getByRole("button", { name: "Open in State" }).click();
  await until("the state browser shows it", () =>
    page.evaluate(() => location.hash === "#/state/graph.entity.ada"),
  );
});

for (const [name, options] of Object.entries(SCREENS)) {
  test(`the graph is accessible and fits: ${name}`, async (t) => {
    const page = await open(t, options);
    await page.locator("#graph-find").fill("ada");
    await page.keyboard.press("Enter");
    await page.locator(".graph-changes .change-what").first().waitFor();
    await steady(page);
    await screenshot(page, `dash-graph-${name}`);
    await assertAccessible(page);
    if (name === "phone") {
      await page.getByRole("button", { name: "List", exact: true }).click();
      await page.locator(".graph-list [role=option]").first().waitFor();
      await assertAccessible(page);
      await screenshot(page, "dash-graph-phone-list");
    }
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(wide, 0);
    assertNoProblems(page);
  });
}
