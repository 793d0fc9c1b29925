// SPDX-License-Identifier: BSD-2-Clause
// Appends that wait for a connection: kept in order with their keys, sent one after the other.
// Each is stored once, or somebody is told that it was not, or that nobody can know.

import { encode, decode } from "./codec.js";
import { Emitter, onAbort } from "./emitter.js";
import { PealError } from "./error.js";
import { DiskStore, MemoryStore } from "./outbox-store.js";

const LIMIT = 1000;
const KEPT = 1000;
const MIN_DELAY_MS = 500;
const MAX_DELAY_MS = 20000;
const BYTES = 1 << 26;
// How often `internal` is asked again: whatever it is must not stop the others for ever.
const TRIES = 5;
// Certainly not stored by the attempt that is answered so.
const NOT_STORED = ["rate_limited", "unavailable", "storage_full", "unauthorized"];
// Decided by whoever knows the keys: had an earlier attempt been stored, it would say so.
const DECIDED = { conflict: "conflict", key_reused: "refused" };
/** Whose entries are nobody's yet: made before the server said who the user is. */
const NOBODY = "?";

const ownerOf = (user) => "u:" + (user ?? "");

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

const defined = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));

const plain = ({ code = "internal", message, details = {}, retryMs }) =>
  ({ code, message, details: { ...details, ...(retryMs !== undefined && { retry_ms: retryMs }) } });

/** What handlers and promises get, of what a store keeps. */
function told(record, { outcome, result, error }) {
  const entry = publicEntry(record, "settled");
  if (outcome === "stored") return { outcome, entry, result };
  return { outcome, entry, error: new PealError(error.code, error.message, error.details) };
}

function publicEntry(record, state) {
  // Of a copy, in which binary data lies: what a handler does to it is not what is sent.
  const { events, checks } = decode(record.bytes.slice());
  const { id, time } = record;
  const user = record.owner === NOBODY ? undefined : record.owner.slice(2);
  return Object.freeze({ id, state, events, checks, user, time });
}

class Outbox {
  #client;
  #o;
  #page = newKey();
  #store;
  /** id -> record: what is known to wait, of all pages; the store decides what is sent. */
  #records = new Map();
  #gone = new Set();
  #promises = new Map();
  #untold = new Map();
  /** Pages whose end is awaited. */
  #watched = new Set();
  /** record -> what is shown of it, by state. */
  #shown = new WeakMap();
  #events;
  #reporting = false;
  #unsaved = [];
  #saving;
  #snapshot;
  #dirty = false;
  #welcome;
  #welcomedAt;
  #turn;
  #poked = () => {};
  #pokes = 0;
  #tries = { id: undefined, n: 0, internal: 0 };
  #closed = new AbortController();

  constructor(client, options) {
    this.#client = client;
    const { store, user, limit = LIMIT, bytes = BYTES } = options;
    const { minDelay = MIN_DELAY_MS, maxDelay = MAX_DELAY_MS } = options;
    this.#o = { store, user, limit, bytes, minDelay, maxDelay };
    // A handler of errors that throws is not told of that.
    this.#events = new Emitter({
      report: (e) => (this.#reporting ? console.error(e) : this.#report(e)),
    });
    this.#store = new MemoryStore();
    this.#saving = this.ready = this.#open();
    const forget = client.connection.subscribe(() => this.#look());
    onAbort(this.#closed.signal, forget);
    onAbort(options.signal, () => this.close());
    this.#look();
  }

  get persistent() {
    return this.#store.persistent;
  }

  // --- what the application calls ---

  append(topic, type, data, o) {
    const many = Array.isArray(topic);
    const { checks, ...rest } = (many ? type : o) ?? {};
    const events = many ? topic : [{ topic, type, data, ...rest }];
    let record;
    try {
      record = this.#record(events, checks);
    } catch (e) {
      return Promise.resolve({ outcome: "refused", entry: undefined, error: e });
    }
    const promise = new Promise((resolve) => this.#promises.set(record.id, resolve));
    this.#records.set(record.id, record);
    this.#unsaved.push(record);
    this.#changed();
    if (this.#unsaved.length === 1) this.#saving = this.#saving.then(() => this.#save());
    return promise;
  }

  on(type, handler, o) {
    const off = this.#events.on(type, handler, o);
    if (type === "settled")
      this.ready.then(() => this.#tellUntold()).catch(this.#unlessClosed);
    return off;
  }

  /** Takes an entry back; false when it may have been sent already. */
  async discard(id) {
    await this.#saving;
    const record = this.#records.get(id);
    if (!record) return false;
    const ours = record.owner === this.#owner() || record.owner === NOBODY;
    if (!(await this.#do("discard", id, ours))) return false;
    const error = plain(new PealError("bad_request", "the application took it back",
      { discarded: true }));
    this.#leave(record, { outcome: "refused", error });
    return true;
  }

  /** Entries that an earlier page left without an owner are the present user's. */
  async claim(ids) {
    await this.#saving;
    const owner = this.#owner();
    if (owner === NOBODY) return 0;
    const records = [...this.#records.values()]
      .filter((r) => r.owner === NOBODY && (!ids || ids.includes(r.id)));
    await this.#own(records, owner);
    return records.length;
  }

  // Stores are handed on in parts: subscribe and getSnapshot know whose they are.
  subscribe = (listener) => this.#events.on("change", listener);

  getSnapshot = () => {
    this.#snapshot ??= Object.freeze({
      entries: Object.freeze([...this.#records.values()].map((r) => this.#show(r))),
      persistent: this.persistent,
    });
    return this.#snapshot;
  };

  close() {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#turn?.abort();
    const unsaved = this.#unsaved.splice(0);
    for (const record of this.persistent ? unsaved : [...this.#records.values()])
      this.#leave(record, lostWith(record, "the outbox was closed"));
    this.#saving.then(() => this.#store.close());
  }

  // --- entries ---

  #record(events, checks) {
    if (this.#closed.signal.aborted) throw new PealError("unavailable", "the outbox is closed");
    const keyed = events.map((e) => defined({ ...e, key: e.key ?? newKey() }));
    let bytes;
    try {
      bytes = encode(defined({ events: keyed, checks }));
    } catch (e) {
      throw new PealError("bad_request", e.message);
    }
    if (!keyed.length) throw new PealError("bad_request", "no events");
    const id = keyed[0].key;
    const record = { id, page: this.#page, owner: this.#owner(), bytes, time: Date.now(), sent: 0 };
    if (this.#records.has(id))
      throw new PealError("key_reused", "this key waits already", { key: id });
    const full = this.#full(record);
    if (full) throw full;
    return record;
  }

  /** Why there is no room for it, beside those before it. */
  #full(record, before = () => true) {
    let count = 0;
    let bytes = record.bytes.length;
    for (const r of this.#records.values()) {
      if (r.owner !== record.owner || r === record || !before(r)) continue;
      count++;
      bytes += r.bytes.length;
    }
    const { limit, bytes: max } = this.#o;
    if (count < limit && bytes <= max) return undefined;
    return new PealError("too_large", `the outbox is full: ${count} entries wait`, { full: true });
  }

  #owner() {
    if (this.#o.user !== undefined) return ownerOf(this.#o.user);
    const { welcome } = this.#client;
    return welcome ? ownerOf(welcome.user) : NOBODY;
  }

  #show(record) {
    const held = this.#welcome && record.owner !== ownerOf(this.#welcome.user);
    const state = held ? "held" : record.sent ? "sent" : "waiting";
    let shown = this.#shown.get(record);
    if (shown?.state !== state) this.#shown.set(record, (shown = publicEntry(record, state)));
    return shown;
  }

  #changed() {
    this.#snapshot = undefined;
    if (this.#dirty) return;
    this.#dirty = true;
    queueMicrotask(() => {
      this.#dirty = false;
      this.#events.emit("change");
    });
  }

  #report(error) {
    this.#reporting = true;
    if (!this.#events.emit("error", error)) console.error(error);
    this.#reporting = false;
  }

  #unlessClosed = (e) => {
    if (!this.#closed.signal.aborted) this.#report(e);
  };

  // --- the store ---

  async #open() {
    const { store } = this.#o;
    if (store === undefined) return;
    try {
      const open = typeof store === "function" ? store : DiskStore.open;
      this.#store = await open(store, this.#page, (m) => this.#hear(m));
      const { entries, outcomes } = await this.#store.load();
      const own = [...this.#records.values()];
      this.#records = new Map();
      for (const r of [...entries, ...own]) if (!this.#gone.has(r.id)) this.#records.set(r.id, r);
      for (const r of outcomes) this.#untold.set(r.id, r);
    } catch (e) {
      this.#store = new MemoryStore();
      this.#report(new Error("the outbox is in memory alone: " + e?.message, { cause: e }));
    }
    this.#changed();
  }

  async #do(op, ...args) {
    try {
      return await this.#store[op](...args);
    } catch (e) {
      if (!this.persistent || this.#closed.signal.aborted) throw e;
      await this.#fallBack(e);
      return this.#store[op](...args);
    }
  }

  /** On without the disk. What can't be taken off it stays there for the next page. */
  async #fallBack(error) {
    const disk = this.#store;
    const memory = new MemoryStore();
    const own = [...this.#records.values()].filter((r) => r.page === this.#page && r.n);
    const taken = await disk.take(own.map((r) => r.id)).catch(() => []);
    await memory.add(own.filter((r) => taken.includes(r.id)));
    this.#store = memory;
    disk.close();
    this.#report(new Error("the outbox is in memory alone: " + error?.message, { cause: error }));
    this.#turn?.abort();
    this.#welcome = undefined;
    this.#look();
    this.#changed();
  }

  async #save() {
    const fits = new Set();
    for (const record of this.#unsaved.splice(0)) {
      // Those of earlier pages may have come to light since.
      const full = this.#full(record, (r) => r.n || fits.has(r));
      if (full) this.#leave(record, { outcome: "refused", error: plain(full) });
      else fits.add(record);
    }
    try {
      await this.#do("add", [...fits]);
      this.#store.say({ added: [...fits] });
      this.#poke();
    } catch (e) {
      this.#report(e);
    }
  }

  async #own(records, owner) {
    if (!records.length) return;
    await this.#do("own", records.map((r) => r.id), owner);
    this.#hear({ owned: records.map((r) => r.id), owner });
    this.#store.say({ owned: records.map((r) => r.id), owner });
  }

  /** What another page did, or this one. */
  #hear({ added = [], marked, sent, gone, outcome, owned = [], owner }) {
    for (const r of added) if (!this.#gone.has(r.id)) this.#records.set(r.id, r);
    const record = this.#records.get(marked);
    if (record) record.sent = sent;
    for (const id of owned) {
      const r = this.#records.get(id);
      if (!r) continue;
      r.owner = owner;
      this.#shown.delete(r);
    }
    if (gone) {
      const waited = this.#records.delete(gone.id);
      // Pages overtake each other: who added it may say so last.
      trim(this.#gone.add(gone.id));
      // The store says so, too, and may do so first.
      if (waited && gone.page === this.#page) this.#tell(gone, outcome);
    }
    this.#changed();
    this.#poke();
  }

  // --- outcomes ---

  async #settle(record, outcome) {
    await this.#do("settle", record, outcome);
    this.#leave(record, outcome);
  }

  /** Out of the queue; told here, or by the page that made it, if that is still there. */
  #leave(record, outcome) {
    const gone = { ...record };
    this.#records.delete(record.id);
    this.#changed();
    this.#store.say({ gone, outcome });
    if (record.page === this.#page) return this.#tell(gone, outcome);
    return this.#store.alive(record.page).then((alive) => {
      if (!alive) this.#tell(gone, outcome);
      else this.#watch(record.page);
    }, (e) => this.#report(e));
  }

  #tell(record, outcome) {
    const resolve = this.#promises.get(record.id);
    this.#promises.delete(record.id);
    const what = told(record, outcome);
    resolve?.(what);
    const heard = this.#events.emit("settled", what);
    if (resolve || heard) this.#store.forget(record.id).catch((e) => this.#report(e));
    else {
      this.#untold.set(record.id, { ...record, outcome });
      trim(this.#untold);
    }
  }

  /** One that is closing may not hear any more what became of its entries. */
  #watch(page) {
    if (this.#watched.has(page)) return;
    this.#watched.add(page);
    this.#store.gone(page, this.#closed.signal).then(() => {
      this.#watched.delete(page);
      return this.#catchUp();
    }).catch(this.#unlessClosed);
  }

  /** A page that ended while it settled an entry has said so to the store alone. */
  async #catchUp() {
    if (!this.persistent) return;
    const { outcomes } = await this.#store.load();
    for (const r of outcomes) {
      const { outcome, ...gone } = r;
      if (this.#records.has(r.id)) this.#hear({ gone, outcome });
      if (r.page !== this.#page) this.#untold.set(r.id, r);
    }
    await this.#tellUntold();
  }

  /** Of pages that are gone: whoever takes it from the store tells it, if anybody listens. */
  async #tellUntold() {
    for (const [id, record] of this.#untold) {
      if (!this.#events.heard("settled")) return;
      this.#untold.delete(id);
      if (record.page !== this.#page && (await this.#store.alive(record.page))) {
        this.#watch(record.page);
        continue;
      }
      if (await this.#do("forget", id))
        this.#events.emit("settled", told(record, record.outcome));
    }
  }

  // --- sending ---

  #poke() {
    this.#pokes++;
    this.#poked();
  }

  /** A connection was made, or lost. */
  #look() {
    const { state } = this.#client.connection.getSnapshot();
    const welcome = state === "connected" && !this.#closed.signal.aborted
      ? this.#client.welcome : undefined;
    if (welcome === this.#welcome) return;
    this.#turn?.abort();
    this.#welcome = welcome;
    this.#welcomedAt = performance.now();
    this.#changed();
    if (!welcome) return;
    const turn = (this.#turn = new AbortController());
    this.#serve(turn.signal).catch((e) => turn.signal.aborted || this.#report(e));
  }

  async #serve(signal) {
    await this.#saving;
    const owner = ownerOf(this.#welcome?.user);
    if (signal.aborted) return;
    const mine = (r) => r.owner === NOBODY && r.page === this.#page && r.n;
    await this.#own([...this.#records.values()].filter(mine), owner);
    await this.#store.lock(owner, signal, async () => {
      // What is wrong with the store shows where it is needed.
      await this.#catchUp().catch(() => {});
      await this.#drain(owner, signal);
    });
  }

  async #drain(owner, signal) {
    while (!signal.aborted) {
      const pokes = this.#pokes;
      const record = await this.#do("first", owner);
      if (signal.aborted) return;
      if (record) await this.#send(record, signal);
      else if (pokes === this.#pokes) await this.#wait(undefined, signal);
    }
  }

  #wait(ms, signal) {
    return new Promise((resolve) => {
      let timer;
      const done = () => {
        clearTimeout(timer);
        forget();
        resolve();
      };
      let forget = () => {};
      if (ms === undefined) this.#poked = done;
      else timer = setTimeout(done, ms);
      forget = onAbort(signal, done);
    });
  }

  /** The server's clock, in ms, as of the present connection. */
  #now() {
    return this.#welcome.time / 1000 + performance.now() - this.#welcomedAt;
  }

  /** How old a repeat may be; the limit moves while it is on its way. */
  #reach() {
    const ms = this.#welcome.keys_seconds * 1000;
    return ms - Math.min(10000, ms / 10);
  }

  async #send(record, signal) {
    const before = record.sent;
    if (before && this.#now() - before > this.#reach()) {
      return this.#settle(record, { outcome: "unknown", error: plain(new PealError("unknown",
        "the answer was lost, and the server has forgotten the key since")) });
    }
    if (!before && !(await this.#mark(record, this.#now()))) return;
    if (signal.aborted) return;
    const { events, checks } = decode(record.bytes);
    let result;
    try {
      result = await this.#client.append(events, { checks });
    } catch (e) {
      return this.#failed(record, before, e, signal);
    }
    await this.#settle(record, { outcome: "stored", result });
  }

  #delay(n) {
    const { minDelay, maxDelay } = this.#o;
    return Math.min(maxDelay, minDelay * 2 ** n) * (0.5 + Math.random() / 2);
  }

  async #mark(record, sent) {
    if (!(await this.#do("mark", record.id, sent))) return false;
    record.sent = sent;
    this.#hear({ marked: record.id, sent });
    this.#store.say({ marked: record.id, sent });
    return true;
  }

  async #failed(record, before, e, signal) {
    if (this.#tries.id !== record.id) this.#tries = { id: record.id, n: 0, internal: 0 };
    const n = this.#tries.n++;
    const code = e?.code ?? "internal";
    const not = NOT_STORED.includes(code);
    if (not || code === "unknown" || (code === "internal" && this.#tries.internal++ < TRIES)) {
      if (not && !before) await this.#mark(record, 0);
      return this.#wait(e?.retryMs || this.#delay(n), signal);
    }
    // A gateway that refuses has not looked at the key: an earlier attempt may be stored.
    const outcome = DECIDED[code] ?? (before || code === "internal" ? "unknown" : "refused");
    return this.#settle(record, { outcome, error: plain(e) });
  }
}

/** The oldest go. */
function trim(collection) {
  for (const id of collection.keys()) if (collection.size > KEPT) collection.delete(id);
}

function lostWith(record, why) {
  return record.sent
    ? { outcome: "unknown", error: plain(new PealError("unknown", why)) }
    : { outcome: "refused", error: plain(new PealError("unavailable", why)) };
}

/** A queue of appends in front of a client. */
export function outbox(client, options = {}) {
  return new Outbox(client, options);
}
