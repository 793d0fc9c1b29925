// SPDX-License-Identifier: BSD-2-Clause
// Patterns of topics and globs of types.
// Only a pattern whose own first token says so matches a topic that begins with `$`.

export function matches(pattern, topic) {
  const p = pattern.split(".");
  const t = topic.split(".");
  if (topic[0] === "$" && p[0] !== t[0]) return false;
  for (let i = 0; i < p.length; i++) {
    if (p[i] === ">" && i === p.length - 1) return t.length > i;
    if (i >= t.length || (p[i] !== "*" && p[i] !== t[i])) return false;
  }
  return p.length === t.length;
}

/** `*` stands for any run of characters. */
export function matchesGlob(glob, type) {
  const parts = glob.split("*");
  if (parts.length === 1) return glob === type;
  const last = parts.pop();
  if (!type.startsWith(parts[0])) return false;
  let at = parts[0].length;
  for (const part of parts.slice(1)) {
    const found = type.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return type.length - last.length >= at && type.endsWith(last);
}
