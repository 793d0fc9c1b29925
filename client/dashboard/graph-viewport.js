// SPDX-License-Identifier: BSD-2-Clause

// Which part of the plane is seen: screen = world * k + (x, y), in CSS pixels.
// Values in, values out; what is under a finger stays under it.

export const NEAREST = 6;
export const FARTHEST = 0.02;
export const START = { k: 1, x: 0, y: 0 };

export function pan(v, dx, dy) {
  return { k: v.k, x: v.x + dx, y: v.y + dy };
}

/** Zoom by a factor about a place on the screen. */
export function zoom(v, factor, sx, sy) {
  const k = Math.min(NEAREST, Math.max(FARTHEST, v.k * factor));
  const by = k / v.k;
  return { k, x: sx - (sx - v.x) * by, y: sy - (sy - v.y) * by };
}

/** Show a box [x0, y0, x1, y1] whole. */
export function fit(box, width, height, padding = 32) {
  if (!box) return { k: 1, x: width / 2, y: height / 2 };
  const w = Math.max(box[2] - box[0], 1);
  const h = Math.max(box[3] - box[1], 1);
  const room = (size) => Math.max(size - 2 * padding, 1);
  const k = Math.min(
    3, // a few nodes need no more
    Math.max(FARTHEST, Math.min(room(width) / w, room(height) / h)),
  );
  return center(
    { k, x: 0, y: 0 },
    (box[0] + box[2]) / 2,
    (box[1] + box[3]) / 2,
    width,
    height,
  );
}

/** The same zoom, with a place of the world in the middle. */
export function center(v, wx, wy, width, height) {
  return { k: v.k, x: width / 2 - wx * v.k, y: height / 2 - wy * v.k };
}

/** Some of the way from one to another, for movements over several frames. */
export function between(a, b, t) {
  return {
    k: Math.exp(Math.log(a.k) * (1 - t) + Math.log(b.k) * t),
    x: a.x * (1 - t) + b.x * t,
    y: a.y * (1 - t) + b.y * t,
  };
}

export function toWorld(v, sx, sy) {
  return [(sx - v.x) / v.k, (sy - v.y) / v.k];
}

/** Pointers that hold the plane: one pans, two pinch; the rest are ignored. */
export class Fingers {
  constructor() {
    this.held = new Map();
  }

  get size() {
    return this.held.size;
  }

  down(id, x, y) {
    if (this.held.size < 2) this.held.set(id, [x, y]);
  }

  up(id) {
    this.held.delete(id);
  }

  /** Where the plane is when pointer `id` has moved to x, y. */
  move(v, id, x, y) {
    const was = this.held.get(id);
    if (!was) return v;
    this.held.set(id, [x, y]);
    if (this.held.size < 2) return pan(v, x - was[0], y - was[1]);
    const other = [...this.held].find(([i]) => i !== id)[1];
    const spread = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
    const middle = (p) => [(p[0] + other[0]) / 2, (p[1] + other[1]) / 2];
    const [ax, ay] = middle(was);
    const [bx, by] = middle([x, y]);
    return pan(zoom(v, spread([x, y]) / spread(was), ax, ay), bx - ax, by - ay);
  }
}
