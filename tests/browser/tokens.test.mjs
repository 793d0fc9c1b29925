// SPDX-License-Identifier: BSD-2-Clause
// The examples of client/examples/tokens make tokens that gateways take, with the rights that
// they name and no others.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { connect } from "../../client/peal.js";
import { source, startHouse } from "./lib/house.mjs";
import { run, say, scratch } from "./lib/packed.mjs";
import { within } from "./lib/await.mjs";

const directory = scratch({ after });
const keys = { ES256: join(directory, "app.key"), HS256: join(directory, "web.secret") };
const example = (name) => join(source, "client/examples/tokens", name);
const { privateKey, publicKey } = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
writeFileSync(keys.ES256, privateKey);
writeFileSync(join(directory, "app.pem"), publicKey);
writeFileSync(keys.HS256, randomBytes(48).toString("base64"));
const house = await startHouse({ after }, {
  gateways: 1, options: [`auth.keys=${join(directory, "app.pem")} ${keys.HS256}`],
});

/** Connects; the client, or how it was refused. */
async function enter(t, token) {
  const c = connect(house.socketUrl(), { getToken: () => token });
  t.after(() => c.close());
  return within("the gateway has answered", new Promise((yes) => {
    c.on("connected", () => yes({ c }));
    c.on("disconnected", (state) => yes({ state }));
  }));
}

/** What one of the examples prints is a token of this user. */
async function serves(t, alg, file, args) {
  const [command, ...first] = args;
  const token = (await run(command, [...first, file, "ada"], { cwd: directory })).trim();
  const [head, claims] = token.split(".", 2).map((part) =>
    JSON.parse(Buffer.from(part, "base64url").toString()));
  assert.equal(head.alg, alg);
  assert.ok(claims.exp - claims.iat <= 600);
  const { c, state } = await enter(t, token);
  assert.ok(c, `${args}: ${JSON.stringify(state)}`);
  assert.equal(c.welcome.user, "ada");
  const topic = `team.ada.${alg}-${Date.now()}`;
  const { seq } = await c.append(topic, "item_created", {});
  const { rows } = await c.state("team.>", { minSeq: seq });
  assert.ok(rows.some((row) => row.topic === topic));
  await assert.rejects(c.append("team.bob.1", "item_created", {}), { code: "forbidden" });
  await assert.rejects(c.state("other.>"), { code: "forbidden" });
  // One bit of the signature counts.
  const last = token.length - 10;
  const other = token.slice(0, last) + (token[last] === "A" ? "B" : "A") + token.slice(last + 1);
  assert.equal((await enter(t, other)).state?.code, 4401);
}

const has = async (command, ...args) => (await say(command, args)).status === 0;

test("Node makes tokens that gateways take", async (t) => {
  for (const [alg, file] of Object.entries(keys))
    await serves(t, alg, file, [process.execPath, example("token.mjs")]);
});

test("Python makes tokens that gateways take", async (t) => {
  if (!await has("python3", "--version")) return t.skip("no python3");
  return serves(t, "HS256", keys.HS256, ["python3", example("token.py")]);
});

test("Go makes tokens that gateways take", async (t) => {
  if (!await has("go", "version")) return t.skip("no go");
  const program = join(directory, "token");
  await run("go", ["build", "-o", program, example("token.go")], {
    env: { GOCACHE: join(directory, ".go"), GO111MODULE: "off" },
  });
  for (const [alg, file] of Object.entries(keys)) await serves(t, alg, file, [program]);
  return undefined;
});
