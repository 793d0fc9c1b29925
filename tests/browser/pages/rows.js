// SPDX-License-Identifier: BSD-2-Clause

// The rows of w.> as a page holds them that folds for itself, with the three folds that
// the tests' load uses.

export function foldRows(client) {
  const rows = new Map();
  let seq = 0;
  const sub = client.subscribe("w.>", { from: "snapshot" });
  sub.on("sync", (sync) => {
    if (sync.full) rows.clear();
    for (const row of sync.rows) rows.set(row.topic, row);
    ({ seq } = sync);
  });
  sub.on("event", (e) => {
    const row = rows.get(e.topic);
    let { value = {}, deleted = false } = row ?? {};
    if (e.type === "item_created") [value, deleted] = [e.data, false];
    else if (e.type === "item_updated") value = { ...value, ...e.data };
    else [value, deleted] = [row ? value : null, true];
    rows.set(e.topic, { topic: e.topic, version: e.version, seq: e.seq, value, deleted });
    ({ seq } = e);
  });
  sub.on("mark", (mark) => ({ seq } = mark));
  return {
    getSnapshot: () => ({
      rows: new Map([...rows].filter(([, row]) => !row.deleted)), seq, complete: sub.live,
    }),
  };
}
