// SPDX-License-Identifier: BSD-2-Clause

// The client as npm packs it, installed into projects that are nothing else.  npm needs no
// network for it: the package depends on nothing.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { source } from "./house.mjs";

export const modules = join(dirname(fileURLToPath(import.meta.url)), "../node_modules");

/** Run a program: { status, out } of what it said on both. */
export function say(file, args, { cwd, env, signal } = {}) {
  return new Promise((yes) => {
    execFile(file, args, {
      cwd, signal, maxBuffer: 64 << 20, env: { ...process.env, ...env },
    }, (error, out, err) => yes({ status: error ? error.code ?? error.signal : 0, out, err }));
  });
}

/** Its stdout; rejects with all that it said unless it exits with 0. */
export async function run(file, args, options) {
  const { status, out, err } = await say(file, args, options);
  if (status !== 0) throw new Error(`${[file, ...args].join(" ")}: ${status}\n${out}${err}`);
  return out;
}

/** An npm that asks nobody and leaves nothing outside `directory`. */
const npm = (directory, args) => run("npm", [...args, "--offline"], {
  cwd: directory,
  env: { npm_config_cache: join(directory, ".npm"), npm_config_update_notifier: "false" },
});

/** A directory that goes with the test. */
export function scratch(t) {
  const directory = mkdtempSync(join(tmpdir(), "peal-packed."));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The package: { file, names } of what is in it. */
export async function pack(directory) {
  const [{ filename, files }] = JSON.parse(await npm(directory, [
    "pack", join(source, "client"), "--json", "--pack-destination", directory]));
  return { file: join(directory, filename), names: files.map(({ path }) => path).sort() };
}

/**
 * A project with the package installed, files of its own (name -> text), and packages that
 * tests/browser has.
 */
export async function project(directory, name, file, { files = {}, packages = [] } = {}) {
  const at = join(directory, name);
  mkdirSync(at);
  writeFileSync(join(at, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  await npm(at, ["install", file]);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
  }
  for (const other of packages) {
    mkdirSync(dirname(join(at, "node_modules", other)), { recursive: true });
    symlinkSync(join(modules, other), join(at, "node_modules", other));
  }
  return at;
}

// What the types are compiled with; `wrong` may be given others.
const OPTIONS = {
  strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true,
  skipLibCheck: false, noEmit: true, target: "es2022", types: [],
  lib: ["es2023", "dom", "dom.iterable"],
};

/** What tsc finds wrong with these files of a project: lines. */
export async function wrong(at, include, options) {
  const config = { compilerOptions: { ...OPTIONS, ...options }, include };
  writeFileSync(join(at, "tsconfig.json"), JSON.stringify(config));
  const { status, out, err } = await say(
    process.execPath, [join(modules, "typescript/bin/tsc"), "-p", ".", "--pretty", "false"],
    { cwd: at });
  const lines = `${out}${err}`.split("\n").filter((line) => line.includes("error "));
  if ((status !== 0) !== lines.length > 0) throw new Error(`tsc: ${status}\n${out}${err}`);
  return lines;
}
