// SPDX-License-Identifier: BSD-2-Clause
// What the types of the outbox promise and what they refuse; see peal.ts.

import { connect, type Topic } from "@peal/client";
import { outbox } from "@peal/client/outbox";

interface Topics {
  [item: `memory.item.${string}`]: Topic<{ text: string }, { item_created: { text: string } }>;
}

export async function appends(id: string) {
  const box = outbox(connect<Topics>("wss://example.org/v1/ws"), { store: "notes" });
  const ended = await box.append(`memory.item.${id}`, "item_created", { text: "x" }, { key: "k" });
  if (ended.outcome === "stored") ended.result.seq.toFixed();
  // @ts-expect-error: only what was stored has a result
  ended.result.seq;
  if (ended.outcome === "conflict") ended.error.details["actual"];
  // @ts-expect-error: it has to be a string
  box.append(`memory.item.${id}`, "item_created", { text: 7 });
  // @ts-expect-error: it is not described
  box.append("memroy.item.1", "item_created", { text: "x" });
  // @ts-expect-error: whether it can be taken back is for discard to say
  box.append("memory.item.1", "item_created", { text: "x" }, { signal: AbortSignal.abort() });
  for (const { state, events } of box.getSnapshot().entries)
    if (state !== "settled") events[0]?.key.trim();
  outbox(connect("wss://example.org/v1/ws")).append("any.thing", "at_all", { x: 1 });
}
