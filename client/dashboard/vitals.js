// SPDX-License-Identifier: BSD-2-Clause

// What the vitals of the running system ($stat.*) say, as figures over time: which
// counters make which chart. A table; what a process does not tell is left out, never
// guessed.

import { Rates, Series, WINDOW } from "./series.js";

export const VITALS = "$stat.>";

const perSecond = (name) => (t) => {
  const by = t.by(name);
  return by === undefined ? undefined : by / t.seconds;
};
const value =
  (name, scale = 1) =>
  (t) => {
    const v = t.value(name);
    return v === undefined ? undefined : v * scale;
  };
/** The mean over what happened since; nothing where nothing did. */
const mean = (sum, n, scale) => (t) => {
  const [a, b] = [t.by(sum), t.by(n)];
  return a === undefined || !b ? undefined : (a / b) * scale;
};

/** Charts in the order shown: `of` maps kinds of processes to lines and their figures. */
export const CHARTS = [
  {
    id: "events",
    title: "Events",
    unit: "/s",
    words: "events a second",
    of: {
      writer: [
        ["stored", perSecond("events")],
        ["ephemeral", perSecond("emits")],
      ],
    },
  },
  {
    id: "deliveries",
    title: "Deliveries",
    unit: "/s",
    words: "deliveries a second",
    sum: true,
    of: { gateway: [["", perSecond("deliveries")]] },
  },
  {
    id: "flush",
    title: "Flush time",
    unit: "ms",
    words: "milliseconds a flush",
    of: { writer: [["mean", mean("flush_ns", "flushes", 1e-6)]] },
  },
  {
    id: "window",
    title: "Ring window",
    unit: "s",
    words: "seconds that the ring holds",
    of: { ring: [["held", value("window_ms", 1e-3)]] },
  },
  {
    id: "lag",
    title: "Lag",
    unit: "ms",
    words: "milliseconds behind the newest event",
    of: { gateway: [["", value("lag_ms")]], broker: [["", value("lag_ms")]] },
  },
];

/** `$stat.gateway.4711` as ["gateway", "4711"]. */
export function sourceOf(topic) {
  const [, kind, id = ""] = topic.split(".");
  return [kind, id];
}

export class Vitals {
  constructor(window = WINDOW) {
    this.window = window;
    this.rates = new Rates();
    this.series = new Map(CHARTS.map((c) => [c.id, new Series(window)]));
    this.names = new Map(CHARTS.map((c) => [c.id, []]));
    this.heard = 0; // events that told something
  }

  /** Take an event; returns whether it was one of vitals. */
  take({ topic, time, data }) {
    const [kind, id] = sourceOf(topic);
    const told = this.rates.take(topic, time / 1e6, data);
    let used = false;
    for (const chart of CHARTS) {
      const values = [];
      for (const [name, figure] of chart.of[kind] ?? []) {
        const v = figure(told);
        if (v !== undefined) values.push([name || `${kind} ${id}`.trim(), v]);
        used = true;
      }
      if (values.length > 0) this.add(chart.id, Math.round(time / 1e6), values);
    }
    if (used) this.heard++;
    this.rates.forget(time / 1e6 - this.window);
    return used;
  }

  add(id, second, values) {
    const series = this.series.get(id);
    series.add(second, values);
    this.names.set(id, [...series.columns.keys()]);
  }
}
