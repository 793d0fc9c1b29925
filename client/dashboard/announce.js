// SPDX-License-Identifier: BSD-2-Clause

// The one polite status region, for screen readers. What is said is spaced, so that it
// can be heard, and bounded: of many that wait the newest are said.

const SPACE = 1200;
const MOST = 3;

/** Returns announce(text). */
export function createAnnounce(region) {
  let waiting = [];
  let timer = 0;

  function next() {
    timer = 0;
    if (waiting.length === 0) return;
    const text = waiting.shift();
    // The same words twice are a change only if there was something else between them.
    region.textContent = region.textContent === text ? `${text}\u00a0` : text;
    timer = setTimeout(next, SPACE);
  }

  return (text) => {
    if (waiting.at(-1) === text) return;
    waiting = [...waiting, text].slice(-MOST);
    if (timer === 0) next();
  };
}
