// SPDX-License-Identifier: BSD-2-Clause

// The graph that rows describe, where its nodes come to lie, and which part of it is
// seen: the dashboard's modules that need no browser.  Random changes print their seed.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  GraphModel,
  neighbours,
  observationsOf,
  readRow,
  search,
  typesOf,
  unescapeToken,
} from "../../client/dashboard/graph-model.js";
import { bounds, Layout, random } from "../../client/dashboard/graph-layout.js";
import {
  fit,
  Fingers,
  FARTHEST,
  NEAREST,
  toWorld,
  zoom,
} from "../../client/dashboard/graph-viewport.js";

let seq = 0;

function entity(name, value = {}, topic = `graph.entity.${name}`) {
  return { topic, version: 1, seq: ++seq, deleted: false, value: { name, ...value } };
}

function relation(from, relationType, to) {
  return {
    topic: `graph.relation.${from}.${relationType}.${to}`,
    version: 1,
    seq: ++seq,
    deleted: false,
    value: { from, to, relationType },
  };
}

function rowsOf(...rows) {
  return new Map(rows.map((row) => [row.topic, row]));
}

/** What a model holds, in a form that can be compared. */
function seen(model) {
  return {
    nodes: [...model.nodes.values()]
      .map((n) => [n.name, n.type, n.row?.seq, n.links.size])
      .sort(),
    links: [...model.links.values()]
      .map((l) => [l.topic, l.from.name, l.type, l.to.name])
      .sort(),
    entities: model.entities,
  };
}

test("entities become nodes and relations become links", () => {
  const model = new GraphModel();
  model.apply(
    rowsOf(
      entity("ada", { entityType: "person" }),
      entity("bob"),
      relation("ada", "knows", "bob"),
    ),
  );
  assert.deepEqual([...model.nodes.keys()], ["ada", "bob"]);
  assert.equal(model.nodes.get("ada").type, "person");
  assert.deepEqual(
    neighbours(model.nodes.get("bob")).map((n) => [n.node.name, n.out]),
    [["ada", false]],
  );
});

test("names are those in the data, whatever the topic says", () => {
  const row = entity("a.b", { entityType: "x" }, "graph.entity.a%2Eb");
  assert.equal(readRow(row).name, "a.b");
  const digest = {
    ...relation("x", "y", "z"),
    topic: "graph.relation.~.0123456789abcdef",
  };
  assert.deepEqual(readRow(digest), { kind: "relation", from: "x", type: "y", to: "z" });
});

test("a name that the data lack is read from the topic", () => {
  const row = { topic: "graph.entity.a%2Eb", value: null, seq: 1 };
  assert.equal(readRow(row).name, "a.b");
  const link = { topic: "graph.relation.a%25.is%20in.c", value: 7, seq: 1 };
  assert.deepEqual(readRow(link), {
    kind: "relation",
    from: "a%",
    type: "is in",
    to: "c",
  });
});

test("a digest without names in its data is no link", () => {
  const row = { topic: "graph.relation.~.0123456789abcdef01234567", value: {}, seq: 1 };
  assert.equal(readRow(row), null);
  assert.equal(unescapeToken(`${"a".repeat(120)}~${"0".repeat(24)}`), undefined);
});

test("a token that decodes to nothing stands for itself", () => {
  assert.equal(unescapeToken("100%"), "100%");
  assert.equal(unescapeToken("%C3%A9"), "é");
});

test("topics that are no entity and no relation change nothing", () => {
  const model = new GraphModel();
  model.apply(
    rowsOf(
      { topic: "graph.note.x", value: { name: "x" }, seq: 1 },
      { topic: "note.7", value: {}, seq: 2 },
    ),
  );
  assert.equal(model.nodes.size, 0);
});

test("a relation to what is not there keeps a place for it", () => {
  const model = new GraphModel();
  const link = relation("ada", "knows", "bob");
  const rows = rowsOf(entity("ada"), link);
  model.apply(rows);
  assert.equal(model.nodes.get("bob").row, undefined);
  assert.equal(model.entities, 1);
  rows.delete(link.topic);
  assert.deepEqual([...model.apply(rows, [link.topic])].sort(), ["ada", "bob"]);
  assert.equal(model.nodes.has("bob"), false);
});

test("a deleted entity leaves its relations as they are", () => {
  const model = new GraphModel();
  const ada = entity("ada");
  const rows = rowsOf(ada, entity("bob"), relation("ada", "knows", "bob"));
  model.apply(rows);
  rows.delete(ada.topic);
  model.apply(rows, [ada.topic]);
  assert.equal(model.links.size, 1);
  assert.equal(model.nodes.get("ada").row, undefined);
  assert.equal(model.entities, 1);
});

test("an entity may be its own neighbour", () => {
  const model = new GraphModel();
  model.apply(rowsOf(entity("ada"), relation("ada", "knows", "ada")));
  assert.equal(neighbours(model.nodes.get("ada")).length, 1);
});

test("names that objects have of their own are names like others", () => {
  const model = new GraphModel();
  model.apply(
    rowsOf(
      entity("__proto__"),
      entity("constructor"),
      relation("__proto__", "toString", "constructor"),
    ),
  );
  assert.equal(model.nodes.size, 2);
  assert.equal(Object.prototype.polluted, undefined);
  assert.equal(neighbours(model.nodes.get("__proto__"))[0].node.name, "constructor");
});

test("values of any shape make no exception", () => {
  const model = new GraphModel();
  for (const value of [
    null,
    undefined,
    1,
    "x",
    [],
    [1],
    { name: 7 },
    { name: "" },
    { name: {}, entityType: [] },
    10n,
    new Map([[1, 2]]),
  ]) {
    model.apply(rowsOf({ ...entity("x"), seq: ++seq, value }));
    assert.deepEqual([...model.nodes.keys()], ["x"]);
    observationsOf(model.nodes.get("x").row);
  }
  assert.deepEqual(observationsOf({ value: { observations: ["a", { b: 1n }, null] } }), [
    "a",
    '{"b":"1"}',
    "null",
  ]);
  assert.deepEqual(observationsOf({ value: { observations: "alone" } }), ["alone"]);
});

test("a map that no object could hold is read, too", () => {
  const value = new Map([
    ["name", "a"],
    ["entityType", "t"],
    ["observations", ["o"]],
    [1, 2],
  ]);
  const row = { topic: "graph.entity.b", seq: 1, value };
  assert.deepEqual(readRow(row), { kind: "entity", name: "a", type: "t" });
  assert.deepEqual(observationsOf(row), ["o"]);
});

test("changes one by one give what all rows at once give", () => {
  const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
  console.log(`# seed ${seed}`);
  const next = random(seed);
  const pick = (n) => Math.floor(next() * n);
  const rows = new Map();
  const model = new GraphModel();
  for (let round = 0; round < 400; round++) {
    const changed = new Set();
    for (let i = 0; i <= pick(4); i++) {
      const name = `n${pick(12)}`;
      // Sometimes two topics claim one name, or a topic changes its mind.
      const row = pick(2)
        ? entity(`n${pick(12)}`, { entityType: `t${pick(3)}` }, `graph.entity.${name}`)
        : { ...relation(name, `r${pick(2)}`, `n${pick(12)}`) };
      if (pick(4) === 0 && row.topic.startsWith("graph.r"))
        row.value.from = `n${pick(12)}`;
      changed.add(row.topic);
      if (pick(3) === 0) rows.delete(row.topic);
      else rows.set(row.topic, row);
    }
    model.apply(rows, changed);
    const whole = new GraphModel();
    whole.apply(rows);
    assert.deepEqual(seen(model), seen(whole), `round ${round}`);
  }
});

test("applying all rows again drops what is gone and touches nothing else", () => {
  const model = new GraphModel();
  const rows = rowsOf(entity("ada"), entity("bob"), relation("ada", "knows", "bob"));
  model.apply(rows);
  assert.equal(model.apply(new Map(rows)).size, 0);
  const shape = model.shape;
  const less = new Map(rows);
  less.delete("graph.entity.bob");
  assert.deepEqual([...model.apply(less)], ["bob"]);
  assert.equal(model.shape, shape);
});

test("a search means all its words, in names and types, best connected first", () => {
  const model = new GraphModel();
  model.apply(
    rowsOf(
      entity("cache/cache.h", { entityType: "file" }),
      entity("cache/cache.c", { entityType: "file" }),
      entity("ada", { entityType: "author" }),
      relation("ada", "changed", "cache/cache.c"),
    ),
  );
  const names = (q, o) => search(model.nodes.values(), q, o).map((n) => n.name);
  assert.deepEqual(names("CACHE file"), ["cache/cache.c", "cache/cache.h"]);
  assert.deepEqual(names("author"), ["ada"]);
  assert.deepEqual(names("", "name"), ["ada", "cache/cache.c", "cache/cache.h"]);
  assert.deepEqual(names("nothing"), []);
  assert.deepEqual(typesOf(model.nodes.values()), [
    { type: "file", n: 2 },
    { type: "author", n: 1 },
  ]);
});

/* --- where nodes lie --- */

/** A graph of n nodes, each linked to one before it. */
function tree(n, seed) {
  const next = random(seed);
  const ends = new Uint32Array(2 * (n - 1));
  for (let i = 1; i < n; i++) {
    ends[2 * i - 2] = i;
    ends[2 * i - 1] = Math.floor(next() * i);
  }
  return { keys: Array.from({ length: n }, (_, i) => `n${i}`), ends };
}

function settle(layout) {
  let steps = 0;
  while (layout.step()) if (++steps > 1000) throw new Error("it does not come to rest");
  return steps;
}

test("the same graph and seed come to rest in the same places", () => {
  const places = [0, 1].map(() => {
    const layout = new Layout(7);
    const { keys, ends } = tree(300, 1);
    layout.set(keys, ends);
    settle(layout);
    return [...layout.x, ...layout.y];
  });
  assert.deepEqual(places[0], places[1]);
  assert.ok(places[0].every(Number.isFinite));
});

test("linked nodes lie closer than others", () => {
  const layout = new Layout(1);
  const { keys, ends } = tree(200, 2);
  layout.set(keys, ends);
  settle(layout);
  const far = (a, b) => Math.hypot(layout.x[a] - layout.x[b], layout.y[a] - layout.y[b]);
  let [linked, all, pairs] = [0, 0, 0];
  for (let l = 0; l < ends.length; l += 2) linked += far(ends[l], ends[l + 1]);
  for (let a = 0; a < 200; a++) for (let b = 0; b < a; b++, pairs++) all += far(a, b);
  assert.ok(linked / (ends.length / 2) < all / pairs / 3);
});

test("cells of the tree repel as all bodies together do", () => {
  const layout = new Layout(3);
  const { keys } = tree(400, 3);
  layout.set(keys, new Uint32Array(0));
  layout.plant();
  layout.alpha = 1;
  layout.push();
  const [vx, vy] = [layout.vx.slice(), layout.vy.slice()];
  let [wrong, right] = [0, 0];
  for (let i = 0; i < 400; i++) {
    let [fx, fy] = [0, 0];
    for (let j = 0; j < 400; j++) {
      if (i === j) continue;
      const dx = layout.x[j] - layout.x[i];
      const dy = layout.y[j] - layout.y[i];
      const d2 = Math.max(dx * dx + dy * dy, 1);
      fx -= (42 * dx) / d2;
      fy -= (42 * dy) / d2;
    }
    wrong += Math.hypot(fx - vx[i], fy - vy[i]);
    right += Math.hypot(fx, fy);
  }
  assert.ok(wrong / right < 0.05, `off by ${(100 * wrong) / right} %`);
});

test("nodes in one place part, and no number is lost", () => {
  const layout = new Layout(1);
  const n = 64;
  layout.set(
    Array.from({ length: n }, (_, i) => i),
    new Uint32Array([0, 1, 1, 1]),
  );
  layout.x.fill(5);
  layout.y.fill(5);
  settle(layout);
  assert.ok([...layout.x, ...layout.y].every(Number.isFinite));
  const places = new Set([...layout.x].map((x, i) => `${x},${layout.y[i]}`));
  assert.equal(places.size, n);
});

test("what was there stays there, and what is new begins beside a neighbour", () => {
  const layout = new Layout(1);
  const { keys, ends } = tree(50, 1);
  layout.set(keys, ends);
  settle(layout);
  const before = [layout.x[10], layout.y[10]];
  layout.set(["new", ...keys.slice(5)], new Uint32Array([0, 6]));
  assert.deepEqual([layout.x[6], layout.y[6]], before);
  assert.ok(Math.hypot(layout.x[0] - before[0], layout.y[0] - before[1]) < 30);
  assert.equal(layout.resting, false);
  settle(layout);
  assert.equal(layout.count, 46);
});

test("a graph of nothing, and of one, rest at once and soon", () => {
  const layout = new Layout(1);
  layout.set([], new Uint32Array(0));
  assert.equal(layout.step(), false);
  assert.equal(bounds(layout), null);
  layout.set(["alone"], new Uint32Array([0, 0]));
  settle(layout);
  assert.ok(Number.isFinite(layout.x[0]));
});

/* --- which part is seen --- */

test("zooming keeps what is under the pointer under it, within bounds", () => {
  let v = { k: 1, x: 10, y: 20 };
  const before = toWorld(v, 100, 50);
  v = zoom(v, 1.7, 100, 50);
  assert.ok(Math.abs(toWorld(v, 100, 50)[0] - before[0]) < 1e-9);
  assert.equal(zoom(v, 1e9, 0, 0).k, NEAREST);
  assert.equal(zoom(v, 0, 0, 0).k, FARTHEST);
});

test("what fits is seen whole", () => {
  const box = [-500, -20, 300, 90];
  const v = fit(box, 400, 300);
  for (const [x, y] of [
    [box[0], box[1]],
    [box[2], box[3]],
  ]) {
    assert.ok(x * v.k + v.x >= 0 && x * v.k + v.x <= 400);
    assert.ok(y * v.k + v.y >= 0 && y * v.k + v.y <= 300);
  }
  assert.deepEqual(fit(null, 400, 300), { k: 1, x: 200, y: 150 });
  assert.ok(Number.isFinite(fit([1, 1, 1, 1], 0, 0).k));
});

test("one finger pans, two pinch about the middle, a third is ignored", () => {
  const f = new Fingers();
  f.down(1, 0, 0);
  let v = f.move({ k: 1, x: 0, y: 0 }, 1, 10, 5);
  assert.deepEqual(v, { k: 1, x: 10, y: 5 });
  f.down(2, 110, 5);
  f.down(3, 500, 500);
  assert.equal(f.move(v, 3, 0, 0), v);
  const middle = toWorld(v, 60, 5);
  v = f.move(v, 2, 210, 5);
  assert.equal(v.k, 2);
  assert.deepEqual(toWorld(v, 110, 5), middle);
  f.up(2);
  assert.equal(f.size, 1);
});
