// SPDX-License-Identifier: BSD-2-Clause
// Patterns of topics, and globs of types.
// No pattern or glob makes matching take long: there is nothing to go back to and try again.

/** Tells of a topic whether one of the patterns matches it. */
export function matcher(patterns) {
  const sources = patterns.map((pattern) => pattern
    .replace(/[\\^$.+?()[\]{}|]/g, "\\$&")
    // Topics of the system are matched by patterns whose first token says so alone.
    .replace(/^[*>]/, "(?!\\$)$&")
    .replace(/\*/g, "[^.]+")
    .replace(/>$/, "[^]+"));
  const any = RegExp(`^(?:${sources.join("|")})$`);
  return (topic) => any.test(topic);
}

/** `*` stands for any run of characters. */
export function matchesGlob(glob, type) {
  const [first, ...parts] = glob.split("*");
  if (!parts.length) return glob === type;
  const last = parts.pop();
  if (!type.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = type.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return type.slice(at).endsWith(last);
}
