// SPDX-License-Identifier: BSD-2-Clause

// The memory graph that rows describe: entities, relations, and who is whose neighbour.
// Names are those in the data; what applying changes one by one gives is what applying
// all the rows at once gives.

const ENTITY = "graph.entity.";
const RELATION = "graph.relation.";

export const GRAPH_TOPICS = "graph.>";

/** A field of a map, which is a Map where an object could not hold its keys. */
function field(value, key) {
  if (value instanceof Map) return value.get(key);
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? value[key]
    : undefined;
}

const text = (v) => (typeof v === "string" && v !== "" ? v : undefined);

/** A token as the name it stands for; undefined where only a digest of it is left. */
export function unescapeToken(token) {
  if (token.length > 120 && /~[0-9a-f]{24}$/.test(token)) return undefined;
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}

/** What a row says: an entity, a relation, or null. */
export function readRow(row) {
  const said = (key) => text(field(row.value, key));
  if (row.topic.startsWith(ENTITY)) {
    const token = row.topic.slice(ENTITY.length);
    const name = said("name") ?? unescapeToken(token) ?? token;
    return { kind: "entity", name, type: said("entityType") ?? "" };
  }
  if (!row.topic.startsWith(RELATION)) return null;
  const tokens = row.topic.slice(RELATION.length).split(".");
  const whole = tokens.length === 3;
  const part = (key, i) =>
    said(key) ?? (whole ? (unescapeToken(tokens[i]) ?? tokens[i]) : undefined);
  const from = part("from", 0);
  const type = part("relationType", 1) ?? "";
  const to = part("to", 2);
  // Of a relation that is only a digest, and says nothing else, the ends are not known.
  return from === undefined || to === undefined
    ? null
    : { kind: "relation", from, type, to };
}

/** Observations as lines of text, whatever the application put there. */
export function observationsOf(row) {
  const value = field(row?.value, "observations");
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((v) =>
    typeof v === "string" ? v : show(v),
  );
}

function show(v) {
  return (
    JSON.stringify(v, (_, x) => (typeof x === "bigint" ? x.toString() : x)) ?? String(v)
  );
}

export class GraphModel {
  constructor() {
    /** Name to node; a node without a row is only spoken of by relations. */
    this.nodes = new Map();
    /** Topic to link. */
    this.links = new Map();
    this.entities = 0;
    /** Grows with each change to which nodes and links there are. */
    this.shape = 0;
    this.claims = new Map(); // topic -> the node that it gave its row to
  }

  /**
   * Follow rows (topic to row). `changed`: the topics that may differ from what was
   * applied before; left out: all. Returns the names of the nodes that are not what they
   * were.
   */
  apply(rows, changed) {
    const touched = new Set();
    if (!changed) {
      for (const topic of [...this.claims.keys(), ...this.links.keys()])
        if (!rows.has(topic)) this.drop(topic, touched);
      changed = rows.keys();
    }
    for (const topic of changed) {
      const row = rows.get(topic);
      if (!row || row.deleted) this.drop(topic, touched);
      else this.take(row, touched);
    }
    return touched;
  }

  take(row, touched) {
    const known =
      this.claims.get(row.topic)?.rows.get(row.topic) ?? this.links.get(row.topic)?.row;
    if (known === row || same(known, row)) return;
    const said = readRow(row);
    if (said?.kind === "entity") this.takeEntity(row, said, touched);
    else if (said) this.takeRelation(row, said, touched);
    else this.drop(row.topic, touched);
  }

  takeEntity(row, said, touched) {
    const before = this.claims.get(row.topic);
    if (before && before.name !== said.name) this.drop(row.topic, touched);
    const node = this.node(said.name);
    if (node.rows.size === 0) this.entities++;
    node.rows.set(row.topic, row);
    this.claims.set(row.topic, node);
    this.choose(node);
    touched.add(node.name);
  }

  takeRelation(row, said, touched) {
    const before = this.links.get(row.topic);
    if (before && before.from.name === said.from && before.to.name === said.to) {
      before.row = row;
      before.type = said.type;
    } else {
      if (before) this.drop(row.topic, touched);
      const from = this.node(said.from);
      const to = this.node(said.to);
      const link = { topic: row.topic, from, to, type: said.type, row };
      this.links.set(row.topic, link);
      from.links.add(link);
      to.links.add(link);
      this.shape++;
    }
    touched.add(said.from).add(said.to);
  }

  drop(topic, touched) {
    const node = this.claims.get(topic);
    if (node) {
      this.claims.delete(topic);
      node.rows.delete(topic);
      this.choose(node);
      if (node.rows.size === 0) this.entities--;
      touched.add(node.name);
      this.sweep(node);
    }
    const link = this.links.get(topic);
    if (link) {
      this.links.delete(topic);
      this.shape++;
      for (const end of [link.from, link.to]) {
        end.links.delete(link);
        touched.add(end.name);
        this.sweep(end);
      }
    }
  }

  node(name) {
    let node = this.nodes.get(name);
    if (!node) {
      node = { name, type: "", row: undefined, rows: new Map(), links: new Set() };
      this.nodes.set(name, node);
      this.shape++;
    }
    return node;
  }

  /** Where several topics claim one name, the one that changed last speaks. */
  choose(node) {
    node.row = undefined;
    for (const row of node.rows.values())
      if (!node.row || row.seq > node.row.seq) node.row = row;
    node.type = node.row ? readRow(node.row).type : "";
  }

  sweep(node) {
    if (node.rows.size > 0 || node.links.size > 0) return;
    if (this.nodes.get(node.name) !== node) return;
    this.nodes.delete(node.name);
    this.shape++;
  }
}

function same(a, b) {
  return (
    a !== undefined &&
    a.version === b.version &&
    a.seq === b.seq &&
    a.updatedTime === b.updatedTime
  );
}

/** The other ends of a node's links: [{link, node, out}], by relation, then name. */
export function neighbours(node) {
  const list = [];
  for (const link of node.links) {
    if (link.from === node) list.push({ link, node: link.to, out: true });
    if (link.to === node && link.from !== node)
      list.push({ link, node: link.from, out: false });
  }
  return list.sort(
    (a, b) =>
      Number(b.out) - Number(a.out) ||
      compare(a.link.type, b.link.type) ||
      compare(a.node.name, b.node.name),
  );
}

/** Nodes that a search means: all words occur in name or type; best connected first. */
export function search(nodes, query, order = "links") {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  for (const node of nodes) {
    const hay = `${node.name}\n${node.type}`.toLowerCase();
    if (words.every((w) => hay.includes(w))) found.push(node);
  }
  return found.sort(
    (a, b) =>
      (order === "links" ? b.links.size - a.links.size : 0) || compare(a.name, b.name),
  );
}

export function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Entity types, the most frequent first: which colour stands for which. */
export function typesOf(nodes) {
  const count = new Map();
  for (const node of nodes)
    if (node.row) count.set(node.type, (count.get(node.type) ?? 0) + 1);
  return [...count]
    .sort((a, b) => b[1] - a[1] || compare(a[0], b[0]))
    .map(([type, n]) => ({ type, n }));
}
