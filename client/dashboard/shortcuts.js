// SPDX-License-Identifier: BSD-2-Clause

// Shortcuts of one key, which `?` lists. They are silent while somebody types or a
// modifier is held, and can be turned off: speech input and stray keys set off single
// letters.

import { h, replace } from "./dom.js";

const TYPED =
  "input:not([type=checkbox], [type=radio], [type=range], [type=button]), " +
  "textarea, select, [contenteditable]";

/** A box for a preference that is on unless it was turned off. */
function preference(prefs, name, words) {
  const box = h("input", {
    type: "checkbox",
    id: `prefer-${name}`,
    checked: prefs.get(name, true) !== false,
    on: { change: (e) => prefs.set(name, e.target.checked) },
  });
  return h("div", { class: "check" }, box, h("label", { for: `prefer-${name}` }, words));
}

/**
 * `add(key, words, fn, when)` returns how to remove it; where several are for one key,
 * the last one counts whose `when()` holds. `show()` opens the list.
 */
export function createShortcuts(prefs) {
  let all = []; // { key, words, fn, when }
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "shortcuts-title" });
  document.body.append(dialog);

  function draw() {
    replace(
      dialog,
      h("h2", { id: "shortcuts-title" }, "Keyboard"),
      h(
        "dl",
        { class: "keys" },
        all.map(({ key, words }) =>
          h(
            "div",
            {},
            h("dt", {}, h("kbd", {}, key === " " ? "Space" : key)),
            h("dd", {}, words),
          ),
        ),
      ),
      h(
        "p",
        { class: "hint" },
        "Arrows, Home, End and Page keys move in lists, tables and " +
          "tabs; Enter opens; Esc closes.",
      ),
      preference(prefs, "shortcuts", "Shortcuts of one key are on"),
      preference(prefs, "toasts", "Toasts tell what others change"),
      h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")),
    );
  }

  function show() {
    if (dialog.open) return;
    draw();
    dialog.showModal();
  }

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || e.defaultPrevented || e.repeat) return;
    if (dialog.open || e.target.closest?.(TYPED)) return;
    const found = all.findLast(({ key, when }) => key === e.key && when());
    if (!found || (prefs.get("shortcuts", true) === false && e.key !== "?")) return;
    e.preventDefault();
    found.fn();
  });

  function add(key, words, fn, when = () => true) {
    const entry = { key, words, fn, when };
    all.push(entry);
    return () => {
      all = all.filter((other) => other !== entry);
    };
  }
  add("?", "this list", show);
  return { add, show };
}
