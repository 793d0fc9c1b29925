// SPDX-License-Identifier: BSD-2-Clause

// What the other tests stand on: the house, the proxy and the pages do what they say,
// and the gateway serves the site under a Content-Security-Policy that holds.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { until, within } from "./lib/await.mjs";
import { build, source, startHouse } from "./lib/house.mjs";
import { assertNoProblems, launch, openPage } from "./lib/page.mjs";
import { judge } from "./lib/flat.mjs";
import { assertFollowed, openFollower, tell } from "./lib/follow.mjs";
import { append } from "./lib/load.mjs";
import { startProxy } from "./lib/proxy.mjs";

const house = await startHouse({ after });

test("what was appended is in the state", async () => {
  await house.peal("append", "memory.item.1", "item_created", '{"text":"a"}');
  const row = (await house.state("memory.>")).get("memory.item.1");
  assert.equal(row.version, 1);
  assert.deepEqual(row.value, { text: "a" });
});

test("a command that fails rejects with what it said", async () => {
  await assert.rejects(house.peal("append", "no topic", "t", "1"), /topic/);
});

for (const kind of ["gateway", "broker", "writer"]) {
  test(`a ${kind} that is killed comes back`, async () => {
    await house.replace(kind);
    await until("appends are answered", () => house.peal("append", "a.b", "c", "1"));
  });
}

test("an awaited condition that never holds is an error that names it", async () => {
  await assert.rejects(
    until("the moon is green", () => false, { deadline: 50 }), /moon is green/);
  await assert.rejects(within("nothing", new Promise(() => {}), 50), /nothing/);
});

test("files are served as what they are", async () => {
  const types = {
    "/peal.d.ts": "text/plain; charset=utf-8",
    "/test/blank.html": "text/html; charset=utf-8",
  };
  for (const [path, type] of Object.entries(types)) {
    const answer = await fetch(house.url + path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get("content-type"), type);
    assert.match(answer.headers.get("etag"), /^"[0-9a-f]{32}"$/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    const again = await fetch(house.url + path, {
      headers: { "if-none-match": answer.headers.get("etag") },
    });
    assert.equal(again.status, 304);
  }
  assert.equal(await (await fetch(`${house.url}/peal.d.ts`)).text(),
    readFileSync(join(source, "client/peal.d.ts"), "utf8"));
});

test("a house ends with its test, however that ends", async () => {
  const work = mkdtempSync(join(tmpdir(), "peal-guarded."));
  const file = join(work, "dies.mjs");
  writeFileSync(file, `
    import { startHouse } from ${JSON.stringify(import.meta.resolve("./lib/house.mjs"))};
    const house = await startHouse({ after() {} }, { gateways: 1 });
    console.log(JSON.stringify([house.up.pid, house.directory]));
    process.kill(process.pid, "SIGKILL");
  `);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  for await (const text of child.stdout) {
    said += text;
    if (said.includes("\n")) break;
  }
  const [pid, directory] = JSON.parse(said);
  await until("its peal up has ended", () => !existsSync(`/proc/${pid}`));
  await until("its directory has gone", () => !existsSync(directory));
  rmSync(work, { recursive: true });
});

test("a test file that dies, or leaves a test open, fails", () => {
  const work = mkdtempSync(join(tmpdir(), "peal-driver."));
  const judge = (text) => {
    writeFileSync(join(work, "a.test.mjs"), text);
    execFileSync("/bin/sh", [join(source, "build-aux/tap-driver.sh"),
      "--test-name", "a", "--log-file", "a.log", "--trs-file", "a.trs", "--color-tests", "no",
      "--", "/bin/sh", join(source, "tests/browser/run.sh"), join(work, "a.test.mjs")],
    { cwd: work, env: { ...process.env, AM_TAP_AWK: "awk", top_builddir: build } });
    const trs = readFileSync(join(work, "a.trs"), "utf8");
    return [/global-test-result: (\w+)/.exec(trs)[1], trs.match(/^:test-result/gm).length];
  };
  const head = 'import { test } from "node:test";\n';
  const good = 'test("a", (t) => t.test("nested", () => {})); test("b", () => {});\n';
  assert.deepEqual(judge(head + good), ["PASS", 2]);
  for (const bad of [
    'test("c", (t) => t.test("nested", () => { throw 1; }));',
    'test("c", () => new Promise(() => {}));',
    "process.exit(0);",
    'process.kill(process.pid, "SIGKILL");',
    'throw new Error("not in a test");',
    'import "no-such-package";',
  ]) {
    assert.match(judge(head + good + bad)[0], /FAIL|ERROR/, bad);
  }
  rmSync(work, { recursive: true });
});

/** A server that says what it got; `connect` gives a client through a proxy before it. */
async function echo(t) {
  const server = net.createServer((s) => s.on("error", () => {}).pipe(s));
  await new Promise((yes) => server.listen(0, "127.0.0.1", yes));
  t.after(() => server.close());
  const proxy = await startProxy(t, server.address().port);
  const connect = () => {
    const socket = net.connect(proxy.port, "127.0.0.1");
    socket.got = "";
    socket.on("data", (text) => (socket.got += text));
    socket.on("error", (error) => (socket.wrong = error.code));
    socket.on("end", () => (socket.over = true));
    t.after(() => socket.destroy());
    return socket;
  };
  return { proxy, connect };
}

test("the proxy passes, delays, swallows, half-closes, cuts and resets", async (t) => {
  const { proxy, connect } = await echo(t);
  const a = connect();
  a.write("one");
  await until("bytes pass", () => a.got === "one");
  proxy.delay = 100;
  a.write("two");
  a.write("three");
  await until("late bytes are in order", () => a.got === "onetwothree");
  proxy.delay = 0;
  proxy.mute = true;
  a.write("lost");
  const b = connect();
  b.write("lost, too");
  await until("both are there", () => proxy.open === 2);
  proxy.pass();
  a.write("!");
  await until("what was swallowed is lost", () => a.got === "onetwothree!");
  proxy.halfClose();
  await until("the other side said goodbye", () => a.over && b.over);
  proxy.cut = 4;
  const c = connect();
  c.write("123456");
  await until("it was cut", () => c.closed); // a reset that data precedes may look like an end
  assert.ok(c.got.length <= 4);
  proxy.pass();
  const d = connect();
  d.write("x");
  await until("bytes pass again", () => d.got === "x");
  proxy.reset();
  await until("it was reset", () => d.wrong === "ECONNRESET");
  proxy.refusing = true;
  const e = connect();
  await until("it was refused", () => e.wrong === "ECONNRESET");
});

test("a page runs what is in files of the site, and nothing else", async (t) => {
  const browser = await launch(t);
  const page = await openPage(t, browser, `${house.url}/test/blank.html`);
  assertNoProblems(page);
  const ran = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    const style = document.createElement("style");
    style.textContent = "body { color: red }";
    document.body.append(script, style);
    await fetch("https://127.0.0.1:1/").catch(() => {});
    return [window.ran, getComputedStyle(document.body).color, location.href];
  });
  assert.deepEqual(ran, [undefined, "rgb(0, 0, 0)", page.url()]);
  for (const what of ["script-src", "style-src", "connect-src"]) {
    await until(`${what} was kept`, () => page.problems.some((text) => text.includes(what)));
  }
});

test("a page talks to its gateway, through a proxy, too", async (t) => {
  const browser = await launch(t);
  const proxy = await startProxy(t, house);
  const page = await openPage(t, browser, `https://127.0.0.1:${proxy.port}/test/blank.html`);
  const socket = () => page.evaluate(() => new Promise((yes) => {
    const ws = new WebSocket(`wss://${location.host}/v1/ws`, "peal.v1.msgpack");
    ws.onopen = () => yes("open");
    ws.onerror = () => yes("error");
  }));
  assert.equal(await socket(), "open");
  proxy.refusing = true;
  assert.equal(await socket(), "error");
  assertNoProblems(page);
});

test("a page that missed, repeated or misread something is refused", async (t) => {
  const house = await startHouse(t);
  const browser = await launch(t);
  const page = await openFollower(t, browser, house);
  const events = Array.from({ length: 9 }, (_, n) =>
    ({ topic: `w.item.${n % 3}`, type: "item_created", data: { n } }));
  const head = await append(house, ...events);
  await assertFollowed(page, house, head);
  await page.evaluate(() => window.follow.compareOnce());
  assert.deepEqual([(await tell(page)).compared, (await tell(page)).wrong], [1, []]);

  const spoil = (what) => page.evaluate((what) => {
    const { follow } = window;
    follow.good ??= { runs: follow.runs, view: follow.view };
    Object.assign(follow, follow.good, { wrong: [] });
    const snapshot = follow.view.getSnapshot();
    const row = [...snapshot.rows.values()][1];
    if (what === "missed") follow.runs = [[1, 4], [6, 9]];
    if (what === "repeated") follow.runs = [[1, 5], [5, 9]];
    if (what === "value") snapshot.rows.set(row.topic, { ...row, value: { n: -1 } });
    if (what === "stale") snapshot.rows.set(row.topic, { ...row, version: row.version - 1 });
    if (what === "row") snapshot.rows.delete(row.topic);
    if (what === "ghost") snapshot.rows.set("w.x", { ...row, topic: "w.x" });
    if (!follow.runs[1]) follow.view = { getSnapshot: () => snapshot };
  }, what);
  for (const what of ["missed", "repeated", "value", "stale", "row", "ghost"]) {
    await spoil(what);
    await assert.rejects(assertFollowed(page, house, head), { code: "ERR_ASSERTION" }, what);
    await page.evaluate(() => window.follow.compareOnce());
    const { wrong } = await tell(page);
    assert.equal(wrong.length, what === "missed" || what === "repeated" ? 0 : 1, what);
  }
});

test("a heap is flat that fills up and saws, and none that grows", () => {
  const MIB = 1 << 20;
  const series = (bytesAt) => Array.from({ length: 60 }, (_, n) => [n * 60, bytesAt(n)]);
  const noise = (n) => ((n * 7919) % 13) * (MIB / 20);
  assert.equal(judge(series((n) => 8 * MIB + noise(n))).flat, true);
  assert.equal(judge(series((n) => Math.min(8, 2 + n) * MIB + noise(n))).flat, true);
  assert.equal(judge(series((n) => 8 * MIB + (n % 4) * MIB)).flat, true);
  assert.equal(judge(series((n) => 8 * MIB + noise(n) + (n === 50 ? 99 * MIB : 0))).flat, true);
  assert.equal(judge(series((n) => 8 * MIB + noise(n) + n * (MIB / 20))).flat, false);
  assert.equal(judge(series((n) => 8 * MIB + (n % 4) * MIB + n * (MIB / 10))).flat, false);
  assert.throws(() => judge([[0, 1]]), /too few/);
});
