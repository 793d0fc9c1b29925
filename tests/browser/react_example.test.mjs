// SPDX-License-Identifier: BSD-2-Clause
// The example of client/examples/react as somebody has it who copies it: the packed client
// installed, built by vite, served from an origin of its own, in Chromium.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, readFileSync } from "node:fs";
import http from "node:http";
import { extname, join } from "node:path";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { source, startHouse } from "./lib/house.mjs";
import { modules, pack, project, run, scratch } from "./lib/packed.mjs";
import { assertNoProblems, launch, openPage, screenshot } from "./lib/page.mjs";
import { startProxy } from "./lib/proxy.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript" };

/** An application's own server: what vite has built, and tokens. */
async function serve(t) {
  const it = { token: "", directory: "" };
  const server = http.createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : request.url;
    if (path === "/token") return response.end(it.token);
    try {
      const body = readFileSync(join(it.directory, path));
      response.setHeader("Content-Type", TYPES[extname(path)] ?? "text/plain");
      return response.end(body);
    } catch {
      response.statusCode = path === "/favicon.ico" ? 204 : 404;
      return response.end();
    }
  });
  await new Promise((yes) => server.listen(0, "127.0.0.1", yes));
  t.after(() => server.close());
  it.origin = `http://127.0.0.1:${server.address().port}`;
  return it;
}

const vite = join(modules, "vite/bin/vite.js");

/** The example, copied, with what its package.json names. */
async function copyExample(t) {
  const directory = scratch(t);
  const { file } = await pack(directory);
  const at = await project(directory, "notes", file, {
    packages: ["react", "react-dom", "vite", "@vitejs/plugin-react"],
  });
  cpSync(join(source, "client/examples/react"), at, { recursive: true });
  return at;
}

/** The same, built. */
async function buildExample(t, url) {
  const at = await copyExample(t);
  await run(process.execPath, [vite, "build"], {
    cwd: at, env: { VITE_PEAL_URL: url, NODE_ENV: "production" },
  });
  return join(at, "dist");
}

/**
 * vite's own server, which gives out the development token, on a port that it has found to be
 * free: the port. It ends with its stdin.
 */
async function develop(t, house) {
  const child = spawn(process.execPath, [vite, "--host", "127.0.0.1"], {
    cwd: await copyExample(t), stdio: ["pipe", "pipe", "inherit"], env: {
      ...process.env, NO_COLOR: "1",
      VITE_PEAL_URL: house.url, PEAL_TOKEN: join(house.data, "dev.token"),
    },
  });
  t.after(() => child.kill());
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  return until("vite serves", () => {
    if (child.exitCode !== null) assert.fail(`vite has ended: ${said}`);
    return /http:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1];
  });
}

const browser = await launch({ after });

test("the example, built with vite, lives through the death of its gateway", async (t) => {
  const server = await serve(t);
  const house = await startHouse(t, { options: [`gateway.origins=${server.origin}`] });
  server.token = house.token;
  server.directory = await buildExample(t, house.url);
  const append = (n, type, data) =>
    house.peal("append", `note.${n}`, type, JSON.stringify(data));
  await append(1, "note_created", { text: "first" });
  const page = await openPage(t, browser, server.origin);
  const shows = (...wanted) => until(`the page shows ${wanted}`, async () =>
    (await page.locator("li").allInnerTexts()).join() === wanted.join());
  await shows("first");
  assert.equal(await page.getByRole("status").innerText(), "connected");
  await append(2, "note_created", { text: "second" });
  await shows("first", "second");
  await page.getByLabel("Text").fill("third");
  await page.getByRole("button", { name: "Add" }).click();
  await shows("first", "second", "third");
  // Whichever gateway has it: both go, one after the other.
  for (const pid of house.pids("gateway")) await house.replace("gateway", pid);
  await append(1, "note_updated", { text: "1st" });
  await append(2, "note_deleted", null);
  await shows("1st", "third");
  await until("it says so", async () =>
    (await page.getByRole("status").innerText()) === "connected");
  await screenshot(page, "react_example");
  assertNoProblems(page);
});

test("an origin that is not listed gets nothing, and the page says so", async (t) => {
  const server = await serve(t);
  const house = await startHouse(t, { gateways: 1 });
  server.token = house.token;
  server.directory = await buildExample(t, house.url);
  await house.peal("append", "note.1", "note_created", '{"text":"first"}');
  const page = await openPage(t, browser, server.origin);
  await until("it is told", async () =>
    (await page.getByRole("status").innerText()) === "disconnected");
  assert.equal(await page.locator("li").count(), 0);
});

test("while one develops, vite serves it with a token", async (t) => {
  // The house knows the origin before vite knows its port, which somebody may have taken.
  let port;
  const proxy = await startProxy(t, () => port);
  const origin = `http://127.0.0.1:${proxy.port}`;
  const house = await startHouse(t, { gateways: 1, options: [`gateway.origins=${origin}`] });
  port = await develop(t, house);
  const page = await openPage(t, browser, origin);
  await until("it is connected", async () =>
    (await page.getByRole("status").innerText()) === "connected");
  await page.getByLabel("Text").fill("written");
  await page.getByRole("button", { name: "Add" }).click();
  await until("what was written is there", async () =>
    (await page.locator("li").allInnerTexts()).join() === "written");
});
