// SPDX-License-Identifier: BSD-2-Clause

// What is known of when things happened: bounds of the log, and the times of some of its
// events. Between two that are known a time is estimated, and said to be; times never
// decrease along seq, so that what is known narrows what is not.

export class Timeline {
  constructor(limit = 4000) {
    /** The state after `first` is the earliest that can be had; 0: before all events. */
    this.first = 0;
    this.head = 0;
    this.points = []; // [seq, time], ascending
    this.limit = limit;
  }

  get empty() {
    return this.head === 0;
  }

  grow(head) {
    if (Number.isSafeInteger(head) && head > this.head) this.head = head;
  }

  /** The oldest event that is kept: the state before it may be had, none earlier. */
  keepFrom(oldest) {
    if (!Number.isSafeInteger(oldest) || oldest <= 0) return;
    this.first = Math.max(this.first, oldest - 1);
    const [i] = this.find(this.first);
    if (i > 0) this.points.splice(0, i);
  }

  clear() {
    this.first = this.head = 0;
    this.points = [];
  }

  clamp(seq) {
    return Math.min(this.head, Math.max(this.first, Math.round(seq) || 0));
  }

  /** Where seq is, or would be: [index, whether it is there]. */
  find(seq) {
    let low = 0;
    let high = this.points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.points[middle][0] < seq) low = middle + 1;
      else high = middle;
    }
    return [low, this.points[low]?.[0] === seq];
  }

  learn(seq, time) {
    if (seq <= 0 || !Number.isFinite(time)) return;
    this.grow(seq);
    const [i, known] = this.find(seq);
    if (known) this.points[i][1] = time;
    else this.points.splice(i, 0, [seq, time]);
    if (this.points.length > this.limit) this.thin();
  }

  /** Every other point is forgotten; the ends stay. */
  thin() {
    const last = this.points.length - 1;
    this.points = this.points.filter((_, i) => i % 2 === 0 || i === last);
  }

  /** When seq happened: {time, exact}, or undefined where nothing is known. */
  time(seq) {
    const [i, known] = this.find(seq);
    const after = this.points[i];
    if (known) return { time: after[1], exact: true };
    const before = this.points[i - 1];
    if (!before || !after) {
      const only = before ?? after;
      return only && { time: only[1], exact: false };
    }
    if (before[1] === after[1]) return { time: before[1], exact: true };
    const part = (seq - before[0]) / (after[0] - before[0]);
    return { time: before[1] + (after[1] - before[1]) * part, exact: false };
  }

  /** Seqs worth knowing the times of, for n labels along the whole. */
  ticks(n) {
    if (this.empty) return [];
    const begin = Math.max(this.first, 1);
    const span = this.head - begin;
    const count = Math.min(n, span + 1);
    const ticks = new Set();
    for (let i = 0; i < count; i++)
      ticks.add(Math.round(begin + (count === 1 ? 0 : (span * i) / (count - 1))));
    return [...ticks];
  }
}

/** A speed by its place on a scale of 1 to 100, and back; a third of the way is 5x. */
export const SPEEDS = [1, 2, 5, 10, 20, 50, 100];

/**
 * A clock that plays recorded time (us) at `speed`, from `time` on. What it shows never
 * goes back; where what is to come is far off, it may leap there.
 */
export class PlayClock {
  constructor(time, now, speed) {
    this.time = time;
    this.now = now;
    this.speed = speed;
  }

  /** Advance to now (ms); never beyond `known`, up to which it is known what happened. */
  tick(now, known = Infinity) {
    const passed = Math.max(0, now - this.now);
    this.now = now;
    this.time = Math.max(
      this.time,
      Math.min(known, this.time + passed * 1000 * this.speed),
    );
    return this.time;
  }

  /**
   * Nothing happens before `next`: leap, if that is more than `quiet` ms of playing away.
   */
  leap(next, quiet) {
    const away = next - this.time;
    if (away <= quiet * 1000 * this.speed) return false;
    this.time = next;
    return true;
  }
}
