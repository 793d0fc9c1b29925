// SPDX-License-Identifier: BSD-2-Clause

// The codec beside @msgpack/msgpack, and beside the protocol where that is stricter.
// Whatever bytes are decoded, a value comes that the other finds, too, or an Error.

import assert from "node:assert/strict";
import { test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";

import * as peer from "@msgpack/msgpack";

import { Extension, decode, encode } from "../../client/codec.js";
import { random } from "./lib/random.mjs";

const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const rounds = Number(process.env.PEAL_ROUNDS ?? 1500);
const { int, pick, bytes, chance, double } = random(seed);

// Keys that are no strings have no place in the peer's objects: they become text.
const peerOptions = {
  useBigInt64: true,
  mapKeyConverter: (key) => (typeof key === "string" ? key
    : typeof key === "object" ? "!object" : `!${key}`),
};
const peerDecode = (message) => plain(peer.decode(message, peerOptions));

/** What both codecs can be compared in. */
function plain(x) {
  if (typeof x === "bigint") return Number.isSafeInteger(Number(x)) ? Number(x) : x;
  if (Array.isArray(x)) return x.map(plain);
  // The peer has it as a Date that is none.
  if (x instanceof Extension && x.type === -1) return ["Date", NaN];
  if (x instanceof Extension || x instanceof peer.ExtData) return [x.type, [...x.data]];
  if (x instanceof Date) return ["Date", x.getTime()];
  if (x instanceof Map) {
    return plain(Object.fromEntries([...x].map(
      ([k, v]) => [peerOptions.mapKeyConverter(k), v])));
  }
  if (x instanceof Uint8Array) return ["bytes", ...x];
  if (typeof x !== "object" || x === null) return Object.is(x, -0) ? 0 : x;
  const pairs = Object.entries(x).map(([k, v]) => [k, plain(v)]);
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const STRINGS = ["", "a", "id", "text", "memory.item.7", "é", "日本語", "\ufeffx", "🙂", "\0",
  "toString", "constructor", "0", "42", "<b>", "x".repeat(31), "x".repeat(32), "ab".repeat(24),
  "y".repeat(47), "y".repeat(48), "z".repeat(255), "z".repeat(256), "é".repeat(20000)];
const NUMBERS = [0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1,
  -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1,
  0.5, -1.25, 1e300, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 60)];
const BIG = [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)];
const TIMES = [0, 1, 1700000000000, 1700000000123, -1, -1000, 2 ** 32 * 1000,
  2 ** 34 * 1000 - 1, 2 ** 34 * 1000, 8.64e15, -8.64e15];

function scalar() {
  return pick([
    () => null, () => true, () => false, () => int(300) - 40, () => pick(NUMBERS),
    () => pick(BIG), () => pick(STRINGS), () => `k${int(1e6)}`, () => double(),
    () => new Date(pick(TIMES)), () => bytes(pick([0, 1, 3, 255, 256])),
    () => int(2 ** 32), () => -int(2 ** 32),
  ])();
}

function value(level = 0) {
  if (level > 5 || chance(0.5)) return scalar();
  const n = chance(0.05) ? 15 + int(3) : int(5);
  if (chance(0.5)) return Array.from({ length: n }, () => value(level + 1));
  const o = {};
  for (let i = 0; i < n; i++) o[chance(0.3) ? pick(STRINGS) : `f${int(1000)}`] = value(level + 1);
  return o;
}

// The peer writes integers of 64 bits as they are given only; its BigInts are never shorter.
const peerEncode = (x) => peer.encode(x, { useBigInt64: true });

test(`what one encodes the other decodes, seed ${seed}`, () => {
  for (let i = 0; i < rounds; i++) {
    const x = value();
    const ours = encode(x);
    assert.deepEqual(peerDecode(ours), plain(x));
    assert.deepEqual(plain(decode(peerEncode(x))), plain(x));
    assert.deepEqual(plain(decode(ours)), plain(x));
    assert.deepEqual(encode(decode(ours)), ours);
  }
});

test("integers, floats, lengths and times are in the shortest form", () => {
  const hex = (x) => Buffer.from(encode(x)).toString("hex");
  const forms = [
    [0, "00"], [127, "7f"], [128, "cc80"], [255, "ccff"], [256, "cd0100"], [65535, "cdffff"],
    [65536, "ce00010000"], [2 ** 32 - 1, "ceffffffff"], [2 ** 32, "cf0000000100000000"],
    [2 ** 53 - 1, "cf001fffffffffffff"], [2n ** 64n - 1n, "cfffffffffffffffff"],
    [7n, "07"], [-7n, "f9"], [2n ** 32n - 1n, "ceffffffff"],
    [-1, "ff"], [-32, "e0"], [-33, "d0df"], [-128, "d080"], [-129, "d1ff7f"],
    [-32768, "d18000"], [-32769, "d2ffff7fff"], [-(2 ** 31), "d280000000"],
    [-(2 ** 31) - 1, "d3ffffffff7fffffff"], [-(2 ** 53) + 1, "d3ffe0000000000001"],
    [-(2n ** 63n), "d38000000000000000"], [-(2n ** 53n), "d3ffe0000000000000"],
    [1.5, "cb3ff8000000000000"], [2 ** 53, "cb4340000000000000"], [-0, "00"],
    ["", "a0"], ["é", "a2c3a9"], [new Uint8Array(2), "c4020000"],
    [new Uint16Array([513]).buffer, "c4020102"],
    [new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 1), "c40102"],
    [[], "90"], [{}, "80"], [new Map([[1, 2]]), "810102"], [null, "c0"], [false, "c2"],
    [true, "c3"], [new Date(0), "d6ff00000000"], [new Date(1), "d7ff003d090000000000"],
    [new Date(2 ** 32 * 1000), "d7ff0000000100000000"],
    [new Date(2 ** 34 * 1000), "c70cff000000000000000400000000"],
    [new Date(-1), "c70cff3b8b87c0ffffffffffffffff"],
    [new Extension(5, new Uint8Array(1)), "d40500"],
    [new Extension(5, new Uint8Array(16)), "d805" + "00".repeat(16)],
    [new Extension(127, new Uint8Array(3)), "c7037f000000"],
    [new Extension(0, new Uint8Array(0)), "c70000"],
  ];
  for (const [x, form] of forms) assert.equal(hex(x), form, String(x));
  for (const [n, form] of [[31, "bf"], [32, "d920"], [255, "d9ff"], [256, "da0100"],
    [65535, "daffff"], [65536, "db00010000"]])
    assert.equal(hex("x".repeat(n)).slice(0, form.length), form);
  const counts = [[15, "9f", "8f"], [16, "dc0010", "de0010"], [65535, "dcffff", "deffff"],
    [65536, "dd00010000", "df00010000"]];
  for (const [n, array, map] of counts) {
    assert.equal(hex(Array(n).fill(0)).slice(0, array.length), array);
    assert.equal(hex(new Map(Array(n).fill(0).map((_, i) => [i, 0]))).slice(0, map.length), map);
  }
});

test("what JSON leaves out is left out, what it asks is asked, what it can't is refused", () => {
  assert.deepEqual(decode(encode({ a: undefined, b: [undefined], u: new URL("a:b") })),
    { b: [null], u: "a:b" });
  for (const bad of [2n ** 64n, -(2n ** 63n) - 1n, () => 1, Symbol("x"), new Date(NaN)])
    assert.throws(() => encode([bad]), Error);
  const circle = {};
  circle.a = circle;
  assert.throws(() => encode(circle), /levels/);
  assert.deepEqual(decode(encode({ toJSON: 1 })), { toJSON: 1 });
  assert.deepEqual(decode(encode([1, { toJSON: () => encode("x") }, 2])), [1, encode("x"), 2]);
});

test("integers beyond 2^53 are BigInts, others numbers", () => {
  for (const n of [2n ** 53n - 1n, -(2n ** 53n) + 1n, 2n ** 32n])
    assert.equal(decode(peerEncode(n)), Number(n));
  for (const n of BIG) assert.equal(decode(encode(n)), n);
});

test("binary data is a view of the message", () => {
  const message = encode([new Uint8Array([1, 2]), new Extension(9, new Uint8Array([3]))]);
  const [binary, extension] = decode(message);
  assert.equal(binary.buffer, message.buffer);
  assert.equal(extension.data.buffer, message.buffer);
  const inner = new Uint8Array([0xff, ...message, 0xff]).subarray(1, -1);
  assert.deepEqual(plain(decode(inner)), plain([binary, extension]));
});

test("a member named __proto__ is a member", () => {
  const o = decode(encode(JSON.parse('{"__proto__":{"admin":true},"a":1}')));
  assert.deepEqual(Object.keys(o), ["__proto__", "a"]);
  assert.equal(o.admin, undefined);
  assert.equal(Object.getPrototypeOf(o), Object.prototype);
  assert.deepEqual(encode(o), encode(JSON.parse('{"__proto__":{"admin":true},"a":1}')));
});

test("keys that are no strings make a Map", () => {
  const m = decode(encode(new Map([["a", 1], [2, "b"], [null, [3]]])));
  assert.deepEqual([...m], [["a", 1], [2, "b"], [null, [3]]]);
});

test("times beyond the years of Date stay as they are", () => {
  const far = Buffer.from("c70cff000000007fffffffffffffff", "hex");
  const x = decode(far);
  assert.equal(x.type, -1);
  assert.deepEqual(Buffer.from(encode(x)), far);
});

test("thirty-two levels are decoded and encoded, one more is refused", () => {
  const nested = (n) => Buffer.from("91".repeat(n) + "c0", "hex");
  assert.deepEqual(Buffer.from(encode(decode(nested(32)))), nested(32));
  assert.throws(() => decode(nested(33)), /at 33/);
  assert.throws(() => encode([decode(nested(32))]), /levels/);
  assert.throws(() => decode(Buffer.from("81a161".repeat(33) + "c0", "hex")), RangeError);
});

test("what is refused is refused with the place", () => {
  const bad = ["", "c1", "0000", "91", "a1", "d9", "cd00", "cf00000000", "dd7fffffff",
    "dfffffffff", "c6ffffffff00", "dbffffffff61", "d4fe00", "d5ff0000", "c705ff0000000000",
    "c700ff", "d7ffee6b280000000000", "cb00"];
  for (const hex of bad)
    assert.throws(() => decode(Uint8Array.from(Buffer.from(hex, "hex"))), /at \d+/, hex);
  for (const hex of ["a1ff", "a3eda080", "d930" + "ff".repeat(48)])
    assert.throws(() => decode(Uint8Array.from(Buffer.from(hex, "hex"))), /utf-8/i, hex);
});

test("lengths that are only claimed cost nothing", () => {
  // 32 arrays of 2^32 - 1 elements each, of which there is nothing but the next array.
  const message = Uint8Array.from(Buffer.from("ddffffffff".repeat(32), "hex"));
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 100; i++) assert.throws(() => decode(message), /at \d+/);
  assert.ok(process.memoryUsage().heapUsed - before < 64 << 20);
});

test(`any part of a message is refused, seed ${seed}`, () => {
  for (let i = 0; i < rounds / 20; i++) {
    const message = encode([value(), value()]);
    if (message.length > 3000) continue;
    for (let n = 0; n < message.length; n++)
      assert.throws(() => decode(message.subarray(0, n)), Error, `${n} of ${message.length}`);
  }
});

/** Reads MessagePack as slowly and plainly as can be: why the protocol refuses it, or null. */
function refusal(m) {
  let at = 0;
  const need = (n) => {
    if (at + n > m.length) throw "truncated";
    at += n;
    return m.subarray(at - n, at);
  };
  const size = (n) => need(n).reduce((sum, b) => sum * 256 + b, 0);
  const str = (n) => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(need(n));
    } catch (e) {
      throw e instanceof TypeError ? "not UTF-8" : e;
    }
  };
  const many = (n, level) => {
    if (level > 32) throw "too deep";
    for (let i = 0; i < n; i++) item(level);
  };
  const ext = (n) => {
    const type = size(1);
    const data = need(n);
    if (type === 255) {
      if (![4, 8, 12].includes(n)) throw "timestamp";
      const head = (data[0] << 24 | data[1] << 16 | data[2] << 8 | data[3]) >>> 0;
      if ((n === 8 ? head >>> 2 : n === 12 ? head : 0) > 999999999) throw "timestamp";
    } else if (type > 127) throw "extension";
  };
  const item = (level) => {
    const t = size(1);
    if (t < 0x80 || t >= 0xe0) return;
    if (t < 0x90) return many(2 * (t & 15), level + 1);
    if (t < 0xa0) return many(t & 15, level + 1);
    if (t < 0xc0) return str(t & 31);
    const fixed = { 0xc0: 0, 0xc2: 0, 0xc3: 0, 0xca: 4, 0xcb: 8, 0xcc: 1, 0xcd: 2, 0xce: 4,
      0xcf: 8, 0xd0: 1, 0xd1: 2, 0xd2: 4, 0xd3: 8 }[t];
    if (fixed !== undefined) return void need(fixed);
    if (t < 0xc4) throw "no type";
    if (t < 0xc7) return void need(size(1 << (t - 0xc4)));
    if (t < 0xca) return ext(size(1 << (t - 0xc7)));
    if (t < 0xd9) return ext(1 << (t - 0xd4));
    if (t < 0xdc) return str(size(1 << (t - 0xd9)));
    if (t < 0xde) return many(size(2 << (t - 0xdc)), level + 1);
    return many(2 * size(2 << (t - 0xde)), level + 1);
  };
  try {
    item(0);
    return at < m.length ? "trailing" : null;
  } catch (e) {
    if (typeof e !== "string") throw e;
    return e;
  }
}

/** Our decoder takes what the protocol allows, nothing else, and finds what the peer finds. */
function judge(m) {
  const why = refusal(m);
  const name = Buffer.from(m).toString("hex");
  if (why) return assert.throws(() => decode(m), Error, `${why}: ${name}`);
  const found = plain(decode(m));
  let others;
  try {
    others = peerDecode(m);
  } catch {
    return; // It refuses keys named __proto__, and Dates that are none.
  }
  assert.deepEqual(found, others, name);
}

test("the judge refuses a decoder that is wrong", () => {
  assert.equal(refusal(Buffer.from("93a16101c0", "hex")), null);
  assert.equal(refusal(Buffer.from("93a16101", "hex")), "truncated");
  assert.notDeepEqual(plain(1), peerDecode(encode(2)));
  assert.notDeepEqual(plain({ a: 1, b: [] }), peerDecode(encode({ a: 1, b: {} })));
});

test(`a byte that is changed is refused or means what the other finds, seed ${seed}`, () => {
  for (let i = 0; i < rounds / 40; i++) {
    const message = encode([value(), value()]);
    if (message.length > 800) continue;
    for (let at = 0; at < message.length; at++) {
      const m = message.slice();
      m[at] = int(256);
      judge(m);
    }
  }
});

test(`any bytes are refused or mean what the other finds, seed ${seed}`, () => {
  for (let i = 0; i < rounds * 10; i++) judge(bytes(1 + int(40)));
});

test("strings that are like others are themselves", () => {
  // Bytes that are another's characters; ends, lengths, slots that are another's.
  const alike = ["\u00c3\u00a9", "\u00e9", "\u00c3", "topic.one.status", "topic.two.status",
    "a.one.status", "abcdefgh", "xabcdefgh", "", "\0", "\0\0", "\u007f", "\u0080",
    ...Array.from({ length: 5000 }, (_, n) => `key${n}`)];
  for (let round = 0; round < 3; round++) {
    for (const s of alike) {
      const message = Uint8Array.from(peer.encode([s, s, { [s]: s }]));
      assert.deepEqual(decode(message), [s, s, { [s]: s }]);
    }
  }
});

test("a string takes the room of its characters", () => {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc");
  const taken = (length) => {
    const message = encode(Array.from({ length: 10_000 }, (_, n) => `${n}`.padEnd(length, "x")));
    collect();
    const before = v8.getHeapStatistics().used_heap_size;
    const list = decode(message);
    collect();
    return (v8.getHeapStatistics().used_heap_size - before) / list.length;
  };
  for (const length of [8, 12, 13, 30, 47, 48, 100]) {
    const each = taken(length);
    assert.ok(each < length + 60, `${each} bytes for a string of ${length}`);
  }
});
