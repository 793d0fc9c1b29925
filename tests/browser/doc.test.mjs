// SPDX-License-Identifier: BSD-2-Clause
// doc/client.md: its beginning runs as it stands, what it shows compiles, and there is
// nothing in the client that it does not tell of.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { build } from "esbuild";

import { until } from "./lib/await.mjs";
import { source, startHouse } from "./lib/house.mjs";
import { pack, project, scratch, wrong } from "./lib/packed.mjs";
import { assertNoProblems, launch, openPage } from "./lib/page.mjs";

const doc = readFileSync(join(source, "doc/client.md"), "utf8");
const types = readFileSync(join(source, "client/peal.d.ts"), "utf8");

/** Code between fences: { lang, name, text }. */
const blocks = [...doc.matchAll(/^```(\w+) ?(\w*)\n([^]*?)^```$/gm)]
  .map(([, lang, name, text]) => ({ lang, name, text }));

const directory = scratch({ after });
let packed;
before(async () => {
  packed = await pack(directory);
});

test("the ten lines run as they stand", async (t) => {
  const { text } = blocks.find(({ name }) => name === "start");
  assert.ok(text.trim().split("\n").length <= 12);
  const at = await project(directory, "start", packed.file, { files: { "start.js": text } });
  const pages = join(directory, "pages");
  mkdirSync(pages);
  await build({
    entryPoints: [join(at, "start.js")], outfile: join(pages, "start.js"), bundle: true,
    format: "esm", logLevel: "error",
  });
  writeFileSync(join(pages, "start.html"), `<!doctype html><link rel="icon" href="data:,">
<body></body><script type="module" src="start.js"></script>`);
  const house = await startHouse(t, { gateways: 1, pages });
  const browser = await launch(t);
  const page = await openPage(t, browser, `${house.url}/test/blank.html`);
  await page.route("**/token", (route) => route.fulfill({ body: house.token }));
  await page.goto(`${house.url}/test/start.html`);
  const says = (what) => until(`it says ${what}`, async () =>
    (await page.locator("body").textContent()) === what);
  await says("hello");
  await house.peal("append", "note.2", "note_created", '{"text":"from elsewhere"}');
  await says("hello\nfrom elsewhere");
  assertNoProblems(page);
});

// What the pieces have around them.
const AROUND = `
declare const client: import("@peal/client").Client;
declare const process: { env: Record<string, string> };
declare function userOf(request: unknown): string | undefined;
declare module "vue";
declare module "svelte/store";
declare module "@tanstack/react-query";
declare module "node:http";
declare module "ws";
`;

const LOOSE = {
  module: "esnext", moduleResolution: "bundler", jsx: "react-jsx", allowJs: true, checkJs: true,
  strict: false, exactOptionalPropertyTypes: false, skipLibCheck: false,
};

/** The files of some blocks: name -> text. */
function filesOf(some) {
  return Object.fromEntries(some.map(({ lang, text }, i) =>
    [`piece${i}.${lang}`, /^(import|export) /m.test(text) ? text : `${text}export {};\n`]));
}

test("what it shows compiles", async () => {
  const code = blocks.filter(({ lang }) => /^[jt]sx?$/.test(lang));
  assert.equal(code.length, blocks.length, "a block in a language that is not looked at");
  const at = await project(directory, "pieces", packed.file, {
    files: {
      ...filesOf(code), "around.d.ts": AROUND,
      "token.d.mts": "export function tokenMaker(file: string): (...args: any) => string;",
    },
    packages: ["@types/react", "csstype"],
  });
  const names = Object.keys(filesOf(code));
  const loose = names.filter((name) => /\.jsx?$/.test(name));
  const strict = names.filter((name) => /\.tsx?$/.test(name));
  assert.ok(loose.length > 10 && strict.length > 0);
  assert.deepEqual(await wrong(at, [...loose, "around.d.ts"], LOOSE), []);
  assert.deepEqual(await wrong(at, [...strict, "around.d.ts"],
    { module: "esnext", moduleResolution: "bundler" }), []);
  // It is looked at: a method that there is not is found.
  writeFileSync(join(at, "typo.js"), 'client.veiw("note.*");\nexport {};\n');
  assert.match((await wrong(at, ["typo.js", "around.d.ts"], LOOSE)).join(), /veiw/);
});

/** The names that an interface, a class or a union of peal.d.ts has. */
function namesIn(head) {
  const at = types.indexOf(head);
  assert.ok(at >= 0, head);
  const body = types.slice(at, types.indexOf("\n}\n", at));
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?:<(]/gm)].map(([, name]) => name);
}

const strings = (text) => text.match(/"\w+"/g).map((quoted) => quoted.slice(1, -1));

test("it tells of everything that the client has", () => {
  const codes = strings(/type ErrorCode =([^;]*);/.exec(types)[1]);
  const reasons = strings(/interface Lagged {[^}]*reason:([^;]*);/.exec(types)[1]);
  const names = [
    ...codes, ...reasons, ...namesIn("export interface Client<"),
    ...namesIn("export interface ConnectOptions"), ...namesIn("export interface Connection {"),
    ...namesIn("export interface SubscribeOptions"), ...namesIn("export interface ClientEvents"),
    ...namesIn("export interface SubscriptionEvents"), ...namesIn("export interface Counters"),
    ...namesIn("export interface View<"), ...namesIn("export interface ViewSnapshot"),
  ];
  assert.ok(codes.includes("storage_full") && names.includes("history"), names.join());
  // In code: between backticks or fences.
  const code = (doc.match(/```[^]*?```|`[^`]+`/g) ?? []).join("\n");
  const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code));
  assert.deepEqual([...new Set(missing)], []);
});
