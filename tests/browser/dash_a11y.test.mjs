// SPDX-License-Identifier: BSD-2-Clause

// Each panel of the dashboard, light and dark, wide and on a phone: axe-core finds nothing,
// nothing is wider than the screen, and a picture is kept.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { assertAccessible, go, openDashboard, PHONE } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { append } from "./lib/load.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";

const house = await startHouse({ after }, { gateways: 1 });
const browser = await launch({ after });

const note = (n) => ({ topic: `note.${n % 5}`, type: n < 5 ? "note_created" : "note_updated",
  actor: ["ada", "bob", "cyd"][n % 3], data: { text: `line ${n}`, n, ok: n % 2 === 0 } });
await append(house, ...Array.from({ length: 40 }, (_, n) => note(n)));
await append(house, ...["Ada", "Bob", "Engine"].map((name) => ({
  topic: `graph.entity.${name}`, type: "entity_created",
  data: { name, entityType: "thing", observations: [`${name} is here`] } })),
{ topic: "graph.relation.Ada.knows.Engine", type: "relation_created",
  data: { from: "Ada", to: "Engine", relationType: "knows" } });

/** What has to be seen before a panel is looked at. */
const panels = [
  ["events", "#/events", (page) => page.locator(".event-row .c-topic", { hasText: "note.4" })],
  ["state", "#/state/note.1", (page) => page.locator(".change .diff").first()],
  ["graph", "#/graph", (page) => page.locator("#panel-graph canvas")],
  ["charts", "#/charts", (page) => page.locator("#panel-charts").getByText("Events").first()],
];
const sizes = [["wide", { width: 1440, height: 900 }], ["phone", PHONE]];

for (const [size, viewport] of sizes) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, hash, ready] of panels) {
      test(`${name}, ${size} and ${colorScheme}, is accessible and fits`, async (t) => {
        const page = await openDashboard(t, browser, house, { viewport, colorScheme, hash });
        await ready(page).first().waitFor();
        await go(page, hash);
        await assertAccessible(page, `${name} ${size} ${colorScheme}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= viewport.width, `${wide} px`);
        await screenshot(page, `dash-${name}-${size}-${colorScheme}`);
        assertNoProblems(page);
      });
    }
  }
}
