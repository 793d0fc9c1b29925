// SPDX-License-Identifier: BSD-2-Clause

import type {
  AnyTopics, AppendEvent, AppendOptions, Appended, Check, Client, DataOf, Listening, PealError,
  Plain, Store, TopicOf, TypeOf,
} from "./peal.js";

/** An append that waits, or that has ended. */
export interface OutboxEntry {
  /** The key of its first event. */
  readonly id: string;
  /**
   * `sent`: it may be stored, the answer is due. `held`: it belongs to another user than the
   * one who is connected, or to nobody yet; see `claim`.
   */
  readonly state: "waiting" | "sent" | "held" | "settled";
  readonly events: readonly (AppendEvent & { readonly key: string })[];
  readonly checks?: readonly Readonly<Check>[];
  readonly user?: string;
  /** When it was appended, Date.now(). */
  readonly time: number;
}

/**
 * How an entry ended. `conflict` and `refused`: certainly not stored. `unknown`: it may be
 * stored; the answer was lost, and nobody can tell any more.
 */
export type Outcome =
  | { readonly outcome: "stored"; readonly entry: OutboxEntry; readonly result: Appended }
  | {
      readonly outcome: "conflict" | "refused" | "unknown";
      /** Absent when it was refused at once. */
      readonly entry?: OutboxEntry;
      readonly error: PealError;
    };

export interface OutboxSnapshot {
  /** In the order in which they are sent; of all pages where the store is on disk. */
  readonly entries: readonly OutboxEntry[];
  /** false: entries do not survive the page. */
  readonly persistent: boolean;
}

export interface OutboxOptions {
  /** Entries of one user that may wait; default 1000. Beyond it `append` is refused. */
  limit?: number;
  /** Bytes of these, encoded; default 64 MiB. */
  bytes?: number;
  /**
   * A name: entries are kept in IndexedDB under it, shared by the pages of the origin, and
   * survive them. Left out: in memory.
   */
  store?: string;
  /** Whose the entries are that are made before the server has said so. */
  user?: string;
  /** Bounds of the delay before a repeat where the server names none; default 500 and 20000. */
  minDelay?: number;
  maxDelay?: number;
  signal?: AbortSignal;
}

export interface OutboxEvents {
  /** In the page that made the entry, or, when that is gone, in one that is there. */
  settled: Outcome;
  /** The store failed: entries are in memory from here on. A handler threw. */
  error: Error;
}

export interface Outbox<A = AnyTopics> extends Store<OutboxSnapshot> {
  /** Resolves however it ends; never rejects. */
  append<T extends TopicOf<A>, Y extends TypeOf<A, T>>(
    topic: T & Plain<T>, type: Y, data: DataOf<A, T, Y>, o?: Omit<AppendOptions, "signal">,
  ): Promise<Outcome>;
  append(
    events: readonly AppendEvent<A>[], o?: { checks?: readonly Check[] }): Promise<Outcome>;
  on<K extends keyof OutboxEvents>(
    type: K, handler: (e: OutboxEvents[K]) => void, o?: Listening): () => void;
  /** Take an entry back, which then is refused; false when it may have been sent. */
  discard(id: string): Promise<boolean>;
  /**
   * Entries that an earlier page left without saying whose they are become the connected
   * user's, and are sent. How many there were.
   */
  claim(ids?: readonly string[]): Promise<number>;
  /** Resolves when earlier entries have been read. */
  readonly ready: Promise<void>;
  readonly persistent: boolean;
  /** Entries on disk stay there; those in memory are refused, or `unknown`. */
  close(): void;
}

/** A queue of appends before a client: kept while there is no connection, sent in order. */
export function outbox<A = AnyTopics>(client: Client<A>, options?: OutboxOptions): Outbox<A>;
