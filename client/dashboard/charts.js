// SPDX-License-Identifier: BSD-2-Clause

// The panel of charts: the vitals of the running system, once a second, for the last ten
// minutes, as lines and as a table. Where none come it says what is missing and what to
// do.

import { Chart } from "./chart.js";
import { onColors } from "./colors.js";
import { h, replace, setText } from "./dom.js";
import { figure, summary, WINDOW } from "./series.js";
import { CHARTS, Vitals, VITALS } from "./vitals.js";

const SILENCE = 5000; // ms without vitals before something is said

let library;

/** uPlot, a classic script: loaded when the first chart is to be drawn. */
function loadPlot() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/dashboard/vendor/uPlot.iife.min.js";
    script.onload = () => resolve(globalThis.uPlot);
    script.onerror = () => reject(new Error("uPlot could not be loaded"));
    document.head.append(script);
  });
  library.catch(() => {
    library = undefined;
  });
  return library;
}

export function mount(root, ctx) {
  const panel = new ChartsPanel(root, ctx);
  return { destroy: () => panel.destroy() };
}

class ChartsPanel {
  constructor(root, ctx) {
    this.root = root;
    this.ctx = ctx;
    this.vitals = new Vitals(WINDOW);
    this.charts = [];
    this.error = null;
    this.draw = this.draw.bind(this);
    this.build();
    this.stops = [
      onColors(() => {
        for (const chart of this.charts) chart.restyle();
        ctx.schedule(this.draw);
      }),
      ctx.time.subscribe(() => ctx.schedule(this.draw)),
    ];
    this.listen();
    this.begun = performance.now();
    this.waiting = setTimeout(() => ctx.schedule(this.draw), SILENCE + 100);
    loadPlot().then(
      (uPlot) => this.start(uPlot),
      (error) => {
        this.error = error;
        ctx.schedule(this.draw);
      },
    );
  }

  destroy() {
    this.destroyed = true;
    clearTimeout(this.waiting);
    this.subscription.unsubscribe();
    for (const stop of this.stops) stop();
    for (const chart of this.charts) chart.end();
    this.root.replaceChildren();
  }

  build() {
    this.past = h(
      "p",
      { class: "note charts-past", hidden: true },
      "Charts are live: vitals are not stored, so there are none of the past.",
    );
    this.missing = h("div", { class: "empty charts-missing" }, "Waiting for vitals…");
    this.grid = h("div", { class: "charts-grid", hidden: true });
    this.rows = h("tbody");
    this.table = h(
      "details",
      { class: "charts-table", hidden: true },
      h("summary", {}, "The same as a table"),
      h(
        "div",
        {
          class: "charts-scroll",
          tabindex: "0",
          role: "region",
          "aria-label": "Figures of the last ten minutes",
        },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["Figure", "Of", "Now", "Least", "Mean", "Most"].map((text, i) =>
                h("th", { scope: "col", class: i > 1 ? "num" : null }, text),
              ),
            ),
          ),
          this.rows,
        ),
      ),
    );
    this.table.addEventListener("toggle", () => this.ctx.schedule(this.draw));
    this.root.append(
      h("h2", { class: "visually-hidden" }, "Vitals of the running system"),
      this.past,
      this.missing,
      this.grid,
      this.table,
    );
  }

  start(uPlot) {
    if (this.destroyed) return;
    this.charts = CHARTS.map(
      (spec) => new Chart(spec, { uPlot, window: WINDOW, sync: "vitals" }),
    );
    this.grid.append(...this.charts.map((c) => c.element));
    this.ctx.schedule(this.draw);
  }

  listen() {
    this.subscription = this.ctx.client.subscribe(VITALS, { from: "now" });
    this.subscription.on("event", (event) => {
      if (this.vitals.take(event)) this.ctx.schedule(this.draw);
    });
    this.subscription.on("error", (error) => {
      this.error = error;
      this.ctx.schedule(this.draw);
    });
  }

  draw() {
    this.past.hidden = this.ctx.time.getSnapshot() === null;
    const any = this.vitals.heard > 0 && this.charts.length > 0;
    this.missing.hidden = any;
    this.grid.hidden = this.table.hidden = !any;
    if (!any) {
      this.explain();
      return;
    }
    for (const chart of this.charts) {
      const names = this.vitals.names.get(chart.spec.id);
      chart.element.hidden = names.length === 0;
      chart.draw(this.vitals.series.get(chart.spec.id), names);
    }
    if (this.table.open) this.tabulate();
  }

  explain() {
    const { error } = this;
    if (error?.code === "forbidden") {
      replace(
        this.missing,
        h("p", {}, "This token may not read the vitals."),
        h(
          "p",
          { class: "small" },
          "They are for administrators: a token with ",
          h("code", {}, "admin"),
          " that reads ",
          h("code", {}, VITALS),
          ".",
        ),
        h(
          "p",
          { class: "small" },
          h("code", {}, `peal token --sub NAME --admin --read '${VITALS}'`),
        ),
      );
    } else if (error) {
      replace(this.missing, `No charts: ${error.message}`);
    } else if (performance.now() - this.begun > SILENCE) {
      replace(
        this.missing,
        h("p", {}, "No vitals have come yet."),
        h(
          "p",
          { class: "small" },
          h("code", {}, "peal up"),
          " tells them once a second, on ",
          h("code", {}, "$stat.*"),
          ". Programs started one by one do not.",
        ),
      );
    }
  }

  tabulate() {
    const lines = [];
    for (const spec of CHARTS)
      for (const name of this.vitals.names.get(spec.id)) {
        const s = summary(this.vitals.series.get(spec.id).columns.get(name));
        if (s)
          lines.push([
            `${spec.title}, ${spec.unit}`,
            name,
            ...[s.now, s.min, s.mean, s.max].map(figure),
          ]);
      }
    while (this.rows.children.length > lines.length) this.rows.lastChild.remove();
    lines.forEach((cells, i) => {
      const row =
        this.rows.children[i] ??
        this.rows.appendChild(
          h(
            "tr",
            {},
            cells.map((_, c) => h("td", { class: c > 1 ? "num" : null })),
          ),
        );
      cells.forEach((text, c) => setText(row.children[c], text));
    });
  }
}
