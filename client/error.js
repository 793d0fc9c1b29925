// SPDX-License-Identifier: BSD-2-Clause
// The one class of errors that the client makes, with the codes of the protocol.
// Whatever is refused or lost is told with it; bad messages are not, they end a connection.

export class PealError extends Error {
  name = "PealError";

  constructor(code, message, { retry_ms: retryMs, ...details } = {}) {
    super(message);
    this.code = code;
    this.details = details;
    this.retryMs = retryMs;
  }
}

/** From a message `error`. */
export const errorOf = ({ op, id, code, message, ...rest }) =>
  new PealError(code, message, rest);
