// SPDX-License-Identifier: BSD-2-Clause

// The tabs and the route in the fragment: `#/state/note.7` is a panel and what it shows,
// so that links and the back button work. One tab is in the tab order, arrows move
// between them.

/** `#/PANEL/ARGUMENT` as { panel, argument }. */
function parseRoute(hash) {
  const [, panel = "", argument = ""] = /^#\/([a-z]+)(?:\/(.*))?$/.exec(hash) ?? [];
  try {
    return { panel, argument: decodeURIComponent(argument) };
  } catch {
    return { panel, argument: "" };
  }
}

function formatRoute(panel, argument = "") {
  const rest = argument === "" ? "" : `/${encodeURIComponent(argument)}`;
  return `#/${panel}${rest}`;
}

/** Calls `show(panel, argument)` at first and whenever the route changes. */
export function createTabs(list, show) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const names = tabs.map((tab) => tab.id.slice("tab-".length));

  function apply() {
    const route = parseRoute(location.hash);
    const at = Math.max(0, names.indexOf(route.panel));
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === at));
      tab.tabIndex = i === at ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = i !== at;
    });
    document.title = `${tabs[at].textContent} · peal`;
    show(names[at], route.panel === names[at] ? route.argument : "");
  }

  function go(panel, argument) {
    const hash = formatRoute(panel, argument);
    if (location.hash === hash) return;
    history.pushState(null, "", hash);
    apply();
  }

  list.addEventListener("click", (e) => {
    const at = tabs.indexOf(e.target.closest("[role=tab]"));
    if (at >= 0) go(names[at]);
  });
  list.addEventListener("keydown", (e) => {
    const at = tabs.indexOf(document.activeElement);
    const last = tabs.length - 1;
    const to = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    }[e.key];
    if (at < 0 || to === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    go(names[to]);
    tabs[to].focus();
  });
  addEventListener("popstate", apply);
  addEventListener("hashchange", apply);
  return { go, apply };
}
