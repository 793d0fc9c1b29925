// SPDX-License-Identifier: BSD-2-Clause

// Light, dark, or as the system has it. A classic script in the head, so that the first
// frame has the right colours; everything else about the theme is CSS.

(() => {
  let theme = "auto";
  try {
    theme = JSON.parse(localStorage.getItem("peal.theme")) ?? "auto";
  } catch {
    // Storage is refused: as the system has it.
  }
  if (theme === "light" || theme === "dark")
    document.documentElement.dataset.theme = theme;
})();
