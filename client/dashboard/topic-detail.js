// SPDX-License-Identifier: BSD-2-Clause

// One topic: its row, who made and changed it, its value, and its history. It is built
// anew when the topic is another; while it stays, only what changed is drawn.

import { h, icon, replace, setText } from "./dom.js";
import { exactTime, number, timeText } from "./format.js";
import { createHistory } from "./history.js";
import { showValue } from "./value.js";

const BACK = "M10 2l1 1-5 5 5 5-1 1-6-6z";

function whoAndWhen(by, us) {
  return [
    h("span", { class: "who" }, by || "unknown"),
    " · ",
    h("time", { title: exactTime(us) }, timeText(us)),
  ];
}

function facts(row) {
  return h(
    "dl",
    { class: "facts" },
    h("dt", {}, "Created"),
    h("dd", {}, whoAndWhen(row.createdBy, row.createdTime)),
    h("dt", {}, "Changed"),
    h("dd", {}, whoAndWhen(row.updatedBy, row.updatedTime)),
    h("dt", {}, "Version"),
    h("dd", {}, number(row.version)),
    h("dt", {}, "Seq"),
    h("dd", {}, number(row.seq)),
  );
}

export function createTopicDetail(ctx, onBack) {
  const root = h("section", { class: "topic-detail", "aria-label": "Topic" });
  let topic; // null: none
  let rows = null;
  let parts = null;
  let drawn = null; // what is shown

  function build() {
    const title = h("h2", { class: "mono", tabindex: "-1" }, topic);
    const badge = h("span", { class: "badge warn" });
    const box = h("div", {});
    const history = createHistory(ctx, topic);
    parts = { title, badge, box, history };
    drawn = null;
    replace(
      root,
      h(
        "div",
        { class: "topic-head" },
        h(
          "button",
          {
            type: "button",
            class: "quiet square topic-back",
            "aria-label": "Back to the topics",
            on: { click: onBack },
          },
          icon(BACK),
        ),
        title,
        badge,
        h(
          "button",
          {
            type: "button",
            class: "end",
            on: {
              click: () => ctx.tool("append", { topic }),
            },
          },
          "Append to it",
        ),
      ),
      box,
      h("h3", {}, "History"),
      history.root,
    );
  }

  function draw() {
    if (!topic) return;
    const row = rows.get(topic);
    const { complete } = rows.state;
    if (drawn && drawn.row === row && drawn.complete === complete) return;
    const time = ctx.time.getSnapshot();
    drawn = { row, complete };
    const absent = complete
      ? time
        ? "It was not there then."
        : "It is deleted, or " + "never was."
      : "Reading …";
    parts.badge.hidden = !time;
    setText(parts.badge, "the past");
    replace(
      parts.box,
      row
        ? [facts(row), h("h3", {}, "Value"), showValue(row.value)]
        : h("p", { class: "muted" }, absent),
    );
    parts.history.upTo(time ? time.seq : row?.seq);
  }

  return {
    root,
    /** Shows `next` (null: none) of `from`. */
    show(next, from) {
      rows = from;
      if (next !== topic) {
        parts?.history.end();
        topic = next;
        if (topic === null) {
          parts = null;
          replace(
            root,
            h(
              "p",
              { class: "empty" },
              "Choose a topic to see its value, and who " + "changed what.",
            ),
          );
        } else build();
      }
      drawn = null;
      ctx.schedule(draw);
    },
    draw,
    focus: () => parts?.title.focus(),
    destroy: () => parts?.history.end(),
  };
}
