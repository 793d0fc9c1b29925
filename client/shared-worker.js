// SPDX-License-Identifier: BSD-2-Clause
// What runs in the SharedWorker: the relay, for all pages of this browser.
// It knows that a page has died by the lock that the page held.

import { Relay } from "./relay.js";

const relay = new Relay({
  WebSocket,
  died: (lock, signal) => navigator.locks.request(lock, { signal }, () => {}),
});

onconnect = ({ ports: [port] }) => relay.attach(port);
