/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every configuration key: section, key, kind, when a change counts (LIVE: at
 * SIGHUP, START: at the next start), default, least, most, help.  Sizes are
 * bytes, times carry their unit in the kind.  Included several times with
 * CONF_KEY defined; has no include guard on purpose.
 */

CONF_KEY(log, directory, TEXT, START, "/var/lib/peal/log", 1, 400,
    "directory of the log")
CONF_KEY(log, segment_bytes, BYTES, START, "64M", 4194304, 1099511627776,
    "size of one segment file")
CONF_KEY(log, keep_bytes, BYTES, START, "0", 0, 1152921504606846976,
    "segments that are kept, the oldest go; 0: half of the file system")
CONF_KEY(log, keep_time, SECONDS, START, "0", 0, 3153600000,
    "how long events are kept; 0: as long as there is room")
CONF_KEY(log, keep_for_cursors, BYTES, START, "0", 0, 1152921504606846976,
    "segments that stay beyond keep_bytes and keep_time while a client's stored position needs them; 0: none")
CONF_KEY(log, unsafe_filesystem, BOOL, START, "no", 0, 0,
    "whether the log may be where what was flushed can be lost: tmpfs, overlay, NFS")
CONF_KEY(log, pack, BOOL, START, "yes", 0, 0,
    "whether segments are compressed once newer ones are complete")
CONF_KEY(ring, directory, TEXT, START, "/run/peal", 1, 400,
    "directory of the ring and of the sockets, on tmpfs")
CONF_KEY(
    ring, slots, POW2, START, "262144", 8, 16777216, "events the ring holds")
CONF_KEY(ring, payload_bytes, BYTES_POW2, START, "64M", 4096, 17179869184,
    "bytes of events the ring holds")
CONF_KEY(ring, group, TEXT, START, "", 0, 64,
    "group that may read the ring; empty: the writer's own")
CONF_KEY(writer, keys, UINT, START, "4000000", 1, 100000000,
    "idempotency keys that are remembered")
CONF_KEY(writer, max_topics, UINT, LIVE, "1000000", 1, 100000000,
    "topics the log may have")
CONF_KEY(writer, stall_seconds, SECONDS, LIVE, "10", 1, 3600,
    "a flush that takes longer makes appends unavailable")
CONF_KEY(writer, core_bytes, BYTES, START, "0", 0, 17592186044416,
    "how large a core dump may be; it holds events and keys; 0: none is made")
CONF_KEY(gateway, listen, TEXT, START, "127.0.0.1:8443", 1, 200,
    "address and port of the TLS WebSocket listener")
CONF_KEY(gateway, listen_plain, TEXT, START, "", 0, 200,
    "loopback address and port, or unix:PATH, of the listener without TLS for a proxy in front; empty: none")
CONF_KEY(gateway, trusted, TEXT, START, "", 0, 4000,
    "addresses, networks (10.0.0.0/8) and unix, separated by spaces, whose connections to listen_plain begin with a PROXY header")
CONF_KEY(gateway, batch_ms, MS, LIVE, "5", 0, 1000,
    "how long a group of clients gathers events at high rates")
CONF_KEY(gateway, mark_interval, MS, START, "5000", 100, 60000,
    "a batch comes at least this often while the log moves")
CONF_KEY(gateway, ping_interval, MS, START, "25000", 1000, 300000,
    "a batch comes at least this often while it does not")
CONF_KEY(gateway, max_message, BYTES, LIVE, "4M", 8192, 67108864,
    "longest message from a client")
CONF_KEY(gateway, max_connections, UINT, LIVE, "0", 0, 1000000,
    "connections in all; 0: 90 % of the descriptors")
CONF_KEY(gateway, subscriptions, UINT, LIVE, "64", 0, 1000000,
    "subscriptions of a connection; 0: no limit")
CONF_KEY(gateway, patterns, UINT, LIVE, "256", 0, 1000000,
    "patterns of a connection; 0: no limit")
CONF_KEY(gateway, append_bytes, BYTES, LIVE, "4M", 0, 268435456,
    "appends in flight, bytes per user; 0: no limit")
CONF_KEY(gateway, append_rate, UINT, LIVE, "1000", 0, 1000000,
    "appends per second and user; 0: no limit")
CONF_KEY(gateway, handshakes, UINT, LIVE, "256", 0, 100000,
    "TLS handshakes under way at once; 0: no limit")
CONF_KEY(gateway, hello_seconds, SECONDS, LIVE, "10", 0, 300,
    "time for TLS, HTTP and hello together; 0: no limit")
CONF_KEY(gateway, keepalive_seconds, SECONDS, LIVE, "60", 0, 3600,
    "how long a connection may wait for its next HTTP request; 0: not at all")
CONF_KEY(gateway, drain_seconds, SECONDS, LIVE, "5", 0, 300,
    "time over which a stopping gateway sends its clients away")
CONF_KEY(gateway, origins, TEXT, LIVE, "", 0, 4000,
    "origins allowed beside the same one, separated by spaces")
CONF_KEY(gateway, static, TEXT, LIVE, "", 0, 400,
    "directory of files that are served over HTTP; empty: none are")
CONF_KEY(gateway, user_connections, UINT, LIVE, "1024", 0, 1000000,
    "connections of one user; 0: no limit")
CONF_KEY(gateway, handshake_rate, UINT, LIVE, "3000", 0, 1000000,
    "new connections per second; 0: no limit")
CONF_KEY(gateway, address_handshakes, UINT, LIVE, "200", 0, 1000000,
    "new connections per second of one address; 0: no limit")
CONF_KEY(gateway, address_connections, UINT, LIVE, "1024", 0, 1000000,
    "connections of one address; 0: no limit")
CONF_KEY(gateway, hello_bytes, BYTES, LIVE, "8K", 0, 67108864,
    "longest message before hello; 0: as after it")
CONF_KEY(
    gateway, pattern_bytes, UINT, LIVE, "255", 1, 255, "length of a pattern")
CONF_KEY(gateway, queries, UINT, LIVE, "4", 0, 1000000,
    "queries of one user under way at once; 0: no limit")
CONF_KEY(gateway, queries_waiting, UINT, LIVE, "64", 0, 1000000,
    "queries of one user that wait for their turn; 0: no limit")
CONF_KEY(gateway, page_events, UINT, LIVE, "10000", 1, 10000,
    "events on one page of history")
CONF_KEY(gateway, quiet_seconds, SECONDS, LIVE, "60", 0, 86400,
    "a client that was not heard for so long is pinged; 0: never")
CONF_KEY(gateway, pong_seconds, SECONDS, LIVE, "20", 1, 3600,
    "time for its answer, once everything was sent")
CONF_KEY(gateway, ack_seconds, SECONDS, LIVE, "45", 0, 3600,
    "bytes sent and not acknowledged for so long: the peer is dead; 0: never")
CONF_KEY(gateway, silence_seconds, SECONDS, LIVE, "150", 0, 86400,
    "the same where its window was closed; 0: never")
CONF_KEY(gateway, stall_seconds, SECONDS, LIVE, "600", 0, 86400,
    "a client that is there and reads nothing for so long is sent away; 0: never")
CONF_KEY(gateway, fragments, UINT, LIVE, "16", 0, 1000000,
    "fragments of one message from a client; 0: no limit")
CONF_KEY(gateway, client_slots, UINT, START, "16384", 0, 262144,
    "clients that peal clients can show, 128 bytes of memory for each; 0: none")
CONF_KEY(gateway, control_frames, UINT, LIVE, "10", 0, 1000000,
    "control frames of one client per second; 0: no limit")
CONF_KEY(gateway, core_bytes, BYTES, START, "0", 0, 17592186044416,
    "how large a core dump may be; it holds events and keys; 0: none is made")
CONF_KEY(tls, certificate, TEXT, LIVE, "/etc/peal/tls/cert.pem", 1, 400,
    "PEM file with the certificate chain")
CONF_KEY(tls, key, TEXT, LIVE, "/etc/peal/tls/key.pem", 1, 400,
    "PEM file with the private key")
CONF_KEY(auth, keys, TEXT, LIVE, "", 0, 8000,
    "token keys: files separated by spaces; NAME.pem holds a public key, NAME.secret the bytes of an HMAC secret; NAME is the kid; without a slash: one of systemd's credentials")
CONF_KEY(auth, audience, TEXT, LIVE, "", 0, 200,
    "audience a token must name; empty: none")
CONF_KEY(auth, issuer, TEXT, LIVE, "", 0, 200,
    "issuer a token must name; empty: none")
CONF_KEY(auth, anonymous_read, TEXT, LIVE, "", 0, 16500,
    "patterns that may be read without a token, separated by spaces")
CONF_KEY(broker, directory, TEXT, START, "/var/lib/peal/broker", 1, 400,
    "directory of state, archives and stored positions")
CONF_KEY(broker, map_bytes, BYTES, START, "64G", 16777216, 17592186044416,
    "how large the state may grow on the disk")
CONF_KEY(broker, spool_bytes, BYTES, LIVE, "1G", 1048576, 1099511627776,
    "disk for snapshots that are being read, in all")
CONF_KEY(broker, history, BOOL, START, "yes", 0, 0,
    "whether events are indexed by topic and actor; without, history reads the log")
CONF_KEY(broker, archive_bytes, BYTES, LIVE, "20G", 0, 17592186044416,
    "disk for archives of past states; 0: none are kept")
CONF_KEY(broker, archive_events, UINT, LIVE, "200000", 1, 1000000000,
    "events between one archive and the next")
CONF_KEY(broker, tombstone_seconds, SECONDS, START, "2592000", 1, 315360000,
    "how long deleted rows are kept")
CONF_KEY(broker, cursor_seconds, SECONDS, START, "2592000", 1, 315360000,
    "how long an unused position of a client is kept")
CONF_KEY(broker, core_bytes, BYTES, START, "0", 0, 17592186044416,
    "how large a core dump may be; it holds events and keys; 0: none is made")
CONF_KEY(fold, rules, TEXT, START, "", 0, 16000,
    "fold rules, GLOB=FOLD separated by spaces, first match wins; FOLD is set, merge, delete, add, remove or touch; empty: the usual ones")
