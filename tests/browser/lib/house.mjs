// SPDX-License-Identifier: BSD-2-Clause

// A running peal for tests in node: `peal up` in a directory of its own, on a port that
// was free.  Nothing that was started outlives the test, however that ends.

import { execFile, spawn } from "node:child_process";
import {
  cpSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";

import { atEnd, until, within } from "./await.mjs";

const here = dirname(fileURLToPath(import.meta.url));

export const source = resolve(here, "../../..");
export const build = resolve(process.env.top_builddir ?? join(source, "build"));
/** Where a test leaves what a person may want to see: screenshots, figures. */
export const artifacts = join(build, "tests/browser/artifacts");

// What a machine may take its time for: it is slow, and nothing is wrong.
const PATIENCE = ["gateway.hello_seconds=300", "writer.stall_seconds=3600"];

// And in the browser: modules of the site, and those times of theirs whose end is not what a
// test is about.
const PATIENT_MODULES = { "shared.js": ["OPEN_MS"], "upstream.js": ["PROBE_MS", "SILENT_MS"] };

const PROGRAMS = { gateway: "peal-gateway", writer: "peal-writer", broker: "peal-broker" };

/** Run a command: its stdout; rejects with its stderr unless it exits with 0. */
function run(file, args, { input, signal } = {}) {
  return new Promise((yes, no) => {
    const child = execFile(file, args, { signal, maxBuffer: 256 << 20 }, (error, out, err) => {
      if (error) no(new Error(`${[file, ...args].join(" ")}: ${err || error.message}`));
      else yes(out);
    });
    child.stdin.on("error", () => {}); // it may not read what it was given
    child.stdin.end(input);
  });
}

function makePatient(site) {
  for (const [file, names] of Object.entries(PATIENT_MODULES)) {
    let text = readFileSync(join(site, file), "utf8");
    for (const name of names) {
      const patient = text.replace(new RegExp(`^const ${name} = \\d+;$`, "m"),
        `const ${name} = 300000;`);
      if (patient === text) throw new Error(`${file} has no ${name}`);
      text = patient;
    }
    writeFileSync(join(site, file), text);
  }
}

/**
 * What is served: the site as it is installed, but more patient, and at /test/ the tests' own
 * pages and what else one has made; gateways read it once, when they start.
 */
function makeSite(to, made) {
  cpSync(join(build, "site"), to, { recursive: true });
  makePatient(to);
  cpSync(join(here, "../pages"), join(to, "test"), { recursive: true });
  if (made) cpSync(made, join(to, "test"), { recursive: true });
}

/** Node's own WebSocket and fetch trust the house's certificate from here on. */
function trust(pem) {
  if (tls.setDefaultCACertificates) {
    tls.setDefaultCACertificates([...tls.getCACertificates("default"), pem]);
  } else {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  }
}

class House {
  /** Start the programs; resolves when clients can connect. */
  static async start({
    gateways = 2, options = [], args: more = [], pages,
  } = {}) {
    const house = new House();
    house.directory = mkdtempSync(join(tmpdir(), "peal-browser."));
    house.data = join(house.directory, "data");
    makeSite(join(house.directory, "site"), pages);
    const args = ["up", "--data", house.data, "--listen", "127.0.0.1:0",
      "--gateways", String(gateways),
      "-o", `gateway.static=${join(house.directory, "site")}`, ...more];
    for (const option of [...PATIENCE, ...options]) args.push("-o", option);
    try {
      await house.#launch(args);
    } catch (error) {
      await house.stop();
      throw error;
    }
    return house;
  }

  async #launch(args) {
    const log = openSync(join(this.directory, "up.err"), "a");
    this.up = spawn(join(build, "peal"), args, { stdio: ["ignore", "pipe", log] });
    this.ended = new Promise((yes) =>
      this.up.once("exit", (code, signal) => yes(code ?? signal)));
    this.guard = spawn("/bin/sh",
      [join(here, "guard.sh"), String(this.up.pid), this.directory],
      { stdio: ["pipe", "ignore", "ignore"], detached: true });
    let said = "";
    const ready = new Promise((yes, no) => {
      this.up.stdout.on("data", (text) => {
        said += text;
        if (said.includes("\n")) yes();
      });
      this.ended.then((status) => no(new Error(`peal up: ${status}\n${this.log()}`)));
    });
    await within("peal up is ready", ready);
    this.link = said.split("\n")[0].replace("peal: ready ", "");
    this.url = this.link.replace(/\/#.*/, "");
    this.port = Number(new URL(this.url).port);
    this.token = readFileSync(join(this.data, "dev.token"), "utf8");
    this.certificate = readFileSync(join(this.data, "tls/cert.pem"), "utf8");
    trust(this.certificate);
  }

  /** Where WebSockets connect: `port` is a proxy's, or the house's own. */
  socketUrl(port = this.port) {
    return `wss://127.0.0.1:${port}/v1/ws`;
  }

  /** What the programs said on stderr. */
  log() {
    return readFileSync(join(this.directory, "up.err"), "utf8");
  }

  /** `peal COMMAND … --data DIR`: its stdout. */
  peal(command, ...args) {
    const o = typeof args.at(-1) === "object" ? args.pop() : {};
    return run(join(build, "peal"), [command, "--data", this.data, ...args], o);
  }

  /** The state of the patterns as `peal state` tells it, once a broker does: topic → row. */
  async state(...patterns) {
    const rows = new Map();
    const lines = await until("the broker tells the state", () =>
      this.peal("state", "--json", ...patterns));
    for (const line of lines.split("\n")) {
      if (!line) continue;
      const [topic, version, seq, createdTime, createdBy, updatedTime, updatedBy,
        deleted, value] = JSON.parse(line);
      if (deleted) continue;
      rows.set(topic, { topic, version, seq, createdTime, createdBy, updatedTime,
        updatedBy, deleted, value });
    }
    return rows;
  }

  /** A token with these rights: { sub, read: [], write: [], ttl }. */
  async makeToken({ sub = "dev", read = [], write = [], ttl = 3600 }) {
    const args = ["--sub", sub, "--ttl", String(ttl)];
    for (const pattern of read) args.push("--read", pattern);
    for (const pattern of write) args.push("--write", pattern);
    return (await this.peal("token", ...args)).trim();
  }

  /** Process ids of one kind: "gateway", "writer" or "broker". */
  pids(kind) {
    const found = [];
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const [, what, state, parent] = /\((.*)\) (\S) (\d+)/.exec(stat);
        if (what === PROGRAMS[kind] && state !== "Z" && Number(parent) === this.up.pid) {
          found.push(Number(name));
        }
      } catch {
        // It has ended meanwhile.
      }
    }
    return found;
  }

  /** Signal one process, and wait until another has taken its place. */
  async replace(kind, pid = this.pids(kind)[0], signal = "SIGKILL") {
    const before = this.pids(kind).length;
    process.kill(pid, signal);
    await until(`another ${kind} runs`, () => {
      const now = this.pids(kind);
      return !now.includes(pid) && now.length >= before;
    });
  }

  /** End everything; a status other than 0 is an error. */
  async stop() {
    if (this.up && this.up.exitCode === null && this.up.signalCode === null) {
      this.up.kill("SIGTERM");
    }
    const status = this.up ? await within("peal up ends", this.ended) : 0;
    const log = existsSync(join(this.directory, "up.err")) ? this.log() : "";
    try {
      rmSync(readlinkSync(join(this.data, "run")), { recursive: true, force: true });
    } catch {
      // It is no link: it goes with the rest.
    }
    rmSync(this.directory, { recursive: true, force: true });
    this.guard?.stdin.end();
    this.guard?.unref();
    if (status !== 0) throw new Error(`peal up ended with ${status}\n${log}`);
  }
}

/**
 * A house for one test (`t`, its context) or for a whole file (`after` of node:test).
 * { gateways: 2, options: ["section.key=value"], args: ["--more"] }
 */
export async function startHouse(t, options) {
  const house = await House.start(options);
  atEnd(t, () => house.stop());
  return house;
}
