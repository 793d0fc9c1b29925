// SPDX-License-Identifier: BSD-2-Clause

// A producer on the writer's socket: changes of random topics at a steady pace, each
// stored once, whatever happens to the writer meanwhile.

import { randomUUID } from "node:crypto";
import net from "node:net";
import { join } from "node:path";

import { decode, encode } from "@msgpack/msgpack";

import { atEnd, pause, within } from "./await.mjs";
import { random } from "./random.mjs";

/** The seed of a test: PEAL_SEED, or one that is printed. */
export function seedOf(t) {
  const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
  (t.diagnostic ? (text) => t.diagnostic(text) : console.log)(`PEAL_SEED=${seed}`);
  return seed;
}

/** One request after the other, repeated until it is answered. */
class Producer {
  #path;
  #socket;
  #bytes = Buffer.alloc(0);
  #answer;
  #closed = false;

  constructor(house) {
    this.#path = join(house.data, "run/writer.sock");
  }

  #connect() {
    const socket = net.connect(this.#path);
    const lost = () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#answer?.(undefined);
    };
    socket.on("error", lost).on("close", lost).on("data", (chunk) => this.#take(chunk));
    this.#bytes = Buffer.alloc(0);
    this.#socket = socket;
  }

  #take(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readUInt32LE(0);
      if (this.#bytes.length < end) return;
      const message = decode(this.#bytes.subarray(4, end));
      this.#bytes = this.#bytes.subarray(end);
      if (message.id === 1) this.#answer?.(message);
    }
  }

  async append(events) {
    const body = encode({ op: "append", id: 1, events });
    const head = Buffer.alloc(4);
    head.writeUInt32LE(body.length);
    while (!this.#closed) {
      if (!this.#socket) this.#connect();
      const answered = new Promise((yes) => (this.#answer = yes));
      this.#socket.write(Buffer.concat([head, body]));
      const m = await within("the writer answers", answered);
      this.#answer = undefined;
      if (m?.op === "appended") return m;
      if (m && m.code !== "unavailable" && m.code !== "unknown") {
        throw new Error(`append: ${m.code}: ${m.message}`);
      }
      await pause(20);
    }
    throw new Error("nobody waits for the answer any more");
  }

  close() {
    this.#closed = true;
    this.#socket?.destroy();
  }
}

class Load {
  /** The newest seq that was acknowledged, and how many events were. */
  head = 0;
  count = 0;
  #o;
  #id = randomUUID();
  #stopped = false;
  #producer;
  #random;

  constructor(house, options) {
    this.#o = { rate: 200, topics: 40, prefix: "w.item", size: 40, seed: 1, ...options };
    this.#producer = new Producer(house);
    this.#random = random(this.#o.seed);
    this.done = this.#run();
    // stop() tells it, too.
    this.done.catch((error) => this.#stopped || console.error(error));
  }

  /** Half set, the rest merge; one in thirty deletes. */
  #event() {
    const { topics, prefix, size } = this.#o;
    const n = ++this.count;
    const topic = `${prefix}.${this.#random.int(topics)}`;
    const dice = this.#random.double();
    const key = `${this.#id}-${n}`;
    if (dice < 0.03) return { topic, type: "item_deleted", data: null, key };
    const type = dice < 0.5 ? "item_created" : "item_updated";
    const data = { n, [`f${this.#random.int(5)}`]: n, text: "x".repeat(size) };
    return { topic, type, data, key };
  }

  async #run() {
    const { rate, size } = this.#o;
    const begin = performance.now();
    while (!this.#stopped) {
      const due = Math.floor(((performance.now() - begin) * rate) / 1000) - this.count;
      if (due < 1) {
        await pause(Math.min(20, 1000 / rate));
        continue;
      }
      // Behind after an interruption: not all at once, nor more than a small ring takes.
      const many = Math.min(due, 500, Math.ceil(100_000 / (size + 100)));
      const m = await this.#producer.append(Array.from({ length: many }, () => this.#event()));
      this.head = m.seq + many - 1;
    }
  }

  close() {
    this.#stopped = true;
    this.#producer.close();
  }

  /** No more events: what was asked for last is stored. */
  async stop() {
    this.#stopped = true;
    await this.done;
    this.#producer.close();
    return this.head;
  }
}

/** { rate: 200, topics: 40, prefix: "w.item", size: 40, seed }: events per second. */
export async function startLoad(t, house, options = {}) {
  const load = new Load(house, { seed: seedOf(t), ...options });
  atEnd(t, () => load.close());
  return load;
}

/** A few events now: the seq of the last. */
export async function append(house, ...events) {
  const producer = new Producer(house);
  try {
    const m = await producer.append(events);
    return m.seq + events.length - 1;
  } finally {
    producer.close();
  }
}

