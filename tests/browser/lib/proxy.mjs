// SPDX-License-Identifier: BSD-2-Clause

// A TCP proxy that misbehaves as networks do.  What it does to a connection is told to
// it while it runs, and counts for connections that are open as well as for new ones.

import net from "node:net";

import { atEnd, pause } from "./await.mjs";

/** One direction of a connection: bytes in order, late where they are to be late. */
class Pipe {
  #proxy;
  #to;
  #turn = Promise.resolve();
  #cut;
  bytes = 0;

  constructor(proxy, from, to, cut) {
    this.#proxy = proxy;
    this.#to = to;
    this.#cut = cut;
    from.on("data", (chunk) => this.#take(from, chunk));
    from.on("end", () => proxy.mute || this.#then(() => to.end()));
  }

  #then(act) {
    const { delay } = this.#proxy;
    this.#turn = delay > 0
      ? Promise.all([this.#turn, pause(delay)]).then(act)
      : this.#turn.then(act);
  }

  #take(from, chunk) {
    if (this.#proxy.mute) return;
    const rest = this.#cut - this.bytes;
    this.bytes += chunk.length;
    this.#then(() => {
      if (this.#to.destroyed || !this.#to.writable) return;
      if (chunk.length >= rest) {
        this.#to.write(chunk.subarray(0, Math.max(rest, 0)), () => {
          this.#to.resetAndDestroy();
          from.resetAndDestroy();
        });
      } else if (!this.#to.write(chunk)) {
        from.pause();
        this.#to.once("drain", () => this.#proxy.stalled || from.resume());
      }
    });
  }
}

class Proxy {
  /** Bytes are swallowed both ways, and nobody is told. */
  mute = false;
  /** Nothing is read from the server: its side fills up. */
  stalled = false;
  /** New connections are reset. */
  refusing = false;
  /** Milliseconds that every chunk is late. */
  delay = 0;
  /** New connections are reset after so many bytes from the server. */
  cut = Infinity;
  /** How many connections came, in all. */
  accepted = 0;
  #pairs = new Set();
  #server;

  constructor(target) {
    this.#server = net.createServer({ allowHalfOpen: true }, (client) => {
      this.#accept(client, target());
    });
  }

  async listen(port = 0) {
    await new Promise((yes, no) => {
      this.#server.once("error", no).listen(port, "127.0.0.1", yes);
    });
    this.port = this.#server.address().port;
  }

  #accept(client, port) {
    this.accepted++;
    client.on("error", () => {});
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const pair = { client, server };
    this.#pairs.add(pair);
    server.on("error", () => this.mute || client.resetAndDestroy());
    client.on("close", () => {
      this.#pairs.delete(pair);
      server.destroy();
    });
    pair.up = new Pipe(this, client, server, Infinity);
    pair.down = new Pipe(this, server, client, this.cut);
    if (this.stalled) server.pause();
  }

  /** Connections that are open. */
  get open() {
    return this.#pairs.size;
  }

  /** All connections end with a reset. */
  reset() {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** The server's side seems to say goodbye (FIN), and listens on. */
  halfClose() {
    for (const { client } of this.#pairs) client.end();
  }

  /** Stop reading from the server, or read on. */
  stall(on = true) {
    this.stalled = on;
    for (const { server } of this.#pairs) on ? server.pause() : server.resume();
  }

  /** Everything passes again; what is open and was robbed of bytes stays robbed. */
  pass() {
    Object.assign(this, { mute: false, refusing: false, delay: 0, cut: Infinity });
    this.stall(false);
  }

  close() {
    this.reset();
    return new Promise((yes) => this.#server.close(yes));
  }
}

/** A proxy before `target`: a house, a port, or a function that gives one. */
export async function startProxy(t, target, port) {
  const proxy = new Proxy(() =>
    typeof target === "function" ? target() : target.port ?? target);
  await proxy.listen(port);
  atEnd(t, () => proxy.close());
  return proxy;
}
