// SPDX-License-Identifier: BSD-2-Clause
// The state of a topic from its events, as doc/protocol.md ("Folding") has it.
// Nothing that is given is changed: a new row shares with the old one what stays the same.
//
// What JavaScript can't tell apart is equal here: 1 and 1.0, and maps whose keys are the same
// whole numbers in another order. Of two such elements `add` takes one, `remove` both.

import { encode } from "./codec.js";
import { KNOWN_TYPES, LEVELS_ABOVE, MAX_ROW } from "./limits.js";
import { typeMatcher } from "./topic.js";

/** Rules of a welcome -> the same, compiled, and types -> what these say. */
const known = new WeakMap();

function ruleFor({ topic, type }, rules) {
  if (topic[0] === "$") return "set";
  if (!known.has(rules))
    known.set(rules, [rules.map(([glob, rule]) => [typeMatcher([glob]), rule]), new Map()]);
  const [all, types] = known.get(rules);
  if (types.size > KNOWN_TYPES) types.clear();
  if (!types.has(type)) types.set(type, all.find(([matches]) => matches(type))?.[1]);
  return types.get(type);
}

const isMap = (x) => x instanceof Map ||
  (x && Object.getPrototypeOf(x) === Object.prototype);

const pairsOf = (x) => (x instanceof Map ? [...x] : Object.entries(x));

const bytesOf = (x) => encode(x).join();

/** The pairs of a map by what makes two keys equal; of what is none: no pairs. */
function open(x) {
  return new Map(isMap(x) ? pairsOf(x).map((pair) =>
    // Half a surrogate pair is in no string that was decoded.
    [typeof pair[0] === "string" ? pair[0] : "\ud800" + bytesOf(pair[0]), pair]) : []);
}

function close(m) {
  const pairs = [...m.values()];
  return pairs.every(([key]) => typeof key === "string")
    ? Object.fromEntries(pairs) : new Map(pairs);
}

/** RFC 7396, for maps with any keys. */
function merge(value, patch) {
  if (!isMap(patch)) return patch;
  const m = open(value);
  let same = isMap(value);
  for (const [id, [key, v]] of open(patch)) {
    const old = m.get(id)?.[1];
    const made = merge(old, v);
    if (made === null ? !m.delete(id) : made === old) continue;
    if (made !== null) m.set(id, [key, made]);
    same = false;
  }
  return same ? value : close(m);
}

/** The value with the element of `data` in its field, or without; undefined: it can't be. */
function change(value, data, add) {
  const pairs = [...open(data)];
  if (pairs.length !== 1 || !(value === null || isMap(value))) return;
  const [[id, [key, element]]] = pairs;
  const m = open(value);
  const list = m.has(id) ? m.get(id)[1] : [];
  if (!Array.isArray(list)) return;
  const bytes = bytesOf(element);
  const others = list.filter((x) =>
    !(Object.is(x, element) || (typeof x === "object" && bytesOf(x) === bytes)));
  if (add === others.length < list.length) return value ?? {};
  try {
    encode(element, LEVELS_ABOVE);
  } catch {
    return;
  }
  m.set(id, [key, add ? [...others, element] : others]);
  return close(m);
}

function next(value, data, rule) {
  if (rule === "set") return data;
  if (rule === "merge") return merge(value, data);
  if (rule === "add" || rule === "remove") return change(value, data, rule === "add");
}

/** No less than the bytes of a value, found much sooner than they are. */
function weigh(x) {
  if (typeof x === "string") return 5 + 3 * x.length;
  if (typeof x !== "object" || !x) return 9;
  if (x instanceof Uint8Array) return 6 + x.length;
  let sum = 15;
  if (Array.isArray(x)) for (const v of x) sum += weigh(v);
  else if (x instanceof Map) for (const [k, v] of x) sum += weigh(k) + weigh(v);
  else for (const k in x) sum += weigh(k) + weigh(x[k]);
  return sum;
}

// What is beside the value are three strings of 511 bytes in all at most, and numbers.
const fits = (row) => weigh(row.value) < MAX_ROW - 1000 ||
  encode(Object.values(row)).length <= MAX_ROW;

/** The row after event `e`; `row` is undefined before the first. `rules` are the welcome's. */
export function fold(row, e, rules) {
  const { topic, version, seq, time, actor, data } = e;
  const rule = ruleFor(e, rules);
  const before = row ? row.value : null;
  const touched = {
    createdTime: time, createdBy: actor, deleted: false, value: data,
    ...row,
    topic, version, seq, updatedTime: time, updatedBy: actor,
  };
  if (rule === "delete") return { ...touched, deleted: true, value: before };
  const value = next(before, data, rule);
  const made = value === undefined
    ? touched : { ...touched, deleted: rule !== "set" && touched.deleted, value };
  return fits(made) ? made : { ...touched, value: before };
}
