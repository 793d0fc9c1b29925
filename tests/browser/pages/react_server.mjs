// SPDX-License-Identifier: BSD-2-Clause
// What a server makes of components with hooks; bundled by react.test.mjs.

import { createElement as h } from "react";
import { renderToString } from "react-dom/server";

import {
  PealProvider, useClient, useConnection, useEvents, usePeal, useRow, useRows, useView,
} from "../../../client/react.js";

/** HTML, and how many sockets it opened. */
export function render() {
  let opened = 0;
  class WebSocket {
    constructor() {
      opened++;
    }
  }
  const Page = () => {
    const client = usePeal(undefined, { WebSocket });
    const { state } = useConnection(client);
    const rows = useRows(client, ["a.*"]);
    const n = useRows(client, "a.*", { select: ({ length }) => length });
    const { complete } = useView(useClient(), "a.*");
    return h("p", null, [
      client, state, rows.length, n, complete, useRow(client, "a.b"),
      useEvents(client, "a.>").length,
    ].map(String).join());
  };
  return { html: renderToString(h(PealProvider, { client: undefined }, h(Page))), opened };
}
