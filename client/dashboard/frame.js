// SPDX-License-Identifier: BSD-2-Clause

// Draws once per frame, however many events came. Nothing is drawn while the page is
// hidden, and nothing of a panel that is not shown: what was asked for meanwhile is drawn
// when it is.

const lanes = new Set();
let asked = 0;

/** What tests read: frames in which something was drawn. */
export const counts = { frames: 0 };

function isHidden() {
  return document.visibilityState === "hidden";
}

function draw(now) {
  asked = 0;
  if (isHidden()) return;
  counts.frames++;
  for (const lane of lanes) {
    if (!lane.shown || lane.todo.size === 0) continue;
    const todo = [...lane.todo];
    lane.todo.clear();
    for (const fn of todo) {
      try {
        fn(now);
      } catch (e) {
        globalThis.reportError(e); // one panel's error is not the others'
      }
    }
  }
}

function ask() {
  if (asked !== 0 || isHidden()) return;
  for (const lane of lanes) {
    if (lane.shown && lane.todo.size > 0) {
      asked = requestAnimationFrame(draw);
      return;
    }
  }
}

document.addEventListener("visibilitychange", () => {
  if (isHidden() && asked !== 0) {
    cancelAnimationFrame(asked);
    asked = 0;
  }
  ask();
});

/**
 * The draws of one panel: `schedule(fn)` calls fn(time) in the next frame, once however
 * often it was asked for; `show(false)` holds them back; `end()` forgets them.
 */
export function createLane() {
  const lane = { shown: true, todo: new Set() };
  lanes.add(lane);
  return {
    schedule(fn) {
      lane.todo.add(fn);
      ask();
    },
    show(shown) {
      lane.shown = shown;
      ask();
    },
    get shown() {
      return lane.shown;
    },
    end() {
      lanes.delete(lane);
    },
  };
}
