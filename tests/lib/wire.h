/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A TLS WebSocket client for tests, written from the RFCs and
 * doc/protocol.md alone: it shares no code with gateway or tools, sends
 * whatever bytes it is told to, and every wait in it has a deadline.
 */

#ifndef PEAL_TESTS_LIB_WIRE_H
#define PEAL_TESTS_LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	WIRE_TEXT = 1,
	WIRE_BINARY = 2,
	WIRE_CLOSE = 8,
	WIRE_PING = 9,
	WIRE_PONG = 10,
	WIRE_FIN = 0x80,
	WIRE_NO_CODE = 1005,	  /* a close frame without a code */
	WIRE_NO_CLOSE = 1006,	  /* the connection ended without one */
	WIRE_DEADLINE_MS = 300000 /* where a test has no reason for another */
};

/* Where to: IPv4 address, port, and the certificate to trust. */
struct wire_to {
	const char *host;
	unsigned port;
	const char *cafile;
};

struct wire;

/*
 * Connections dialled from now on have a receive buffer of so many bytes, and
 * segments as on an Ethernet, so that the window goes on moving in it; 0: as
 * the system has it.
 */
void wire_narrow(int bytes);

/* A TCP connection with TLS on it, or NULL and a line on stderr. */
struct wire *wire_dial(const struct wire_to *to, int timeout_ms);
struct wire *wire_free(struct wire *w);
/* End the connection with a TCP reset. */
struct wire *wire_reset(struct wire *w);
int wire_fd(const struct wire *w);

/* Raw bytes inside TLS.  Writing: all of it, or false. */
bool wire_write(struct wire *w, const void *p, size_t len);
/* At most size bytes; 0: the peer has ended it, -1: the time is up. */
ssize_t wire_read(struct wire *w, void *buf, size_t size, int timeout_ms);

/*
 * Ask for /v1/ws with further header lines (each ended by CRLF, or "").
 * Returns the HTTP status, 0 where no answer came; 101 only with the right
 * Sec-WebSocket-Accept.
 */
int wire_upgrade(struct wire *w, const char *headers);
/* Write a whole request head and read the answer's status; 0: none came. */
int wire_request(struct wire *w, const char *head);
/* Sec-WebSocket-Protocol of the last answer, "" when there was none. */
const char *wire_subprotocol(const struct wire *w);

/* One masked frame; first is FIN, reserved bits and opcode. */
bool wire_frame(
    struct wire *w, unsigned first, const void *payload, size_t len);

enum wire_got {
	WIRE_GOT,
	WIRE_ENDED,
	WIRE_LATE
};

struct wire_message {
	unsigned opcode;
	const uint8_t *p; /* until the next call */
	size_t len;
};

/*
 * The next data message (or pong), put together; pings are answered.
 * WIRE_ENDED: see wire_close_code().
 */
enum wire_got wire_next(struct wire *w, struct wire_message *m, int timeout_ms);
unsigned wire_close_code(const struct wire *w);

/* Milliseconds of a clock that is never set back. */
int64_t wire_now_ms(void);

#endif
