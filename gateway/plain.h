/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Non-blocking sockets without TLS, read and written by the same rules as
 * those of tls.h: a write is all of it, or to be repeated with the same bytes.
 */

#ifndef PEAL_GATEWAY_PLAIN_H
#define PEAL_GATEWAY_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

/* Both: enum tls_io.  TLS_DONE: *got bytes, at least one. */
MUST_CHECK int plain_read(int fd, void *buf, size_t size, size_t *got);
/* *done is 0 before a write begins, and again when it has come to its end. */
MUST_CHECK int plain_write(int fd, uint32_t *done, const void *buf, size_t len);

#endif
