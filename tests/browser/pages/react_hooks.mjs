// SPDX-License-Identifier: BSD-2-Clause
// Components for react.test.mjs, bundled by it: each scene is rendered under StrictMode, and
// what happens to sockets, views and renders is counted.

import { Activity, StrictMode, createElement as h, useState } from "react";
import { createRoot } from "react-dom/client";

import { connect } from "../../../client/peal.js";
import {
  PealProvider, useClient, useConnection, useEvents, usePeal, useRow, useRows, useView,
} from "../../../client/react.js";

const sockets = [];
class CountedWebSocket extends WebSocket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
  }
}
window.WebSocket = CountedWebSocket;

const count = { views: 0, closed: 0, subscriptions: 0, ended: 0, renders: {} };
const rendered = (name) => (count.renders[name] = (count.renders[name] ?? 0) + 1);

/** Counts what is opened and closed. */
function counted(client) {
  const { view, subscribe } = client;
  client.view = (...args) => {
    const made = view.apply(client, args);
    const { close } = made;
    count.views++;
    made.close = () => {
      count.closed++;
      close.call(made);
    };
    return made;
  };
  client.subscribe = (...args) => {
    const made = subscribe.apply(client, args);
    const { unsubscribe } = made;
    count.subscriptions++;
    made.unsubscribe = () => {
      count.ended++;
      unsubscribe.call(made);
    };
    return made;
  };
  return client;
}

let token, client, root, set;

/** A component with a state that the test sets; it starts with it, too. */
function Scene({ make, props }) {
  const [value, change] = useState(props);
  set = change;
  return h(make, value);
}

function Rows({ client: c = client, name, patterns, select, others = [] }) {
  const rows = useRows(c, patterns, select && { select });
  rendered(name);
  return h("ul", { id: name },
    rows.map((row) => h("li", { key: row.topic ?? row }, row.value?.text ?? row)),
    others.map((props) => h(Rows, { key: props.name, ...props })));
}

function One({ topic, name = topic, from = client }) {
  const row = useRow(from, topic);
  rendered(name);
  return h("li", { id: name }, row ? row.value.text : "none");
}

const scenes = {
  /** A client of the component's own. */
  Own({ url, none }) {
    const c = usePeal(none ? null : url, { getToken: () => token });
    const { state } = useConnection(c);
    const rows = useRows(c, "react.note.*");
    rendered("own");
    return h("div", null, h("p", { id: "state" }, `${c ? "some" : "no"} ${state}`),
      h("p", { id: "rows" }, rows.map(({ value }) => value.text).join()));
  },

  Hidden({ url, mode }) {
    return h(Activity, { mode }, h(scenes.Own, { url }));
  },

  /** Two that want the same, in arrays of each render, and a button to render again. */
  Shared({ turn, second }) {
    return h("div", { id: "turn", "data-turn": turn },
      h(Rows, { name: "first", patterns: ["react.note.*", "react.other.*"] }),
      second && h(Rows, { name: "second", patterns: ["react.other.*", "react.note.*"] }));
  },

  /** Rows below a list that has their topics; the list may go. */
  List({ list, topics }) {
    return h("div", null,
      list && h(Rows, { name: "list", patterns: "react.note.*" }),
      h("ul", null, topics.map((topic) => h(One, { key: topic, topic }))));
  },

  Selected() {
    return h(Rows, {
      name: "selected", patterns: "react.note.*",
      select: (rows) => rows.map(({ value }) => value.text).filter((text) => text > "m"),
    });
  },

  Events({ limit, types }) {
    const events = useEvents(client, ["react.event.*"], { limit, types });
    rendered("events");
    return h("p", { id: "events" }, events.map(({ data }) => data.n).join());
  },

  Given() {
    const Below = () => {
      const { rows, complete } = useView(useClient(), "react.note.*");
      return h("p", { id: "given" }, `${rows.size} ${complete}`);
    };
    return h(PealProvider, { client }, h(Below));
  },

  Alone() {
    useClient();
  },
};

window.scene = {
  count,
  sockets: () => sockets.map(({ readyState }) => readyState),
  begin(with_) {
    token = with_;
    client = counted(connect("/", { getToken: () => token }));
  },
  show(name, props) {
    root ??= createRoot(document.getElementById("root"), {
      onUncaughtError: (e) => (window.scene.uncaught = e.message),
    });
    root.render(h(StrictMode, null, h(Scene, { key: name, make: scenes[name], props })));
  },
  set: (props) => set(props),
  hide() {
    root.unmount();
    root = undefined;
  },
};
