// SPDX-License-Identifier: BSD-2-Clause
// A server that knows keys, networks that lose answers, pages that come and go, all at random,
// and a judge: each entry is stored once, or somebody was told that it was not.

const HOUR = 3600_000;
const KEYS_MS = HOUR;

/** The network takes its time. */
export const lag = (ms) => new Promise((arrived) => setTimeout(arrived, ms));

/** mulberry32 */
export function random(seed) {
  let a = seed >>> 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    chance: (p) => next() < p,
    below: (n) => Math.floor(next() * n),
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

export class Refusal extends Error {
  constructor(code, details = {}) {
    super(code);
    this.code = code;
    this.details = details;
    this.retryMs = details.retry_ms;
  }
}

/** What the writer does with keys, and no more. */
export class Server {
  now = 1e12;
  log = [];
  #keys = new Map();
  versions = new Map();

  sleep(ms) {
    this.now += ms;
    for (const [key, { at }] of this.#keys) if (this.now - at > KEYS_MS) this.#keys.delete(key);
  }

  append(user, events) {
    const print = JSON.stringify(events.map(({ topic, type, data }) => [topic, type, data]));
    const known = this.#keys.get(user + "/" + events[0].key);
    if (known) {
      if (known.print !== print) throw new Refusal("key_reused", { key: events[0].key });
      return { ...known.answer, duplicate: true };
    }
    for (const { topic, expect } of events) {
      const actual = this.versions.get(topic) ?? 0;
      if (typeof expect === "number" && expect !== actual)
        throw new Refusal("conflict", { topic, expected: expect, actual });
    }
    const versions = events.map((e) => {
      const version = (this.versions.get(e.topic) ?? 0) + 1;
      this.versions.set(e.topic, version);
      this.log.push({ user, ...e, version });
      return version;
    });
    const seq = this.log.length;
    const answer = {
      seq, version: versions.at(-1), versions, time: this.now * 1000, duplicate: false,
    };
    this.#keys.set(user + "/" + events[0].key, { at: this.now, print, answer });
    return answer;
  }
}

/** A client of that server, as far as an outbox sees it, on a line that breaks. */
export class Client {
  welcome;
  #server;
  #random;
  #faults;
  #state = { state: "disconnected", attempts: 0 };
  #listeners = new Set();
  #pending = new Set();

  constructor(server, random, faults = 0) {
    this.#server = server;
    this.#random = random;
    this.#faults = faults;
    this.connection = {
      subscribe: (fn) => (this.#listeners.add(fn), () => this.#listeners.delete(fn)),
      getSnapshot: () => this.#state,
    };
  }

  #set(state) {
    this.#state = { state, attempts: 0 };
    for (const fn of this.#listeners) fn();
  }

  connect(user) {
    this.disconnect();
    this.welcome = {
      user, log: "l-1", time: this.#server.now * 1000, keys_seconds: KEYS_MS / 1000,
    };
    this.#set("connected");
  }

  disconnect() {
    if (this.#state.state !== "connected") return;
    this.#set("disconnected");
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const reject of pending) reject(new Refusal("unknown"));
  }

  append(events) {
    return new Promise((resolve, reject) => {
      if (this.#state.state !== "connected") throw new Refusal("unavailable", { retry_ms: 1 });
      this.#pending.add(reject);
      const { user } = this.welcome;
      setTimeout(() => {
        if (!this.#pending.delete(reject)) {
          // The connection went, the request may have arrived all the same.
          if (!events[0].data.poison && this.#random.chance(0.5))
            this.#try(user, events, () => {}, () => {});
          return;
        }
        this.#serve(user, events, resolve, reject);
      }, this.#random.below(3));
    });
  }

  #try(user, events, resolve, reject) {
    try {
      resolve(this.#server.append(user, events));
    } catch (e) {
      reject(e);
    }
  }

  #serve(user, events, resolve, reject) {
    const r = this.#random;
    const poison = events[0].data.poison;
    if (poison) return reject(new Refusal(poison));
    if (!r.chance(this.#faults)) return this.#try(user, events, resolve, reject);
    const code = r.pick(["lost", "cut", "lost", "cut", "unknown", "internal", "rate_limited",
      "unavailable", "storage_full", "forbidden", "unauthorized"]);
    const stored = ["cut", "unknown", "internal"].includes(code) && r.chance(0.6);
    if (stored) this.#try(user, events, () => {}, () => {});
    if (code === "lost" || code === "cut") {
      this.#pending.add(reject);
      return this.disconnect();
    }
    return reject(new Refusal(code, code === "rate_limited" ? { retry_ms: 1 } : {}));
  }
}

/** What is wrong with the outcomes that were told, given what the log holds; [] is good. */
export function judge(server, entries, { all = true } = {}) {
  const wrong = [];
  const where = new Map();
  server.log.forEach((e, i) => {
    const { n } = e.data;
    if (where.has(n)) wrong.push(`entry ${n} is stored twice`);
    where.set(n, i);
    if (e.user !== entries[n].user) wrong.push(`entry ${n} is stored as ${e.user}`);
  });
  const last = new Map();
  entries.forEach(({ n, page, user, told }) => {
    const at = where.get(n);
    if (all && !told.length) wrong.push(`nobody was told what became of entry ${n}`);
    if (new Set(told).size > 1) wrong.push(`entry ${n} was told to be ${told.join(" and ")}`);
    if (told[0] === "stored" && at === undefined) wrong.push(`entry ${n} is not stored`);
    if (["refused", "conflict"].includes(told[0]) && at !== undefined)
      wrong.push(`entry ${n} was refused, and is stored`);
    // What nobody knows of may still be on its way.
    if (at === undefined || told[0] !== "stored") return;
    const lane = page + "/" + user;
    if (last.get(lane) > at) wrong.push(`entry ${n} is stored before one that came first`);
    last.set(lane, at);
  });
  return wrong;
}

/**
 * One schedule. o: seed, steps, outbox(client, options), store (per page, as in the options of
 * an outbox), users. Pages are closed and opened again; at the end the network is healed.
 */
export async function run({ seed, steps = 60, outbox, store, users = ["ada"] }) {
  const r = random(seed);
  const server = new Server();
  const entries = [];
  const pages = [];
  let opened = 0;
  const open = () => {
    const client = new Client(server, r, 0.4);
    const box = outbox(client, { store, minDelay: 1, maxDelay: 4 });
    box.on("settled", ({ outcome, entry }) => {
      const e = entries[entry.events[0].data.n];
      // What a promise tells too is one telling.
      if (!e.awaited) e.told.push(outcome);
    });
    const page = { client, box, name: "page " + ++opened };
    client.connect(r.pick(users));
    return page;
  };
  const append = ({ box, client, name }) => {
    const n = entries.length;
    const e = { n, page: name, user: client.welcome.user, told: [], awaited: true };
    entries.push(e);
    const poison = r.chance(0.1) ? r.pick(["forbidden", "bad_request", "too_large"]) : undefined;
    const topic = "t." + r.below(3);
    const expect = r.chance(0.2) ? server.versions.get(topic) ?? 0 : undefined;
    box.append(topic, "note_set", { n, poison }, { expect })
      .then(({ outcome }) => e.told.push(outcome));
  };
  for (let i = 0; i < 2; i++) pages.push(open());
  for (let i = 0; i < steps; i++) {
    const k = r.below(pages.length);
    const what = r.below(10);
    if (what < 5) append(pages[k]);
    else if (what < 7) pages[k].client.connect(r.pick(users));
    else if (what === 7) pages[k].client.disconnect();
    else if (what === 8 && r.chance(0.3)) {
      // No request takes hours to arrive.
      for (const { client } of pages) client.disconnect();
      await lag(5);
      server.sleep(r.pick([HOUR / 2, 2 * HOUR]));
    }
    else if (what === 9 && store && r.chance(0.4)) {
      pages[k].box.close();
      pages[k].client.disconnect();
      for (const e of entries) if (e.page === pages[k].name) e.awaited = false;
      pages[k] = open();
    }
    // Every few steps the pages get somewhere.
    if (r.chance(0.5)) await lag(r.below(6));
  }
  return { server, entries, pages, drain: () => drain(server, pages, entries, users) };
}

/**
 * Connects everybody in turn until nothing waits. Each turn is twice as long as the one
 * before: in the first ones a slow machine may get nothing done.
 */
async function drain(server, pages, entries, users) {
  const waits = () => entries.some((e) => !e.told.length);
  for (let turn = 15; waits() && turn < 120_000; turn *= 2) {
    for (const user of users) {
      for (const { client } of pages)
        if (client.connection.getSnapshot().state !== "connected" ||
            client.welcome.user !== user) client.connect(user);
      for (let ms = 0; ms < turn && waits(); ms += 5) await lag(5);
    }
  }
  for (const { box } of pages) box.close();
  return judge(server, entries);
}
