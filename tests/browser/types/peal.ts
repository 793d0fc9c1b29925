// SPDX-License-Identifier: BSD-2-Clause
// What the types of the client promise and what they refuse. Compiled, never run: a promise
// that is broken does not compile, and nor does a refusal that has gone.

import {
  connect, PealError,
  type Connection, type Patch, type PealEvent, type Position, type Row, type Store, type Topic,
} from "@peal/client";

type Same<X, Y> =
  (<T>() => T extends X ? 1 : 2) extends (<T>() => T extends Y ? 1 : 2) ? true : false;
function same<X, Y>(_: Same<X, Y>) {}

interface Item { text: string; tags?: string[]; rank?: number }
interface Note { body: string }
interface Events { item_created: Item; item_updated: Patch<Item>; item_deleted: null }

interface Topics {
  [item: `memory.item.${string}`]: Topic<Item, Events>;
  [note: `memory.note.${string}`]: Note;
  [edge: `graph.relation.${string}.${string}.${string}`]: { from: string };
  [log: `job.${string}.log`]: string;
  "system.mode": "day" | "night";
  "memory.size": number;
  [stat: `$stat.${string}`]: { rate: number };
}

const c = connect<Topics>("wss://example.org/v1/ws", {
  getToken: async ({ signal }) => (await fetch("/token", { signal })).text(),
});

export function rows(id: string, n: number) {
  const value = <P extends string>(p: P | readonly P[]) => c.view(p).get("")!.value;
  same<ReturnType<typeof value<"memory.item.*">>, Item>(true);
  const { value: item } = c.view("memory.item.*").get("memory.item.1")!;
  same<typeof item, Item>(true);
  // @ts-expect-error: it may not be there
  c.view("memory.item.*").get("memory.item.1").value;
  const { value: below } = c.view("memory.>").get("memory.size")!;
  same<typeof below, Item | Note | number>(true);
  const { value: one } = c.view("memory.*").get("memory.size")!;
  same<typeof one, number>(true);
  const { value: two } = c.view(["memory.note.*", "system.mode"]).get("system.mode")!;
  same<typeof two, Note | "day" | "night">(true);
  const { value: built } = c.view(`memory.item.${id}`).get("")!;
  same<typeof built, Item>(true);
  const { value: counted } = c.view(`memory.note.${n}`).get("")!;
  same<typeof counted, Note>(true);
  const { value: middle } = c.view("graph.relation.*.knows.*").get("")!;
  same<typeof middle, { from: string }>(true);
  const { value: ends } = c.view("job.*.log").get("")!;
  same<typeof ends, string>(true);
  const { value: deep } = c.view("job.>").get("")!;
  same<typeof deep, string>(true);
  const { value: all } = c.view(">").get("")!;
  same<typeof all, Item | Note | number | string | { from: string }>(true);
  const { value: system } = c.view("$stat.>").get("")!;
  same<typeof system, { rate: number }>(true);
  const { value: undescribed } = c.view("elsewhere.>").get("")!;
  same<typeof undescribed, unknown>(true);
  const { value: anything } = c.view(id).get("")!;
  same<typeof anything, unknown>(true);
  const { value: other } = c.view("job.*.state").get("")!;
  same<typeof other, unknown>(true);
}

export async function views() {
  const view = c.view(["memory.note.*"]);
  const snapshot = view.getSnapshot();
  same<typeof snapshot.rows, ReadonlyMap<string, Row<Note>>>(true);
  const store: Store<Row<Note> | undefined> = view.row("memory.note.1");
  store.subscribe(() => {})();
  view.on("lagged", (l) => l.head.toFixed());
  view.on("error", (e) => e.fatal && e.code === "forbidden");
  // @ts-expect-error: there is no such event
  view.on("event", () => {});
  // @ts-expect-error: a snapshot does not change
  snapshot.rows.set("a", undefined);
  // @ts-expect-error: nor does a row
  snapshot.rows.get("a")!.value = { body: "" };
  const { rows: past, seq } = await c.at(new Date()).state("memory.note.*");
  same<typeof past, Row<Note>[]>(true);
  seq.toFixed();
  const { rows: now } = await c.state("memory.size", { at: 7, minSeq: 9 });
  same<typeof now, Row<number>[]>(true);
}

export async function events(position: Position) {
  const sub = c.subscribe("memory.item.*", { from: position, types: ["item_*"] });
  sub.on("sync", ({ rows: [first] }) => first?.value.text.trim());
  sub.on("event", (e) => {
    same<typeof e.type, keyof Events>(true);
    if (e.type === "item_created") e.data.text.trim();
    // @ts-expect-error: an update may leave it out
    if (e.type === "item_updated") e.data.text.trim();
    // @ts-expect-error: there is no such type
    if (e.type === "item_moved") return;
    // @ts-expect-error: which event is it?
    e.data.text;
  });
  const notes = c.subscribe("memory.note.*", { from: "snapshot" });
  for await (const item of notes) {
    if (item.kind === "sync") same<typeof item.sync.rows, readonly Row<Note>[]>(true);
    else if (item.kind === "event") same<typeof item.event, PealEvent<Note>>(true);
    else same<typeof item.lagged.oldest, number>(true);
  }
  // @ts-expect-error: a position has a log
  c.subscribe("memory.>", { from: 7 });
  // @ts-expect-error: there is no such start
  c.subscribe("memory.>", { from: "oldest" });
  // @ts-expect-error: exactOptionalPropertyTypes: leave it out
  c.subscribe("memory.>", { signal: undefined });
  // @ts-expect-error: there is no such event
  notes.on("events", () => {});
  const unknown: PealEvent<unknown>[] = (await c.history({ reverse: true })).events;
  unknown.at(-1);
  const { events: past, next } = await c.history({ topic: "memory.item.*", limit: 10 });
  same<typeof past, (PealEvent<Item, "item_created"> | PealEvent<Patch<Item>, "item_updated">
    | PealEvent<null, "item_deleted">)[]>(true);
  same<typeof next, number | undefined>(true);
}

export async function appends(id: string, topic: string) {
  const { seq, version } = await c.append(
    `memory.item.${id}`, "item_created", { text: "x" }, { expect: 0, key: "k" });
  same<[typeof seq, typeof version], [number, number]>(true);
  c.append("memory.item.1", "item_updated", { rank: null });
  c.append("memory.item.1", "item_deleted", null);
  c.append("system.mode", "mode_set", "night");
  // @ts-expect-error: it has to have a text
  c.append("memory.item.1", "item_created", { rank: 1 });
  // @ts-expect-error: of another type
  c.append(`memory.item.${id}`, "item_created", { text: 7 });
  // @ts-expect-error: nobody knows this field
  c.append("memory.item.1", "item_updated", { colour: "red" });
  // @ts-expect-error: a type that is not described
  c.append("memory.item.1", "item_vanished", null);
  // @ts-expect-error: neither day nor night
  c.append("system.mode", "mode_set", "dusk");
  // @ts-expect-error: a topic that is not described
  c.append("memroy.item.1", "item_created", { text: "x" });
  // @ts-expect-error: a topic that may be any
  c.append(topic, "item_created", { text: "x" });
  // @ts-expect-error: a pattern is no topic
  c.append("memory.item.*", "item_created", { text: "x" });
  // @ts-expect-error: a version is a number
  c.append("system.mode", "mode_set", "day", { expect: "7" });
  await c.append([
    { topic: `memory.item.${id}`, type: "item_created", data: { text: "x" }, expect: 0 },
    { topic: "system.mode", type: "mode_set", data: "day", key: "k" },
  ], { checks: [{ topic: "memory.size", version: 4 }] });
  await c.append([
    // @ts-expect-error: what holds for one holds for several
    { topic: "memory.item.7", type: "item_created", data: { text: 7 } },
  ]);
  c.emit("memory.note.1", "note_typing", { whatever: true });
  c.emit("memory.item.1", "item_deleted", null);
  // @ts-expect-error: described
  c.emit("memory.item.1", "item_typing", null);
}

/** Where only rows are described, the usual fold rules tell what events have to hold. */
export function usual() {
  const d = connect<{ [doc: `doc.${string}`]: Item }>();
  d.append("doc.1", "doc_created", { text: "x" });
  d.append("doc.1", "doc_updated", { tags: null });
  d.append("doc.1", "tag_added", { tags: "red" });
  d.append("doc.1", "doc_deleted", null);
  // @ts-expect-error: set needs it whole
  d.append("doc.1", "doc_restored", {});
  // @ts-expect-error: one element of the field
  d.append("doc.1", "tag_removed", { tags: ["red"] });
  // @ts-expect-error: no array
  d.append("doc.1", "tag_added", { text: "red" });
  // @ts-expect-error: a number
  d.append("doc.1", "doc_updated", { rank: "1" });
}

/** Without a description everything may be anything. */
export async function untyped(id: string) {
  const d = connect("https://127.0.0.1:8443");
  d.append(id, "any_thing", { a: [1n, new Date(), new Uint8Array(1)] });
  const anything = d.view(id).get(id)?.value.what.ever;
  same<typeof anything, any>(true);
  d.subscribe([id, "b.>"]).on("event", (e) => e.data.what.ever);
  await d.append([{ topic: id, type: "t", data: {} }]);
}

export async function rest(state: Connection) {
  c.connection.subscribe(() => c.connection.getSnapshot().retryAt?.toFixed());
  c.on("connected", ({ welcome }) => welcome.fold.rules[0]?.[0].trim());
  c.on("disconnected", ({ reason, code, retryAt }) => [reason, code, retryAt]);
  // @ts-expect-error: four states there are not
  if (state.state === "closed") return;
  // @ts-expect-error: not before the server has said it
  c.welcome.user;
  // @ts-expect-error: unknown before the first ping
  c.latency.toFixed();
  // @ts-expect-error: nor is the clock known
  c.clock.offset;
  // @ts-expect-error: counters are the client's
  c.counters.gaps = 0;
  try {
    await c.ping();
  } catch (e) {
    if (e instanceof PealError && e.code === "rate_limited") e.retryMs?.toFixed();
    // @ts-expect-error: no such code
    if (e instanceof PealError && e.code === "teapot") return;
  }
  // @ts-expect-error: no such option
  connect("wss://example.org", { token: "x" });
  // @ts-expect-error: a token is a string
  connect("wss://example.org", { getToken: () => 7 });
  connect("wss://example.org", { WebSocket });
  c.close();
}
