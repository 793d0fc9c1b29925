// SPDX-License-Identifier: BSD-2-Clause

// The signs on the buttons of time and graph, as paths of one hand.

import { icon } from "./dom.js";

const PATHS = new Map([
  ["play", "M4 2.5v11l9-5.5z"],
  ["pause", "M4 2.5h3v11H4zM9 2.5h3v11H9z"],
  ["back", "M12.5 2.5v11L6 8zM3.5 2.5h2v11h-2z"],
  ["forth", "M3.5 2.5v11L10 8zM10.5 2.5h2v11h-2z"],
  [
    "clock",
    "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm0 1.6a4.9 4.9 0 1 0 0 9.8 4.9 " +
      "4.9 0 0 0 0-9.8zm-.8 1.6h1.6v3l2.2 2.2-1.1 1.1-2.7-2.7z",
  ],
  ["plus", "M7 3h2v4h4v2H9v4H7V9H3V7h4z"],
  ["minus", "M3 7h10v2H3z"],
  [
    "whole",
    "M2 2h5v1.6H3.6V7H2zm7 0h5v5h-1.6V3.6H9zM2 9h1.6v3.4H7V14H2zm10.4 0H14v5H9v-1.6" +
      "h3.4z",
  ],
  [
    "close",
    "M3.6 2.5 8 6.9l4.4-4.4 1.1 1.1L9.1 8l4.4 4.4-1.1 1.1L8 9.1l-4.4 4.4-1.1-1.1L6.9 " +
      "8 2.5 3.6z",
  ],
]);

export function glyph(name) {
  return icon(PATHS.get(name));
}
