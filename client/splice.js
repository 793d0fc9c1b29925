// SPDX-License-Identifier: BSD-2-Clause
// The top level of a message, without decoding what lies below, and its id exchanged.
// What it does not touch stays as it was, byte for byte: events are hashed by their bytes.

import { decode, encode } from "./codec.js";

// Bytes behind the first: a length of so many, then as many bytes, elements or pairs.
const SIZED = {
  0xc4: [1, "bytes"], 0xc5: [2, "bytes"], 0xc6: [4, "bytes"],
  0xc7: [1, "ext"], 0xc8: [2, "ext"], 0xc9: [4, "ext"],
  0xd9: [1, "bytes"], 0xda: [2, "bytes"], 0xdb: [4, "bytes"],
  0xdc: [2, "array"], 0xdd: [4, "array"], 0xde: [2, "map"], 0xdf: [4, "map"],
};
const FIXED = {
  0xc0: 1, 0xc2: 1, 0xc3: 1, 0xca: 5, 0xcb: 9, 0xcc: 2, 0xcd: 3, 0xce: 5, 0xcf: 9,
  0xd0: 2, 0xd1: 3, 0xd2: 5, 0xd3: 9, 0xd4: 3, 0xd5: 4, 0xd6: 6, 0xd7: 10, 0xd8: 18,
};

function uint(b, at, size) {
  let n = 0;
  for (let i = 0; i < size; i++) n = n * 256 + b[at + i];
  return n;
}

/** What begins at `at`: [its own bytes, how many values follow that belong to it]. */
function head(b, at) {
  const t = b[at];
  if (t < 0x80 || t >= 0xe0) return [1, 0];
  if (t < 0x90) return [1, 2 * (t & 15)];
  if (t < 0xa0) return [1, t & 15];
  if (t < 0xc0) return [1 + (t & 31), 0];
  if (FIXED[t]) return [FIXED[t], 0];
  const [size, kind] = SIZED[t] ?? [];
  if (!size) throw new RangeError("no MessagePack");
  const n = uint(b, at + 1, size);
  if (kind === "array") return [1 + size, n];
  if (kind === "map") return [1 + size, 2 * n];
  return [1 + size + n + (kind === "ext" ? 1 : 0), 0];
}

/** Where the value that begins at `at` ends. */
function skip(b, at) {
  for (let left = 1; left > 0; left--) {
    if (at >= b.length) throw new RangeError("truncated");
    const [bytes, values] = head(b, at);
    at += bytes;
    left += values;
  }
  // NaN, where a length itself is cut off, is no end either.
  if (!(at <= b.length)) throw new RangeError("truncated");
  return at;
}

/** An array, as the first byte tells. */
export const isBatch = ([t]) => (t >= 0x90 && t < 0xa0) || t === 0xdc || t === 0xdd;

/** [after, upto] of a batch. */
export function range(b) {
  const [at, values] = head(b, 0);
  if (values < 2) throw new RangeError("no batch");
  const middle = skip(b, at);
  const end = skip(b, middle);
  return [decode(b.subarray(at, middle)), decode(b.subarray(middle, end))];
}

/** The entries of a map: key → what get() decodes, and where they lie. */
export class Fields {
  #bytes;
  #places = new Map();

  constructor(bytes) {
    this.#bytes = bytes;
    const t = bytes[0];
    if (!((t >= 0x80 && t < 0x90) || t === 0xde || t === 0xdf)) throw new RangeError("no map");
    let [at, values] = head(bytes, 0);
    for (; values > 0; values -= 2) {
      const value = skip(bytes, at);
      const end = skip(bytes, value);
      this.#places.set(decode(bytes.subarray(at, value)), { at, value, end });
      at = end;
    }
    if (at !== bytes.length) throw new RangeError("trailing bytes");
  }

  get(key) {
    const place = this.#places.get(key);
    return place && decode(this.#bytes.subarray(place.value, place.end));
  }

  /** The message with another id, or with none. */
  withId(id) {
    const b = this.#bytes;
    const parts = [...this.#places].filter(([key]) => key !== "id")
      .map(([, { at, end }]) => b.subarray(at, end));
    if (id !== undefined) parts.push(encode("id"), encode(id));
    const n = parts.length - (id === undefined ? 0 : 1);
    parts.unshift(n < 16 ? [0x80 | n] : [0xde, n >> 8, n & 255]);
    const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
    let at = 0;
    for (const p of parts) {
      out.set(p, at);
      at += p.length;
    }
    return out;
  }
}
