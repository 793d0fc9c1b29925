// SPDX-License-Identifier: BSD-2-Clause

// What an application downloads: peal.js and what it imports, minified and compressed. What
// the first view loads is counted apart, and so is each module.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { build, transform } from "esbuild";

import { source } from "./lib/house.mjs";

const LIMIT = 8000;
const LIMIT_WITH_VIEW = 9700;
const client = join(source, "client");

const compressed = (text) => gzipSync(text, { level: 9 }).length;

/** The bytes of a module and all it imports at once, in one file. */
async function size(entry, external = []) {
  const { outputFiles: [{ contents }] } = await build({
    entryPoints: [entry], bundle: true, minify: true, format: "esm", external, write: false,
  });
  return compressed(contents);
}

function judge(bytes, limit) {
  assert.ok(bytes <= limit, `${bytes} bytes, ${bytes - limit} too many`);
}

test(`peal.js and what it imports have at most ${LIMIT} bytes`, async (t) => {
  const bytes = await size(join(client, "peal.js"), ["./rows.js"]);
  t.diagnostic(`peal.js: ${bytes} bytes`);
  judge(bytes, LIMIT);
});

test(`with what the first view loads they have at most ${LIMIT_WITH_VIEW}`, async (t) => {
  const bytes = await size(join(client, "peal.js"));
  t.diagnostic(`peal.js with rows.js: ${bytes} bytes`);
  judge(bytes, LIMIT_WITH_VIEW);
});

test("nothing but what the first view needs is loaded later", () => {
  const later = readdirSync(client).filter((name) => name.endsWith(".js")).flatMap((name) =>
    [...readFileSync(join(client, name), "utf8").matchAll(/\bimport\("([^"]*)"\)/g)]
      .map(([, what]) => `${name} ${what}`));
  assert.deepEqual(later.filter((line) => !line.startsWith("outbox")), ["view.js ./rows.js"]);
});

test("a bundle that is too large is refused", async () => {
  const directory = mkdtempSync(join(tmpdir(), "peal-size."));
  const noise = Array.from({ length: 3000 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 0);
  writeFileSync(join(directory, "large.js"),
    `export * from ${JSON.stringify(join(client, "peal.js"))};\n` +
    `export const noise = ${JSON.stringify(noise.map((n) => n.toString(36)).join(""))};\n`);
  const bytes = await size(join(directory, "large.js"), ["./rows.js"]);
  rmSync(directory, { recursive: true });
  assert.throws(() => judge(bytes, LIMIT), /too many/);
  assert.throws(() => judge(LIMIT + 1, LIMIT), /1 too many/);
});

test("the sizes of the modules, each alone", async (t) => {
  for (const name of readdirSync(client).filter((file) => file.endsWith(".js"))) {
    const { code } = await transform(readFileSync(join(client, name), "utf8"),
      { minify: true, format: "esm" });
    t.diagnostic(`${name}: ${code.length} bytes minified, ${compressed(code)} compressed`);
  }
});
