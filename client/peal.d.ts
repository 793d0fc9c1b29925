// SPDX-License-Identifier: BSD-2-Clause

/**
 * The browser client of peal: live, complete, resumable views of topics.
 *
 * `A` describes an application's topics:
 *
 *     interface Topics {
 *       [item: `memory.item.${string}`]: Topic<Item, {
 *         item_created: Item; item_updated: Patch<Item>; item_deleted: null;
 *       }>;
 *       "system.mode": "day" | "night";
 *     }
 *     const c = connect<Topics>("wss://example.org/v1/ws");
 *
 * In the middle of a key `${string}` stands for one token, at its end for what is left.
 */

export type AnyTopics = { [topic: string]: any };

declare const value: unique symbol;
declare const events: unique symbol;

/**
 * What a topic's row holds (`V`), and what its events do (`E`: type -> data). Where a
 * description of topics has anything else, rows hold that, and events are taken to hold the
 * same; `append` lets the usual fold rules count.
 */
export interface Topic<V, E extends object> {
  readonly [value]: V;
  readonly [events]: E;
}

/** Topics that a description names. */
export type TopicOf<A> = Extract<keyof A, string>;

/** What the rows hold of topics that a pattern stands for; `unknown` where none is described. */
export type ValueOf<A, P extends string> = ValueIn<EntryOf<A, P>>;

/** The events of topics that a pattern stands for; told apart by `type` where `E` is known. */
export type EventOf<A, P extends string> = EventIn<EntryOf<A, P>>;

/** The types of a topic's events. */
export type TypeOf<A, T extends string> =
  A[T & keyof A] extends Topic<any, infer E> ? Extract<keyof E, string> : string;

/** What an event of type `Y` has to hold. */
export type DataOf<A, T extends string, Y extends string> =
  A[T & keyof A] extends Topic<any, infer E> ? E[Y & keyof E] : Usual<A[T & keyof A], Y>;

/** RFC 7396: what is left out stays, null deletes. */
export type Patch<V> =
  V extends readonly unknown[] | Date | ArrayBufferView ? V
    : V extends object ? { [K in keyof V]?: Patch<V[K]> | null } : V;

/** What the usual fold rules of doc/protocol.md make of types without a description. */
type Usual<V, Y extends string> =
  Y extends `${string}${"added" | "removed"}` ? Element<V>
    : Y extends `${string}${"updated" | "changed" | "renamed" | "moved"}` ? Patch<V>
      : Y extends `${string}deleted` ? unknown : V;

/** `{field: element}` of a field that is an array. */
type Element<V> = 0 extends 1 & V ? any : {
  [K in keyof V]-?: NonNullable<V[K]> extends readonly (infer T)[] ? { [F in K]: T } : never;
}[keyof V];

/** A topic; there is no `*` or `>` in one. */
export type Plain<T extends string> = T extends `${string}${"*" | ">"}${string}` ? never : T;

type ValueIn<X> = X extends Topic<infer V, any> ? V : X;

// `any` would be both; it is a plain entry.
type EventIn<X> = 0 extends 1 & X ? PealEvent<any>
  : [unknown] extends [X] ? PealEvent
    : X extends Topic<any, infer E>
      ? { [Y in Extract<keyof E, string>]: PealEvent<E[Y], Y> }[Extract<keyof E, string>]
      : PealEvent<X>;

// A pattern that is only known when the program runs may stand for anything.
type EntryOf<A, P extends string> = string extends P ? A[TopicOf<A>] extends infer X
  ? string extends TopicOf<A> ? X : unknown : never
  : P extends keyof A ? A[P] : OrUnknown<Below<A, P>>;

type OrUnknown<X> = [X] extends [never] ? unknown : X;

/** Of each topic that P can stand for what it holds. */
type Below<A, P extends string> = P extends P ? {
  [K in TopicOf<A>]: Meets<Tokens<K>, Tokens<P>> extends true
    ? System<K> extends System<P> ? A[K] : never : never;
}[TopicOf<A>] : never;

/** Topics of the system are matched by what says so. */
type System<S extends string> = S extends `$${string}` ? true : false;

type Tokens<S extends string> = S extends `${infer H}.${infer R}` ? [H, ...Tokens<R>] : [S];

/** Can these tokens of a topic be matched by those of a pattern? */
type Meets<K extends string[], P extends string[]> =
  P extends [">"] ? true
    : K extends [infer H extends string, ...infer KR extends string[]]
      ? P extends [infer Q extends string, ...infer PR extends string[]]
        ? Same<H, Q> extends true
          ? KR extends []
            ? string extends H ? true : PR extends [] ? true : false
            : PR extends [] ? string extends Q ? true : false : Meets<KR, PR>
          : false
        : false
      : false;

type Same<H extends string, Q extends string> =
  Q extends "*" ? true : H extends Q ? true : Q extends H ? true : false;

/** An event as stored. `seq` 0: ephemeral. Times are microseconds since 1970. */
export interface PealEvent<D = unknown, Y extends string = string> {
  readonly seq: number;
  readonly time: number;
  readonly topic: string;
  readonly version: number;
  readonly type: Y;
  readonly actor: string;
  readonly data: D;
  readonly meta?: { readonly [key: string]: unknown } | undefined;
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

/**
 * What the server refuses with, see "Error codes" in doc/protocol.md. From the client itself:
 * `unavailable` there is no connection, nothing was done; `unknown` the connection broke before
 * the answer to an append or emit: it may have been done; `too_large` beyond `max_message`;
 * `unauthorized` with a close code that ends the client (revoked, unknown version).
 */
export type ErrorCode =
  | "bad_request" | "unauthorized" | "forbidden" | "conflict" | "key_reused"
  | "too_large" | "not_found" | "log_changed" | "ahead" | "behind"
  | "internal" | "rate_limited" | "unavailable" | "storage_full" | "unknown";

export class PealError extends Error {
  constructor(code: ErrorCode, message: string, details?: { [key: string]: unknown });
  readonly code: ErrorCode;
  /** With `rate_limited` and `unavailable`: when to try again. */
  readonly retryMs?: number | undefined;
  /** What else the answer said: `topic`, `expected`, `actual`, `key`, `oldest`; `close` code. */
  readonly details: { readonly [key: string]: unknown };
}

/** The part of the browsers' WebSocket that the client uses. */
export interface Socket {
  binaryType: string;
  onopen: any;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(data: any): void;
  close(code?: number): void;
}

/** A value over time, in the form that React's useSyncExternalStore takes. */
export interface Store<T> {
  subscribe(listener: () => void): () => void;
  getSnapshot(): T;
}

/**
 * `connecting`: an attempt is being made. `connected`: welcomed. `disconnected`: it waits for
 * `retryAt`, or (without one) has ended: closed, revoked, or a version nobody speaks.
 */
export interface Connection {
  readonly state: "connecting" | "connected" | "disconnected";
  /** Why it is not connected, in words; a WebSocket close code where there was one. */
  readonly reason?: string | undefined;
  readonly code?: number | undefined;
  /** When it tries again (Date.now()); absent: it does not. */
  readonly retryAt?: number;
  /** Attempts since it was last healthy, that is, connected for 5 s. */
  readonly attempts: number;
}

export interface ConnectOptions {
  /**
   * Called before each connection, and when the token expires on a live one (every 10 s at
   * most); one call at a time. No token: anonymous. What fails, or takes longer than 20 s, is a
   * failed attempt. Keep the token, if fetching it costs; but a refused one (4401) is no use.
   */
  getToken?(o: { signal: AbortSignal }):
    string | null | undefined | Promise<string | null | undefined>;
  /** A durable id of this client instance, 1 to 128 bytes. */
  client?: string;
  agent?: string;
  /** Ends the client. */
  signal?: AbortSignal;
  /** Instead of globalThis.WebSocket: Node before 22, shared connections. */
  WebSocket?: new (url: string, protocol: string) => Socket;
  /**
   * Each wait is drawn from 0 to a bound, which begins at minDelay (500) and doubles up to
   * maxDelay (20000), where it is at once while the page is hidden.
   */
  minDelay?: number;
  maxDelay?: number;
}

export interface SubscribeOptions {
  /**
   * "now" (the default): what comes from now on. A Position: every event after it. "snapshot":
   * all rows, then events. After an interruption the first two get the events between, the last
   * a sync of what changed.
   */
  from?: "snapshot" | "now" | Position;
  /** With a Position: rows that changed since, or every event ("events", the default). */
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

/**
 * Why something was left out, and what follows:
 *
 * - `ring`, `snapshot`: this connection fell behind. From a snapshot: a sync of what changed;
 *   otherwise the events between, from the log.
 * - `permissions`: what may be read has changed. A sync of all rows, or events from the position.
 * - `slow_reader`: a `for await` has 10,000 items before it; as with `ring` when it caught up.
 * - `retention`: events after the position are kept no more; what is between it and `oldest` is
 *   lost to those who want every event. It goes on from `oldest`, or from now if it was from now.
 * - `log_changed`: another log, or another history of it. A sync of all rows; every event that
 *   the other log has; or on from now, if it was from now.
 *
 * Whatever the reason, where `oldest` is beyond the position + 1, events are lost to those who
 * want every one.
 */
export interface Lagged {
  readonly reason:
    "ring" | "retention" | "permissions" | "snapshot" | "log_changed" | "slow_reader";
  readonly position?: number | undefined;
  readonly oldest: number;
  readonly head: number;
}

/** `fatal`: what it happened to has ended. */
export type Failure = PealError & { readonly fatal?: boolean };

/**
 * What handlers are called with, one after the other. The position moves when they have
 * returned; one that throws is told (`error` of the client) and does not stop the stream.
 */
export interface SubscriptionEvents<V = unknown, E = PealEvent<V>> {
  /** Of a subscription from a snapshot: at first, and after each interruption. */
  sync: Sync<V>;
  /** In order of `seq`, none twice; ephemeral ones (`seq` 0) only to those who are live. */
  event: E;
  /** Something was left out; what makes up for it follows. */
  lagged: Lagged;
  /**
   * The server refused the subscription. `fatal`: it has ended (bad_request, forbidden,
   * not_found, too_large, unauthorized); otherwise it is asked for again, with backoff. Without
   * a handler it goes to the client's.
   */
  error: Failure;
  /** Everything up to `seq` has been handed over; at least every 25 s while live. */
  mark: { readonly seq: number };
}

/**
 * `for await` gives what the events of the same names give, from the first next() on; an item is
 * done, and the position moves, when the next one is asked for. It ends with unsubscribe(), and
 * throws the error that is fatal. Leaving the last loop ends the subscription.
 */
export type Item<V = unknown, E = PealEvent<V>> =
  | { readonly kind: "sync"; readonly sync: Sync<V> }
  | { readonly kind: "event"; readonly event: E }
  | { readonly kind: "lagged"; readonly lagged: Lagged };

export interface Listening {
  signal?: AbortSignal;
  once?: boolean;
}

export interface Subscription<V = unknown, E = PealEvent<V>>
  extends AsyncIterable<Item<V, E>> {
  readonly patterns: readonly string[];
  /** It has all there is, and gets what comes. */
  readonly live: boolean;
  /** How far handlers have returned, and loops have come. */
  readonly position: Position | undefined;
  on<K extends keyof SubscriptionEvents>(
    type: K, handler: (e: SubscriptionEvents<V, E>[K]) => void, o?: Listening): () => void;
  unsubscribe(): void;
}

export interface ViewEvents {
  error: Failure;
  lagged: Lagged;
}

/** A live map from topic to row. Deleted rows are not in it. */
export interface View<V = unknown> extends Store<ViewSnapshot<V>> {
  get(topic: string): Row<V> | undefined;
  /** One topic's row as a store; its snapshot changes only when the row does. */
  row(topic: string): Store<Row<V> | undefined>;
  /** Resolves when it first is complete; rejects when it, or what it stands on, ends before. */
  readonly ready: Promise<void>;
  /** Called for errors of the subscription below. */
  on<K extends keyof ViewEvents>(
    type: K, handler: (e: ViewEvents[K]) => void, o?: Listening): () => void;
  close(): void;
}

/** Does not change; the next one is another object. */
export interface ViewSnapshot<V = unknown> {
  readonly rows: ReadonlyMap<string, Row<V>>;
  /** Complete up to here, at least: what only moves this makes no new snapshot. */
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

/** One of several events that are appended together. */
export type AppendEvent<A = AnyTopics> = Omit<AppendOptions, "signal"> & {
  [T in TopicOf<A>]: AppendOf<A, T>;
}[TopicOf<A>];

type AppendOf<A, T extends string> = A[T & keyof A] extends Topic<any, infer E>
  ? { [Y in keyof E]: { topic: T; type: Y; data: E[Y] } }[keyof E]
  : { topic: T; type: string; data: UsualOf<A[T & keyof A]> };

/** Where the type is no literal, any of them. */
type UsualOf<V> = 0 extends 1 & V ? any : V | Patch<V> | Element<V> | null;

export interface Check {
  topic: string;
  version: number;
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

export interface HistoryQuery<P extends string = string> {
  topic?: P;
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

/** Rows as they were after the event `seq`. */
export interface State<V = unknown> {
  rows: Row<V>[];
  seq: number;
}

export interface Member {
  user: string;
  client: string;
  topic: string;
  since: number;
}

/** What the server says first; see `hello` in doc/protocol.md. */
export interface Welcome {
  readonly v: number;
  readonly session: string;
  readonly user: string;
  readonly client: string;
  readonly log: string;
  readonly head: number;
  readonly oldest: number;
  readonly node: string;
  /** Microseconds. */
  readonly time: number;
  readonly mark_interval: number;
  readonly ping_interval: number;
  readonly max_message: number;
  /** How far back a key is known. */
  readonly keys_seconds: number;
  readonly fold: {
    readonly version: unknown;
    readonly rules: readonly (readonly [glob: string, fold: string])[];
  };
  readonly ack?: { readonly [name: string]: number };
}

/** A handler may do anything, close() too. */
export interface ClientEvents {
  connecting: Connection;
  connected: Connection & { readonly welcome: Welcome };
  disconnected: Connection;
  /**
   * What has no better place: a broken chain or a bad message (`cause` is that message; the
   * connection is left, and made anew), a handler that threw, a token that was not renewed, an
   * `ack` that was refused. Without a handler it goes to the console.
   */
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
  readonly welcome: Welcome | undefined;
  readonly counters: Counters;
  on<K extends keyof ClientEvents>(
    type: K, handler: (e: ClientEvents[K]) => void, o?: Listening): () => void;

  subscribe<const P extends string>(
    patterns: P | readonly P[], o?: SubscribeOptions,
  ): Subscription<ValueOf<A, P>, EventOf<A, P>>;
  view<const P extends string>(
    patterns: P | readonly P[],
    o?: { conflate?: number; from?: Position; signal?: AbortSignal }): View<ValueOf<A, P>>;

  /**
   * Requests made while it connects wait for that; while it is disconnected they fail at once,
   * `unavailable`. A signal rejects with its reason; what was sent may be done all the same.
   */
  append<const T extends TopicOf<A>, Y extends TypeOf<A, T>>(
    topic: T & Plain<T>, type: Y, data: DataOf<A, T, Y>, o?: AppendOptions): Promise<Appended>;
  /** Several events, all or nothing. */
  append(events: readonly AppendEvent<A>[], o?: {
    checks?: readonly Check[]; signal?: AbortSignal;
  }): Promise<Appended>;
  /** To those who listen now; never stored, and not checked where types are not described. */
  emit<const T extends TopicOf<A>, Y extends TypeOf<A, T>>(
    topic: T & Plain<T>, type: Y,
    data: A[T & keyof A] extends Topic<any, any> ? DataOf<A, T, Y> : unknown,
    o?: { signal?: AbortSignal }): Promise<void>;

  state<const P extends string>(
    patterns: P | readonly P[],
    o?: { at?: number | Date; minSeq?: number; signal?: AbortSignal },
  ): Promise<State<ValueOf<A, P>>>;
  /** Without a topic: of all topics. */
  history<const P extends string>(
    query?: HistoryQuery<P>): Promise<{ events: EventOf<A, P>[]; next?: number | undefined }>;
  /** The past: `c.at(123).state("memory.>")`. */
  at(when: number | Date): {
    state<const P extends string>(
      patterns: P | readonly P[], o?: { signal?: AbortSignal }): Promise<State<ValueOf<A, P>>>;
  };
  presence(patterns: string | readonly string[], o?: { signal?: AbortSignal }): Promise<Member[]>;
  /** Store how far this client (see `client` of the options) has got; nothing while offline. */
  ack(seq: number, name?: string): void;

  /** Round trip in ms, of the last ping; measured every 30 s. */
  readonly latency: number | undefined;
  /** Measure it now. */
  ping(o?: { signal?: AbortSignal }): Promise<number>;
  /** The server's clock less ours, in ms, and how wrong that can be: half a round trip. */
  readonly clock: { readonly offset: number; readonly bound: number } | undefined;
  /** Of all that is subscribed, what has come up to `seq` is all there is, as of `age` ms ago. */
  readonly complete: { readonly seq: number; readonly age: number } | undefined;

  /** Try now instead of when it is due; where it is connected: look if it still is. */
  reconnect(): void;
  /** For good: subscriptions end, what was asked fails. */
  close(): void;
}

/** The page's own origin where url is left out; `/v1/ws` where it has no path. */
export function connect<A = AnyTopics>(url?: string | URL, options?: ConnectOptions): Client<A>;
