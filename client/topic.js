// SPDX-License-Identifier: BSD-2-Clause
// Patterns of topics, and globs of types.
// No pattern or glob makes matching take long: there is nothing to go back to and try again.

const anyOf = (list, source) => {
  const sources = list.map((s) => source(s.replace(/[\\^$.+?()[\]{}|]/g, "\\$&")));
  const any = RegExp(`^(?:${sources.join("|")})$`);
  return (s) => any.test(s);
};

/** Tells of a topic whether one of the patterns matches it. */
export const matcher = (patterns) => anyOf(patterns, (pattern) => pattern
  // Topics of the system are matched by patterns whose first token says so alone.
  .replace(/^[*>]/, "(?!\\$)$&")
  .replace(/\*/g, "[^.]+")
  .replace(/>$/, "[^]+"));

/** Tells of a type whether one of the globs matches it: `*` stands for any run of characters. */
export const typeMatcher = (globs, n = 0) => anyOf(globs, (glob) => glob
  // What is looked for between two stars is found once, where it first is, and stays there.
  .replace(/\*+([^*]*)(?=(\*?))/g, (_, part, more) =>
    more ? `(?=([^]*?${part}))\\${++n}` : "[^]*" + part));
