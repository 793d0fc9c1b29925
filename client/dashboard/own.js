// SPDX-License-Identifier: BSD-2-Clause

// Which events this page appended: each has a key, and the newest keys are remembered, so
// that nobody is told of what he just did himself.

const MOST = 10_000;
const keys = new Set();

/** Remembers the key, a new one when there is none, and returns it. */
export function ownKey(key = crypto.randomUUID()) {
  keys.delete(key);
  keys.add(key);
  if (keys.size > MOST) keys.delete(keys.values().next().value);
  return key;
}

/** Did this page append the event? */
export function isOwn(event) {
  return event.meta !== undefined && keys.has(event.meta.key);
}
