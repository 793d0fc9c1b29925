// SPDX-License-Identifier: BSD-2-Clause

// Waiting for what has to happen.  A test names the condition; it never waits for time
// to pass, and the deadline is there for what went wrong, not for what is slow.

export const DEADLINE = Number(process.env.PEAL_DEADLINE ?? 300_000);

/** Resolves after `ms`: for deadlines and for what looks again, never for a test. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * The first value of `probe` (which may be async) that is neither false, null nor
 * undefined.  `what` is the sentence that stands in the error.
 */
export async function until(what, probe, { deadline = DEADLINE, every = 20 } = {}) {
  const end = performance.now() + deadline;
  let wrong;
  for (;;) {
    try {
      // A page that has crashed never answers.
      const value = await within("an answer", Promise.resolve(probe()), deadline);
      if (value !== false && value !== null && value !== undefined) return value;
      wrong = undefined;
    } catch (error) {
      wrong = error;
    }
    if (performance.now() > end) {
      throw new Error(`not within ${deadline} ms: ${what}`, { cause: wrong });
    }
    await pause(every);
  }
}

/** The promise's value, or an error that says what did not happen in time. */
export function within(what, promise, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${deadline} ms: ${what}`)), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise with its ends in the caller's hands. */
export function deferred() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

const ends = new WeakMap();

/** Call fn when the test is over: what was begun last ends first. */
export function atEnd(t, fn) {
  if (!ends.has(t)) {
    const list = [];
    ends.set(t, list);
    t.after(async () => {
      let wrong;
      for (const end of list.reverse()) {
        try {
          await end();
        } catch (error) {
          wrong ??= error;
        }
      }
      if (wrong) throw wrong;
    });
  }
  ends.get(t).push(fn);
}
