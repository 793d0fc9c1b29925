// SPDX-License-Identifier: BSD-2-Clause

// The dashboard as its tests use it: opened with a token as its user opens it, and looked
// at by axe-core, whose source is run beside the page's own Content-Security-Policy.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { openContext, openPage } from "./page.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const OF_AXE = /^Applying inline style violates/;

/** Milliseconds that a toast is shown: for `hold` of openDashboard. */
export const TOAST = 5000;

export const PHONE = { width: 360, height: 720 };

/** Screens that each panel is looked at on, as options of openDashboard. */
export const SCREENS = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  phone: { viewport: PHONE, colorScheme: "light", hasTouch: true, isMobile: true },
};

/** In the pages of a context timers of `ms` stand still until passTime() of the page. */
async function holdTimers(context, ms) {
  await context.addInitScript((held) => {
    const { setTimeout, clearTimeout } = globalThis;
    const waiting = new Map();
    let last = 0;
    globalThis.setTimeout = (fn, after, ...rest) => {
      if (after !== held) return setTimeout(fn, after, ...rest);
      waiting.set(--last, () => fn(...rest));
      return last;
    };
    globalThis.clearTimeout = (id) => waiting.delete(id) || clearTimeout(id);
    globalThis.passTime = () => {
      for (const [id, end] of [...waiting]) if (waiting.delete(id)) end();
    };
  }, ms);
}

/** Timers that are held end. */
export function passTime(page) {
  return page.evaluate(() => globalThis.passTime());
}

/**
 * The dashboard of the house, connected.
 * { hash: "#/state", token, hold: ms of timers to be held, ...of the context }
 */
export async function openDashboard(t, browser, house, options = {}) {
  const { hash, token = house.token, connected = true, hold, ...of } = options;
  const context = await openContext(t, browser, of);
  if (hold) await holdTimers(context, hold);
  const page = await openPage(t, context, `${house.url}/#token=${token}`);
  if (connected) await page.waitForSelector(".pill[data-tone=good]");
  if (hash) await go(page, hash);
  return page;
}

/** Follow a route, as a link to it does. */
export async function go(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

/** What axe-core finds wrong with the page. */
export async function violations(page) {
  // axe-core tries a style of its own, which the page's policy refuses.
  const before = page.problems.length;
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  page.problems.push(...page.problems.splice(before).filter((p) => !OF_AXE.test(p)));
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" | ")}`);
}

/** axe-core has nothing to say. */
export async function assertAccessible(page, what) {
  assert.deepEqual(await violations(page), [], what);
}

/** A value of a module of the page: `inPage(page, "/dashboard/frame.js", "counts")`. */
export function inPage(page, module, name) {
  return page.evaluate(async ([from, what]) => (await import(from))[what], [module, name]);
}
