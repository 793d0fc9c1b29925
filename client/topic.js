// SPDX-License-Identifier: BSD-2-Clause
// Patterns of topics, and globs of types.
// No pattern or glob makes matching take long: there is nothing to go back to and try again.

/** In one RegExp: V8 takes as long as the square of it, 4 s for 256 patterns of 100 stars. */
const TOGETHER = 16;

/** Tells of a topic whether one of the patterns matches it. */
export const matcher = (patterns) => {
  const sources = patterns.map((pattern) => pattern
    .replace(/[\\^$.+?()[\]{}|]/g, "\\$&")
    // Topics of the system are matched by patterns whose first token says so alone.
    .replace(/^[*>]/, "(?!\\$)$&")
    .replace(/\*/g, "[^.]+")
    .replace(/>$/, "[^]+"));
  const some = [];
  while (sources.length) some.push(RegExp(`^(?:${sources.splice(0, TOGETHER).join("|")})$`));
  return (topic) => some.some((any) => any.test(topic));
};

/** Tells of a type whether one of the globs matches it: `*` stands for any run of characters. */
export const typeMatcher = (globs) => {
  const all = globs.map((glob) => glob.split("*"));
  return (type) => all.some((parts) => {
    let at = 0;
    return parts.every((part, i) => {
      // Between two stars a part is where it first is, and stays there.
      const found = i < parts.length - 1 ? type.indexOf(part, at) : type.length - part.length;
      const fits = i ? found >= at : !found;
      at = found + part.length;
      return fits && type.startsWith(part, found);
    });
  });
};
