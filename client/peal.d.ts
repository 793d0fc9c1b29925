// SPDX-License-Identifier: BSD-2-Clause

/**
 * The browser client of peal: live, complete, resumable views of topics.
 *
 * `A` describes an application's topics, patterns being keys:
 *
 *     interface Topics {
 *       [item: `memory.item.${string}`]: Item;
 *       "system.mode": "day" | "night";
 *     }
 *     const c = connect<Topics>("wss://example.org/v1/ws");
 */

export type AnyTopics = { [topic: string]: any };

/** What the topics that a pattern stands for hold. */
export type DataOf<A, P extends string> = P extends keyof A
  ? A[P]
  : string extends keyof A ? A[string] : unknown;

/** An event as stored. `seq` 0: ephemeral. Times are microseconds since 1970. */
export interface PealEvent<D = unknown> {
  readonly seq: number;
  readonly time: number;
  readonly topic: string;
  readonly version: number;
  readonly type: string;
  readonly actor: string;
  readonly data: D;
  readonly meta?: { readonly [key: string]: unknown };
}

/** The state of a topic after its event `seq`. */
export interface Row<V = unknown> {
  readonly topic: string;
  readonly version: number;
  readonly seq: number;
  readonly createdTime: number;
  readonly createdBy: string;
  readonly updatedTime: number;
  readonly updatedBy: string;
  readonly deleted: boolean;
  readonly value: V;
}

/** Where a subscription has got; JSON can carry it over a reload. */
export interface Position {
  readonly log: string;
  readonly seq: number;
  /** Of a snapshot: opaque, lets the next one be a difference. */
  readonly scope?: unknown;
}

export type ErrorCode =
  | "bad_request" | "unauthorized" | "forbidden" | "conflict" | "key_reused"
  | "too_large" | "not_found" | "log_changed" | "ahead" | "behind"
  | "internal" | "rate_limited" | "unavailable" | "storage_full" | "unknown";

export class PealError extends Error {
  readonly code: ErrorCode;
  /** With `rate_limited` and `unavailable`: when to try again. */
  readonly retryMs?: number;
  /** What else the answer said: `topic`, `expected`, `actual`, `key`, `oldest`. */
  readonly details: { readonly [key: string]: unknown };
}

/** A value over time, in the form that React's useSyncExternalStore takes. */
export interface Store<T> {
  subscribe(listener: () => void): () => void;
  getSnapshot(): T;
}

export interface Connection {
  readonly state: "connecting" | "connected" | "disconnected";
  /** Why it is not connected, in words; a WebSocket close code where there was one. */
  readonly reason?: string;
  readonly code?: number;
  /** When it tries again (Date.now()); absent: it does not. */
  readonly retryAt?: number;
  /** Attempts since it was last healthy. */
  readonly attempts: number;
}

export interface ConnectOptions {
  /** Called before each connection that needs a token, one call at a time. */
  getToken?(o: { signal: AbortSignal }):
    string | null | undefined | Promise<string | null | undefined>;
  /** A durable id of this client instance, 1 to 128 bytes. */
  client?: string;
  agent?: string;
  /** Ends the client. */
  signal?: AbortSignal;
  /** Instead of globalThis.WebSocket: Node before 22, shared connections. */
  WebSocket?: any;
  /** Bounds of the backoff; default 500 and 20000. */
  minDelay?: number;
  maxDelay?: number;
}

export interface SubscribeOptions {
  from?: "snapshot" | "now" | Position; // default "now"
  /** With a Position: rows that changed since ("snapshot"), or every event ("events", the default). */
  resume?: "events" | "snapshot";
  types?: readonly string[];
  /** Milliseconds; one value per connection. */
  conflate?: number;
  signal?: AbortSignal;
}

export interface Sync<V = unknown> {
  readonly rows: readonly Row<V>[];
  /** true: these are all the rows; false: those that changed, deleted ones included. */
  readonly full: boolean;
  readonly seq: number;
}

export interface Lagged {
  readonly reason: "ring" | "retention" | "permissions" | "snapshot" | "log_changed" | "slow_reader";
  readonly position?: number;
  readonly oldest: number;
  readonly head: number;
}

export interface SubscriptionEvents<D> {
  /** Of a subscription from a snapshot: at first, and after each interruption. */
  sync: Sync<D>;
  event: PealEvent<D>;
  /** Events were left out; a sync (or a replay) that makes up for them follows. */
  lagged: Lagged;
  /** Something went wrong; `fatal`: the subscription has ended. */
  error: PealError & { readonly fatal?: boolean };
  /** Everything up to `seq` has been handed over. */
  mark: { readonly seq: number };
}

/** `for await` gives what the events of the same names give. */
export type Item<D> =
  | { readonly kind: "sync"; readonly sync: Sync<D> }
  | { readonly kind: "event"; readonly event: PealEvent<D> }
  | { readonly kind: "lagged"; readonly lagged: Lagged };

export interface Listening {
  signal?: AbortSignal;
  once?: boolean;
}

export interface Subscription<D = unknown> extends AsyncIterable<Item<D>> {
  readonly patterns: readonly string[];
  readonly live: boolean;
  /** How far handlers have returned. */
  readonly position: Position | undefined;
  on<K extends keyof SubscriptionEvents<D>>(
    type: K, handler: (e: SubscriptionEvents<D>[K]) => void, o?: Listening): () => void;
  unsubscribe(): void;
}

/** A live map from topic to row. Deleted rows are not in it. */
export interface View<V = unknown> extends Store<ViewSnapshot<V>> {
  get(topic: string): Row<V> | undefined;
  /** One topic's row as a store; its snapshot changes only when the row does. */
  row(topic: string): Store<Row<V> | undefined>;
  /** Resolves when it first is complete. */
  readonly ready: Promise<void>;
  /** Called for errors of the subscription below. */
  on(type: "error" | "lagged", handler: (e: any) => void, o?: Listening): () => void;
  close(): void;
}

/** Does not change; the next one is another object. */
export interface ViewSnapshot<V = unknown> {
  readonly rows: ReadonlyMap<string, Row<V>>;
  /** Complete up to here. */
  readonly seq: number;
  /** false until the first snapshot is there, and while an interruption is being healed. */
  readonly complete: boolean;
  /** Topics that changed since the snapshot before (all, after a full sync). */
  readonly changed: ReadonlySet<string>;
}

export interface AppendOptions {
  expect?: "any" | "exists" | number;
  key?: string;
  schema?: number;
  meta?: { [key: string]: unknown };
  signal?: AbortSignal;
}

export interface AppendEvent extends Omit<AppendOptions, "signal"> {
  topic: string;
  type: string;
  data: unknown;
}

export interface Appended {
  /** Of the (last) event. */
  seq: number;
  version: number;
  versions: number[];
  /** Microseconds. */
  time: number;
  duplicate: boolean;
}

export interface HistoryQuery {
  topic?: string;
  actor?: string;
  type?: string;
  after?: number;
  before?: number;
  fromTime?: Date | number;
  toTime?: Date | number;
  limit?: number;
  reverse?: boolean;
  minSeq?: number;
  signal?: AbortSignal;
}

export interface Member {
  user: string;
  client: string;
  topic: string;
  since: number;
}

export interface ClientEvents {
  connecting: Connection;
  connected: Connection & { readonly welcome: { readonly [key: string]: unknown } };
  disconnected: Connection;
  /** What has no better place: a broken chain, a message that makes no sense, a handler that threw. */
  error: Error;
}

export interface Counters {
  /** Connections that were open and ended. */
  readonly reconnects: number;
  /** Batches that did not begin where the one before had ended. */
  readonly gaps: number;
  /** Messages that the protocol does not know. */
  readonly malformed: number;
  readonly lagged: number;
  /** Handlers that threw. */
  readonly thrown: number;
}

export interface Client<A = AnyTopics> {
  readonly connection: Store<Connection>;
  /** What `welcome` said: user, session, log, head, fold … */
  readonly welcome: { readonly [key: string]: any } | undefined;
  readonly counters: Counters;
  on<K extends keyof ClientEvents>(
    type: K, handler: (e: ClientEvents[K]) => void, o?: Listening): () => void;

  subscribe<P extends string>(
    patterns: P | readonly P[], o?: SubscribeOptions): Subscription<DataOf<A, P>>;
  view<P extends string>(
    patterns: P | readonly P[],
    o?: { conflate?: number; from?: Position; signal?: AbortSignal }): View<DataOf<A, P>>;

  append<T extends string>(
    topic: T, type: string, data: DataOf<A, T>, o?: AppendOptions): Promise<Appended>;
  /** Several events, all or nothing. */
  append(events: readonly AppendEvent[], o?: {
    checks?: readonly { topic: string; version: number }[]; signal?: AbortSignal;
  }): Promise<Appended>;
  emit<T extends string>(
    topic: T, type: string, data: unknown, o?: { signal?: AbortSignal }): Promise<void>;

  state<P extends string>(
    patterns: P | readonly P[],
    o?: { at?: number | Date; minSeq?: number; signal?: AbortSignal },
  ): Promise<{ rows: Row<DataOf<A, P>>[]; seq: number }>;
  history(query?: HistoryQuery): Promise<{ events: PealEvent[]; next?: number }>;
  /** The past: `c.at(123).state("memory.>")`. */
  at(when: number | Date): {
    state<P extends string>(
      patterns: P | readonly P[], o?: { signal?: AbortSignal },
    ): Promise<{ rows: Row<DataOf<A, P>>[]; seq: number }>;
  };
  presence(patterns: string | readonly string[], o?: { signal?: AbortSignal }): Promise<Member[]>;
  /** Store how far this client has got, under a name. */
  ack(seq: number, name?: string): void;

  /** Round trip in ms, of the last ping; measured every 30 s. */
  readonly latency: number | undefined;
  /** Measure it now. */
  ping(o?: { signal?: AbortSignal }): Promise<number>;
  /** The server's clock less ours, in ms, and how wrong that can be. */
  readonly clock: { readonly offset: number; readonly bound: number } | undefined;
  /** What has been received up to `seq` is all there is, as of `age` ms ago. */
  readonly complete: { readonly seq: number; readonly age: number } | undefined;

  /** Try now instead of when it is due. */
  reconnect(): void;
  close(): void;
}

/** The page's own origin where url is left out. */
export function connect<A = AnyTopics>(url?: string | URL, options?: ConnectOptions): Client<A>;
