// SPDX-License-Identifier: BSD-2-Clause
// What the hooks of react.js read: views that components share, rows in them, newest events.
// A store does nothing until it is subscribed to, and leaves nothing when nobody is.

import { matcher } from "./topic.js";

export const EMPTY = Object.freeze({
  rows: new Map(), seq: 0, complete: false, changed: new Set(),
});

/** A subscription to what never changes. */
export const NOTHING = () => () => {};

/** Equal for equal lists, whatever array they are in and in whichever order. */
export const keyOf = (patterns) => JSON.stringify([...new Set([].concat(patterns))].sort());

/** The views of one client that components have open. */
class Views {
  #client;
  #open = new Map();
  /** Rows that no view holds yet: they get one together. */
  #waiting = [];

  constructor(client) {
    this.#client = client;
  }

  get(key) {
    return this.#open.get(key);
  }

  /** A view that has the topic. */
  holding(topic) {
    for (const shared of this.#open.values())
      if (shared.holds(topic)) return shared;
    return undefined;
  }

  take(key) {
    let shared = this.#open.get(key);
    if (!shared) {
      const patterns = JSON.parse(key);
      shared = { key, holds: matcher(patterns), users: 0, view: this.#client.view(patterns) };
      this.#open.set(key, shared);
    }
    shared.users++;
    return shared;
  }

  /** What another component takes in the same turn stays. */
  drop(shared) {
    shared.users--;
    queueMicrotask(() => {
      if (shared.users || this.#open.get(shared.key) !== shared) return;
      this.#open.delete(shared.key);
      shared.view.close();
    });
  }

  /**
   * Calls found(view) with one that has the topic: at the end of this turn, when the
   * components above have opened theirs, too. Returns what takes the wish back.
   */
  want(topic, found) {
    const wish = { topic, found };
    if (!this.#waiting.length) queueMicrotask(() => this.#fulfil());
    this.#waiting.push(wish);
    return () => (wish.found = undefined);
  }

  #fulfil() {
    const wishes = this.#waiting.filter(({ found }) => found);
    this.#waiting = [];
    const rest = wishes.filter(({ topic }) => !this.holding(topic));
    const own = rest.length && keyOf(rest.map(({ topic }) => topic));
    for (const { topic, found } of wishes)
      found(this.take(this.holding(topic)?.key ?? own));
  }
}

const all = new WeakMap();

function viewsOf(client) {
  let views = all.get(client);
  if (!views) all.set(client, (views = new Views(client)));
  return views;
}

export function viewStore(client, key) {
  if (!client) return { subscribe: NOTHING, getSnapshot: () => EMPTY };
  const views = viewsOf(client);
  return {
    subscribe(listener) {
      const shared = views.take(key);
      const off = shared.view.subscribe(listener);
      return () => {
        off();
        views.drop(shared);
      };
    },
    getSnapshot: () => views.get(key)?.view.getSnapshot() ?? EMPTY,
  };
}

/** For one component: once it has found a view it stays with it. */
export function rowStore(client, topic) {
  if (!client || !topic) return { subscribe: NOTHING, getSnapshot: () => undefined };
  const views = viewsOf(client);
  let row;
  return {
    subscribe(listener) {
      let shared, off;
      const forget = views.want(topic, (found) => {
        shared = found;
        row = shared.view.row(topic);
        off = row.subscribe(listener);
        listener();
      });
      return () => {
        forget();
        off?.();
        row = undefined;
        if (shared) views.drop(shared);
      };
    },
    getSnapshot: () => (row ?? views.holding(topic)?.view.row(topic))?.getSnapshot(),
  };
}

const NONE = Object.freeze([]);

/** With the next frame; what cancels it. A page that nobody sees has none. */
function nextFrame(fn) {
  if (globalThis.requestAnimationFrame) {
    const frame = requestAnimationFrame(fn);
    return () => cancelAnimationFrame(frame);
  }
  const timer = setTimeout(fn, 16);
  return () => clearTimeout(timer);
}

/** For one component: the newest `limit` events, told once per frame. */
export function eventStore(client, key, { limit, types, from = "now", onLagged }) {
  let shown = NONE;
  const store = {
    subscribe: NOTHING, getSnapshot: () => shown, getServerSnapshot: () => NONE,
  };
  if (!client) return store;
  store.subscribe = (listener) => {
    let kept = [];
    let cancel;
    shown = NONE;
    const newest = () => kept.slice(Math.max(0, kept.length - limit));
    const sub = client.subscribe(JSON.parse(key), { from, ...(types && { types }) });
    sub.on("event", (e) => {
      kept.push(e);
      // Nobody may look for hours.
      if (kept.length >= 2 * limit) kept = newest();
      cancel ??= nextFrame(() => {
        cancel = undefined;
        shown = newest();
        listener();
      });
    });
    sub.on("lagged", onLagged);
    return () => {
      cancel?.();
      sub.unsubscribe();
    };
  };
  return store;
}
