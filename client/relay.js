// SPDX-License-Identifier: BSD-2-Clause
// Pages on one side, connections to servers on the other: which page shares which connection.
// Each page sees what a server of its own would have sent it, as doc/protocol.md has it.

import { decode } from "./codec.js";
import { Fields } from "./splice.js";
import { Upstream } from "./upstream.js";

// What a page may leave unread. A WebSocket that nobody reads can't be told to wait in here.
const UNREAD = 1 << 26;
const TICK_MS = 5000;

/** Who a token says its bearer is, and what it lets them do; tokens alike may share. */
function identity(token) {
  if (token === undefined) return "";
  try {
    const part = String(token).split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
    const { sub, iss, aud, peal } = JSON.parse(new TextDecoder().decode(bytes));
    return JSON.stringify([sub, iss, aud, peal]);
  } catch {
    return "token " + token;
  }
}

/** A page's end: looks like a connection to it. */
class Link {
  upstream;
  /** Its requests: its own id → what the upstream knows of them. */
  requests = new Map();
  hello;
  joined = false;
  closed = false;
  #relay;
  #port;
  #unread = 0;

  constructor(relay, port, url) {
    this.#relay = relay;
    this.#port = port;
    this.url = url;
  }

  take(data) {
    try {
      if (data instanceof ArrayBuffer) this.#message(new Uint8Array(data));
      else if (data.read) this.#unread -= data.read;
      else if (data.close) this.gone();
    } catch (e) {
      this.close(1007, e.message);
    }
  }

  #message(bytes) {
    const fields = new Fields(bytes);
    if (this.joined) this.upstream.request(this, fields);
    else if (!this.hello && fields.get("op") === "hello")
      this.#relay.join(this, decode(bytes), bytes);
    else this.close(1002, "something came before welcome");
  }

  send(bytes) {
    if (this.closed) return;
    this.#unread += bytes.length;
    if (this.#unread > UNREAD) return this.close(4409, "this page does not read");
    // A copy for each page: batches go to several.
    const data = bytes.slice().buffer;
    this.#port.postMessage(data, [data]);
  }

  close(code, reason) {
    if (this.closed) return;
    this.#port.postMessage({ close: code, reason });
    this.gone();
  }

  /** The page has closed it, or has died. */
  gone() {
    if (this.closed) return;
    this.closed = true;
    this.upstream?.leave(this);
    this.#relay.forget(this);
    this.#port.close();
  }
}

export class Relay {
  #o;
  #links = new Map();
  #upstreams = new Set();
  #ticker;

  /** o: WebSocket; died(lock) resolves when whoever holds that lock has gone. */
  constructor(o) {
    this.#o = o;
  }

  /** A page: it says whither, and by which lock one knows that it lives. */
  attach(port) {
    let link;
    port.onmessage = ({ data }) => {
      if (link) return link.take(data);
      link = new Link(this, port, data.open);
      const stop = new AbortController();
      this.#links.set(link, stop);
      this.#o.died(data.lock, stop.signal).then(() => link.gone(), () => {});
      port.postMessage({ open: true });
    };
    port.start?.();
  }

  forget(link) {
    this.#links.get(link)?.abort();
    this.#links.delete(link);
  }

  join(link, hello, bytes) {
    const { v, client, token = undefined } = hello;
    const keyOf = (t) => JSON.stringify([link.url, v, client ?? null, identity(t)]);
    const key = keyOf(token);
    link.hello = hello;
    // One that slept has not ticked yet.
    this.#tick();
    let upstream = [...this.#upstreams].find((u) => u.key === key && u.open);
    if (!upstream) {
      upstream = new Upstream(this.#o, link.url, bytes, token, {
        ended: (u) => this.#ended(u),
        rekey: keyOf,
      });
      upstream.key = key;
      this.#upstreams.add(upstream);
      this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
    }
    link.upstream = upstream;
    upstream.join(link);
  }

  #tick() {
    for (const upstream of this.#upstreams) upstream.tick();
  }

  #ended(upstream) {
    this.#upstreams.delete(upstream);
    if (this.#upstreams.size) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }
}

