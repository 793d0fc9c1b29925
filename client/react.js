// SPDX-License-Identifier: BSD-2-Clause
// Hooks: a client, its connection, rows and events as React's state.
// Rendering makes nothing that would have to be closed; effects do, and undo it.
"use client";

import {
  createContext, createElement, useContext, useEffect, useMemo, useRef, useState,
  useSyncExternalStore,
} from "react";

import { connect } from "./peal.js";
import { EMPTY, NOTHING, eventStore, keyOf, rowStore, viewStore } from "./react-store.js";

const CONNECTING = Object.freeze({ state: "connecting", attempts: 0 });
const Context = createContext(null);

/** The latest value, for those who are called later. */
function useLatest(value) {
  const ref = useRef(value);
  useEffect(() => {
    ref.current = value;
  });
  return ref;
}

/** A client from when the component is mounted until it is gone. */
export function usePeal(url, options) {
  const [client, set] = useState();
  const latest = useLatest(options);
  // An effect that is undone at once, as StrictMode does, has opened no socket yet.
  useEffect(() => {
    if (url === null) return undefined;
    const made = connect(url, {
      ...latest.current, getToken: (o) => latest.current?.getToken?.(o),
    });
    set(made);
    return () => {
      made.close();
      set(undefined);
    };
  }, [url?.toString(), url === null, options?.client]);
  return client;
}

export function PealProvider({ client, children }) {
  return createElement(Context.Provider, { value: { client } }, children);
}

export function useClient() {
  const given = useContext(Context);
  if (!given) throw new Error("useClient: there is no PealProvider above");
  return given.client;
}

export function useConnection(client) {
  const store = useMemo(() => client ? {
    subscribe: (listener) => client.connection.subscribe(listener),
    getSnapshot: () => client.connection.getSnapshot(),
  } : { subscribe: NOTHING, getSnapshot: () => CONNECTING }, [client]);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => CONNECTING);
}

function useViewStore(client, patterns) {
  const key = keyOf(patterns);
  return useMemo(() => viewStore(client, key), [client, key]);
}

export function useView(client, patterns) {
  const store = useViewStore(client, patterns);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => EMPTY);
}

export function useRow(client, topic) {
  const store = useMemo(() => rowStore(client, topic), [client, topic]);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => undefined);
}

const arrays = new WeakMap([[EMPTY, []]]);

/** The rows of a snapshot; the same array each time. */
function rowsOf(snapshot) {
  let rows = arrays.get(snapshot);
  if (!rows) arrays.set(snapshot, (rows = [...snapshot.rows.values()]));
  return rows;
}

const same = (a, b) => Object.is(a, b) || (Array.isArray(a) && Array.isArray(b) &&
  a.length === b.length && a.every((x, i) => Object.is(x, b[i])));

/** Rows, or what `select` makes of them: another one only where it is not equal. */
export function useRows(client, patterns, { select, equal = same } = {}) {
  const store = useViewStore(client, patterns);
  const committed = useRef();
  const equality = useLatest(equal);
  const [read, readServer] = useMemo(() => {
    let from, value;
    const of = (snapshot) => {
      if (snapshot === from) return value;
      const made = select ? select(rowsOf(snapshot)) : rowsOf(snapshot);
      const before = from ? { value } : committed.current;
      value = before && equality.current(before.value, made) ? before.value : made;
      from = snapshot;
      return value;
    };
    return [() => of(store.getSnapshot()), () => of(EMPTY)];
  }, [store, select]);
  const value = useSyncExternalStore(store.subscribe, read, readServer);
  useEffect(() => {
    committed.current = { value };
  }, [value]);
  return value;
}

/** The newest events since the component is there, oldest first. */
export function useEvents(client, patterns, { limit = 100, types, from, onLagged } = {}) {
  const lagged = useLatest(onLagged);
  const key = keyOf(patterns);
  const globs = types && keyOf(types);
  const start = useRef(from);
  const store = useMemo(() => eventStore(client, key, {
    limit, types: globs && JSON.parse(globs), from: start.current,
    onLagged: (e) => lagged.current?.(e),
  }), [client, key, globs, limit]);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}
