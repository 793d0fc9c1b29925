// SPDX-License-Identifier: BSD-2-Clause

// The colours of tokens.css for what is drawn on a canvas. They are asked for by name, as
// they are at present, and listeners hear when the theme changes.

const listeners = new Set();
const dark = matchMedia("(prefers-color-scheme: dark)");
const forced = matchMedia("(forced-colors: active)");

/** `color("accent")`: what `var(--accent)` is now, as rgb(…). */
export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls fn after each change of the theme; returns how to stop it. */
export function onColors(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

function tell() {
  for (const fn of [...listeners]) fn();
}

dark.addEventListener("change", tell);
forced.addEventListener("change", tell);

/** "light", "dark" or "auto". */
export function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  tell();
}
