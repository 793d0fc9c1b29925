// SPDX-License-Identifier: BSD-2-Clause
// Where an outbox keeps its entries: in memory, or in IndexedDB, for all pages of an origin.
// What a store has said is done survives the page; every change is one transaction.

const OPEN_MS = 5000;
// Outcomes that nobody has asked for: the oldest go.
const OUTCOMES = 1000;

/** The same, for as long as the page. */
export class MemoryStore {
  persistent = false;
  #entries = new Map();
  #outcomes = new Map();
  #n = 0;
  #busy = Promise.resolve();

  get entries() {
    return this.#entries.values();
  }

  get outcomes() {
    return this.#outcomes.values();
  }

  async add(records) {
    for (const r of records) {
      r.n = ++this.#n;
      this.#entries.set(r.id, r);
    }
  }

  async first(owner) {
    for (const r of this.#entries.values()) if (r.owner === owner) return r;
    return undefined;
  }

  async mark(id, sent) {
    const r = this.#entries.get(id);
    if (r) r.sent = sent;
    return r !== undefined;
  }

  async own(ids, owner) {
    for (const id of ids) if (this.#entries.has(id)) this.#entries.get(id).owner = owner;
  }

  async settle(record, outcome) {
    if (!this.#entries.delete(record.id)) return;
    this.#outcomes.set(record.id, { ...record, outcome });
    for (const id of this.#outcomes.keys())
      if (this.#outcomes.size > OUTCOMES) this.#outcomes.delete(id);
  }

  async forget(id) {
    return this.#outcomes.delete(id);
  }

  async discard(id, unsent) {
    const r = this.#entries.get(id);
    return r !== undefined && !(unsent && r.sent) && this.#entries.delete(id);
  }

  lock(owner, signal, fn) {
    this.#busy = this.#busy.then(() => (signal.aborted ? undefined : fn()));
    const done = this.#busy;
    this.#busy = done.catch(() => {});
    return done;
  }

  async alive() {
    return false;
  }

  async gone() {}

  say() {}

  close() {}
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** A browser may never answer, in a private window for one. */
function openDatabase(name) {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error("IndexedDB does not answer"));
    }, OPEN_MS);
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      const entries = request.result.createObjectStore("entries",
        { keyPath: "n", autoIncrement: true });
      entries.createIndex("id", "id", { unique: true });
      entries.createIndex("owner", "owner");
      request.result.createObjectStore("outcomes", { keyPath: "n" })
        .createIndex("id", "id", { unique: true });
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(request.error);
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      if (late) request.result.close();
      else resolve(request.result);
    };
  });
}

export class DiskStore {
  persistent = true;
  #name;
  #db;
  #locks;
  #channel;
  #release = () => {};

  /** hear(message): what other pages say. Throws where the page can't have such a store. */
  static async open(name, page, hear) {
    const { indexedDB, BroadcastChannel, navigator } = globalThis;
    const locks = navigator?.locks;
    // Without locks two pages would send the same entry, and tell two outcomes.
    if (!indexedDB || !locks || !BroadcastChannel)
      throw new Error("IndexedDB, Web Locks or BroadcastChannel are missing");
    const store = new DiskStore();
    store.#name = "peal.outbox." + name;
    store.#locks = locks;
    store.#db = await openDatabase(store.#name);
    // A later version of this file wants to change it.
    store.#db.onversionchange = () => store.#db.close();
    store.#channel = new BroadcastChannel(store.#name);
    store.#channel.onmessage = (e) => hear(e.data);
    try {
      await store.#hold(page);
    } catch (e) {
      store.close();
      throw e;
    }
    return store;
  }

  #pageLock(page) {
    return `${this.#name}.page.${page}`;
  }

  /** As long as the page lives the others leave it to tell what became of its entries. */
  #hold(page) {
    return new Promise((resolve, reject) => {
      this.#locks.request(this.#pageLock(page), () => {
        resolve();
        return new Promise((release) => (this.#release = release));
      }).catch(reject);
    });
  }

  /** fn gets the object stores, and returns a request or a promise of requests only. */
  async #run(mode, fn) {
    const t = this.#db.transaction(["entries", "outcomes"], mode);
    const done = new Promise((resolve, reject) => {
      t.oncomplete = resolve;
      t.onabort = () => reject(t.error ?? new Error("IndexedDB gave up"));
    });
    done.catch(() => {});
    let value;
    try {
      value = await fn(t.objectStore("entries"), t.objectStore("outcomes"));
    } catch (e) {
      try {
        t.abort();
      } catch {
        // It has ended by itself.
      }
      throw e;
    }
    await done;
    return value;
  }

  load() {
    return this.#run("readonly", async (entries, outcomes) => {
      const all = [result(entries.getAll()), result(outcomes.getAll())];
      return { entries: await all[0], outcomes: await all[1] };
    });
  }

  async add(records) {
    const keys = await this.#run("readwrite", (entries) =>
      Promise.all(records.map((r) => result(entries.add(r)))));
    records.forEach((r, i) => (r.n = keys[i]));
  }

  first(owner) {
    return this.#run("readonly", (entries) => result(entries.index("owner").get(owner)));
  }

  #change(id, fn) {
    return this.#run("readwrite", async (entries) => {
      const r = await result(entries.index("id").get(id));
      if (!r) return false;
      fn(r);
      await result(entries.put(r));
      return true;
    });
  }

  mark(id, sent) {
    return this.#change(id, (r) => (r.sent = sent));
  }

  async own(ids, owner) {
    for (const id of ids) await this.#change(id, (r) => (r.owner = owner));
  }

  settle({ id }, outcome) {
    return this.#run("readwrite", async (entries, outcomes) => {
      const r = await result(entries.index("id").get(id));
      if (!r) return;
      entries.delete(r.n);
      outcomes.put({ ...r, outcome });
      if ((await result(outcomes.count())) <= OUTCOMES) return;
      const oldest = await result(outcomes.openKeyCursor());
      await result(outcomes.delete(oldest.key));
    });
  }

  /** Whether it was there: who is told so tells the application. */
  forget(id) {
    return this.#run("readwrite", async (entries, outcomes) => {
      const n = await result(outcomes.index("id").getKey(id));
      if (n !== undefined) outcomes.delete(n);
      return n !== undefined;
    });
  }

  discard(id, unsent) {
    return this.#run("readwrite", async (entries) => {
      const r = await result(entries.index("id").get(id));
      if (!r || (unsent && r.sent)) return false;
      entries.delete(r.n);
      return true;
    });
  }

  /** Removes entries, by a connection of its own where this one is broken. */
  async take(ids) {
    const db = await openDatabase(this.#name);
    this.#db.close();
    this.#db = db;
    await this.#run("readwrite", async (entries) => {
      for (const id of ids) {
        const n = await result(entries.index("id").getKey(id));
        if (n !== undefined) entries.delete(n);
      }
    });
    return ids;
  }

  /** One page at a time sends what belongs to one user. */
  lock(owner, signal, fn) {
    return this.#locks.request(`${this.#name}.send.${owner}`, { signal }, fn);
  }

  async alive(page) {
    const { held } = await this.#locks.query();
    return held.some((lock) => lock.name === this.#pageLock(page));
  }

  /** When that page does not live any more. */
  gone(page, signal) {
    return this.#locks.request(this.#pageLock(page), { mode: "shared", signal }, () => {});
  }

  say(message) {
    this.#channel.postMessage(message);
  }

  close() {
    this.#release();
    this.#channel.close();
    this.#db.close();
  }
}
