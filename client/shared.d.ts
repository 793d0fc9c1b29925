// SPDX-License-Identifier: BSD-2-Clause

import type { AnyTopics, Client, ConnectOptions, Socket } from "./peal.js";

export interface SharedOptions {
  /** Where shared-worker.js is, on the page's own origin; default beside shared.js. */
  worker?: string | URL;
  /** Told once when the page has a connection of its own after all, and why. */
  fallback?: (error: Error) => void;
}

/**
 * For `connect(url, { WebSocket })`: a class that shares one connection among the pages of this
 * browser that have the same user, rights and `client`; a plain WebSocket where there are no
 * SharedWorkers or Web Locks.
 */
export function sharedWebSocket(
  options?: SharedOptions): new (url: string, protocol: string) => Socket;

/** `connect` of peal.js, over a shared connection. */
export function connect<A = AnyTopics>(
  url?: string | URL, options?: ConnectOptions & { shared?: SharedOptions },
): Client<A>;
