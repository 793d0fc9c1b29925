// SPDX-License-Identifier: BSD-2-Clause

// Figures over time from counters that are told once a second: rates are differences over
// the time between, and a counter that starts anew begins a new one. Bounded: what is
// older than the window is forgotten.

export const WINDOW = 600; // seconds

/** A column of times and columns of values beside it, the oldest dropped. */
export class Series {
  constructor(window = WINDOW) {
    this.window = window;
    this.times = []; // seconds
    this.columns = new Map(); // name -> values, null where there is none
    this.last = new Map(); // name -> time of the newest value
  }

  /** Values of one moment; those of the same moment share a line. */
  add(time, values) {
    const end = this.times.length - 1;
    if (end >= 0 && time < this.times[end]) return;
    if (end < 0 || time > this.times[end]) {
      this.times.push(time);
      for (const column of this.columns.values()) column.push(null);
    }
    for (const [name, value] of values) {
      this.column(name)[this.times.length - 1] = Number.isFinite(value) ? value : null;
      this.last.set(name, time);
    }
    this.forget(time - this.window);
  }

  column(name) {
    let column = this.columns.get(name);
    if (!column) {
      column = new Array(this.times.length).fill(null);
      this.columns.set(name, column);
    }
    return column;
  }

  forget(before) {
    let n = 0;
    while (n < this.times.length && this.times[n] < before) n++;
    if (n === 0) return;
    this.times.splice(0, n);
    for (const column of this.columns.values()) column.splice(0, n);
    for (const [name, time] of this.last)
      if (time < before) {
        this.last.delete(name);
        this.columns.delete(name);
      }
  }

  /** In the form that uPlot draws: times, then the columns named. */
  data(names) {
    return [
      this.times,
      ...names.map((n) => this.columns.get(n) ?? new Array(this.times.length).fill(null)),
    ];
  }
}

/** {now, min, mean, max} of a column; undefined where it has no value. */
export function summary(column) {
  let [min, max, sum, n, now] = [Infinity, -Infinity, 0, 0, undefined];
  for (const v of column ?? []) {
    if (v === null) continue;
    min = Math.min(min, v);
    max = Math.max(max, v);
    sum += v;
    n++;
    now = v;
  }
  return n === 0 ? undefined : { now, min, max, mean: sum / n };
}

/** Counters of sources as they were told last, for their differences. */
export class Rates {
  constructor() {
    this.before = new Map(); // source -> {time, values}
  }

  /**
   * Take what a source says at `time` (seconds). Returns {seconds, by(name),
   * value(name)}: how much each counter grew since, undefined where that can't be said.
   */
  take(source, time, values) {
    const before = this.before.get(source);
    const number = (map, name) => {
      const v = isMap(map) && Object.hasOwn(map, name) ? map[name] : undefined;
      return typeof v === "bigint" ? Number(v) : typeof v === "number" ? v : undefined;
    };
    this.before.set(source, { time, values });
    // Another process with the same name began its counters anew.
    const same = before && number(before.values, "started") === number(values, "started");
    const seconds = same ? time - before.time : 0;
    return {
      seconds,
      value: (name) => number(values, name),
      by: (name) => {
        const a = number(before?.values, name);
        const b = number(values, name);
        return seconds > 0 && a !== undefined && b >= a ? b - a : undefined;
      },
    };
  }

  /** Sources that have been silent since before `time` are forgotten. */
  forget(time) {
    for (const [source, { time: last }] of this.before)
      if (last < time) this.before.delete(source);
  }
}

function isMap(v) {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

/** A figure as a person reads it: three digits that count, and k, M, G. */
export function figure(v) {
  if (v === undefined || v === null || !Number.isFinite(v)) return "–";
  const a = Math.abs(v);
  if (a >= 1e9) return `${digits(v / 1e9)} G`;
  if (a >= 1e6) return `${digits(v / 1e6)} M`;
  if (a >= 1e4) return `${digits(v / 1e3)} k`;
  return digits(v);
}

function digits(v) {
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a < 0.001) return v.toExponential(1);
  const places = a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3;
  const s = v.toFixed(places);
  return s.includes(".") ? s.replace(/\.?0+$/, "") : s;
}
