// SPDX-License-Identifier: BSD-2-Clause
// The hooks, under StrictMode in Chromium and on a server: what they open, share, show and
// leave behind.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { build } from "esbuild";

import { until } from "./lib/await.mjs";
import { source, startHouse } from "./lib/house.mjs";
import { scratch } from "./lib/packed.mjs";
import { assertNoProblems, launch, openPage } from "./lib/page.mjs";

const browser = await launch({ after });
const pages = scratch({ after });
const bundle = (name, outfile, options) => build({
  entryPoints: [join(source, "tests/browser/pages", name)], outfile, bundle: true,
  format: "esm", logLevel: "error", nodePaths: [join(source, "tests/browser/node_modules")],
  ...options,
});
await bundle("react_hooks.mjs", join(pages, "hooks.js"), {
  define: { "process.env.NODE_ENV": '"development"' },
});
await bundle("react_server.mjs", join(pages, "server.mjs"), {
  platform: "node", banner: {
    js: 'import { createRequire } from "node:module"; ' +
      "const require = createRequire(import.meta.url);",
  },
});
writeFileSync(join(pages, "hooks.html"), `<!doctype html><link rel="icon" href="data:,">
<body><div id="root"></div><script type="module" src="hooks.js"></script>`);
const house = await startHouse({ after }, { pages });

/** A page with the scenes, and a topic's events from the same process. */
async function open(t) {
  const page = await openPage(t, browser, `${house.url}/test/hooks.html`);
  await until("the scenes are there", () => page.evaluate(() => "scene" in window));
  await page.evaluate((token) => window.scene.begin(token), house.token);
  t.after(() => assertNoProblems(page));
  return page;
}

const show = (page, name, props = {}) =>
  page.evaluate((args) => window.scene.show(...args), [name, props]);
const set = (page, props) => page.evaluate((p) => window.scene.set(p), props);
const count = (page) => page.evaluate(() => window.scene.count);
const text = (page, id) => page.locator(`#${CSS(id)}`).innerText();
const CSS = (id) => id.replaceAll(".", "\\.");
const append = (topic, type, data) => house.peal("append", topic, type, JSON.stringify(data));
const shows = (page, id, wanted) => until(`${id} shows ${wanted}`, async () =>
  (await text(page, id)).split("\n").join() === wanted);

/** Each test begins with the same rows. */
async function notes() {
  for (const name of ["a", "b", "c"])
    await append(`react.note.${name}`, "note_created", { text: name });
}

test("a client of a component is one under StrictMode, and gone with it", async (t) => {
  await notes();
  const page = await open(t);
  const sockets = () => page.evaluate(() => window.scene.sockets());
  await until("the first is open", async () => (await sockets()).join() === "1");
  await show(page, "Own", { url: "/" });
  await shows(page, "state", "some connected");
  await shows(page, "rows", "a,b,c");
  assert.equal((await sockets()).length, 2);
  // Rendered again with the same address, in another object.
  await set(page, { url: "/", again: 1 });
  await set(page, { url: "/v1/ws" });
  await until("another address is another client", async () =>
    (await sockets()).join() === "1,3,1");
  await shows(page, "rows", "a,b,c");
  await set(page, { none: true });
  await shows(page, "state", "no connecting");
  await until("none has none", async () => (await sockets()).join() === "1,3,3");
  await set(page, { url: "/" });
  await shows(page, "state", "some connected");
  await page.evaluate(() => window.scene.hide());
  await until("all are closed", async () => (await sockets()).join() === "1,3,3,3");
});

test("a client that was hidden comes back with the component", async (t) => {
  await notes();
  const page = await open(t);
  await show(page, "Hidden", { url: "/", mode: "visible" });
  await shows(page, "rows", "a,b,c");
  const sockets = () => page.evaluate(() => window.scene.sockets().join());
  await set(page, { url: "/", mode: "hidden" });
  await until("it is closed", async () => (await sockets()) === "1,3");
  await append("react.note.a", "note_updated", { text: "aa" });
  await set(page, { url: "/", mode: "visible" });
  await shows(page, "rows", "aa,b,c");
  assert.equal(await sockets(), "1,3,1");
});

test("components with equal patterns share a view, which goes with the last", async (t) => {
  await notes();
  const page = await open(t);
  await show(page, "Shared", { turn: 0, second: true });
  await shows(page, "first", "a,b,c");
  await shows(page, "second", "a,b,c");
  for (let turn = 1; turn <= 5; turn++) await set(page, { turn, second: true });
  await until("it was rendered", () =>
    page.evaluate(() => document.querySelector("#turn").dataset.turn === "5"));
  await append("react.note.d", "note_created", { text: "d" });
  await shows(page, "second", "a,b,c,d");
  await set(page, { turn: 6, second: false });
  await append("react.note.d", "note_deleted", null);
  await shows(page, "first", "a,b,c");
  const { views, closed } = await count(page);
  // StrictMode undoes the first effects within one turn, and that costs nothing.
  assert.deepEqual([views, closed], [1, 0]);
  await page.evaluate(() => window.scene.hide());
  await until("the view is closed", async () => (await count(page)).closed === 1);
});

test("rows below a list read its view, and outlive it", async (t) => {
  await notes();
  const page = await open(t);
  const topics = ["a", "b", "c"].map((name) => `react.note.${name}`);
  await show(page, "List", { list: true, topics });
  await shows(page, topics[2], "c");
  assert.equal((await count(page)).views, 1);
  const { renders: before } = await count(page);
  await append(topics[1], "note_updated", { text: "bb" });
  await shows(page, topics[1], "bb");
  const { renders } = await count(page);
  assert.equal(renders[topics[0]], before[topics[0]], "another row was rendered");
  assert.ok(renders[topics[1]] > before[topics[1]]);
  await set(page, { list: false, topics });
  await append(topics[0], "note_updated", { text: "aa" });
  await shows(page, topics[0], "aa");
  const { views, closed } = await count(page);
  assert.deepEqual([views, closed], [1, 0]);
  await set(page, { list: false, topics: [] });
  await until("it went with the last row", async () => (await count(page)).closed === 1);
});

test("rows that no list holds get one view together", async (t) => {
  await notes();
  const page = await open(t);
  await show(page, "List", {
    list: false, topics: ["react.note.a", "react.note.b", "react.note.none"],
  });
  await shows(page, "react.note.b", "b");
  await shows(page, "react.note.none", "none");
  assert.equal((await count(page)).views, 1);
});

test("what select leaves equal renders nothing", async (t) => {
  await notes();
  const page = await open(t);
  await append("react.note.x", "note_created", { text: "x" });
  await show(page, "Selected");
  await shows(page, "selected", "x");
  const { renders: { selected } } = await count(page);
  await append("react.note.a", "note_updated", { text: "aaa" });
  await append("react.note.y", "note_created", { text: "y" });
  await shows(page, "selected", "x,y");
  const { renders } = await count(page);
  // Twice each, for StrictMode.
  assert.equal(renders.selected, selected + 2);
  await append("react.note.x", "note_deleted", null);
  await append("react.note.y", "note_deleted", null);
  await shows(page, "selected", "");
});

test("events are the newest, in order, and one subscription", async (t) => {
  const page = await open(t);
  await show(page, "Events", { limit: 3, types: ["n_*"] });
  await until("it listens", async () => {
    await append("react.event.x", "n_set", { n: 0 });
    return (await text(page, "events")) !== "";
  });
  for (let n = 1; n <= 5; n++) {
    await append("react.event.x", "n_set", { n });
    await append("react.event.x", "m_set", { n: 99 });
  }
  await shows(page, "events", "3,4,5");
  await set(page, { limit: 3, types: ["n_*"] });
  const { subscriptions, ended } = await count(page);
  assert.equal(subscriptions - ended, 1);
  await page.evaluate(() => window.scene.hide());
  await until("it is over", async () => {
    const now = await count(page);
    return now.subscriptions === now.ended;
  });
});

test("a provider gives its client to what is below, and its lack is told", async (t) => {
  await notes();
  const page = await open(t);
  await show(page, "Given");
  await shows(page, "given", "3 true");
  await show(page, "Alone");
  await until("it threw", () => page.evaluate(() => window.scene.uncaught));
  assert.match(await page.evaluate(() => window.scene.uncaught), /no PealProvider/);
  page.problems.length = 0;
});

test("on a server everything is rendered as it is before there is a client", async () => {
  const { html, opened } = (await import(join(pages, "server.mjs"))).render();
  assert.equal(html, "<p>undefined,connecting,0,0,false,undefined,0</p>");
  assert.equal(opened, 0);
});
