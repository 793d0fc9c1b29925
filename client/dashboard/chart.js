// SPDX-License-Identifier: BSD-2-Clause

// One chart: a figure in large digits, a line of the last minutes by uPlot, and the same
// in words for those who do not see it. It draws when it is told to, and holds no data.

import { color } from "./colors.js";
import { h, setAttr, setText } from "./dom.js";
import { figure, summary } from "./series.js";

const HEIGHT = 132;
const COLORS = 6;
const SHORTEST = 60; // seconds that the axis of time spans at least

/** `rgb(1, 2, 3)` with an alpha. */
function translucent(rgb, alpha) {
  const [r, g, b] = rgb.match(/[\d.]+/g) ?? [0, 0, 0];
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

export class Chart {
  constructor(spec, { uPlot, window, sync }) {
    this.spec = spec;
    this.uPlot = uPlot;
    this.window = window;
    this.sync = sync;
    this.plot = null;
    this.now = h("span", { class: "chart-figure" }, "–");
    this.legend = h("ul", { class: "chart-legend" });
    this.picture = h("div", { class: "chart-plot", role: "img" });
    this.element = h(
      "figure",
      { class: "chart", id: `chart-${spec.id}` },
      h(
        "figcaption",
        {},
        h("h3", {}, spec.title),
        h(
          "p",
          { class: "chart-now" },
          this.now,
          h("span", { class: "chart-unit" }, spec.unit),
        ),
        this.legend,
      ),
      this.picture,
    );
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.picture);
  }

  end() {
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  /** Colours are part of a plot: with others it is made anew. */
  restyle() {
    this.plot?.destroy();
    this.plot = null;
  }

  resize() {
    const width = this.picture.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width)
      this.plot.setSize({ width, height: HEIGHT });
  }

  draw(series, names) {
    const width = this.picture.clientWidth;
    if (width === 0 || names.length === 0) return;
    const data = series.data(names);
    if (this.plot && this.shown === names.join("\n")) this.plot.setData(data);
    else this.make(data, names, width);
    this.tell(data, names);
  }

  make(data, names, width) {
    this.plot?.destroy();
    this.shown = names.join("\n");
    this.plot = new this.uPlot(this.options(names, width), data, this.picture);
  }

  options(names, width) {
    const muted = color("muted");
    const line = color("line");
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: muted, font, ticks: { show: false }, border: { show: false } };
    return {
      width,
      height: HEIGHT,
      pxAlign: 1,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 7 },
        sync: { key: this.sync },
      },
      scales: {
        x: { time: true, range: (u, min, max) => this.span(u) },
        y: { range: (u, min, max) => [0, max > 0 ? max * 1.15 : 1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 70,
          size: 24,
          values: (u, ticks) => ticks.map(clock),
        },
        {
          ...axis,
          grid: { stroke: line, width: 1 },
          space: 34,
          size: 46,
          values: (u, ticks) => ticks.map(figure),
        },
      ],
      series: [{}, ...names.map((name, i) => this.line(name, i, names.length))],
      hooks: { setCursor: [(u) => this.point(u, names)] },
    };
  }

  line(name, i, many) {
    const stroke = color(`series-${(i % COLORS) + 1}`);
    return {
      label: name,
      stroke,
      width: 1.75,
      spanGaps: true,
      points: { show: false },
      fill: many === 1 ? translucent(stroke, 0.12) : undefined,
    };
  }

  span(u) {
    const times = u.data[0];
    const end = times.at(-1) ?? 0;
    const begin = Math.min(times[0] ?? 0, end - SHORTEST);
    return [Math.max(begin, end - this.window), end];
  }

  /** Figures of the moment under the pointer, or of now. */
  point(u, names) {
    const i = u.cursor.idx;
    const over = i !== null && i !== undefined && u.cursor.left >= 0;
    setAttr(this.element, "data-pointed", over ? "" : null);
    this.figures(
      names.map((_, n) => (over ? u.data[n + 1][i] : latest(u.data[n + 1]))),
      names,
    );
  }

  figures(values, names) {
    const known = values.filter((v) => v !== null && v !== undefined);
    const head =
      known.length === 0
        ? undefined
        : this.spec.sum
          ? known.reduce((a, b) => a + b, 0)
          : this.spec.of.writer || names.length === 1
            ? values[0]
            : Math.max(...known);
    setText(this.now, figure(head));
    this.legend.hidden = names.length < 2;
    if (names.length < 2) return;
    while (this.legend.children.length > names.length) this.legend.lastChild.remove();
    names.forEach((name, i) => {
      const item =
        this.legend.children[i] ??
        this.legend.appendChild(
          h(
            "li",
            {},
            h("span", {
              class: "swatch",
              "data-type": i % COLORS,
              "aria-hidden": "true",
            }),
            h("span"),
            h("span", { class: "chart-value" }),
          ),
        );
      setText(item.children[1], name);
      setText(item.children[2], figure(values[i]));
    });
  }

  tell(data, names) {
    if (!this.element.hasAttribute("data-pointed"))
      this.figures(
        names.map((_, i) => latest(data[i + 1])),
        names,
      );
    const words = names
      .map((name, i) => {
        const s = summary(data[i + 1]);
        return (
          s && `${name} ${figure(s.now)}, between ${figure(s.min)} and ${figure(s.max)}`
        );
      })
      .filter(Boolean);
    const minutes = Math.max(1, Math.round((data[0].at(-1) - data[0][0]) / 60));
    setAttr(
      this.picture,
      "aria-label",
      `${this.spec.title}, ${this.spec.words}, in the last ` +
        `${minutes === 1 ? "minute" : `${minutes} minutes`}: ${words.join("; ")}`,
    );
  }
}

/** The newest value of a column: a gap of a line or two is none. */
function latest(column) {
  for (let i = column.length - 1; i >= 0 && i > column.length - 4; i--)
    if (column[i] !== null) return column[i];
  return undefined;
}

function clock(seconds) {
  const d = new Date(seconds * 1000);
  const pad = (n) => String(n).padStart(2, "0");
  const text = `${pad(d.getHours())}:${pad(d.getMinutes())}`;
  return d.getSeconds() === 0 ? text : `${text}:${pad(d.getSeconds())}`;
}
