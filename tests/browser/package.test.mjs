// SPDX-License-Identifier: BSD-2-Clause
// The package as npm makes it: what is in it, that it runs where it says it does, and that
// its types promise and refuse what tests/browser/types says.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { build, source, startHouse } from "./lib/house.mjs";
import { pack, project, run, say, scratch, wrong } from "./lib/packed.mjs";

const read = (path) => readFileSync(join(source, path), "utf8");
const types = join(source, "tests/browser/types");

const directory = scratch({ after });
let packed;
before(async () => {
  packed = await pack(directory);
});

test("the package holds the modules of the site, and else what a package needs", () => {
  const listed = readdirSync(join(build, "site"), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "index.html")
    .map(({ name }) => name);
  assert.ok(listed.includes("peal.js"));
  assert.deepEqual(packed.names, [...listed, "LICENSE", "README.md", "package.json"].sort());
});

test("its version and licence are those of peal, and it depends on nothing", () => {
  const { version, dependencies, devDependencies, scripts } = JSON.parse(
    read("client/package.json"));
  assert.equal(version, read("VERSION").trim());
  assert.equal(read("client/LICENSE"), read("COPYING"));
  assert.deepEqual([dependencies, devDependencies, scripts], [undefined, undefined, undefined]);
});

test("it exports each module that has types, and nothing else", () => {
  const { exports } = JSON.parse(read("client/package.json"));
  const { "./package.json": self, ...rest } = exports;
  assert.equal(self, "./package.json");
  const public_ = packed.names.filter((name) => name.endsWith(".d.ts"));
  assert.deepEqual(Object.values(rest).map(({ types: d }) => d.slice(2)).sort(), public_);
  for (const [name, { types: d, default: js }] of Object.entries(rest)) {
    assert.equal(js, d.replace(".d.ts", ".js"));
    assert.equal(name, js.replace(/^\.\/peal\.js$/, ".").replace(/\.js$/, ""));
    assert.ok(packed.names.includes(js.slice(2)), js);
  }
});

const PROGRAM = `
import { connect } from "@peal/client";
import { outbox } from "@peal/client/outbox";
const { WebSocket } = globalThis.WebSocket ? {} : await import("ws");
const c = connect(process.env.URL, {
  getToken: () => process.env.TOKEN, ...(WebSocket && { WebSocket }),
});
const { seq } = await c.append("pack.item.1", "item_created", { text: process.env.TEXT });
const box = outbox(c);
await box.append("pack.item.1", "item_updated", { n: 1 });
const { rows } = await c.state("pack.item.1", { minSeq: seq + 1 });
console.log(JSON.stringify([!!globalThis.WebSocket, rows[0].value]));
box.close();
c.close();
`;

test("an empty project that installs it talks to a gateway, in Node 22 and before", async (t) => {
  const house = await startHouse(t, { gateways: 1 });
  const at = await project(directory, "plain", packed.file, {
    files: { "a.js": PROGRAM }, packages: ["ws"],
  });
  const tell = async (node, ...options) => JSON.parse(await run(
    node, [...options, "a.js"], {
      cwd: at,
      env: {
        URL: house.socketUrl(), TOKEN: house.token, NODE_TLS_REJECT_UNAUTHORIZED: "0",
        TEXT: options.join(" ") || node,
      },
    }));
  assert.deepEqual(
    await tell(process.execPath), [true, { text: process.execPath, n: 1 }]);
  const without = "--no-experimental-websocket";
  assert.deepEqual(await tell(process.execPath, without), [false, { text: without, n: 1 }]);
  // The node that npm runs on, where it is old.
  const { out } = await say("node", ["--version"]);
  if (/^v(18|20)\./.test(out)) {
    assert.deepEqual(await tell("node"), [false, { text: "node", n: 1 }]);
  } else {
    t.diagnostic(`node in PATH is ${out}`);
  }
});

test("its types promise and refuse what they should, however they are found", async () => {
  const files = {};
  for (const name of readdirSync(types)) files[name] = readFileSync(join(types, name), "utf8");
  const at = await project(directory, "typed", packed.file, {
    files, packages: ["@types/react", "csstype"],
  });
  const nodeLike = { module: "node16", moduleResolution: "node16" };
  const bundled = { module: "esnext", moduleResolution: "bundler" };
  for (const options of [nodeLike, bundled]) {
    assert.deepEqual(await wrong(at, Object.keys(files), options), []);
  }
  // Without what it refuses, each refusal would be one that has gone; without what is
  // asserted, the compiler would be looking elsewhere.
  const refusals = /^ *\/\/ @ts-expect-error.*\n/gm;
  for (const [name, text] of Object.entries(files)) {
    const expected = text.match(refusals).length;
    writeFileSync(join(at, "refused.ts"), text.replace(refusals, ""));
    const found = await wrong(at, ["refused.ts"], bundled);
    assert.ok(found.length >= expected, `${name}: ${found.length} of ${expected} refused`);
  }
});
