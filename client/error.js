// SPDX-License-Identifier: BSD-2-Clause
// The one class of errors that the client makes, with the codes of the protocol.
// Whatever is refused or lost is told with it; bad messages are not, they end a connection.

import { shaped } from "./message.js";
import { MAX_WAIT_MS } from "./limits.js";

export class PealError extends Error {
  name = "PealError";

  constructor(code, message, { retry_ms: retryMs, ...details } = {}) {
    super(message);
    Object.assign(this, { code, details, retryMs });
  }
}

/** A time to wait, as a server says it. */
export function waitOf(ms) {
  shaped("u", [ms]);
  return Math.min(ms, MAX_WAIT_MS);
}

/** From a message `error`. */
export function errorOf({ op, id, code, message, retry_ms: ms, ...rest }) {
  shaped("ss", [code, message]);
  return new PealError(code, message, { ...rest, retry_ms: ms && waitOf(ms) });
}
