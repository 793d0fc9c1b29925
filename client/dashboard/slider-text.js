// SPDX-License-Identifier: BSD-2-Clause

// Times as the bar of time writes and reads them, in the local zone.

import { exactTime } from "./format.js";

/** A time below the track, as exact as a track of so many microseconds needs. */
export function tickText(us, span) {
  const text = exactTime(us);
  if (span > 48 * 3600e6) return text.slice(0, 10);
  if (span > 12 * 3600e6) return text.slice(5, 16);
  return text.slice(11, span < 20e6 ? 23 : 19);
}

/** The value of a field for date and time as microseconds, to the end of its second. */
export function fieldTime(value) {
  const ms = new Date(value).getTime();
  return Number.isNaN(ms) ? undefined : ms * 1000 + 999_999;
}
