// SPDX-License-Identifier: BSD-2-Clause
// MessagePack as doc/protocol.md has it: values to canonical bytes, and bytes to values.
// Whatever bytes come, decode gives a value or throws, and makes nothing of what they only claim.

import { LEVELS } from "./limits.js";

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** An extension that is no Date. */
export class Extension {
  constructor(type, data) {
    this.type = type;
    this.data = data;
  }
}

function refuse(what) {
  throw new RangeError("this can't be sent: " + what);
}

// What is being encoded: of each number the lowest eight bits count.
let out;

function all(bytes) {
  for (const b of bytes) out.push(b);
}

function int(size, x) {
  while (size--) out.push(Math.floor(x / 256 ** size));
}

function eight(tag, set, x) {
  const view = new DataView(new ArrayBuffer(8));
  view[set](0, x);
  out.push(tag);
  all(new Uint8Array(view.buffer));
}

/** Up to `max` in one byte; else `tag` and `size` bytes, or the next tag and twice as many. */
function head(x, fix, max, tag, size = 1, n = x) {
  if (n <= max) return out.push(fix | x);
  for (; n >= 256 ** size; size *= 2) tag++;
  out.push(tag);
  int(size, x);
}

function big(x) {
  if (Number.isSafeInteger(Number(x))) return put(Number(x));
  if (x >> 64n && x >> 63n !== -1n) refuse("beyond 64 bits");
  eight(x < 0 ? 0xd3 : 0xcf, "setBigInt64", x);
}

function date(ms) {
  const seconds = Math.floor(ms / 1000);
  const nanos = (ms - seconds * 1000) * 1e6;
  if (seconds < 0 || seconds >= 2 ** 34) {
    out.push(0xc7, 12, -1);
    int(4, nanos);
    int(8, seconds);
  } else {
    const high = nanos * 4 + Math.floor(seconds / 2 ** 32);
    out.push(high ? 0xd7 : 0xd6, -1);
    if (high) int(4, high);
    int(4, seconds);
  }
}

function object(x, level) {
  if (x instanceof Date) date(Date.parse(x.toISOString()));
  else if (x instanceof Extension) {
    const { length } = x.data;
    const fix = [1, 2, 4, 8, 16].indexOf(length);
    if (fix < 0) head(length, 0, -1, 0xc7);
    else out.push(0xd4 + fix);
    out.push(x.type);
    all(x.data);
  } else if (x instanceof ArrayBuffer || ArrayBuffer.isView(x)) {
    const b = new Uint8Array(x.buffer ?? x, x.byteOffset, x.byteLength);
    head(b.length, 0, -1, 0xc4);
    all(b);
  } else if (typeof x.toJSON === "function") put(x.toJSON(), level);
  else if (++level > LEVELS) refuse("too many levels");
  else if (Array.isArray(x)) {
    head(x.length, 0x90, 15, 0xdc, 2);
    for (const v of x) put(v, level);
  } else {
    const pairs = (x instanceof Map ? [...x] : Object.entries(x))
      .filter(([, v]) => v !== undefined);
    head(pairs.length, 0x80, 15, 0xde, 2);
    for (const [k, v] of pairs) put(k, level), put(v, level);
  }
}

/** A value within `level` arrays and maps. */
function put(x, level) {
  const type = typeof x;
  if (x === null || x === undefined) out.push(0xc0);
  else if (type === "boolean") out.push(x ? 0xc3 : 0xc2);
  else if (type === "bigint") big(x);
  else if (Number.isSafeInteger(x)) {
    if (x < 0) head(x, 0, 63, 0xd0, 1, -2 * x - 1);
    else head(x, 0, 127, 0xcc);
  } else if (type === "number") eight(0xcb, "setFloat64", x);
  else if (type === "string") {
    const b = utf8.encode(x);
    head(b.length, 0xa0, 31, 0xd9);
    all(b);
  } else if (type === "object") object(x, level);
  else refuse(type);
}

/**
 * What JSON.stringify would leave out, or ask for toJSON, is left out, or asked, here, too. A
 * Map is a map with any keys, BigInt an integer, Date a timestamp, a buffer or view binary.
 * The value is to be within `level` arrays and maps.
 */
export function encode(value, level = 0) {
  // What is asked may encode something itself.
  const outer = out;
  out = [];
  try {
    put(value, level);
    return new Uint8Array(out);
  } finally {
    out = outer;
  }
}

// What is being decoded; nothing of the application's runs meanwhile.
let bytes;
let view;
let at;

function fail() {
  throw new RangeError("no MessagePack at " + at);
}

/** Where the next n bytes begin. */
function take(n) {
  at += n;
  if (at > bytes.length) fail();
  return at - n;
}

function uint(size) {
  const from = take(size);
  return size < 2 ? bytes[from] : size < 4 ? view.getUint16(from) : view.getUint32(from);
}

function wide(high, low) {
  const x = high * 2 ** 32 + low;
  return Number.isSafeInteger(x) ? x : (BigInt(high) << 32n) | BigInt(low);
}

const binary = (n) => bytes.subarray(take(n), at);

// Topics, types, actors and keys come again and again: one that is there already is found
// sooner than made, and a Map has its hash. Only ASCII is kept, where bytes are characters.
// More slots were slower: they are not in the processor's cache.
const KNOWN = 47;
const HASHED = 8;
const SLOT_BITS = 10;
const known = Array(1 << SLOT_BITS).fill("");

// For each length an array of characters, so that none has to be made. They become a string at
// once: what is put together piece by piece V8 keeps as a rope, with each of its pieces.
const characters = Array.from({ length: KNOWN + 1 }, (_, n) => Array(n).fill(0));

function string(n) {
  const from = take(n);
  if (n > KNOWN) return text.decode(bytes.subarray(from, at));
  let slot = n;
  for (let i = Math.max(from, at - HASHED); i < at; i++)
    slot = Math.imul(slot ^ bytes[i], 0x9e3779b1);
  slot >>>= 32 - SLOT_BITS;
  const there = known[slot];
  if (there.length === n) {
    let i = 0;
    while (i < n && there.charCodeAt(i) === bytes[from + i]) i++;
    if (i === n) return there;
  }
  const units = characters[n];
  let bits = 0;
  for (let i = 0; i < n; i++) bits |= units[i] = bytes[from + i];
  return bits < 128 ? (known[slot] = String.fromCharCode(...units))
    : text.decode(bytes.subarray(from, at));
}

function array(n, level) {
  const a = n < 16 ? Array(n) : [];
  for (let i = 0; i < n; i++) a[i] = get(level);
  return a;
}

/** A Map where a key is no string. Of keys that look alike here the last counts. */
function map(n, level) {
  let m;
  let o = {};
  while (n--) {
    const key = get(level);
    const value = get(level);
    if (m || typeof key !== "string") (m ??= new Map(Object.entries(o))).set(key, value);
    // As a name in brackets it is no prototype.
    else if (key === "__proto__") o = { ...o, [key]: value };
    else o[key] = value;
  }
  return m ?? o;
}

function extension(n) {
  const type = uint(1);
  const from = at;
  const other = new Extension(type, binary(n));
  if (type < 128) return other;
  if (type < 255) fail();
  at = from;
  let nanos = n > 4 ? uint(4) : 0;
  let high = 0;
  if (n === 8) {
    high = nanos & 3;
    nanos >>>= 2;
  } else if (n === 12) high = uint(4) | 0;
  const low = uint(4);
  if (at !== from + n || nanos > 999999999) fail();
  const date = new Date(Number(wide(high, low)) * 1000 + nanos / 1e6);
  // Dates end in the year 275760.
  return isNaN(date) ? (other.type = -1, other) : date;
}

/** A value within `level` arrays and maps. */
function get(level) {
  const t = bytes[at++];
  if (t < 0x80) return t;
  if (t > 0xdf) return t - 256;
  if (t < 0xa0 || t > 0xdb) {
    if (++level > LEVELS) fail();
    if (t < 0xa0) return t < 0x90 ? map(t & 15, level) : array(t & 15, level);
    return t < 0xde ? array(uint(2 << (t - 0xdc)), level) : map(uint(2 << (t - 0xde)), level);
  }
  if (t < 0xc0) return string(t & 31);
  if (t > 0xd8) return string(uint(1 << (t - 0xd9)));
  if (t > 0xd3) return extension(1 << (t - 0xd4));
  if (t === 0xd3) return wide(uint(4) | 0, uint(4));
  if (t > 0xcf) {
    const size = 1 << (t - 0xd0);
    const shift = 32 - 8 * size;
    return (uint(size) << shift) >> shift;
  }
  if (t === 0xcf) return wide(uint(4), uint(4));
  if (t > 0xcb) return uint(1 << (t - 0xcc));
  if (t === 0xcb) return view.getFloat64(take(8));
  if (t === 0xca) return view.getFloat32(take(4));
  if (t > 0xc6) return extension(uint(1 << (t - 0xc7)));
  if (t > 0xc3) return binary(uint(1 << (t - 0xc4)));
  if (t === 0xc2) return false;
  if (t === 0xc3) return true;
  return t === 0xc0 ? null : fail();
}

/** The one value that `message`, a Uint8Array, is. Binary data in it is a view of it. */
export function decode(message) {
  bytes = message;
  view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  at = 0;
  const value = get(0);
  return at === bytes.length ? value : fail();
}
