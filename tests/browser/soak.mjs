// SPDX-License-Identifier: BSD-2-Clause

// `make soak-browser`: for an hour (SOAK_SECONDS) a page with a view and a list of
// events, and the dashboard, under load, while gateways are killed; their heaps have to
// be flat (lib/flat.mjs).  At first a page that leaks is shown, which has to be refused.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { pause, until } from "./lib/await.mjs";
import { judge, SAMPLES_MIN } from "./lib/flat.mjs";
import { assertFollowed, openFollower, tell } from "./lib/follow.mjs";
import { artifacts, startHouse } from "./lib/house.mjs";
import { seedOf, startLoad } from "./lib/load.mjs";
import { launch, openPage, screenshot } from "./lib/page.mjs";
import { random } from "./lib/random.mjs";

const SECONDS = Number(process.env.SOAK_SECONDS ?? 3600);
const LEAK_SECONDS = 90;
const RATE = Number(process.env.SOAK_RATE ?? 200);
const TOPICS = Number(process.env.SOAK_TOPICS ?? 2000);
const KILL_SECONDS = 20;

const house = await startHouse({ after });
const browser = await launch({ after });

/** Bytes of the page's heap once what is garbage has gone. */
async function heapOf(page) {
  page.devtools ??= await page.context().newCDPSession(page);
  for (let n = 0; n < 2; n++) await page.devtools.send("HeapProfiler.collectGarbage");
  return (await page.devtools.send("Runtime.getHeapUsage")).usedSize;
}

/** Samples of each page for so long while gateways are killed. */
async function soak(t, pages, seconds, { kill }) {
  const dice = random(seedOf(t));
  const series = pages.map(() => []);
  const begin = performance.now();
  let killed = 0;
  const passed = () => (performance.now() - begin) / 1000;
  const step = Math.min(30, seconds / (2 * SAMPLES_MIN));
  for (let due = 0; due < seconds; due = passed() + step) {
    await until("the next sample is due", () => passed() >= due);
    if (kill && passed() > KILL_SECONDS * (killed + 1)) {
      const gateways = house.pids("gateway");
      process.kill(gateways[dice.int(gateways.length)], "SIGKILL");
      killed++;
    }
    for (const [n, page] of pages.entries()) {
      series[n].push([passed(), await heapOf(page)]);
    }
  }
  return { series, killed };
}

/** Each topic has its fields before a page looks: from then on rows only change. */
async function fill(t) {
  const load = await startLoad(t, house, { rate: 5000, topics: TOPICS });
  await until("the topics are full", () => load.count > TOPICS * 20);
  await load.stop();
}

const mib = (bytes) => `${(bytes / (1 << 20)).toFixed(2)} MiB`;

function keep(name, samples) {
  mkdirSync(artifacts, { recursive: true });
  const path = join(artifacts, `soak-${name}.tsv`);
  writeFileSync(path, samples.map(([s, b]) => `${s.toFixed(1)}\t${b}\n`).join(""));
  return path;
}

function report(t, name, samples) {
  const verdict = judge(samples);
  t.diagnostic(`${name}: heap ${mib(verdict.heap)}, ${mib(verdict.perHour)} an hour, ` +
    `at most ${mib(verdict.limit)} are flat; ${keep(name, samples)}`);
  return verdict;
}

test("a page that keeps every event is refused", async (t) => {
  const page = await openFollower(t, browser, house, { leak: true });
  const load = await startLoad(t, house, { rate: RATE, topics: TOPICS, prefix: "w.leak" });
  const { series: [samples] } = await soak(t, [page], LEAK_SECONDS, { kill: false });
  await load.stop();
  assert.equal(report(t, "leak", samples).flat, false);
});

test(`a page and the dashboard are flat for ${SECONDS} s`, async (t) => {
  await fill(t);
  const page = await openFollower(t, browser, house);
  const dashboard = await openPage(t, browser, house.link);
  const load = await startLoad(t, house, { rate: RATE, topics: TOPICS });
  const { series, killed } = await soak(t, [page, dashboard], SECONDS, { kill: true });
  const head = await load.stop();
  const { counters } = await tell(page);
  t.diagnostic(`${load.count} events, ${killed} gateways killed, ` +
    `${counters.reconnects} reconnects`);
  await screenshot(dashboard, "soak-dashboard");
  const verdicts = [report(t, "page", series[0]), report(t, "dashboard", series[1])];
  await assertFollowed(page, house, head);
  assert.deepEqual(dashboard.problems, []);
  assert.deepEqual(verdicts.map(({ flat }) => flat), [true, true]);
});
