// SPDX-License-Identifier: BSD-2-Clause

// Debian's Chromium, and pages in it.  What a page complains about is kept, and a test
// that ends with complaints that it did not expect fails.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { atEnd, DEADLINE } from "./await.mjs";
import { artifacts } from "./house.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage",
];

/** What the network does to a page is no fault of the page. */
const NETWORK = /WebSocket connection to|ERR_(CONNECTION|NETWORK|EMPTY|INTERNET|TIMED|ADDRESS)/;

/** The browser of a test file: `launch(after-of-node:test or a test's context)`. */
export async function launch(t, { args = [], ...options } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...FLAGS, ...args],
    timeout: DEADLINE,
    ...options,
  });
  atEnd(t, () => browser.close());
  return browser;
}

/** A context of its own (cookies, storage), that trusts the house's certificate. */
export async function openContext(t, browser, options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(DEADLINE);
  context.setDefaultNavigationTimeout(DEADLINE);
  atEnd(t, () => context.close());
  return context;
}

/** Keep what the page complains about in page.problems. */
function listen(page) {
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.stack ?? String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !NETWORK.test(message.text())) {
      page.problems.push(message.text());
    }
  });
}

/**
 * A page at `url`, in `context`, a browser's own context when it is left out.
 * /test/blank.html is there under the gateway's Content-Security-Policy; scripts of
 * tests are modules in pages/, served at /test/.
 */
export async function openPage(t, where, url) {
  const context = where.newPage && where.newContext
    ? await openContext(t, where) : where;
  const page = await context.newPage();
  listen(page);
  await page.goto(url);
  return page;
}

/** The page complained about nothing. */
export function assertNoProblems(page) {
  assert.deepEqual(page.problems, []);
}

/** Keep a picture of the page among what the build leaves. */
export async function screenshot(page, name, options = {}) {
  mkdirSync(artifacts, { recursive: true });
  const path = join(artifacts, `${name}.png`);
  await page.screenshot({ path, ...options });
  return path;
}
