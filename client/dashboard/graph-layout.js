// SPDX-License-Identifier: BSD-2-Clause

// Where nodes lie: springs along links, repulsion between all (Barnes-Hut: a far cell of
// a quadtree counts as one body), cooling down until nothing moves. From the same graph
// and the same seed come the same places, step by step: nothing here asks for time or
// chance.

const THETA2 = 1.2 * 1.2; // how far a cell is, for its width, to count as one body
const REPULSION = 42;
const GRAVITY = 0.035;
const ALONE = 0.11; // of nodes that no link holds
const LENGTH = 26;
const DRAG = 0.6;
const REST = 0.004;
const COOLING = 1 - REST ** (1 / 210); // from 1 to REST in some 210 steps
const DEEP = 26; // bodies that differ by less than this many halvings share a cell

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class Layout {
  constructor(seed = 1) {
    this.random = random(seed);
    this.count = 0;
    this.alpha = 0;
    this.x = this.y = this.vx = this.vy = new Float64Array(0);
    this.ends = new Uint32Array(0);
    this.keys = new Map();
  }

  get resting() {
    return this.alpha < REST;
  }

  /**
   * The graph is now this: `keys`, one a node, and `ends`, two indices a link. Nodes that
   * were there keep their places; a new one begins beside a neighbour that has one.
   */
  set(keys, ends) {
    const fresh = this.move(keys);
    this.ends = ends;
    this.weigh();
    this.place(fresh);
    // What is new moves what is near it; where much is, all of it.
    this.heat(Math.min(1, 0.05 + (4 * fresh.length) / (keys.length + 1)));
  }

  /** Carry places over; returns the indices that have none. */
  move(keys) {
    const { x, y, vx, vy } = this;
    const fresh = [];
    const index = new Map();
    for (const name of ["x", "y", "vx", "vy"]) this[name] = new Float64Array(keys.length);
    this.placed = new Uint8Array(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const was = this.keys.get(keys[i]);
      index.set(keys[i], i);
      if (was === undefined) {
        fresh.push(i);
        continue;
      }
      this.x[i] = x[was];
      this.y[i] = y[was];
      this.vx[i] = vx[was];
      this.vy[i] = vy[was];
      this.placed[i] = 1;
    }
    this.keys = index;
    this.count = keys.length;
    return fresh;
  }

  /** A hub moves less than its leaves, and its springs are weaker, or it would shake. */
  weigh() {
    const degree = new Uint32Array(this.count);
    for (const end of this.ends) degree[end]++;
    const links = this.ends.length / 2;
    this.degree = degree;
    this.strength = new Float64Array(links);
    this.bias = new Float64Array(links);
    for (let l = 0; l < links; l++) {
      const a = degree[this.ends[2 * l]];
      const b = degree[this.ends[2 * l + 1]];
      this.strength[l] = 1 / Math.min(a, b) ** 0.9;
      this.bias[l] = a / (a + b);
    }
  }

  place(fresh) {
    const near = new Int32Array(this.count).fill(-1);
    for (let l = 0; l < this.ends.length; l += 2) {
      const a = this.ends[l];
      const b = this.ends[l + 1];
      if (this.placed[a]) near[b] = a;
      if (this.placed[b]) near[a] = b;
    }
    const all = fresh.length === this.count;
    fresh.forEach((i, n) => {
      const angle = all ? n * 2.399963229728653 : this.random() * 2 * Math.PI;
      const r = near[i] >= 0 ? LENGTH : 12 * Math.sqrt(0.5 + (all ? n : this.count));
      this.x[i] = (near[i] >= 0 ? this.x[near[i]] : 0) + r * Math.cos(angle);
      this.y[i] = (near[i] >= 0 ? this.y[near[i]] : 0) + r * Math.sin(angle);
    });
  }

  heat(alpha = 0.3) {
    this.alpha = Math.max(this.alpha, alpha);
  }

  /** One step; returns whether there is more to do. */
  step() {
    if (this.resting || this.count === 0) {
      this.alpha = 0;
      return false;
    }
    this.alpha -= this.alpha * COOLING;
    this.pull();
    this.plant();
    this.push();
    const { x, y, vx, vy, alpha, degree } = this;
    for (let i = 0; i < this.count; i++) {
      const g = (degree[i] === 0 ? ALONE : GRAVITY) * alpha;
      vx[i] = (vx[i] - x[i] * g) * DRAG;
      vy[i] = (vy[i] - y[i] * g) * DRAG;
      x[i] += vx[i];
      y[i] += vy[i];
    }
    return !this.resting;
  }

  pull() {
    const { x, y, vx, vy, ends, alpha } = this;
    for (let l = 0; l < this.strength.length; l++) {
      const a = ends[2 * l];
      const b = ends[2 * l + 1];
      if (a === b) continue;
      const dx = x[b] + vx[b] - x[a] - vx[a] || this.nudge();
      const dy = y[b] + vy[b] - y[a] - vy[a] || this.nudge();
      const d = Math.sqrt(dx * dx + dy * dy);
      const f = ((d - LENGTH) / d) * alpha * this.strength[l];
      vx[b] -= dx * f * this.bias[l];
      vy[b] -= dy * f * this.bias[l];
      vx[a] += dx * f * (1 - this.bias[l]);
      vy[a] += dy * f * (1 - this.bias[l]);
    }
  }

  /** Bodies in one place part in a direction of their own. */
  nudge() {
    return (this.random() - 0.5) * 1e-3;
  }

  /**
   * The quadtree. child[4 * cell + quarter]: 0 nothing, c > 0 cell c, below 0 the body
   * ~value, behind which `next` chains those that are too close to be told apart.
   */
  plant() {
    const { x, y, count } = this;
    let low = Infinity;
    let high = -Infinity;
    for (let i = 0; i < count; i++) {
      low = Math.min(low, x[i], y[i]);
      high = Math.max(high, x[i], y[i]);
    }
    this.room(count);
    this.low = low;
    this.size = Math.max(high - low, 1e-9) * (1 + 1e-9);
    this.cells = 0;
    this.cell();
    for (let i = 0; i < count; i++) this.insert(i);
    this.sum();
  }

  room(count) {
    const want = Math.max(64, count * 4);
    if (this.next && this.next.length >= want) return;
    this.child = new Int32Array(4 * want);
    this.mass = new Float64Array(want);
    this.mx = new Float64Array(want);
    this.my = new Float64Array(want);
    this.next = new Int32Array(want);
    this.stack = new Int32Array(256);
    this.widths = new Float64Array(256);
  }

  cell() {
    if (this.cells === this.mass.length) this.grow();
    this.child.fill(0, 4 * this.cells, 4 * this.cells + 4);
    return this.cells++;
  }

  grow() {
    for (const name of ["child", "mass", "mx", "my"]) {
      const old = this[name];
      this[name] = new old.constructor(2 * old.length);
      this[name].set(old);
    }
  }

  insert(i) {
    const { x, y } = this;
    let [cx, cy, half] = [this.low, this.low, this.size / 2];
    let cell = 0;
    this.next[i] = -1;
    for (let depth = 0; ; depth++) {
      const right = x[i] >= cx + half;
      const down = y[i] >= cy + half;
      const at = 4 * cell + (right ? 1 : 0) + (down ? 2 : 0);
      const there = this.child[at];
      if (there === 0) {
        this.child[at] = ~i;
        return;
      }
      cx += right ? half : 0;
      cy += down ? half : 0;
      half /= 2;
      if (there > 0) {
        cell = there;
        continue;
      }
      if (depth >= DEEP) {
        this.next[i] = ~there;
        this.child[at] = ~i;
        return;
      }
      // The body that was here goes a level down; ours is looked at again there.
      const inner = this.cell();
      this.child[at] = inner;
      const other = ~there;
      this.child[
        4 * inner + (x[other] >= cx + half ? 1 : 0) + (y[other] >= cy + half ? 2 : 0)
      ] = there;
      cell = inner;
    }
  }

  /** Inner cells have higher numbers than those around them, so one pass upwards does. */
  sum() {
    const { child, mass, mx, my, x, y, next } = this;
    for (let c = this.cells - 1; c >= 0; c--) {
      let [m, sx, sy] = [0, 0, 0];
      for (let q = 4 * c; q < 4 * c + 4; q++) {
        const v = child[q];
        if (v > 0) {
          m += mass[v];
          sx += mx[v] * mass[v];
          sy += my[v] * mass[v];
        } else if (v < 0) {
          for (let i = ~v; i >= 0; i = next[i]) {
            m++;
            sx += x[i];
            sy += y[i];
          }
        }
      }
      mass[c] = m;
      mx[c] = m ? sx / m : 0;
      my[c] = m ? sy / m : 0;
    }
  }

  push() {
    for (let i = 0; i < this.count; i++) this.repel(i);
  }

  repel(i) {
    const { x, y, child, mass, mx, my, next, stack, widths } = this;
    const scale = REPULSION * this.alpha;
    let [fx, fy, top] = [0, 0, 1];
    stack[0] = 0;
    widths[0] = this.size;
    while (top > 0) {
      const c = stack[--top];
      const w = widths[top];
      const dx = mx[c] - x[i];
      const dy = my[c] - y[i];
      const d2 = dx * dx + dy * dy;
      if (w * w < THETA2 * d2) {
        const f = (scale * mass[c]) / d2;
        fx -= dx * f;
        fy -= dy * f;
        continue;
      }
      for (let q = 4 * c; q < 4 * c + 4; q++) {
        const v = child[q];
        if (v > 0) {
          stack[top] = v;
          widths[top++] = w / 2;
        } else if (v < 0) {
          for (let j = ~v; j >= 0; j = next[j]) {
            if (j === i) continue;
            const ex = x[j] - x[i] || this.nudge();
            const ey = y[j] - y[i] || this.nudge();
            const f = scale / Math.max(ex * ex + ey * ey, 1);
            fx -= ex * f;
            fy -= ey * f;
          }
        }
      }
    }
    this.vx[i] += fx;
    this.vy[i] += fy;
  }
}

/** The corners of all places: [x0, y0, x1, y1], or null where there is none. */
export function bounds(layout, chosen) {
  let box = null;
  const see = (i) => {
    const x = layout.x[i];
    const y = layout.y[i];
    box ??= [x, y, x, y];
    box = [
      Math.min(box[0], x),
      Math.min(box[1], y),
      Math.max(box[2], x),
      Math.max(box[3], y),
    ];
  };
  if (chosen) for (const i of chosen) see(i);
  else for (let i = 0; i < layout.count; i++) see(i);
  return box;
}
