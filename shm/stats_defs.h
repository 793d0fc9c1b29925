/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every counter of every process: name, kind, unit, help.  Names are what
 * `peal stat` and /metrics say (there with the prefix peal_).  Included
 * several times, once for each table; has no include guard on purpose.
 */

#ifndef STATS_WRITER
#define STATS_WRITER(name, kind, unit, text)
#endif
#ifndef STATS_WRITER_HIST
#define STATS_WRITER_HIST(name, unit, text)
#endif
#ifndef STATS_BROKER
#define STATS_BROKER(name, kind, unit, text)
#endif
#ifndef STATS_BROKER_HIST
#define STATS_BROKER_HIST(name, unit, text)
#endif
#ifndef STATS_GATEWAY
#define STATS_GATEWAY(name, kind, unit, text)
#endif
#ifndef STATS_GATEWAY_HIST
#define STATS_GATEWAY_HIST(name, unit, text)
#endif

STATS_WRITER(appends, COUNTER, "requests", "append requests stored")
STATS_WRITER(events, COUNTER, "events", "events stored")
STATS_WRITER(conflicts, COUNTER, "requests",
    "appends refused by an expectation or check")
STATS_WRITER(duplicates, COUNTER, "requests",
    "appends answered from their key, stored before")
STATS_WRITER(key_reused, COUNTER, "requests",
    "appends refused: key seen with other events")
STATS_WRITER(refused_storage_full, COUNTER, "requests",
    "appends refused for want of space")
STATS_WRITER(refused_stalled, COUNTER, "requests",
    "appends refused while the disk did not answer")
STATS_WRITER(flushes, COUNTER, "flushes", "flushes of the log")
STATS_WRITER(flush_bytes, COUNTER, "bytes", "bytes written by flushes")
STATS_WRITER(flush_ns, COUNTER, "ns", "time spent in flushes")
STATS_WRITER(emits, COUNTER, "events", "ephemeral events published")
STATS_WRITER(producers, GAUGE, "connections", "on writer.sock")
STATS_WRITER(readers, GAUGE, "readers", "readers attached to the ring")
STATS_WRITER(
    rejected_readers, COUNTER, "readers", "readers refused at ring.sock")
STATS_WRITER(ckpt_failed, COUNTER, "files", "checkpoints that failed")
STATS_WRITER(
    floor_moves, COUNTER, "moves", "times that the oldest events were given up")
STATS_WRITER(packed, COUNTER, "segments", "that were compressed")
STATS_WRITER(retain_failed, COUNTER, "tries", "to give up the oldest events")
STATS_WRITER(kept_for_cursors, GAUGE, "bytes",
    "of segments that stay for clients' positions alone")
STATS_WRITER(witness_failed, COUNTER, "files", "witness writes that failed")
STATS_WRITER(clock_leaps, COUNTER, "leaps", "leaps of the clock held back")
STATS_WRITER(clock_behind, COUNTER, "requests",
    "stored at an earlier event's time: the clock was behind")
STATS_WRITER(stalls, COUNTER, "flushes", "flushes that took over a second")
STATS_WRITER(wakeups, COUNTER, "wakeups", "doorbells that were rung")
STATS_WRITER(
    missed_wakeups, COUNTER, "wakeups", "doorbells readers had to do without")
STATS_WRITER(
    ring_window, GAUGE, "ms", "for how long an event stays in the ring")
STATS_WRITER(
    unsafe_filesystem, GAUGE, "", "1: flushes may be lost where the log is")
STATS_WRITER(disk_free, GAUGE, "bytes", "that the log's disk has left for it")
STATS_WRITER(
    disk_reserve, GAUGE, "bytes", "with less left, appends are soon refused")

STATS_WRITER_HIST(flush_size, "bytes", "written by one flush")
STATS_WRITER_HIST(flush_time, "ns", "of a flush: until it was durable")
STATS_WRITER_HIST(batch_events, "events", "of one flush")
STATS_WRITER_HIST(
    accept_durable, "ns", "of an event: from acceptance until durable")
STATS_WRITER_HIST(
    durable_published, "ns", "of an event: from durable until in the ring")

STATS_BROKER(events, COUNTER, "events", "folded into the state")
STATS_BROKER(seq, GAUGE, "seq", "of the newest event in the state")
STATS_BROKER(rows, GAUGE, "rows", "of the state")
STATS_BROKER(unfoldable, COUNTER, "events", "that changed no data of their row")
STATS_BROKER(too_large, COUNTER, "events", "whose row would be too large")
STATS_BROKER(commits, COUNTER, "commits", "of the state")
STATS_BROKER(commit_failed, COUNTER, "commits", "that failed: map or disk full")
STATS_BROKER(stalled, GAUGE, "", "1 while folding stands still")
STATS_BROKER(lapped, COUNTER, "times", "the log had to serve, not the ring")
STATS_BROKER(snapshots, GAUGE, "snapshots", "being read, on the disk")
STATS_BROKER(snapshot_bytes, GAUGE, "bytes", "of these")
STATS_BROKER(snapshots_built, COUNTER, "snapshots", "made")
STATS_BROKER(snapshots_shared, COUNTER, "snapshots", "given to another reader")
STATS_BROKER(snapshots_gone, COUNTER, "snapshots", "that had to make room")
STATS_BROKER(archives, GAUGE, "archives", "of past states")
STATS_BROKER(archive_bytes, GAUGE, "bytes", "of these")
STATS_BROKER(archive_newest, GAUGE, "seq", "of the newest archive")
STATS_BROKER(archives_written, COUNTER, "archives", "written")
STATS_BROKER(archives_failed, COUNTER, "archives", "that could not be written")
STATS_BROKER(archives_damaged, COUNTER, "archives", "found damaged")
STATS_BROKER(acks, COUNTER, "requests", "positions that clients stored")
STATS_BROKER(acks_refused, COUNTER, "requests", "positions refused")
STATS_BROKER(clients_unflushed, GAUGE, "clients", "whose positions wait")
STATS_BROKER(clients_evicted, COUNTER, "clients", "dropped before a flush")
STATS_BROKER(cursors_expired, COUNTER, "positions", "not used for too long")
STATS_BROKER(flushes, COUNTER, "flushes", "of clients' positions")
STATS_BROKER(flush_failed, COUNTER, "flushes", "of these that failed")
STATS_BROKER(members, GAUGE, "subscriptions", "that presence knows")
STATS_BROKER(members_dropped, COUNTER, "subscriptions", "too many to be known")
STATS_BROKER(connections, GAUGE, "connections", "of gateways and tools")
STATS_BROKER(requests, COUNTER, "requests", "of these")
STATS_BROKER(refused, COUNTER, "requests", "answered with an error")
STATS_BROKER(garbage, COUNTER, "connections", "ended: what came was no request")
STATS_BROKER(waited, COUNTER, "requests", "that waited for a seq")
STATS_BROKER(jobs_waiting, GAUGE, "requests", "that wait for a worker")
STATS_BROKER_HIST(
    published_read, "ns", "of an event: from its pass into the ring until read")

STATS_BROKER_HIST(commit_time, "ns", "of a commit of the state")
STATS_BROKER_HIST(
    query_time, "ns", "of a query: from its request until its answer")

STATS_GATEWAY(connections, GAUGE, "connections", "open, handshakes included")
STATS_GATEWAY(
    sessions, GAUGE, "sessions", "WebSockets, and HTTP requests under way")
STATS_GATEWAY(events, COUNTER, "events", "taken from the ring")
STATS_GATEWAY(groups, GAUGE, "groups", "of sessions that share what they get")
STATS_GATEWAY(
    visits, COUNTER, "events", "times groups, and sessions beside them")
STATS_GATEWAY(blocks, COUNTER, "messages", "built for a group")
STATS_GATEWAY(private_blocks, COUNTER, "messages", "built for a session alone")
STATS_GATEWAY(deliveries, COUNTER, "events", "times sessions at the tip")
STATS_GATEWAY(bytes_sent, COUNTER, "bytes", "to clients, before TLS")
STATS_GATEWAY(bytes_received, COUNTER, "bytes", "of clients, behind TLS")
STATS_GATEWAY(resumes, COUNTER, "subscriptions", "that go on from a position")
STATS_GATEWAY(snapshots, COUNTER, "subscriptions", "that begin with the state")
STATS_GATEWAY(
    forwarded, COUNTER, "requests", "appends and emits, to the writer")
STATS_GATEWAY(accepted, COUNTER, "connections", "accepted")
STATS_GATEWAY(
    handshakes, COUNTER, "connections", "TLS handshakes that ended well")
STATS_GATEWAY(opened, COUNTER, "sessions", "WebSockets that were opened")
STATS_GATEWAY(held_handshakes, COUNTER, "times",
    "accepting paused: all places for handshakes taken")
STATS_GATEWAY(
    held_rate, COUNTER, "times", "accepting paused: too many a second")
STATS_GATEWAY(held_descriptors, COUNTER, "times",
    "accepting paused: no descriptor, or no memory")
STATS_GATEWAY(
    held_unknown, COUNTER, "times", "accepting paused: permissions not known")
STATS_GATEWAY(refused_address_rate, COUNTER, "connections",
    "refused: too many a second from one address")
STATS_GATEWAY(
    refused_address, COUNTER, "connections", "refused: too many of one address")
STATS_GATEWAY(
    refused_full, COUNTER, "connections", "refused: too many in all, 503")
STATS_GATEWAY(
    refused_user, COUNTER, "sessions", "refused: too many of one user, 4429")
STATS_GATEWAY(refused_memory, COUNTER, "connections", "refused: no memory")
STATS_GATEWAY(
    revoked, COUNTER, "sessions", "ended: their token was revoked, 4503")
STATS_GATEWAY(tls_failed, COUNTER, "connections", "TLS handshakes that failed")
STATS_GATEWAY(http_requests, COUNTER, "requests", "of HTTP below /v1/")
STATS_GATEWAY(http_late, COUNTER, "requests",
    "ended: a body did not come, or an answer was not read")
STATS_GATEWAY(http_refused, COUNTER, "requests", "answered with 400 or above")
STATS_GATEWAY(
    bad_proxy, COUNTER, "connections", "ended: a PROXY header that is none")
STATS_GATEWAY(
    slow_handshake, COUNTER, "connections", "ended: TLS and HTTP took too long")
STATS_GATEWAY(slow_hello, COUNTER, "sessions", "ended: no hello in time, 4408")
STATS_GATEWAY(dead_pong, COUNTER, "sessions", "ended: no pong came")
STATS_GATEWAY(dead_ack, COUNTER, "sessions", "ended: TCP was not acknowledged")
STATS_GATEWAY(
    stalled, COUNTER, "sessions", "ended: read nothing for too long, 4409")
STATS_GATEWAY(lagged, COUNTER, "sessions", "were lagged: the ring moved past")
STATS_GATEWAY(left_out, COUNTER, "events", "left out by conflation, by group")
STATS_GATEWAY(early_intervals, COUNTER, "times",
    "a group that conflates held its share, and closed early")
STATS_GATEWAY(bad_size, COUNTER, "sessions", "ended: a message too long, 1009")
STATS_GATEWAY(
    bad_fragments, COUNTER, "sessions", "ended: too many fragments, 1008")
STATS_GATEWAY(
    bad_controls, COUNTER, "sessions", "ended: too many control frames, 1008")
STATS_GATEWAY(bad_frames, COUNTER, "sessions", "ended: other faults of frames")
STATS_GATEWAY(bad_values, COUNTER, "sessions", "ended: malformed values, 1007")
STATS_GATEWAY(
    unread_answers, COUNTER, "sessions", "ended: answers are not read, 1008")
STATS_GATEWAY(limited_subscriptions, COUNTER, "requests",
    "refused: too many subscriptions")
STATS_GATEWAY(
    limited_patterns, COUNTER, "requests", "refused: too many patterns")
STATS_GATEWAY(limited_append_rate, COUNTER, "requests",
    "refused: the user appends too often")
STATS_GATEWAY(limited_append_bytes, COUNTER, "requests",
    "refused: the user has too much in flight")
STATS_GATEWAY(limited_queries, COUNTER, "requests",
    "refused: the user asks too much at once")
STATS_GATEWAY(reloads, COUNTER, "times", "configuration was read again")
STATS_GATEWAY(reloads_failed, COUNTER, "times", "something in it was refused")
STATS_GATEWAY_HIST(
    published_read, "ns", "of an event: from its pass into the ring until read")
STATS_GATEWAY_HIST(
    read_written, "ns", "of a message: its oldest event read, until written")
STATS_GATEWAY_HIST(message_events, "events", "in one message")
STATS_GATEWAY_HIST(message_size, "bytes", "of one message with events")

#undef STATS_WRITER
#undef STATS_WRITER_HIST
#undef STATS_BROKER
#undef STATS_BROKER_HIST
#undef STATS_GATEWAY
#undef STATS_GATEWAY_HIST
