// SPDX-License-Identifier: BSD-2-Clause

// Draws the graph on a canvas: links, nodes, names, and the rings of what has just
// changed. It decides nothing and keeps nothing but colours: what is drawn follows from
// its scene.

import { color } from "./colors.js";

const NAMES = 70; // drawn at once, at most
const MANY = 1500; // links, beyond which they are as thin as can be
// Lines of one path: painted without a graphics card, a path of 9,295 takes 1.8 s, paths
// of 50 take 0.4 s, and as thin lines 0.07 s (1,600 by 1,200 pixels, one core).
const BATCH = 50;
export const PULSE = 1100; // ms

/** A node's radius in pixels at zoom k; those with more links are larger. */
export function radius(links, k) {
  return Math.max(
    1.3,
    Math.min(3 + 1.5 * Math.sqrt(links), 22) *
      Math.min(k, 1) ** 0.62 *
      Math.max(k, 1) ** 0.35,
  );
}

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.g = canvas.getContext("2d");
    this.widths = new Map(); // of names, in their font
    this.theme();
  }

  theme() {
    const c = {};
    for (const name of ["surface", "ink", "muted", "line", "edge", "accent", "warn"])
      c[name] = color(name);
    c.types = [1, 2, 3, 4, 5, 6].map((i) => color(`series-${i}`));
    this.c = c;
    this.font = getComputedStyle(document.body).fontFamily;
    this.widths.clear();
  }

  /** One pixel of the canvas is one of the screen. */
  resize(width, height) {
    const dpr = devicePixelRatio || 1;
    const w = Math.round(width * dpr);
    const h = Math.round(height * dpr);
    if (this.canvas.width !== w) this.canvas.width = w;
    if (this.canvas.height !== h) this.canvas.height = h;
    this.width = width;
    this.height = height;
    this.dpr = dpr;
  }

  /**
   * scene: {nodes, x, y, links (pairs of indices), view, colors (index of a type, or -1),
   * selected, hover, near (Set of indices), pulses (Map index -> 0..1)}.
   */
  paint(scene) {
    const { g } = this;
    g.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    this.place(scene);
    const dim = scene.near !== null;
    this.lines(scene, dim);
    this.dots(scene, dim);
    this.rings(scene);
    this.names(scene);
    g.globalAlpha = 1;
  }

  /** Where each node is on the screen, and how large. */
  place({ nodes, x, y, view }) {
    const n = nodes.length;
    if (!this.sx || this.sx.length < n) {
      this.sx = new Float64Array(n);
      this.sy = new Float64Array(n);
      this.sr = new Float64Array(n);
    }
    for (let i = 0; i < n; i++) {
      this.sx[i] = x[i] * view.k + view.x;
      this.sy[i] = y[i] * view.k + view.y;
      this.sr[i] = radius(nodes[i].links.size, view.k);
    }
  }

  inSight(i, beyond = 0) {
    const r = this.sr[i] + beyond;
    return (
      this.sx[i] > -r &&
      this.sy[i] > -r &&
      this.sx[i] < this.width + r &&
      this.sy[i] < this.height + r
    );
  }

  lines(scene, dim) {
    const { g, sx, sy } = this;
    const { links, selected } = scene;
    const many = links.length > 2 * MANY;
    g.lineWidth = many ? 1 / this.dpr : 1;
    g.strokeStyle = this.c.edge;
    g.globalAlpha = (many ? 0.16 : 0.5) * (dim ? 0.4 : 1);
    g.beginPath();
    let n = 0;
    for (let l = 0; l < links.length; l += 2) {
      const a = links[l];
      const b = links[l + 1];
      if (a === b || this.outside(a, b)) continue;
      g.moveTo(sx[a], sy[a]);
      g.lineTo(sx[b], sy[b]);
      if (++n % BATCH !== 0) continue;
      g.stroke();
      g.beginPath();
    }
    g.stroke();
    if (selected >= 0) this.ownLines(scene);
  }

  /** Is all that lies between two nodes out of sight? */
  outside(a, b) {
    const { sx, sy, width, height } = this;
    return (
      (sx[a] < 0 && sx[b] < 0) ||
      (sy[a] < 0 && sy[b] < 0) ||
      (sx[a] > width && sx[b] > width) ||
      (sy[a] > height && sy[b] > height)
    );
  }

  /** Links of the selected node, with their direction. */
  ownLines({ links, selected }) {
    const { g, sx, sy, sr } = this;
    const own = [];
    for (let l = 0; l < links.length; l += 2)
      if (
        links[l] !== links[l + 1] &&
        (links[l] === selected || links[l + 1] === selected)
      )
        own.push(links[l], links[l + 1]);
    g.strokeStyle = g.fillStyle = this.c.accent;
    g.lineWidth = own.length > 400 ? 1 : 1.5;
    g.globalAlpha = own.length > 400 ? 0.4 : 0.75;
    g.beginPath();
    for (let l = 0; l < own.length; l += 2) {
      g.moveTo(sx[own[l]], sy[own[l]]);
      g.lineTo(sx[own[l + 1]], sy[own[l + 1]]);
    }
    g.stroke();
    if (own.length > 400) return;
    g.beginPath();
    for (let l = 0; l < own.length; l += 2)
      this.arrow(own[l], own[l + 1], sr[own[l + 1]]);
    g.fill();
  }

  arrow(a, b, back) {
    const { g, sx, sy } = this;
    const dx = sx[b] - sx[a];
    const dy = sy[b] - sy[a];
    const d = Math.hypot(dx, dy);
    if (d < back + 12) return;
    const [ux, uy] = [dx / d, dy / d];
    const [tx, ty] = [sx[b] - ux * (back + 2), sy[b] - uy * (back + 2)];
    g.moveTo(tx, ty);
    g.lineTo(tx - ux * 8 - uy * 3.5, ty - uy * 8 + ux * 3.5);
    g.lineTo(tx - ux * 8 + uy * 3.5, ty - uy * 8 - ux * 3.5);
    g.closePath();
  }

  dots(scene, dim) {
    const groups = new Map();
    for (let i = 0; i < scene.nodes.length; i++) {
      if (!this.inSight(i)) continue;
      const faded = dim && i !== scene.selected && !scene.near.has(i);
      const key = (scene.colors[i] + 1) * 2 + (faded ? 0 : 1);
      const group = groups.get(key);
      if (group) group.push(i);
      else groups.set(key, [i]);
    }
    for (const key of [...groups.keys()].sort((a, b) => (a & 1) - (b & 1)))
      this.dotsOf(groups.get(key), (key >> 1) - 1, key & 1);
  }

  dotsOf(group, type, full) {
    const { g, sx, sy, sr } = this;
    const ghost = type < 0;
    g.globalAlpha = full ? 1 : 0.16;
    g.fillStyle = ghost ? this.c.surface : (this.c.types[type] ?? this.c.muted);
    g.strokeStyle = ghost ? this.c.muted : this.c.surface;
    g.lineWidth = ghost ? 1.5 : 1;
    g.beginPath();
    for (const i of group) {
      g.moveTo(sx[i] + sr[i], sy[i]);
      g.arc(sx[i], sy[i], sr[i], 0, 2 * Math.PI);
    }
    g.fill();
    if (ghost || full) g.stroke();
  }

  rings({ selected, hover, pulses }) {
    const { g, sx, sy, sr } = this;
    g.strokeStyle = this.c.accent;
    for (const [i, t] of pulses) {
      if (!this.inSight(i, 30)) continue;
      g.globalAlpha = (1 - t) * 0.9;
      g.lineWidth = 2.5 * (1 - t) + 0.5;
      g.beginPath();
      g.arc(sx[i], sy[i], sr[i] + 2 + 24 * (1 - (1 - t) ** 2), 0, 2 * Math.PI);
      g.stroke();
    }
    for (const [i, width] of [
      [hover, 1.5],
      [selected, 2.5],
    ]) {
      if (i < 0) continue;
      g.globalAlpha = 1;
      g.strokeStyle = i === selected ? this.c.accent : this.c.ink;
      g.lineWidth = width;
      g.beginPath();
      g.arc(sx[i], sy[i], sr[i] + 3, 0, 2 * Math.PI);
      g.stroke();
    }
  }

  /** Names, the more important first, each only where there is room. */
  names(scene) {
    const { g } = this;
    const taken = [];
    g.font = `12px ${this.font}`;
    g.textBaseline = "middle";
    g.lineJoin = "round";
    let [left, tries] = [NAMES, 8 * NAMES];
    const put = (i, strong) => {
      if (left <= 0 || tries <= 0 || !this.inSight(i)) return;
      tries--;
      if (this.name(scene.nodes[i], i, strong, taken)) left--;
    };
    if (scene.selected >= 0) put(scene.selected, true);
    if (scene.hover >= 0 && scene.hover !== scene.selected) put(scene.hover, true);
    if (scene.near) for (const i of scene.near) put(i, false);
    else
      for (const i of scene.order) {
        if (this.sr[i] < 6.5 && scene.view.k < 1.5) break;
        put(i, false);
      }
  }

  name(node, i, strong, taken) {
    const { g, sx, sy, sr } = this;
    const text = shorten(node.name, strong ? 48 : 26);
    g.font = `${strong ? "600 13px" : "12px"} ${this.font}`;
    const width = this.measure(text);
    // Behind the node, or before it where that would be out of sight.
    let x = sx[i] + sr[i] + 5;
    if (x + width > this.width && sx[i] - sr[i] - 5 - width > 0)
      x = sx[i] - sr[i] - 5 - width;
    const y = sy[i];
    const box = [x - 2, y - 8, x + width + 2, y + 8];
    for (const t of taken)
      if (box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3]) return false;
    taken.push(box);
    g.globalAlpha = 0.85;
    g.strokeStyle = this.c.surface;
    g.lineWidth = 4;
    g.strokeText(text, x, y);
    g.globalAlpha = 1;
    g.fillStyle = strong ? this.c.ink : this.c.muted;
    g.fillText(text, x, y);
    return true;
  }

  measure(text) {
    const key = this.g.font + text;
    let width = this.widths.get(key);
    if (width === undefined) {
      width = this.g.measureText(text).width;
      if (this.widths.size > 5000) this.widths.clear();
      this.widths.set(key, width);
    }
    return width;
  }
}

/** The end of a long name tells more than its beginning. */
export function shorten(name, length) {
  const chars = [...name];
  return chars.length <= length ? name : `…${chars.slice(1 - length).join("")}`;
}
