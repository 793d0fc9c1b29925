// SPDX-License-Identifier: BSD-2-Clause

// Folding: the vectors of doc/protocol.md, read out of it, and what they do not say.
// What JavaScript can't tell apart (1 and 1.0) is named here, one by one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Extension, encode } from "../../client/codec.js";
import { fold } from "../../client/fold.js";
import { event, row as rowOf } from "../../client/message.js";
import { source } from "./lib/house.mjs";

const RULES = [
  "*created=set", "*restored=set", "*reverted=set", "*set=set", "*sampled=set",
  "*reported=set", "*removed=remove", "*added=add", "*updated=merge", "*changed=merge",
  "*renamed=merge", "*moved=merge", "*deleted=delete",
].map((rule) => rule.split("="));

const SHARED = new Set(["keys are compared by their bytes", "1 and 1.0 are two elements",
  "remove of what is not there"]);

const hex = (x) => Buffer.from(encode(x)).toString("hex");

/** The protocol's JSON form of what JSON lacks. */
function unwrap(x) {
  if (Array.isArray(x)) return x.map(unwrap);
  if (typeof x !== "object" || x === null) return x;
  const [[key, v] = []] = Object.entries(x);
  if (Object.keys(x).length === 1 || (key === "$ext" && "data" in x)) {
    if (key === "$bin") return Uint8Array.from(Buffer.from(v, "base64"));
    if (key === "$int") return BigInt(v);
    if (key === "$time") return new Date(v);
    if (key === "$float") return Number(v);
    if (key === "$ext") return new Extension(v, Uint8Array.from(Buffer.from(x.data, "base64")));
    if (key === "$map") return mapOf(v.map(unwrap));
  }
  return mapOf(Object.entries(x).map(([k, value]) => [k, unwrap(value)]));
}

function mapOf(pairs) {
  return pairs.every(([k]) => typeof k === "string") ? Object.fromEntries(pairs) : new Map(pairs);
}

const wire = (r) => [r.topic, r.version, r.seq, r.createdTime, r.createdBy, r.updatedTime,
  r.updatedBy, r.deleted, r.value];

/** The event of a vector: [seq, time, topic, version, type, actor, data, meta?]. */
function run(vector) {
  const before = vector.before === null ? undefined : deepFreeze(rowOf(unwrap(vector.before)));
  const rules = vector.rules?.split(" ").map((rule) => rule.split("=")) ?? RULES;
  return fold(before, deepFreeze(event(unwrap(vector.event))), rules);
}

function deepFreeze(x) {
  if (typeof x !== "object" || x === null || ArrayBuffer.isView(x)) return x;
  Object.values(x).forEach(deepFreeze);
  return Object.freeze(x);
}

const vectors = readFileSync(join(source, "doc/protocol.md"), "utf8").split("\n")
  .filter((line) => line.startsWith('{"name":')).map((line) => JSON.parse(line));

test("the protocol has vectors", () => {
  assert.ok(vectors.length > 60);
  for (const name of SHARED) assert.ok(vectors.some((v) => v.name === name), name);
});

for (const vector of vectors) {
  const { name } = vector;
  const judge = SHARED.has(name) ? assert.notEqual : assert.equal;
  test(SHARED.has(name) ? `not here: ${name}` : name, () => {
    judge(hex(wire(run(vector))), hex(unwrap(vector.after)));
  });
}

test("a wrong row is refused", () => {
  const [vector] = vectors;
  const row = wire(run(vector));
  row[8] = { a: 2 };
  assert.notEqual(hex(row), hex(unwrap(vector.after)));
});

const now = (type, version, data) =>
  ({ seq: version, time: 1000 + version, topic: "note.7", version, type, actor: "ada", data });
const foldAll = (...events) => events.reduce((row, e) => fold(row, e, RULES), undefined);

test("what stays the same is the same object", () => {
  const first = foldAll(now("a_created", 1, { a: { x: 1 }, b: { y: 2 }, tags: ["t"] }));
  const second = fold(first, now("a_updated", 2, { b: { y: 3 } }), RULES);
  assert.equal(second.value.a, first.value.a);
  assert.deepEqual(first.value.b, { y: 2 });
  for (const [type, data] of [["a_updated", { b: { y: 2 } }], ["a_updated", {}],
    ["a_updated", { none: null }], ["a_added", { tags: "t" }], ["a_removed", { tags: "u" }],
    ["a_removed", { none: 1 }], ["a_seen", {}], ["a_deleted", {}]])
    assert.equal(fold(first, now(type, 2, data), RULES).value, first.value, type);
});

test("data named __proto__ is data", () => {
  const data = (json) => JSON.parse(json);
  const row = foldAll(now("a_created", 1, data('{"a":1}')),
    now("a_updated", 2, data('{"__proto__":{"admin":true},"constructor":null}')),
    now("a_added", 3, data('{"__proto__":"x"}')), now("a_added", 4, data('{"toString":"x"}')));
  assert.deepEqual(Object.entries(row.value),
    [["a", 1], ["__proto__", { admin: true }], ["toString", ["x"]]]);
  assert.equal({}.admin, undefined);
});

test("a row of 1,048,576 bytes is made, one more byte is not", () => {
  const size = (row) => encode(wire(row)).length;
  const empty = foldAll(now("a_created", 1, "x".repeat(1 << 16)));
  const room = (1 << 20) - size(empty) + (1 << 16);
  assert.equal(size(foldAll(now("a_created", 1, "x".repeat(room)))), 1 << 20);
  assert.equal(foldAll(now("a_created", 1, "x".repeat(room + 1))).value, null);
  assert.equal(foldAll(now("a_created", 1, "é".repeat(room / 2))).value.length, room / 2);
  const half = { text: "x".repeat(1 << 19), rest: "" };
  const rest = "x".repeat(room - (1 << 19) - 12 - 4);
  const row = foldAll(now("a_created", 1, half), now("a_updated", 2, { rest }));
  assert.equal(size(row), 1 << 20);
  const over = fold(row, now("a_updated", 3, { rest: rest + "x" }), RULES);
  assert.equal(over.value, row.value);
  assert.equal(over.version, 3);
  assert.equal(fold(row, now("a_deleted", 3, null), RULES).deleted, true);
  assert.equal(fold(row, now("a_updated", 300000, { rest }), RULES).version, 300000);
  // A set that does not fit leaves the flag, too.
  const gone = fold(row, now("a_deleted", 3, null), RULES);
  assert.equal(fold(gone, now("a_set", 4, "x".repeat(1 << 20)), RULES).deleted, true);
});

test("rules are read once, however many types there are", () => {
  let reads = 0;
  const rules = RULES.map(([glob, rule]) => ({
    *[Symbol.iterator]() {
      reads++;
      yield* [glob, rule];
    },
  }));
  for (const round of [1, 2]) {
    for (let i = 0; i < 1500; i++) {
      const row = fold(undefined, now(`t${i}_set`, round, i), rules);
      assert.equal(fold(row, now(`t${i}_deleted`, 2, 1), rules).deleted, true);
    }
  }
  assert.equal(reads, rules.length);
});

test("many bytes are weighed no less than they are", () => {
  for (const x of [new Uint8Array(1 << 20), Array(1 << 18).fill(1.5), Array(1 << 20).fill({}),
    new Map([[new Uint8Array(1 << 20), 1]]), "日".repeat(350000),
    new Extension(1, new Uint8Array(1 << 20)), Array(80000).fill(new Date(-1)),
    Array(130000).fill(2n ** 60n)])
    assert.equal(foldAll(now("a_created", 1, x)).value, null);
});
