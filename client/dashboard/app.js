// SPDX-License-Identifier: BSD-2-Clause

// The dashboard's frame: one client, the panels and what they share. A panel is a module
// with `mount(root, ctx)`; it is loaded when first shown, and one that fails takes no
// other with it.

import { connect } from "/peal.js";
import { setTheme } from "./colors.js";
import { createAnnounce } from "./announce.js";
import { h, replace } from "./dom.js";
import { createDrawer } from "./drawer.js";
import { createLane } from "./frame.js";
import { createGate } from "./gate.js";
import { createPill } from "./pill.js";
import { createSession } from "./session.js";
import { createShortcuts } from "./shortcuts.js";
import { createPrefs, createStore } from "./store.js";
import { createTabs } from "./tabs.js";
import { createTools } from "./tools.js";

const byId = (id) => document.getElementById(id);

const panels = new Map([
  ["events", () => import("./events.js")],
  ["state", () => import("./state.js")],
  ["graph", () => import("./graph.js")],
  ["charts", () => import("./charts.js")],
]);

/** A client with this tab's token. */
function connectAs(agent, options) {
  return connect(undefined, { getToken: session.getToken, agent, ...options });
}

const prefs = createPrefs();
const wanted = createStore(null);
const session = createSession(wanted);
const client = connectAs("dashboard");
const shortcuts = createShortcuts(prefs);
const announce = createAnnounce(byId("status"));

/** What every panel gets; `schedule` is its own. */
const shared = {
  client,
  /** null: live; { seq, time } of the past (microseconds). Only the slider sets it. */
  time: createStore(null),
  prefs,
  announce,
  shortcut: shortcuts.add,
  /** Another client, for what is done to a connection of its own. */
  connect: (options) => connectAs("dashboard tool", options),
  /** Shows a topic in the state browser. */
  open: (topic) => tabs.go("state", topic),
  /** Shows a panel, at what stands behind its name in the address. */
  go: (panel, argument) => tabs.go(panel, argument),
  /** Shows a tool in the drawer: see drawer.js. */
  tool: (name, options) => drawer.open(name, options),
};

const opened = createStore(null);
const drawer = createDrawer(byId("drawer"), () => contextOf(createLane()), opened);
const mounted = new Map();

function contextOf(lane) {
  return {
    ...shared,
    schedule: lane.schedule,
    shortcut: (key, words, fn) => shortcuts.add(key, words, fn, () => lane.shown),
    release: lane.end,
  };
}

async function mountPanel(name, root) {
  const lane = createLane();
  const entry = { lane, panel: null, route: null };
  mounted.set(name, entry);
  try {
    const module = await panels.get(name)();
    entry.panel = module.mount(root, contextOf(lane));
    if (entry.route !== null) entry.panel.route?.(entry.route);
  } catch (e) {
    mounted.delete(name);
    lane.end();
    globalThis.reportError(e);
    replace(
      root,
      h("p", { class: "note bad" }, `This panel could not be shown: ${e.message}`),
    );
  }
}

/** Shows one panel; what the others draw waits until they are shown again. */
function show(name, argument) {
  if (!mounted.has(name)) mountPanel(name, byId(`panel-${name}`));
  for (const [other, { lane }] of mounted) lane.show(other === name);
  const entry = mounted.get(name);
  if (entry.panel) entry.panel.route?.(argument);
  else entry.route = argument;
}

const tabs = createTabs(byId("tabs"), show);

function mountAlways(name, root, load) {
  load()
    .then((m) => m.mount(root, contextOf(createLane())))
    .catch((e) => globalThis.reportError(new Error(`${name}: ${e.message}`)));
}

setTheme(prefs.get("theme", "auto"));
createGate(byId("gate"), byId("main"), { wanted, session, client });
createPill(byId("pill"), contextOf(createLane()), wanted);
createTools(byId("tools"), shared, { drawer, opened, help: shortcuts.show });
for (const name of panels.keys()) {
  shortcuts.add(name[0], `${name} panel`, () => tabs.go(name));
}
mountAlways("time", byId("time"), () => import("./slider.js"));
mountAlways("toasts", byId("toasts"), () => import("./toasts.js"));
tabs.apply();
