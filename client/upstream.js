// SPDX-License-Identifier: BSD-2-Clause
// One connection to a server, shared by pages: ids exchanged, answers given to who asked.
// A page is told that a subscription is live only when the chain that all share is there.

import { decode, encode } from "./codec.js";
import { Fields, isBatch, range } from "./splice.js";

const PROTOCOL = "peal.v1.msgpack";
const ATTEMPT_MS = 15000;
const PROBE_MS = 5000;
const QUIET_MS = 20000;
const SILENT_MS = 35000;
// Tokens that the server has said are good, and acks that it may yet refuse.
const TOKENS = 8;
const ACKS = 64;

function expiry(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp;
  } catch {
    return 0;
  }
}

/** The oldest go. */
function trim(collection, max) {
  for (const key of collection.keys()) if (collection.size > max) collection.delete(key);
}

export class Upstream {
  open = true;
  key;
  #o;
  #ws;
  #hello;
  #said;
  #links = new Set();
  #welcome;
  /** The token that lasts longest. */
  #best;
  #tokens = new Set();
  #requests = new Map();
  #acks = new Set();
  #id = 0;
  /** Where the chain is; undefined while nothing is live. */
  #chain;
  #heard = Date.now();
  #probe;
  #timer;

  /** said: ended(upstream), rekey(token): the key of those with that token. */
  constructor(o, url, hello, token, said) {
    this.#o = o;
    this.#hello = new Fields(hello).withId(undefined);
    this.#said = said;
    this.#best = token;
    this.#tokens.add(token);
    this.#timer = setTimeout(() => this.fail(1006, "the server does not answer"), ATTEMPT_MS);
    // Whoever made it has to be here when it fails at once.
    queueMicrotask(() => this.#connect(url));
  }

  #connect(url) {
    if (!this.#links.size) return this.fail(1000);
    try {
      const ws = (this.#ws = new this.#o.WebSocket(url, PROTOCOL));
      ws.binaryType = "arraybuffer";
      ws.onopen = () => ws.send(this.#hello);
      ws.onmessage = (e) => this.#receive(new Uint8Array(e.data));
      ws.onclose = (e) => this.fail(e.code, e.reason);
      ws.onerror = () => {};
    } catch (e) {
      this.fail(1006, e.message);
    }
  }

  /** The end of it, and of all that share it: they come back as they think right. */
  fail(code, reason = "") {
    if (!this.open) return;
    this.open = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#probe);
    if (this.#ws) {
      this.#ws.onopen = this.#ws.onmessage = this.#ws.onclose = null;
      this.#ws.close();
    }
    for (const link of [...this.#links]) link.close(code, reason);
    this.#said.ended(this);
  }

  /** Timers of a worker run when pages are hidden, too; no other clock goes on in sleep. */
  tick() {
    const silence = Date.now() - this.#heard;
    if (!this.#welcome) return;
    if (silence > SILENT_MS) this.fail(1006, "nothing was heard");
    else if (silence > QUIET_MS) this.#ask({ op: "ping" }, () => {});
  }

  // --- pages ---

  join(link) {
    this.#links.add(link);
    if (this.#welcome) this.#admit(link);
  }

  /** A server would look at the token: so does this one. */
  #admit(link) {
    const { token } = link.hello;
    if (this.#tokens.has(token)) return this.#greet(link);
    this.#ask({ op: "auth", token }, (fields) => {
      if (fields.get("op") !== "ok") return this.#refuse(link, fields);
      this.#accept(token, true);
      this.#greet(link);
    });
    this.#look();
  }

  #refuse(link, fields) {
    link.send(fields.withId(link.hello.id));
    link.close(4401, "the token was refused");
  }

  /** The connection lasts as long as its newest token does; an older one is put back. */
  #accept(token, back) {
    this.#tokens.add(token);
    trim(this.#tokens, TOKENS);
    if (back && expiry(this.#best) > expiry(token))
      this.#ask({ op: "auth", token: this.#best }, () => {});
    else this.#best = token;
  }

  /** With the time of the day: what welcome said is old. */
  #greet(link) {
    this.#ask({ op: "ping" }, (fields) => {
      const { id } = link.hello;
      const time = fields.get("time");
      const head = fields.get("head");
      this.#enter(link, encode({ ...this.#welcome, time, head, ...(id !== undefined && { id }) }));
    });
    this.#look();
  }

  #enter(link, welcome) {
    if (link.closed) return;
    link.joined = true;
    link.send(welcome);
  }

  /** Who comes here comes from somewhere: does this connection still live? */
  #look() {
    const since = Date.now();
    clearTimeout(this.#probe);
    this.#probe = setTimeout(() => {
      if (this.#heard < since) this.fail(1006, "the server does not answer");
    }, PROBE_MS);
  }

  leave(link) {
    this.#links.delete(link);
    for (const r of link.requests.values()) {
      r.link = undefined;
      if (r.op === "subscribe" && !r.left && this.open) this.#unsubscribe(r);
    }
    link.requests.clear();
    if (!this.#links.size) this.fail(1000);
  }

  // --- requests ---

  #send(bytes) {
    try {
      this.#ws.send(bytes);
    } catch (e) {
      this.fail(1006, e.message);
    }
  }

  #ask(m, answer) {
    const id = ++this.#id;
    this.#requests.set(id, { id, op: m.op, answer });
    this.#send(encode({ ...m, id }));
  }

  request(link, fields) {
    const op = fields.get("op");
    const own = fields.get("id");
    if (op === "unsubscribe") return this.#leaveOne(link, own);
    const r = { id: ++this.#id, op, link, own };
    if (op === "subscribe") r.now = fields.get("from") === "now";
    if (op === "auth") r.token = fields.get("token");
    if (op === "ack") this.#ack(r, fields);
    this.#requests.set(r.id, r);
    if (own !== undefined) link.requests.set(own, r);
    this.#send(fields.withId(r.id));
  }

  /** There is no answer to an ack unless it is refused. */
  #ack(r, fields) {
    const name = fields.get("name") ?? "";
    const seq = fields.get("seq");
    const { ack } = this.#welcome;
    if (ack && !(ack[name] >= seq))
      this.#welcome = { ...this.#welcome, ack: { ...ack, [name]: seq } };
    this.#acks.add(r.id);
    if (this.#acks.size <= ACKS) return;
    const [oldest] = this.#acks;
    this.#acks.delete(oldest);
    this.#drop(this.#requests.get(oldest));
  }

  #leaveOne(link, own) {
    const r = link.requests.get(own);
    // It had ended before.
    if (!r) link.send(encode({ op: "ok", id: own }));
    else this.#unsubscribe(r);
  }

  #unsubscribe(r) {
    r.left = true;
    this.#send(encode({ op: "unsubscribe", id: r.id }));
  }

  #drop(r) {
    if (!r) return;
    this.#requests.delete(r.id);
    if (r.link?.requests.get(r.own) === r) r.link.requests.delete(r.own);
  }

  // --- what the server says ---

  #receive(bytes) {
    this.#heard = Date.now();
    try {
      if (isBatch(bytes)) this.#batch(bytes);
      else this.#control(bytes, new Fields(bytes));
    } catch (e) {
      this.fail(1007, e.message);
    }
  }

  #control(bytes, fields) {
    const op = fields.get("op");
    const id = fields.get("id");
    if (!this.#welcome && op === "welcome") return this.#welcomed(bytes);
    if (op === "draining") this.#retire();
    if (id === undefined) {
      if (op === "lagged") this.#lagged(bytes);
      else this.#tellAll(bytes);
      return;
    }
    const r = this.#requests.get(id);
    if (!r) return;
    if (r.op === "subscribe") this.#subscription(r, op, fields);
    else this.#answer(r, op, fields);
  }

  #welcomed(bytes) {
    clearTimeout(this.#timer);
    this.#welcome = decode(bytes);
    for (const link of this.#links) {
      const { token, id } = link.hello;
      if (this.#tokens.has(token)) this.#enter(link, new Fields(bytes).withId(id));
      else this.#admit(link);
    }
  }

  /** It is about to stop: those who come now get another one. */
  #retire() {
    this.key = undefined;
  }

  #tellAll(bytes) {
    for (const link of [...this.#links]) link.send(bytes);
  }

  #answer(r, op, fields) {
    const more = op === "snapshot" && fields.get("last") !== true;
    if (!more) this.#drop(r);
    if (r.op === "auth" && r.link && op === "ok") this.#renewed(r.token);
    if (r.answer) r.answer(fields);
    else r.link?.send(fields.withId(r.own));
  }

  /** What this token allows is what the connection allows from here on. */
  #renewed(token) {
    this.#accept(token, false);
    if (this.key !== undefined) this.key = this.#said.rekey(token);
  }

  #subscription(r, op, fields) {
    if (op === "ok" || op === "error" || op === "lagged") return this.#over(r, op, fields);
    const at = this.#liveAt(r, op, fields);
    if (at === undefined) return this.#hand(r, fields);
    r.at = at;
    r.held = fields;
    this.#advance();
  }

  /** From where a subscription is live by this message; undefined when it is not yet. */
  #liveAt(r, op, fields) {
    if (op === "subscribed") return r.now ? fields.get("seq") : undefined;
    if (fields.get("last") !== true) return undefined;
    if (op === "replay") return fields.get("upto");
    return op === "snapshot" && fields.get("live") !== false ? fields.get("seq") : undefined;
  }

  #hand(r, fields) {
    r.link?.send(fields.withId(r.own));
  }

  #over(r, op, fields) {
    const { held } = r;
    if (held) this.#hand(r, held);
    r.at = r.held = undefined;
    this.#hand(r, fields);
    // One that was left and ended at the same time is `ok`, too.
    if (op === "ok" || !r.left) this.#drop(r);
    this.#advance();
  }

  // --- the chain ---

  #announced() {
    return [...this.#requests.values()].filter((r) => r.at !== undefined);
  }

  /** Tells of those that the chain has come to; without any it begins with the first of them. */
  #advance() {
    const announced = this.#announced();
    if (announced.every((r) => r.held)) {
      this.#chain = announced.length ? Math.min(...announced.map((r) => r.at)) : undefined;
    }
    for (const r of announced) {
      if (!r.held || r.at > this.#chain) continue;
      const { held } = r;
      r.held = undefined;
      this.#hand(r, held);
    }
  }

  #live(link) {
    for (const r of link.requests.values()) if (r.at !== undefined && !r.held) return true;
    return false;
  }

  #tellLive(bytes) {
    for (const link of [...this.#links]) if (this.#live(link)) link.send(bytes);
  }

  #batch(bytes) {
    const [after, upto] = range(bytes);
    this.#tellLive(bytes);
    // The pages have seen what they need to see it, too.
    if (after !== this.#chain || !(upto >= after)) return this.fail(1002, "the chain broke");
    this.#chain = upto;
    this.#advance();
  }

  /** All that are live have ended; those that are ahead of the chain go on. */
  #lagged(bytes) {
    this.#tellLive(bytes);
    for (const r of this.#announced()) {
      if (r.held) continue;
      r.at = undefined;
      if (!r.left) this.#drop(r);
    }
    this.#advance();
  }
}
