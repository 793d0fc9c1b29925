// SPDX-License-Identifier: BSD-2-Clause
// What the types of the hooks promise and what they refuse; see peal.ts.

import { createElement, type ReactElement } from "react";

import type { Client, Connection, PealEvent, Row, Topic, ViewSnapshot } from "@peal/client";
import {
  PealProvider, useClient, useConnection, useEvents, usePeal, useRow, useRows, useView,
} from "@peal/client/react";

type Same<X, Y> =
  (<T>() => T extends X ? 1 : 2) extends (<T>() => T extends Y ? 1 : 2) ? true : false;
function same<X, Y>(_: Same<X, Y>) {}

interface Item { text: string }
interface Topics {
  [item: `memory.item.${string}`]: Topic<Item, { item_created: Item; item_deleted: null }>;
  "memory.size": number;
}

export function App({ url, id }: { url: string; id?: string }): ReactElement {
  const client = usePeal<Topics>(url, { getToken: () => fetch("/token").then((r) => r.text()) });
  same<typeof client, Client<Topics> | undefined>(true);
  // @ts-expect-error: there is none at first
  client.append("memory.size", "size_set", 1);
  client?.append("memory.size", "size_set", 1);
  // @ts-expect-error: a number
  client?.append("memory.size", "size_set", "1");
  const rows = useRows(client, "memory.item.*");
  same<typeof rows, readonly Row<Item>[]>(true);
  const both = useRows(client, ["memory.item.*", "memory.size"]);
  same<typeof both, readonly Row<Item | number>[]>(true);
  const texts = useRows(client, "memory.>", { select: (all) => all.map(({ value }) => value) });
  same<typeof texts, (Item | number)[]>(true);
  const count = useRows(client, "memory.>", {
    select: ({ length }) => ({ length }), equal: (a, b) => a.length === b.length,
  });
  same<typeof count, { length: number }>(true);
  const row = useRow(client, id && `memory.item.${id}`);
  const size = useRow(client, "memory.size");
  same<typeof size, Row<number> | undefined>(true);
  // @ts-expect-error: it may not be there
  row.value.text;
  const view = useView(client, "memory.>");
  same<typeof view, ViewSnapshot<Item | number>>(true);
  const events = useEvents(client, "memory.item.*", { limit: 10, onLagged: (l) => l.head });
  same<typeof events, readonly
    (PealEvent<Item, "item_created"> | PealEvent<null, "item_deleted">)[]>(true);
  // @ts-expect-error: events are the store's
  events.push(events[0]!);
  // @ts-expect-error: a number
  useEvents(client, "memory.item.*", { limit: "10" });
  same<Connection, ReturnType<typeof useConnection>>(true);
  usePeal(null);
  usePeal();
  // @ts-expect-error: components need a client
  createElement(PealProvider, {});
  return createElement(PealProvider, { client }, createElement(Below));
}

function Below() {
  const client = useClient<Topics>();
  const { state, retryAt } = useConnection(client);
  return state === "disconnected" ? `again at ${retryAt}` : null;
}
