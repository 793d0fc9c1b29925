// SPDX-License-Identifier: BSD-2-Clause

// The place beside the panels for a tool that is used while looking at them. One tool is
// open at a time; Esc closes it, and focus goes back to where it was opened.

import { h, icon, replace } from "./dom.js";

const CLOSE = "M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z";

const tools = new Map([
  ["append", { title: "Append an event", load: () => import("./append.js") }],
  ["behind", { title: "Fall behind", load: () => import("./behind.js") }],
]);

/**
 * `open(name, options)` shows a tool, a module with `mount(root, ctx, options)`;
 * `opened` is a store: which one is open, or null.
 */
export function createDrawer(root, makeContext, opened) {
  let tool = null;
  let context = null;
  let back = null;

  function close() {
    if (tool === null) return;
    tool.destroy?.();
    tool = null;
    context?.release();
    context = null;
    root.hidden = true;
    root.replaceChildren();
    opened.set(null);
    back?.focus?.();
    back = null;
  }

  async function open(name, options) {
    const { title, load } = tools.get(name);
    const from = document.activeElement;
    close();
    back = from;
    const body = h("div", { class: "drawer-body" });
    const heading = h("h2", { tabindex: "-1" }, title);
    replace(
      root,
      h(
        "div",
        { class: "drawer-head" },
        heading,
        h(
          "button",
          {
            type: "button",
            class: "quiet square",
            "aria-label": "Close",
            title: "Close (Esc)",
            on: { click: close },
          },
          icon(CLOSE),
        ),
      ),
      body,
    );
    root.setAttribute("aria-label", title);
    root.hidden = false;
    opened.set(name);
    tool = {};
    const mine = tool;
    heading.focus();
    try {
      const module = await load();
      if (tool !== mine) return;
      context = makeContext();
      tool = module.mount(body, context, options);
    } catch (e) {
      globalThis.reportError(e);
      replace(
        body,
        h("p", { class: "note bad" }, `This could not be shown: ${e.message}`),
      );
    }
  }

  root.addEventListener("keydown", (e) => {
    if (e.key !== "Escape" || e.defaultPrevented) return;
    e.preventDefault();
    close();
  });
  return {
    open,
    close,
    toggle(name) {
      if (opened.getSnapshot() === name) close();
      else open(name);
    },
  };
}
