// SPDX-License-Identifier: BSD-2-Clause

// Views of the real system: while connections are reset, gateways and the broker killed, and
// everything a rule can fold happens, each ends with what the server says, whole rows.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect } from "../../client/peal.js";
import { until } from "./lib/await.mjs";
import { startHouse } from "./lib/house.mjs";
import { append, seedOf } from "./lib/load.mjs";
import { startProxy } from "./lib/proxy.mjs";
import { random } from "./lib/random.mjs";

const house = await startHouse({ after }, { gateways: 2,
  options: ["ring.slots=1024", "ring.payload_bytes=1M", "broker.tombstone_seconds=1"] });

/** Events of every kind, some topics of which come back after they were deleted. */
function makeEvents(dice, n) {
  return Array.from({ length: n }, () => {
    const topic = `v.${dice.pick(["a", "b"])}.${dice.int(15)}`;
    const [type, data] = dice.pick([
      ["item_created", { n: dice.int(9), deep: { x: dice.int(3) } }],
      ["item_updated", { m: dice.int(9), n: null, deep: { y: dice.int(3) } }],
      ["item_updated", { deep: { x: null } }], ["item_deleted", null],
      ["item_restored", { back: dice.int(9) }], ["tag_added", { tags: dice.int(4) }],
      ["tag_removed", { tags: dice.int(4) }], ["item_seen", 1],
    ]);
    return { topic, type, data };
  });
}

const plain = (rows) => Object.fromEntries([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));

test("views end with what the server says, whatever happened meanwhile", async (t) => {
  const dice = random(seedOf(t));
  const proxy = await startProxy(t, house);
  const clients = Array.from({ length: 3 }, () => connect(house.socketUrl(proxy.port),
    { getToken: () => house.token, minDelay: 20, maxDelay: 200 }));
  t.after(() => clients.forEach((client) => client.close()));
  const views = [
    [clients[0].view("v.>"), ["v.>"]],
    [clients[0].view("v.a.*"), ["v.a.*"]],
    [clients[1].view(["v.a.>", "v.b.1"], { conflate: 50 }), ["v.a.>", "v.b.1"]],
    [clients[2].view("v.>", { conflate: 20 }), ["v.>"]],
  ];
  await Promise.all(views.map(([v]) => v.ready));
  let head = 0;
  for (let round = 0; round < 60; round++) {
    head = await append(house, ...makeEvents(dice, 1 + dice.int(round % 10 ? 8 : 128)));
    if (dice.chance(0.15)) proxy.reset();
    if (round === 20) await house.replace("gateway");
    if (round === 40) await house.replace("broker");
  }
  // Of each topic the last event is seen by everybody.
  for (const [v, patterns] of views) {
    await until(`a view of ${patterns} has come to ${head}`, async () => {
      const rows = await house.state(...patterns);
      assert.deepEqual(plain(v.getSnapshot().rows), plain(rows));
      return v.getSnapshot().complete;
    }, { every: 200 });
  }
  const reconnects = clients.map(({ counters }) => counters.reconnects);
  t.diagnostic(`reconnects: ${reconnects}, lagged: ${clients.map((c) => c.counters.lagged)}`);
  assert.ok(reconnects.every((n) => n > 0));
  for (const { counters } of clients)
    assert.deepEqual([counters.gaps, counters.malformed, counters.thrown], [0, 0, 0]);
});

test("a view that would be wrong is told from one that is right", async () => {
  const rows = await house.state("v.>");
  const [[topic, row]] = rows;
  const wrong = new Map(rows).set(topic, { ...row, createdTime: row.createdTime + 1 });
  assert.notDeepEqual(plain(wrong), plain(rows));
});
