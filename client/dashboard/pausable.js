// SPDX-License-Identifier: BSD-2-Clause

// A WebSocket that can stop reading. The plain one takes whatever comes; on
// WebSocketStream nothing is taken that nobody asks for, so that the network's buffers
// fill, and the server sees a reader that has stopped.

/** Can this browser stop reading? */
export const CAN_PAUSE = typeof globalThis.WebSocketStream === "function";

/** Returns { WebSocket, pause(), resume() }: the class is for connect(). */
export function createPausable() {
  let held = null; // a promise that resume() fulfils
  let release = null;

  class PausableSocket {
    binaryType = "arraybuffer";
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    #stream;
    #writer;

    constructor(url, protocol) {
      const address = new URL(url, location.href);
      address.protocol = address.protocol.replace("http", "ws");
      this.#stream = new globalThis.WebSocketStream(address, { protocols: [protocol] });
      this.#stream.closed.then(
        ({ closeCode, reason }) => this.onclose?.({ code: closeCode, reason }),
        (e) => this.onclose?.({ code: 1006, reason: e.message }),
      );
      // What goes wrong is told by `closed`, too.
      this.#run().catch(() => {});
    }

    async #run() {
      const { readable, writable } = await this.#stream.opened;
      this.#writer = writable.getWriter();
      this.onopen?.();
      const reader = readable.getReader();
      for (;;) {
        await held;
        const { value, done } = await reader.read();
        if (done) return;
        this.onmessage?.({ data: value });
      }
    }

    send(bytes) {
      this.#writer.write(bytes).catch(() => {});
    }

    close(code) {
      this.#stream.close(code === undefined ? {} : { closeCode: code });
    }
  }

  return {
    WebSocket: PausableSocket,
    pause() {
      held ??= new Promise((resolve) => {
        release = resolve;
      });
    },
    resume() {
      release?.();
      held = null;
      release = null;
    },
  };
}
