// SPDX-License-Identifier: BSD-2-Clause

// A value over time that tells its listeners when it changes, and what this browser
// remembers of the user's preferences. Where storage is refused, preferences last as long
// as the page.

/** `subscribe(fn)` and `getSnapshot()` as those of peal.js, and `set(value)`. */
export function createStore(value) {
  const listeners = new Set();
  return {
    getSnapshot: () => value,
    set(next) {
      if (Object.is(value, next)) return;
      value = next;
      for (const fn of [...listeners]) fn();
    },
    subscribe(fn) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
  };
}

/** Preferences by name; values are what JSON can carry. */
export function createPrefs(prefix = "peal.") {
  const values = new Map();
  return {
    get(name, otherwise) {
      if (values.has(name)) return values.get(name);
      try {
        const text = localStorage.getItem(prefix + name);
        return text === null ? otherwise : JSON.parse(text);
      } catch {
        return otherwise;
      }
    },
    set(name, value) {
      values.set(name, value);
      try {
        localStorage.setItem(prefix + name, JSON.stringify(value));
      } catch {
        // Refused or full: it still holds for this page.
      }
    },
  };
}
