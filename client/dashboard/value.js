// SPDX-License-Identifier: BSD-2-Clause

// Shows what events and rows hold: in one line, as indented text with colours, and as the
// differences between two values. Work is bounded by what is shown, not by what there is,
// and what JSON lacks is written in the protocol's JSON form.

import { h } from "./dom.js";

const INDENT = "  ";

function base64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** What JSON lacks as the JSON form has it; undefined: it is plain. */
function special(value, most) {
  if (typeof value === "bigint") return { $int: String(value) };
  if (typeof value === "number" && !Number.isFinite(value))
    return { $float: String(value) };
  if (value instanceof Date) return { $time: value.toISOString() };
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const cut = bytes.length > most;
    return { $bin: base64(cut ? bytes.subarray(0, most) : bytes) + (cut ? "…" : "") };
  }
  return undefined;
}

/** The pairs of a map, or null for what is none. */
export function entriesOf(value) {
  if (value instanceof Map) return [...value];
  if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
  return Object.keys(value).map((key) => [key, value[key]]);
}

const keyText = (key) => JSON.stringify(typeof key === "string" ? key : brief(key, 80));

/** Writes pieces until `left` is used up; then it is cut. */
class Writer {
  constructor(left, emit) {
    this.left = left;
    this.emit = emit;
    this.cut = false;
  }

  put(kind, text) {
    if (this.cut) return;
    if (text.length > this.left) {
      this.emit(kind, text.slice(0, Math.max(0, this.left)));
      this.cut = true;
      return;
    }
    this.left -= text.length;
    this.emit(kind, text);
  }

  leaf(value) {
    if (typeof value === "string") {
      const long = value.length > this.left;
      this.put("s", JSON.stringify(long ? value.slice(0, this.left + 1) : value));
    } else if (typeof value === "number") this.put("n", String(value));
    else this.put("w", value === undefined ? "null" : String(value));
  }

  list(open, close, items, each, level) {
    this.put("x", open);
    const lines = level !== null && items.length > 0;
    for (let i = 0; i < items.length && !this.cut; i++) {
      if (i > 0) this.put("x", lines ? "," : ", ");
      if (lines) this.put("x", `\n${INDENT.repeat(level + 1)}`);
      each(items[i]);
    }
    if (lines) this.put("x", `\n${INDENT.repeat(level)}`);
    this.put("x", close);
  }

  /** `level` null: in one line. */
  value(value, level) {
    if (this.cut) return;
    const tagged = special(value, Math.max(0, this.left));
    const pairs = entriesOf(tagged ?? value);
    const inner = level === null ? null : level + 1;
    if (tagged) {
      const [[key, text]] = pairs;
      this.put("x", `{"${key}": `);
      this.leaf(text);
      this.put("x", "}");
    } else if (Array.isArray(value)) {
      this.list("[", "]", value, (item) => this.value(item, inner), level);
    } else if (pairs) {
      this.list(
        "{",
        "}",
        pairs,
        ([key, item]) => {
          this.put("k", keyText(key));
          this.put("x", ": ");
          this.value(item, inner);
        },
        level,
      );
    } else this.leaf(value);
  }
}

/** In one line of at most `most` characters. */
export function brief(value, most = 200) {
  let text = "";
  const writer = new Writer(most, (_, piece) => {
    text += piece;
  });
  writer.value(value, null);
  return writer.cut ? `${text}…` : text;
}

/**
 * An element that shows the value, indented and coloured; cut at `most`, with a button.
 */
export function showValue(value, most = 20_000) {
  const pre = h("pre", {
    class: "json",
    tabindex: "0",
    role: "group",
    "aria-label": "Value",
  });
  const writer = new Writer(most, (kind, piece) => {
    pre.append(kind === "x" ? piece : h("span", { class: kind }, piece));
  });
  writer.value(value, 0);
  if (writer.cut) {
    const more = () => pre.replaceWith(showValue(value, most * 50));
    pre.append(
      "… ",
      h("button", { type: "button", class: "link", on: { click: more } }, "Show more"),
    );
  }
  return pre;
}

function isSame(a, b) {
  return Object.is(a, b) || (typeof a === typeof b && brief(a, 1e6) === brief(b, 1e6));
}

/**
 * How `after` differs from `before`, as at most `most` of { path, kind, before, after };
 * kind: "added", "removed", "changed". Arrays are compared element by element.
 */
export function diff(before, after, most = 100) {
  const found = [];
  const walk = (a, b, path) => {
    if (found.length > most || isSame(a, b)) return;
    const both = Array.isArray(a) && Array.isArray(b);
    const left = both ? [...a.entries()] : entriesOf(a);
    const right = both ? [...b.entries()] : entriesOf(b);
    if (!left || !right || special(a, 0) || special(b, 0)) {
      found.push({ path, kind: "changed", before: a, after: b });
      return;
    }
    const step = (key) => {
      if (both) return `${path}[${key}]`;
      const name = typeof key === "string" ? key : brief(key, 40);
      return path === "" ? name : `${path}.${name}`;
    };
    const old = new Map(left);
    const now = new Map(right);
    for (const [key, value] of now) {
      if (old.has(key)) walk(old.get(key), value, step(key));
      else found.push({ path: step(key), kind: "added", after: value });
    }
    for (const [key, value] of old) {
      if (!now.has(key)) found.push({ path: step(key), kind: "removed", before: value });
    }
  };
  walk(before, after, "");
  return found.slice(0, most);
}
