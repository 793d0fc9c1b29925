// SPDX-License-Identifier: BSD-2-Clause

// What an application downloads: peal.js and what it imports, minified and compressed; what a
// page with one view loads, file by file as bundlers split it; and each module alone.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { build, transform } from "esbuild";

import { source } from "./lib/house.mjs";

const LIMIT = 8000;
const LIMIT_OF_PAGE = 9950;
const client = join(source, "client");

const compressed = (text) => gzipSync(text, { level: 9 }).length;

/** The bytes of a module and all it imports: at once, in one file, or (split) sooner or later. */
async function size(entry, split) {
  const { outputFiles } = await build({
    entryPoints: [entry], bundle: true, minify: true, format: "esm", write: false,
    ...(split ? { splitting: true, outdir: tmpdir() } : { external: ["./rows.js"] }),
  });
  return outputFiles.reduce((sum, { contents }) => sum + compressed(contents), 0);
}

function judge(bytes, limit) {
  assert.ok(bytes <= limit, `${bytes} bytes, ${bytes - limit} too many`);
}

test(`peal.js and what it imports have at most ${LIMIT} bytes`, async (t) => {
  const bytes = await size(join(client, "peal.js"));
  t.diagnostic(`peal.js: ${bytes} bytes`);
  judge(bytes, LIMIT);
});

test(`a page with one view loads at most ${LIMIT_OF_PAGE}`, async (t) => {
  const bytes = await size(join(client, "peal.js"), true);
  t.diagnostic(`peal.js, and what its first view loads: ${bytes} bytes`);
  judge(bytes, LIMIT_OF_PAGE);
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
  const bytes = await size(join(directory, "large.js"));
  const page = await size(join(directory, "large.js"), true);
  rmSync(directory, { recursive: true });
  assert.throws(() => judge(bytes, LIMIT), /too many/);
  assert.throws(() => judge(page, LIMIT_OF_PAGE), /too many/);
  assert.throws(() => judge(LIMIT + 1, LIMIT), /1 too many/);
});

test("the sizes of the modules, each alone", async (t) => {
  for (const name of readdirSync(client).filter((file) => file.endsWith(".js"))) {
    const { code } = await transform(readFileSync(join(client, name), "utf8"),
      { minify: true, format: "esm" });
    t.diagnostic(`${name}: ${code.length} bytes minified, ${compressed(code)} compressed`);
  }
});
