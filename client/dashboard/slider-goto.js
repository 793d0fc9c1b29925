// SPDX-License-Identifier: BSD-2-Clause

// The form behind "Go to": a time or an event to be shown. It says what it can't read,
// and closes when it was understood.

import { h, setText } from "./dom.js";
import { glyph } from "./glyphs.js";
import { fieldTime } from "./slider-text.js";

/**
 * `seq(n)` and `time(us)` are told what was asked for; `leap` is a field that joins them.
 */
export function createGoTo({ seq, time, leap }) {
  const when = h("input", { type: "datetime-local", step: "1", id: "goto-time" });
  const event = h("input", {
    type: "text",
    inputmode: "numeric",
    id: "goto-seq",
    autocomplete: "off",
    placeholder: "for example 1200",
  });
  const fault = h("p", { class: "fault", role: "alert" });
  const form = h(
    "form",
    { class: "goto-form", popover: "auto", id: "goto", on: { submit } },
    h(
      "div",
      { class: "field" },
      h("label", { for: "goto-time" }, "State at this time"),
      when,
    ),
    h(
      "div",
      { class: "field" },
      h("label", { for: "goto-seq" }, "or after event"),
      event,
    ),
    fault,
    h("button", { type: "submit", class: "primary" }, "Show"),
    leap,
  );
  const opener = h(
    "button",
    { type: "button", class: "quiet", popovertarget: "goto", "aria-label": "Go to" },
    glyph("clock"),
    h("span", { class: "goto-word" }, "Go to"),
  );

  form.addEventListener("toggle", (e) => {
    if (e.newState === "open") when.focus();
    setText(fault, "");
  });

  function submit(e) {
    e.preventDefault();
    const digits = event.value.replace(/[\s,._]/g, "");
    const us = fieldTime(when.value);
    if (/^\d{1,15}$/.test(digits)) seq(Number(digits));
    else if (digits === "" && us !== undefined) time(us);
    else {
      setText(
        fault,
        digits === "" ? "Choose a time or an event." : "An event is a number.",
      );
      return;
    }
    event.value = "";
    form.hidePopover();
    opener.focus();
  }

  return { element: h("div", { class: "goto" }, opener, form) };
}
