// SPDX-License-Identifier: BSD-2-Clause

// Parts of the dashboard that need no page: the reader of typed JSON, values and their
// differences, the tree of topics, groups of toasts, times and durations.

import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, exactTime, millis, timeText } from "../../client/dashboard/format.js";
import { parseInput } from "../../client/dashboard/json-input.js";
import { createRing } from "../../client/dashboard/stream.js";
import { createGroups } from "../../client/dashboard/toast-groups.js";
import { TopicTree } from "../../client/dashboard/topic-tree.js";
import { brief, diff } from "../../client/dashboard/value.js";

/** A small generator, so that a seed repeats a run. */
function random(seed) {
  let x = seed >>> 0;
  return (n) => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return Math.floor((x / 2 ** 32) * n);
  };
}

function randomValue(next, depth = 0) {
  const kind = next(depth > 3 ? 5 : 7);
  if (kind === 0) return null;
  if (kind === 1) return next(2) === 1;
  if (kind === 2) return next(1e9) - 5e8;
  if (kind === 3) return (next(1e9) - 5e8) / 1024;
  if (kind === 4) return ["", "é\"\\\n", "a", "\u{1F514}", "__proto__"][next(5)];
  const size = next(4);
  if (kind === 5) return Array.from({ length: size }, () => randomValue(next, depth + 1));
  return Object.fromEntries(Array.from({ length: size }, (_, i) =>
    [`k${i}`, randomValue(next, depth + 1)]));
}

test("typed JSON is read as JSON.parse reads it", () => {
  const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
  console.log(`# seed ${seed}`);
  const next = random(seed);
  for (let i = 0; i < 500; i++) {
    const text = JSON.stringify(randomValue(next), null, next(2));
    assert.deepEqual(parseInput(text), JSON.parse(text), text);
  }
});

test("integers beyond 2^53 stay exact, up to 64 bits", () => {
  assert.equal(parseInput("9007199254740993"), 9007199254740993n);
  assert.equal(parseInput("18446744073709551615"), 2n ** 64n - 1n);
  assert.throws(() => parseInput("18446744073709551616"), /64 bits/);
  assert.equal(parseInput("9007199254740991"), 2 ** 53 - 1);
});

test("a name like __proto__ is only a name", () => {
  const value = parseInput('{"__proto__": {"a": 1}, "constructor": 2}');
  assert.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(value.a, undefined);
});

test("what is wrong with typed JSON is said in words, with its place", () => {
  const cases = [
    ["", /line 1, column 1: there is nothing/i],
    ['{"a": 1,}', /line 1, column 9: a comma before the end of the object/i],
    ["[1,\n 2,\n]", /line 3, column 1: a comma before the end of the list/i],
    ["{a: 1}", /a name in double quotes is missing/],
    ["{'a': 1}", /a name in double quotes is missing/],
    ["'a'", /double quotes, not single/],
    ["hello", /hello is no value; text needs double quotes/],
    ['{"a" 1}', /a colon is missing/],
    ['{"a": 1 "b": 2}', /a comma or the end of the object is missing/],
    ['{"a": 1, "a": 2}', /the name "a" appears twice/],
    ['"abc', /has no end/],
    ['"a\nb"', /line break/],
    ['"\\x"', /means nothing/],
    ['"\\ud800"', /half a character/],
    ["01", /no number/],
    ["1.", /no number/],
    ["-", /a digit/],
    ["1e999", /too large/],
    ["[1] 2", /behind the value/],
    ["[".repeat(40), /levels/],
    ['{"a": ', /a value is missing: the text ends/],
  ];
  for (const [text, words] of cases) assert.throws(() => parseInput(text), words, text);
});

test("a value in one line costs what is shown, not what there is", () => {
  const huge = Array.from({ length: 1e6 }, (_, i) => i);
  assert.ok(brief(huge, 50).length <= 51);
  assert.equal(brief({ a: [1, "x"], b: null }), '{"a": [1, "x"], "b": null}');
  assert.equal(brief(new Uint8Array([0, 255])), '{"$bin": "AP8="}');
  assert.equal(brief(2n ** 60n), `{"$int": "${2n ** 60n}"}`);
  const deep = JSON.parse("[".repeat(500) + "]".repeat(500));
  assert.ok(brief(deep, 50).length <= 51);
});

test("a value that is plain is shown as JSON that reads back", () => {
  const next = random(7);
  for (let i = 0; i < 200; i++) {
    const value = randomValue(next);
    assert.deepEqual(JSON.parse(brief(value, 1e6)), value);
  }
});

test("differences name what was added, removed and changed, with its path", () => {
  assert.deepEqual(diff({ a: 1, b: { c: [1, 2] }, d: 0 }, { a: 2, b: { c: [1, 3, 4] }, e: 5 }), [
    { path: "a", kind: "changed", before: 1, after: 2 },
    { path: "b.c[1]", kind: "changed", before: 2, after: 3 },
    { path: "b.c[2]", kind: "added", after: 4 },
    { path: "e", kind: "added", after: 5 },
    { path: "d", kind: "removed", before: 0 },
  ]);
  assert.deepEqual(diff({ a: [1] }, { a: [1] }), []);
  assert.deepEqual(diff(undefined, { a: 1 }),
    [{ path: "", kind: "changed", before: undefined, after: { a: 1 } }]);
  assert.equal(diff([], Array.from({ length: 500 }, (_, i) => i), 10).length, 10);
  const odd = JSON.parse('{"__proto__": 1}');
  assert.deepEqual(diff({}, odd), [{ path: "__proto__", kind: "added", after: 1 }]);
});

test("the tree lists what a sorted list of open branches would", () => {
  const tree = new TopicTree();
  for (const t of ["b.x.1", "a", "b.x.2", "b.y", "a.c", "__proto__.b"]) tree.add(t);
  const names = () => tree.rows().map((r) => `${r.level} ${r.label} ${r.topic === null}`);
  assert.deepEqual(names(), ["1 __proto__.b false", "1 a false", "1 a. true", "1 b. true"]);
  tree.reveal("b.x.1");
  assert.deepEqual(names().slice(3),
    ["1 b. true", "2 x. true", "3 1 false", "3 2 false", "2 y false"]);
  tree.delete("b.x.1");
  assert.deepEqual(names().slice(3), ["1 b. true", "2 x.2 false", "2 y false"]);
  assert.equal(tree.rows().find((r) => r.label === "b.").count, 2);
});

test("a tree that changes at random is the one that is made anew", () => {
  const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
  console.log(`# seed ${seed}`);
  const next = random(seed);
  const tree = new TopicTree();
  const there = new Set();
  for (let i = 0; i < 2000; i++) {
    const topic = Array.from({ length: 1 + next(4) }, () => "abc"[next(3)]).join(".");
    if (next(2)) {
      assert.equal(tree.add(topic), !there.has(topic));
      there.add(topic);
    } else {
      assert.equal(tree.delete(topic), there.has(topic));
      there.delete(topic);
    }
  }
  const anew = new TopicTree();
  for (const topic of [...there].sort().reverse()) anew.add(topic);
  tree.openUpTo(1000);
  anew.openUpTo(1000);
  assert.deepEqual(tree.rows(), anew.rows());
  assert.deepEqual(tree.rows().map((r) => r.topic).filter(Boolean).sort(), [...there].sort());
});

test("a storm makes one group, and is silent until it has been calm", () => {
  const groups = createGroups();
  const change = (actor, topic) => ({ actor, topic, type: "note_updated" });
  const first = groups.take(change("ada", "note.1"), 0);
  for (let i = 0; i < 5000; i++) {
    assert.equal(groups.take(change("ada", `note.${i % 40}`), i), first);
  }
  assert.deepEqual([first.events, first.topics], [5001, 40]);
  groups.end(first, 5000);
  for (let i = 5000; i < 60_000; i += 50) {
    assert.equal(groups.take(change("ada", "note.1"), i), null);
  }
  assert.notEqual(groups.take(change("bob", "note.1"), 60_000), null);
  const later = groups.take(change("ada", "note.1"), 75_000);
  assert.equal(later.events, 1);
});

test("somebody who changes a thing now and then is told of each time", () => {
  const groups = createGroups();
  for (let i = 0; i < 5; i++) {
    const group = groups.take({ actor: "ada", topic: "a", type: "t" }, i * 6000);
    assert.equal(group.events, 1);
    groups.end(group, i * 6000 + 5000);
  }
});

test("a ring keeps the newest, the newest first", () => {
  const ring = createRing(3);
  for (let i = 1; i <= 5; i++) ring.push(i);
  assert.deepEqual(ring.toArray(), [5, 4, 3]);
  ring.clear();
  ring.push(6);
  assert.deepEqual(ring.toArray(), [6]);
});

test("times are exact to the microsecond, and durations have one unit", () => {
  const now = new Date(2026, 10, 28, 5, 41, 7, 123).getTime();
  assert.equal(timeText(now * 1000 + 456, now), "05:41:07.123");
  assert.equal(timeText((now - 3 * 86_400_000) * 1000, now), "2026-11-25 05:41:07");
  assert.match(exactTime(now * 1000 + 456), /^2026-11-28 05:41:07\.123456 [+−]\d\d:\d\d$/);
  assert.deepEqual([0, 340, 9_940, 12_000, 200_000, 7.3e6, 2e8].map(duration),
    ["0.0 s", "0.3 s", "9.9 s", "12 s", "3 min", "2 h", "2 d"]);
  assert.deepEqual([0.42, 12.3, 980, 19_582].map(millis), ["0.4 ms", "12 ms", "980 ms", "20 s"]);
});
