// SPDX-License-Identifier: BSD-2-Clause

// What the client costs in Chromium: `make bench-browser`, or `node bench.mjs WHAT…` with
// decode, view, death. Figures are of the machine as it is; how busy that was stands beside.

import { readFileSync } from "node:fs";
import { loadavg } from "node:os";

import { build } from "esbuild";

import { until } from "./lib/await.mjs";
import { startHouse } from "./lib/house.mjs";
import { append, startLoad } from "./lib/load.mjs";
import { launch, openPage } from "./lib/page.mjs";

const ROWS = Number(process.env.PEAL_ROWS ?? 10000);
const RATE = Number(process.env.PEAL_RATE ?? 5000);
const SECONDS = Number(process.env.PEAL_SECONDS ?? 30);
const KILLS = Number(process.env.PEAL_KILLS ?? 30);
const PASSES = Number(process.env.PEAL_PASSES ?? 25);

const ends = [];
const t = { after: (end) => ends.unshift(end) };

const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
const sorted = (list) => [...list].sort((a, b) => a - b);
const round = (x) => Math.round(x).toLocaleString("en");

/** Seconds of CPU that a process has used. */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Chromium's counters; times are CPU time of the main thread. */
async function open(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async (collect) => {
    if (collect) await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
}

async function decode(page) {
  const read = await open(page);
  const { events, bytes } = await page.evaluate(async () => {
    window.bench = await import("/test/bench.js");
    return window.bench.prepare();
  });
  console.log(`decode: events of ${bytes.toFixed(0)} bytes a second, turned into objects`);
  const rates = {};
  for (let pass = 0; pass < PASSES; pass++) {
    for (const name of ["peal", "@msgpack/msgpack", "JSON.parse"]) {
      const before = await read();
      const ms = await page.evaluate((way) => window.bench.pass(way), name);
      const seconds = (await read()).ThreadTime - before.ThreadTime;
      // The first make the code quick.
      if (pass > 3) (rates[name] ??= []).push([events / seconds, (events / ms) * 1000]);
    }
  }
  for (const [name, pairs] of Object.entries(rates)) {
    const cpuRates = sorted(pairs.map(([rate]) => rate));
    const clock = sorted(pairs.map(([, rate]) => rate));
    console.log(`  ${name}: of a second of CPU ${round(at(cpuRates, 0.5))} ` +
      `(${round(cpuRates[0])} to ${round(cpuRates.at(-1))}), by the clock ` +
      `${round(at(clock, 0.5))}, at best ${round(clock.at(-1))}`);
  }
}

async function view(page, house) {
  for (let n = 0; n < ROWS; n += 1000) {
    await append(house, ...Array.from({ length: Math.min(1000, ROWS - n) }, (_, i) =>
      ({ topic: `w.item.${n + i}`, type: "item_created", data: { n, text: "x".repeat(40) } })));
  }
  await page.evaluate(async (token) => {
    const { watch } = await import("/test/bench.js");
    await watch(token, "w.>");
  }, house.token);
  const read = await open(page);
  const load = await startLoad(t, house, { rate: RATE, topics: ROWS });
  await until("the load runs", () => load.count > RATE);
  const begin = await read(true);
  await page.evaluate(() => {
    Object.assign(window.seen, { frames: [], draws: 0, changes: 0 });
  });
  const count = load.count;
  const started = performance.now();
  await until("it was long enough", () => performance.now() - started > SECONDS * 1000,
    { deadline: SECONDS * 2000 });
  const seconds = (performance.now() - started) / 1000;
  const events = load.count - count;
  const seen = await page.evaluate(() => {
    const { frames, draws, changes, client } = window.seen;
    return { frames, draws, changes, counters: { ...client.counters } };
  });
  const end = await read(true);
  const frames = sorted(seen.frames);
  const task = end.ThreadTime - begin.ThreadTime;
  console.log(`view: ${ROWS} rows, ${round(events / seconds)} events/s for ` +
    `${seconds.toFixed(0)} s, ${round(seen.changes / seconds)} rows a second shown as changed`);
  console.log(`  from frame to frame: p50 ${at(frames, 0.5).toFixed(1)} ms, ` +
    `p95 ${at(frames, 0.95).toFixed(1)} ms, p99 ${at(frames, 0.99).toFixed(1)} ms, ` +
    `${round(frames.length / seconds)} frames/s, ${round(seen.draws / seconds)} draws/s`);
  console.log(`  main thread: ${((1000 * task) / frames.length).toFixed(2)} ms of CPU per frame, ` +
    `${((100 * task) / seconds).toFixed(0)} % of a core`);
  const mib = (x) => (x / 2 ** 20).toFixed(1);
  console.log(`  heap after collecting: ${mib(begin.JSHeapUsedSize)} MiB at first, ` +
    `${mib(end.JSHeapUsedSize)} MiB at the end; ${JSON.stringify(seen.counters)}`);
  await load.stop();
}

async function death(page, house) {
  await append(house, { topic: "w.item.1", type: "item_created", data: {} });
  await page.evaluate(async (token) => {
    const { watch } = await import("/test/bench.js");
    await watch(token, "w.>");
  }, house.token);
  const load = await startLoad(t, house, { rate: 100, topics: 100 });
  const back = () => page.evaluate(() => window.seen.back);
  await until("the view is complete", async () => (await back()).length === 1);
  const times = [];
  for (let kill = 1; kill <= KILLS; kill++) {
    // Its last connection has to have been healthy for 5 s: the backoff begins anew.
    const healthy = Date.now() + 6000;
    await until("it has been healthy", () => Date.now() > healthy);
    const serving = JSON.parse(await house.peal("readers", "--json"))
      .filter(({ role, clients }) => role === "gateway" && clients > 0);
    const killed = Date.now();
    for (const { pid } of serving) process.kill(pid, "SIGKILL");
    const ended = await until("it is complete again", async () =>
      (await back()).find((time) => time > killed));
    times.push(ended - killed);
    await until("the other gateway is back", () => house.pids("gateway").length === 2);
  }
  const list = sorted(times);
  console.log(`death: ${KILLS} gateways killed, of two; view complete again after ` +
    `p50 ${at(list, 0.5)} ms, p95 ${at(list, 0.95)} ms, at most ${list.at(-1)} ms`);
  await load.stop();
}

const PARTS = { decode, view, death };
const wanted = process.argv.slice(2);

/** The page's other half of the comparison: not served otherwise. */
async function servePeer(page) {
  const { outputFiles: [{ contents }] } = await build({
    stdin: {
      contents: 'export { decode } from "@msgpack/msgpack";', resolveDir: import.meta.dirname,
    },
    bundle: true, minify: true, format: "esm", write: false,
  });
  await page.route("**/test/msgpack.js", (route) => route.fulfill({
    contentType: "text/javascript", body: Buffer.from(contents),
  }));
}

try {
  const browser = await launch(t);
  for (const name of wanted.length ? wanted : Object.keys(PARTS)) {
    // Only what is a WebSocket counts as a client of a gateway.
    const house = await startHouse(t, { options: ["gateway.keepalive_seconds=0"] });
    const page = await openPage(t, browser, `${house.url}/test/blank.html`);
    await servePeer(page);
    const before = cpu("self");
    await PARTS[name](page, house);
    console.log(`  (load average ${loadavg()[0].toFixed(1)}; the bench itself took ` +
      `${(cpu("self") - before).toFixed(1)} s of CPU)`);
    for (const problem of page.problems) console.log(`  the page said: ${problem}`);
    await page.close();
    await house.stop();
  }
} finally {
  for (const end of ends) await end();
}
