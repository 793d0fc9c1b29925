// SPDX-License-Identifier: BSD-2-Clause

// Patterns and globs beside matchers that try everything, as the protocol words it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { matcher, typeMatcher } from "../../client/topic.js";
import { random } from "./lib/random.mjs";

const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
const { int, pick, chance } = random(seed);

function naive(pattern, topic) {
  const p = pattern.split(".");
  const t = topic.split(".");
  if (t[0].startsWith("$") && p[0] !== t[0]) return false;
  const rest = p.at(-1) === ">" ? p.pop() : undefined;
  return p.every((token, i) => i < t.length && (token === "*" || token === t[i])) &&
    (rest ? t.length > p.length : t.length === p.length);
}

function naiveGlob(glob, type) {
  if (glob === "") return type === "";
  if (glob[0] !== "*") return glob[0] === type[0] && naiveGlob(glob.slice(1), type.slice(1));
  return naiveGlob(glob.slice(1), type) || (type !== "" && naiveGlob(glob, type.slice(1)));
}

const TOKENS = ["a", "b", "ab", "$a", "$acl", "a+", "(b)", "[x]", "a|b", "^", "\\d", "?", "{2}",
  "é", "🙂", "a$", "/", "-"];

const list = (min, max, make) => Array.from({ length: min + int(max - min + 1) }, make);

function pattern() {
  const tokens = list(1, 4, () => (chance(0.3) ? "*" : pick(TOKENS)));
  if (chance(0.3)) tokens.push(">");
  return tokens.slice(chance(0.1) ? -1 : 0).join(".");
}

test(`patterns match what they stand for, seed ${seed}`, () => {
  let matched = 0;
  for (let i = 0; i < 20000; i++) {
    const patterns = list(1, 4, pattern);
    // Something near a pattern, so that it matches now and then.
    const topic = pick(patterns).split(".").map((token) =>
      (token === ">" ? list(1, 3, () => pick(TOKENS)).join(".")
        : token === "*" || chance(0.1) ? pick(TOKENS) : token)).join(".");
    const expected = patterns.some((p) => naive(p, topic));
    matched += expected;
    assert.equal(matcher(patterns)(topic), expected, `${patterns} ${topic}`);
  }
  assert.ok(matched > 2000 && matched < 19000);
});

test("topics of the system are matched by patterns that name their first token", () => {
  for (const [p, topic, expected] of [
    [">", "$acl.ada", false], ["*.ada", "$acl.ada", false], ["$acl.>", "$acl.ada", true],
    ["$acl.*", "$acl.ada", true], [">", "a.$b", true],
    ["*.*", "a.$b", true], ["*", "$", false], ["$", "$", true], [">", "a", true],
    ["a.>", "a", false], ["a", "a.b", false], ["a.b", "a-b", false], ["a.*", "a.b.c", false],
  ]) {
    assert.equal(naive(p, topic), expected, `${p} ${topic}`);
    assert.equal(matcher([p])(topic), expected, `${p} ${topic}`);
  }
});

test(`globs match what they stand for, seed ${seed}`, () => {
  let matched = 0;
  for (let i = 0; i < 20000; i++) {
    const glob = list(0, 6, () => pick(["*", "a", "b", ".", "é"])).join("");
    const type = list(0, 7, () => pick(["a", "b", ".", "é", "\n"])).join("");
    const expected = naiveGlob(glob, type);
    matched += expected;
    assert.equal(typeMatcher([glob])(type), expected, `${glob} ${type}`);
  }
  assert.ok(matched > 1000);
});

test("globs and patterns made to take long do not", () => {
  const glob = "*a".repeat(32);
  assert.equal(typeMatcher([glob + "b"])("a".repeat(64)), false);
  const patterns = Array(256).fill("*.".repeat(100) + "x");
  assert.equal(matcher(patterns)("a.".repeat(100) + "y"), false);
});

test("what has to be compiled at once does not grow with the patterns", (t) => {
  let longest = 0;
  const compile = RegExp;
  globalThis.RegExp = (source) => {
    longest = Math.max(longest, source.length);
    return compile(source);
  };
  t.after(() => (globalThis.RegExp = compile));
  const patterns = (n) => Array.from({ length: n }, (_, i) => "*.".repeat(100) + (1000 + i));
  const any = matcher(patterns(64));
  const before = longest;
  assert.ok(before > 0);
  assert.equal(matcher(patterns(256))("a.".repeat(100) + 1255), true);
  assert.equal(any("a.".repeat(100) + 1064), false);
  assert.equal(longest, before);
});
