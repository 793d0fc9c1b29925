// SPDX-License-Identifier: BSD-2-Clause

// The buttons at the right of the header: append, fall behind, theme, shortcuts. Each
// says what it does and which key does the same.

import { setTheme } from "./colors.js";
import { h, icon, replace } from "./dom.js";

const ICONS = {
  append: "M7 2h2v5h5v2H9v5H7V9H2V7h5z",
  behind: "M3 2h3v12H3zm7 0h3v12h-3z",
  light:
    "M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM7.3 0h1.4v2.6H7.3zm0 13.4h1.4V16H7.3z" +
    "M0 7.3h2.6v1.4H0zm13.4 0H16v1.4h-2.6zM2 3l1-1 1.8 1.8-1 1zm9.2 9.2l1-1L14 13l-1 1z" +
    "M11.2 3.8L13 2l1 1-1.8 1.8zM2 13l1.8-1.8 1 1L3 14z",
  dark: "M6.2 1.5a6.8 6.8 0 1 0 8.3 8.3A5.8 5.8 0 0 1 6.2 1.5z",
  auto: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.6v10.8a5.4 5.4 0 0 1 0-10.8z",
};

const THEMES = [
  ["auto", "as the system has it"],
  ["light", "light"],
  ["dark", "dark"],
];

function themeButton(prefs, announce) {
  const button = h("button", { type: "button", class: "quiet square" });
  function draw() {
    const at = THEMES.findIndex(([name]) => name === prefs.get("theme", "auto"));
    const [name, words] = THEMES[Math.max(0, at)];
    replace(button, icon(ICONS[name]));
    button.setAttribute("aria-label", `Theme: ${words}`);
    button.title = `Theme: ${words} (t)`;
  }
  button.addEventListener("click", () => {
    const at = THEMES.findIndex(([name]) => name === prefs.get("theme", "auto"));
    const [name, words] = THEMES[(at + 1) % THEMES.length];
    prefs.set("theme", name);
    setTheme(name);
    draw();
    announce(`Theme: ${words}`);
  });
  draw();
  return button;
}

function toolButton(drawer, name, key, label, words) {
  return h(
    "button",
    {
      type: "button",
      "aria-expanded": "false",
      "aria-controls": "drawer",
      class: "tool",
      title: `${words} (${key})`,
      on: { click: () => drawer.toggle(name) },
    },
    icon(ICONS[name]),
    h("span", { class: "tool-label" }, label),
  );
}

/** Fills `root` with the buttons. */
export function createTools(
  root,
  { prefs, announce, shortcut },
  { drawer, opened, help },
) {
  const append = toolButton(drawer, "append", "a", "Append", "Append an event");
  const behind = toolButton(
    drawer,
    "behind",
    "b",
    "Fall behind",
    "Stop reading until the stream has gone on without us, and see the recovery",
  );
  const theme = themeButton(prefs, announce);
  const keys = h(
    "button",
    {
      type: "button",
      class: "quiet square",
      "aria-label": "Keyboard",
      title: "Keyboard (?)",
      on: { click: help },
    },
    "?",
  );
  replace(root, append, behind, theme, keys);
  opened.subscribe(() => {
    append.setAttribute("aria-expanded", String(opened.getSnapshot() === "append"));
    behind.setAttribute("aria-expanded", String(opened.getSnapshot() === "behind"));
  });
  shortcut("a", "append an event", () => drawer.toggle("append"));
  shortcut("b", "fall behind", () => drawer.toggle("behind"));
  shortcut("t", "theme: system, light, dark", () => theme.click());
}
