// SPDX-License-Identifier: BSD-2-Clause

// What others wrote and the dashboard carries is what they published, byte for byte.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const vendored = new URL("../../client/dashboard/vendor/", import.meta.url);
const published = new URL("node_modules/uplot/", import.meta.url);

for (const [ours, theirs] of [
  ["uPlot.iife.min.js", "dist/uPlot.iife.min.js"],
  ["uPlot.min.css", "dist/uPlot.min.css"],
  ["LICENSE", "LICENSE"],
]) {
  test(`vendor/${ours} is as its authors published it`, () => {
    assert.ok(
      readFileSync(new URL(ours, vendored)).equals(
        readFileSync(new URL(theirs, published)),
      ),
    );
  });
}
