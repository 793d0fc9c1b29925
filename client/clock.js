// SPDX-License-Identifier: BSD-2-Clause
// How far the server's clock is from ours, and how wrong that can be, from round trips.
// The narrowest bound counts; it widens as time passes, so that newer samples win at last.

const DRIFT = 1e-4;

/** What was known, or a round trip of `rtt` from `sent` on where it tells more; all in ms. */
export function sample(known, sent, rtt, server) {
  const offset = server - sent - rtt / 2;
  const bound = known && known.bound + Math.abs(sent - known.at) * DRIFT;
  return rtt / 2 > bound ? known : { offset, bound: rtt / 2, at: sent };
}
