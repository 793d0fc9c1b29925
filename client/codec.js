// SPDX-License-Identifier: BSD-2-Clause
// MessagePack, the little of it that the protocol needs, until the whole codec is here.
// Keys whose value is undefined are left out of maps.

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

export function encode(value) {
  const out = [];
  const head = (n, fix, fixMax, b8, b16, b32) => {
    if (n <= fixMax) out.push(fix | n);
    else if (b8 && n < 256) out.push(b8, n);
    else if (n < 65536) out.push(b16, n >> 8, n & 255);
    else out.push(b32, n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255);
  };
  const number = (bytes, tag, set) => {
    const v = new DataView(new ArrayBuffer(bytes));
    set(v);
    out.push(tag, ...new Uint8Array(v.buffer));
  };
  const put = (x) => {
    if (x === null || x === undefined) out.push(0xc0);
    else if (typeof x === "boolean") out.push(x ? 0xc3 : 0xc2);
    else if (typeof x === "number" && Number.isSafeInteger(x)) {
      if (x >= 0 && x < 2 ** 32) head(x, 0, 127, 0xcc, 0xcd, 0xce);
      else if (x >= 0) number(8, 0xcf, (v) => v.setBigUint64(0, BigInt(x)));
      else if (x >= -32) out.push(x & 255);
      else if (x >= -128) out.push(0xd0, x & 255);
      else if (x >= -32768) number(2, 0xd1, (v) => v.setInt16(0, x));
      else if (x >= -(2 ** 31)) number(4, 0xd2, (v) => v.setInt32(0, x));
      else number(8, 0xd3, (v) => v.setBigInt64(0, BigInt(x)));
    } else if (typeof x === "number") number(8, 0xcb, (v) => v.setFloat64(0, x));
    else if (typeof x === "string") {
      const b = utf8.encode(x);
      head(b.length, 0xa0, 31, 0xd9, 0xda, 0xdb);
      for (const c of b) out.push(c);
    } else if (x instanceof Uint8Array) {
      head(x.length, 0, -1, 0xc4, 0xc5, 0xc6);
      for (const c of x) out.push(c);
    } else if (Array.isArray(x)) {
      head(x.length, 0x90, 15, 0, 0xdc, 0xdd);
      x.forEach(put);
    } else if (typeof x === "object") {
      const pairs = Object.entries(x).filter(([, v]) => v !== undefined);
      head(pairs.length, 0x80, 15, 0, 0xde, 0xdf);
      for (const [k, v] of pairs) put(k), put(v);
    } else throw new TypeError("no MessagePack for " + typeof x);
  };
  put(value);
  return Uint8Array.from(out);
}

export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (n) => {
    if (at + n > bytes.length) throw new RangeError("truncated");
    at += n;
    return at - n;
  };
  const uint = (n) =>
    n === 1 ? view.getUint8(take(1)) : n === 2 ? view.getUint16(take(2)) : view.getUint32(take(4));
  const big = (b) => (b >= -(2n ** 53n) && b <= 2n ** 53n ? Number(b) : b);
  const bin = (n) => bytes.subarray(take(n), at);
  const str = (n) => text.decode(bin(n));
  const array = (n, depth) => {
    if (n > bytes.length - at) throw new RangeError("truncated");
    return Array.from({ length: n }, () => get(depth));
  };
  const map = (n, depth) => {
    if (n > bytes.length - at) throw new RangeError("truncated");
    const o = {};
    for (let i = 0; i < n; i++) {
      const key = get(depth);
      const value = get(depth);
      Object.defineProperty(
        o, key, { value, enumerable: true, writable: true, configurable: true });
    }
    return o;
  };
  const get = (depth) => {
    if (depth > 32) throw new RangeError("too deep");
    const t = uint(1);
    if (t < 0x80) return t;
    if (t < 0x90) return map(t & 15, depth + 1);
    if (t < 0xa0) return array(t & 15, depth + 1);
    if (t < 0xc0) return str(t & 31);
    if (t >= 0xe0) return t - 256;
    switch (t) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return bin(uint(1));
      case 0xc5: return bin(uint(2));
      case 0xc6: return bin(uint(4));
      case 0xca: return view.getFloat32(take(4));
      case 0xcb: return view.getFloat64(take(8));
      case 0xcc: return uint(1);
      case 0xcd: return uint(2);
      case 0xce: return uint(4);
      case 0xcf: return big(view.getBigUint64(take(8)));
      case 0xd0: return view.getInt8(take(1));
      case 0xd1: return view.getInt16(take(2));
      case 0xd2: return view.getInt32(take(4));
      case 0xd3: return big(view.getBigInt64(take(8)));
      case 0xd9: return str(uint(1));
      case 0xda: return str(uint(2));
      case 0xdb: return str(uint(4));
      case 0xdc: return array(uint(2), depth + 1);
      case 0xdd: return array(uint(4), depth + 1);
      case 0xde: return map(uint(2), depth + 1);
      case 0xdf: return map(uint(4), depth + 1);
    }
    throw new RangeError("no such type");
  };
  const value = get(0);
  if (at !== bytes.length) throw new RangeError("trailing bytes");
  return value;
}
