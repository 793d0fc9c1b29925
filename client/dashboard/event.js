// SPDX-License-Identifier: BSD-2-Clause

// One event in full, beside the table it was chosen in. From here one gets to its topic,
// and to the events like it.

import { h, icon, replace } from "./dom.js";
import { exactTime, number } from "./format.js";
import { entriesOf, showValue } from "./value.js";

const CLOSE = "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z";

function only(words, onClick) {
  return h(
    "button",
    { type: "button", class: "link small", on: { click: onClick } },
    words,
  );
}

function facts(e, ctx, narrow) {
  const rows = [
    [
      "Topic",
      h(
        "button",
        {
          type: "button",
          class: "link mono",
          title: "Show its state",
          on: { click: () => ctx.open(e.topic) },
        },
        e.topic,
      ),
      only("only this topic", () => narrow({ pattern: e.topic })),
    ],
    [
      "Type",
      h("span", { class: "mono" }, e.type),
      only("only this type", () => narrow({ type: e.type })),
    ],
    [
      "Actor",
      e.actor || "unknown",
      e.actor && only("only this actor", () => narrow({ actor: e.actor })),
    ],
    ["Time", exactTime(e.time)],
    ["Seq", e.seq === 0 ? "none: it was not stored" : number(e.seq)],
    e.seq !== 0 && ["Version", number(e.version)],
  ];
  return h(
    "dl",
    { class: "facts" },
    rows
      .filter(Boolean)
      .map(([name, value, action]) => [
        h("dt", {}, name),
        h("dd", {}, value, action && [" ", action]),
      ]),
  );
}

/**
 * `show(event, focus)` fills and opens it, and takes the focus if so told; `close` is
 * called when it was closed.
 */
export function createEventDetail(ctx, { narrow, close }) {
  const root = h("section", {
    class: "event-detail",
    "aria-label": "Event",
    hidden: true,
  });
  function end() {
    root.hidden = true;
    close();
  }
  root.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    e.preventDefault();
    end();
  });
  return {
    root,
    show(event, focus) {
      if (!event) return;
      const heading = h(
        "h2",
        { tabindex: "-1" },
        event.seq === 0 ? "Ephemeral event" : `Event ${number(event.seq)}`,
      );
      const meta = entriesOf(event.meta);
      replace(
        root,
        h(
          "div",
          { class: "detail-head" },
          heading,
          h(
            "button",
            {
              type: "button",
              class: "quiet square",
              "aria-label": "Close",
              title: "Close (Esc)",
              on: { click: end },
            },
            icon(CLOSE),
          ),
        ),
        facts(event, ctx, narrow),
        h("h3", {}, "Data"),
        showValue(event.data),
        meta?.length > 0 && [h("h3", {}, "Meta"), showValue(event.meta)],
      );
      root.hidden = false;
      if (focus) heading.focus();
    },
  };
}
