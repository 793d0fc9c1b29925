// SPDX-License-Identifier: BSD-2-Clause

// What is random in a test: the same for the same seed, which the test prints.
// (mulberry32, public domain, by Tommy Ettinger.)

export function random(seed) {
  let a = seed >>> 0;
  const uint32 = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const double = () => uint32() / 2 ** 32;
  /** A whole number from 0 up to, but not including, n. */
  const int = (n) => Math.floor(double() * n);
  return {
    int,
    double,
    chance: (p) => double() < p,
    pick: (list) => list[int(list.length)],
    bytes: (n) => Uint8Array.from({ length: n }, () => uint32() & 255),
  };
}
