// SPDX-License-Identifier: BSD-2-Clause
// The numbers that the client goes by. All in one place, and in a module of their own, so that
// bundlers put the number where the name is.

// Connections.
export const ATTEMPT_MS = 20000;
export const HEALTHY_MS = 5000;
export const TICK_MS = 5000;
export const PING_MS = 30000;
export const SILENCE_MS = 10000;
/** The timers of a hidden page run once a minute. */
export const HIDDEN_SILENCE_MS = 45000;
/** However soon the next token ends, too. */
export const RENEW_MS = 10000;
/** Longer than any slot of a server; a timer takes 31 bits. */
export const MAX_WAIT_MS = 300000;

// Messages.
/** Four times the largest page. */
export const MAX_MESSAGE = 1 << 24;
/** Of values within values. */
export const LEVELS = 32;
/** More than any page can hold: a round without an end is no snapshot. */
export const MAX_ROWS = 1 << 20;

// Subscriptions and views.
/** What a loop may have before it. */
export const BUFFER = 10000;
/** Deleted rows that are kept: what happens to their topics next folds on them. */
export const TOMBSTONES = 10000;
/** Topics of one request. */
export const MAX_TOPICS = 256;
/** Until what makes rows is asked for again. */
export const RELOAD_MS = 5000;
export const SOON_MS = 16;
/** A page that got hidden has no frames. */
export const LATE_MS = 250;

// Folding.
export const MAX_ROW = 1 << 20;
/** What is above an element: with it no value has more than 29 levels, an element 27. */
export const LEVELS_ABOVE = 5;
export const KNOWN_TYPES = 1000;
