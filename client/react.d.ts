// SPDX-License-Identifier: BSD-2-Clause

import type { ReactElement, ReactNode } from "react";

import type {
  AnyTopics, Client, ConnectOptions, Connection, EventOf, Lagged, Position, Row, ValueOf,
  ViewSnapshot,
} from "./peal.js";

/** There is no client while a component is rendered for the first time. */
type Given<A> = Client<A> | undefined;

/**
 * A client from when the component is mounted until it is gone, or until `url` or
 * `options.client` change. `null`: none, for example before somebody has logged in.
 * `getToken` may be another function each time.
 */
export function usePeal<A = AnyTopics>(
  url?: string | URL | null, options?: ConnectOptions): Given<A>;

/** Gives a client to the components below. */
export function PealProvider(
  props: { client: Client<any> | undefined; children?: ReactNode }): ReactElement;

/** The client of the PealProvider above; throws where there is none. */
export function useClient<A = AnyTopics>(): Given<A>;

export function useConnection<A>(client: Given<A>): Connection;

/**
 * The row of a topic: in a view that another component has open where one holds it, else in
 * one of its own, together with the others that were mounted in the same turn.
 */
export function useRow<A, const T extends string>(
  client: Given<A>, topic: T | null | undefined): Row<ValueOf<A, T>> | undefined;

/** The rows of patterns. Components with equal patterns share one view. */
export function useRows<A, const P extends string>(
  client: Given<A>, patterns: P | readonly P[]): readonly Row<ValueOf<A, P>>[];

/** What `select` makes of them; the component is rendered again where it is not equal. */
export function useRows<A, const P extends string, R>(
  client: Given<A>, patterns: P | readonly P[],
  options: {
    select(rows: readonly Row<ValueOf<A, P>>[]): R;
    /** Default: the same value, or arrays of the same values. */
    equal?(a: R, b: R): boolean;
  }): R;

/** The same with all that is known of it: whether it is complete, and what changed. */
export function useView<A, const P extends string>(
  client: Given<A>, patterns: P | readonly P[]): ViewSnapshot<ValueOf<A, P>>;

/** The newest events since the component is there, oldest first; told once per frame. */
export function useEvents<A, const P extends string>(
  client: Given<A>, patterns: P | readonly P[],
  options?: {
    /** Default 100. */
    limit?: number;
    types?: readonly string[];
    /** Where the component begins; default "now". */
    from?: "now" | Position;
    /** Events were left out. */
    onLagged?(lagged: Lagged): void;
  }): readonly EventOf<A, P>[];
