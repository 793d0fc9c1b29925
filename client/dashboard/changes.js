// SPDX-License-Identifier: BSD-2-Clause

// What each event of a topic changed: the state before the first one is asked for, and the
// events are folded onto it by the server's rules, as the broker does.

import { fold } from "/fold.js";
import { diff } from "./value.js";

const MOST = 40; // differences of one event that are listed

function changeOf(before, after) {
  const found = diff(before?.value, after.value, MOST + 1);
  const was = before?.deleted ?? false;
  return {
    differences: found.slice(0, MOST),
    more: found.length > MOST,
    deleted: was === after.deleted ? undefined : after.deleted,
  };
}

/**
 * What was before the event, or a reason, in words, why that can't be told. Throws what
 * is worth asking again.
 */
async function rowBefore(client, topic, event, signal) {
  if (event.version === 1) return { row: undefined };
  try {
    const { rows } = await client.at(event.seq - 1).state(topic, { signal });
    return rows.length > 0
      ? { row: rows[0] }
      : { fault: "What was before it was deleted." };
  } catch (e) {
    if (signal.aborted || e.retryMs !== undefined) throw e;
    return {
      fault:
        e.code === "not_found"
          ? "What was before is no longer kept."
          : `What was before could not be read: ${e.message}`,
    };
  }
}

/**
 * Returns changes(events), the events of the topic in order, without a gap: for each
 * { differences, more, deleted } or { fault }. Rejects with what has a `retryMs`: the
 * server can't tell now.
 */
export function createChanges(client, topic, signal) {
  let last; // the row behind the newest event that was folded

  return async (events) => {
    const [first] = events;
    const rules = client.welcome.fold.rules;
    const known =
      last?.version === first.version - 1
        ? { row: last }
        : await rowBefore(client, topic, first, signal);
    let { row, fault } = known;
    const found = events.map((event) => {
      const before = row;
      if (fault === undefined) {
        row = fold(row, event, rules);
        return changeOf(before, row);
      }
      return { fault };
    });
    if (row && (!last || row.version > last.version)) last = row;
    return found;
  };
}
