// SPDX-License-Identifier: BSD-2-Clause
// What a server may say: events, rows, numbers, checked before anything is done with them.
// Whoever checks here throws; the connection that said it is given up.

/** A message that the protocol does not know. */
export class BadMessage extends Error {}

/** A batch or part that does not begin where the one before ended. */
export class Gap extends BadMessage {}

export function check(ok, what) {
  if (!ok) throw new BadMessage("the server sent " + what);
}

export const isUint = (x) => Number.isSafeInteger(x) && x >= 0;

const isString = (x) => typeof x === "string";

export function uint(x, what) {
  check(isUint(x), "a bad " + what);
  return x;
}

/** [seq, time, topic, version, type, actor, data, meta?] */
export function event(a) {
  check(Array.isArray(a) && a.length > 6 && isUint(a[0]) && Number.isSafeInteger(a[1]) &&
    isString(a[2]) && isUint(a[3]) && isString(a[4]) && isString(a[5]), "a bad event");
  return {
    seq: a[0], time: a[1], topic: a[2], version: a[3], type: a[4], actor: a[5], data: a[6],
    meta: a[7],
  };
}

/** The events of an array from its element `first`, in order, beyond `after`, up to `upto`. */
export function events(a, first, after, upto) {
  const list = [];
  let seq = after;
  for (let i = first; i < a.length; i++) {
    const e = event(a[i]);
    if (e.seq) {
      check(e.seq > seq && e.seq <= upto, "events out of order");
      seq = e.seq;
    }
    list.push(e);
  }
  return list;
}

/** [topic, version, seq, created_time, created_by, updated_time, updated_by, deleted, value] */
export function row(a) {
  check(Array.isArray(a) && a.length > 8 && isString(a[0]) && isUint(a[1]) && isUint(a[2]) &&
    isString(a[4]) && isString(a[6]), "a bad row");
  return {
    topic: a[0], version: a[1], seq: a[2], createdTime: a[3], createdBy: a[4],
    updatedTime: a[5], updatedBy: a[6], deleted: a[7], value: a[8],
  };
}

// More than any page can hold: a round without an end is no snapshot.
const MAX_ROWS = 1 << 22;

/** Adds a part of a snapshot to the round before it; a round that is whole has `last`. */
export function part(round, m) {
  round ??= { rows: [], full: m.full, seq: uint(m.seq, "snapshot") };
  check(m.seq === round.seq && m.full === round.full && typeof m.full === "boolean" &&
    round.rows.length < MAX_ROWS, "parts that make no snapshot");
  for (const r of m.rows) round.rows.push(row(r));
  round.last = m.last === true;
  return round;
}
