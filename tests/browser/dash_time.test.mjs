// SPDX-License-Identifier: BSD-2-Clause

// What the dashboard knows of times and figures: the timeline of the slider, the clock of
// its play, and the series of its charts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { figure, Rates, Series, summary } from "../../client/dashboard/series.js";
import { PlayClock, Timeline } from "../../client/dashboard/timeline.js";

test("an empty log has nothing to slide over", () => {
  const t = new Timeline();
  assert.equal(t.empty, true);
  assert.equal(t.clamp(5), 0);
  assert.deepEqual(t.ticks(5), []);
  assert.equal(t.time(0), undefined);
});

test("seqs are held between what is kept and the head", () => {
  const t = new Timeline();
  t.grow(100);
  for (const [asked, got] of [
    [-1, 0],
    [0, 0],
    [1, 1],
    [99, 99],
    [100, 100],
    [101, 100],
    [NaN, 0],
    [2.6, 3],
  ])
    assert.equal(t.clamp(asked), got);
  t.keepFrom(41);
  for (const [asked, got] of [
    [39, 40],
    [40, 40],
    [41, 41],
  ])
    assert.equal(t.clamp(asked), got);
  t.grow(50);
  assert.equal(t.head, 100);
});

test("known times are exact, those between are estimated, and said to be", () => {
  const t = new Timeline();
  t.grow(20);
  assert.equal(t.time(4), undefined);
  t.learn(10, 1000);
  assert.deepEqual(t.time(4), { time: 1000, exact: false });
  t.learn(20, 3000);
  assert.deepEqual(t.time(10), { time: 1000, exact: true });
  assert.deepEqual(t.time(15), { time: 2000, exact: false });
  assert.deepEqual(t.time(25), { time: 3000, exact: false });
});

test("between two events of one time there is no other", () => {
  const t = new Timeline();
  t.learn(10, 1000);
  t.learn(20, 1000);
  assert.deepEqual(t.time(13), { time: 1000, exact: true });
});

test("a time that is learned later raises the head", () => {
  const t = new Timeline();
  t.learn(7, 5);
  assert.equal(t.head, 7);
  t.learn(0, 5);
  t.learn(3, NaN);
  assert.equal(t.points.length, 1);
});

test("what is known is bounded, and keeps its ends", () => {
  const t = new Timeline(100);
  for (let i = 1; i <= 5000; i++) t.learn(i, i * 10);
  assert.ok(t.points.length <= 101);
  assert.deepEqual(t.time(1), { time: 10, exact: true });
  assert.deepEqual(t.time(5000), { time: 50000, exact: true });
  assert.deepEqual(t.time(2500).time, 25000);
});

test("what is no longer kept is forgotten", () => {
  const t = new Timeline();
  for (let i = 1; i <= 10; i++) t.learn(i, i);
  t.keepFrom(6);
  assert.equal(t.points[0][0], 5);
  t.keepFrom(3);
  assert.equal(t.first, 5);
});

test("ticks run from the first to the last event", () => {
  const t = new Timeline();
  t.grow(1);
  assert.deepEqual(t.ticks(5), [1]);
  t.grow(3);
  assert.deepEqual(t.ticks(5), [1, 2, 3]);
  t.grow(1001);
  assert.deepEqual(t.ticks(5), [1, 251, 501, 751, 1001]);
});

test("the clock plays recorded time at its speed", () => {
  const c = new PlayClock(1_000_000, 0, 10);
  assert.equal(c.tick(50), 1_500_000);
  assert.equal(c.tick(50), 1_500_000);
  c.speed = 1;
  assert.equal(c.tick(1050), 2_500_000);
});

test("the clock waits at the edge of what is known, and never goes back", () => {
  const c = new PlayClock(1_000_000, 0, 100);
  assert.equal(c.tick(1000, 3_000_000), 3_000_000);
  assert.equal(c.tick(2000, 2_000_000), 3_000_000);
  assert.equal(c.tick(1000, 9e9), 3_000_000);
});

test("the clock leaps over quiet times alone", () => {
  const c = new PlayClock(0, 0, 10);
  assert.equal(c.leap(10_000_000, 1000), false);
  assert.equal(c.leap(10_000_001, 1000), true);
  assert.equal(c.time, 10_000_001);
});

/* --- series --- */

test("values of one moment share a line, and gaps are null", () => {
  const s = new Series();
  s.add(1, [["a", 1]]);
  s.add(1, [["b", 2]]);
  s.add(2, [["b", 3]]);
  assert.deepEqual(s.data(["a", "b", "c"]), [
    [1, 2],
    [1, null],
    [2, 3],
    [null, null],
  ]);
});

test("series are bounded, in lines and in columns", () => {
  const s = new Series(60);
  s.add(0, [["gone", 1]]);
  for (let t = 1; t <= 1000; t++) s.add(t, [["a", t]]);
  assert.equal(s.times.length, 61);
  assert.equal(s.columns.size, 1);
  assert.equal(s.columns.get("a").length, 61);
});

test("a line that comes late changes nothing", () => {
  const s = new Series();
  s.add(5, [["a", 1]]);
  s.add(4, [["a", 9]]);
  assert.deepEqual(s.data(["a"]), [[5], [1]]);
});

test("a summary counts what is there", () => {
  assert.equal(summary([]), undefined);
  assert.equal(summary([null]), undefined);
  assert.equal(summary(undefined), undefined);
  assert.deepEqual(summary([1, null, 3]), { now: 3, min: 1, max: 3, mean: 2 });
});

test("rates are differences, and a counter that starts anew has none at first", () => {
  const r = new Rates();
  assert.equal(r.take("w", 10, { events: 5 }).by("events"), undefined);
  const t = r.take("w", 12, { events: 25, big: 7n });
  assert.deepEqual(
    [t.seconds, t.by("events"), t.by("none"), t.value("big")],
    [2, 20, undefined, 7],
  );
  assert.equal(r.take("w", 13, { events: 3 }).by("events"), undefined);
  assert.equal(r.take("w", 14, { events: 3 }).by("events"), 0);
  assert.equal(r.take("other", 14, { events: 3 }).by("events"), undefined);
  r.forget(15);
  assert.equal(r.before.size, 0);
});

test("a process that took another's place has no differences to it", () => {
  const r = new Rates();
  r.take("w", 10, { started: 1, events: 5 });
  assert.equal(r.take("w", 11, { started: 2, events: 50 }).by("events"), undefined);
  assert.equal(r.take("w", 12, { started: 2, events: 52 }).by("events"), 2);
});

test("counters that are none make no exception", () => {
  const r = new Rates();
  for (const values of [null, undefined, 7, "x", [1], { events: "9" }, { events: NaN }])
    assert.equal(r.take("w", 1, values).by("events"), undefined);
  assert.equal(r.take("w", 2, {}).value("__proto__"), undefined);
});

test("figures are short", () => {
  for (const [v, text] of [
    [undefined, "–"],
    [NaN, "–"],
    [0, "0"],
    [0.1234, "0.123"],
    [1.5, "1.5"],
    [12.345, "12.3"],
    [123.4, "123"],
    [9999, "9999"],
    [12345, "12.3 k"],
    [4.2e6, "4.2 M"],
    [7e9, "7 G"],
    [-2, "-2"],
    [0.00001, "1.0e-5"],
  ])
    assert.equal(figure(v), text);
});
