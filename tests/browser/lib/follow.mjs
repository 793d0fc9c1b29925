// SPDX-License-Identifier: BSD-2-Clause

// Pages that follow (pages/follow.js), seen from the test: what they have got is what the
// server says, every row and every event once.

import assert from "node:assert/strict";

import { until } from "./await.mjs";
import { openPage } from "./page.mjs";

const form = ({ topic, version, seq, value }) => JSON.stringify([topic, version, seq, value]);

/** What the page knows at present. */
export function tell(page) {
  return page.evaluate(() => window.follow.tell());
}

/** Wait until what the page tells fulfils the predicate. */
export function told(page, what, predicate) {
  let last;
  return until(what, async () => {
    last = await tell(page);
    return predicate(last) && last;
  }).catch((error) => {
    throw new Error(`${error.message}; the page says ${JSON.stringify(last)}`, { cause: error });
  });
}

/** Make the page follow; resolves when view and events are live. */
export async function startFollowing(page, o) {
  await page.evaluate(async (o) => {
    const { Follow } = await import("/test/follow.js");
    const { connect } = await import(o.shared ? "/shared.js" : "/peal.js");
    window.follow = new Follow({ ...o, connect });
    if (o.compare) window.follow.compare();
  }, o);
  const said = await told(page, "the page is live", ({ live, view }) => live && view.complete);
  // Where its list of events begins; nothing is appended while a first page opens.
  page.first ??= said.view.seq + 1;
  return said;
}

/**
 * A page that follows, through `port` where one is given.
 * { token: house.token, compare: false, resume: false, shared: false, options: of connect() }
 */
export async function openFollower(t, where, house, { port = house.port, ...o } = {}) {
  const page = await openPage(t, where, `https://127.0.0.1:${port}/test/blank.html`);
  await startFollowing(page, { token: house.token, ...o });
  return page;
}

/** Wait until view and events have come to `head`. */
export function caughtUp(page, head) {
  return told(page, `the page has come to ${head}`, ({ view, position, live }) =>
    live && view.complete && view.seq >= head && position >= head);
}

/** The runs that make up first..last where `others` (ascending) belong to other topics. */
function runsOf(first, last, others) {
  const runs = [];
  for (const seq of [...others, last + 1]) {
    if (seq > first) runs.push([first, seq - 1]);
    first = seq + 1;
  }
  return runs;
}

/**
 * All events up to head came once, in order, and the view is the server's state.
 * `others`: seqs of events that are none of w.>.
 */
export async function assertFollowed(page, house, head, others = []) {
  const said = await caughtUp(page, head);
  assert.deepEqual(said.runs, runsOf(page.first, head, others), "each event once, in order");
  assert.deepEqual(said.wrong, [], "the view was the state at its seq");
  const theirs = [...(await house.state("w.>")).values()].map(form).sort();
  assert.deepEqual(await page.evaluate(() => window.follow.rows()), theirs);
  assert.equal(said.counters.thrown, 0);
  assert.equal(said.counters.gaps, 0);
  assert.equal(said.counters.malformed, 0);
  return said;
}
