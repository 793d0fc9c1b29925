// SPDX-License-Identifier: BSD-2-Clause
// What the types of shared connections promise and what they refuse; see peal.ts.

import { connect as connectAlone, type Topic } from "@peal/client";
import { connect, sharedWebSocket } from "@peal/client/shared";

interface Topics {
  "system.mode": Topic<"day" | "night", { mode_set: "day" | "night" }>;
}

export function shares() {
  const c = connect<Topics>(undefined, { shared: { fallback: (e) => e.message.trim() } });
  c.append("system.mode", "mode_set", "day");
  // @ts-expect-error: it is not described
  c.append("system.mood", "mode_set", "day");
  // @ts-expect-error: an address, or none
  connect("wss://example.org/v1/ws", { shared: { worker: 7 } });
  connectAlone("wss://example.org/v1/ws", { WebSocket: sharedWebSocket() });
}
