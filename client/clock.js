// SPDX-License-Identifier: BSD-2-Clause
// How far the server's clock is from ours, and how wrong that can be, from round trips.
// The narrowest bound counts; it widens as time passes, so that newer samples win at last.

const DRIFT = 1e-4;

/** The better of what was known and a round trip: begun `sent`, over `now`, all in ms. */
export function sample(known, sent, rtt, server) {
  const now = sent + rtt;
  const fresh = { offset: server - (sent + now) / 2, bound: rtt / 2, at: now };
  if (!known) return fresh;
  const bound = known.bound + Math.abs(now - known.at) * DRIFT;
  // Where the two can't both be right a clock was set.
  const apart = Math.abs(fresh.offset - known.offset) > fresh.bound + bound;
  return fresh.bound <= bound || apart ? fresh : known;
}
