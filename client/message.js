// SPDX-License-Identifier: BSD-2-Clause
// What a server may say: events, rows, numbers, checked before anything is done with them.
// Whoever checks here throws; the connection that said it is given up.

import { MAX_ROWS } from "./limits.js";

/** Counted as `counter`; the message that was wrong is the error's cause. */
export function check(ok, text = "a message makes no sense", counter) {
  if (!ok) throw Object.assign(new Error(text), { counter });
}

/** A batch or part has to begin where the one before ended. */
export const follow = (after, seq) =>
  check(after === seq, `the chain broke: ${after} after ${seq}`, "gaps");

const isInt = Number.isSafeInteger;
const isText = (x) => typeof x === "string";
export const isUint = (x) => isInt(x) && x >= 0;

const kinds = { u: isUint, i: isInt, s: isText };

/** Each of `values` is what a letter of `shape` says: uint, int or str. */
export function shaped(shape, values) {
  for (let i = 0; i < shape.length; i++) check(kinds[shape[i]](values[i]));
}

/** [seq, time, topic, version, type, actor, data, meta?] */
export function event(a) {
  // Not by shaped(): that takes a tenth of decoding.
  check(isUint(a[0]) && isInt(a[1]) && isText(a[2]) && isUint(a[3]) && isText(a[4]) &&
    isText(a[5]));
  return {
    seq: a[0], time: a[1], topic: a[2], version: a[3], type: a[4], actor: a[5], data: a[6],
    meta: a[7],
  };
}

/** Events in order, beyond `after`, up to `upto`. */
export function events(list, after, upto) {
  check(isUint(upto) && upto >= after);
  return list.map((raw) => {
    const e = event(raw);
    if (e.seq) {
      check(e.seq > after && e.seq <= upto);
      after = e.seq;
    }
    return e;
  });
}

/** [topic, version, seq, created_time, created_by, updated_time, updated_by, deleted, value] */
export function row(a) {
  shaped("suuisis", a);
  return {
    topic: a[0], version: a[1], seq: a[2], createdTime: a[3], createdBy: a[4],
    updatedTime: a[5], updatedBy: a[6], deleted: a[7] === true, value: a[8],
  };
}

/** Adds a part of a snapshot to the round before it; a round that is whole has `last`. */
export function part(round = { rows: [] }, { seq, full, last, rows }) {
  check(isUint(seq) && seq === (round.seq ?? seq) && full === (round.full ?? full) &&
    round.rows.length < MAX_ROWS);
  for (const r of rows) round.rows.push(row(r));
  return Object.assign(round, { seq, full, last });
}
