/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The fingerprint of a request: SHA-256, cut to 16 bytes, over each event's
 * topic, type, data and meta as stored, but for what a repeat may change
 * (meta's time and trace).  Computed alike from a request and from the log.
 */

#ifndef PEAL_WRITER_FINGERPRINT_H
#define PEAL_WRITER_FINGERPRINT_H

#include "core/bytes.h"
#include "core/sha256.h"

enum {
	FINGERPRINT_BYTES = 16
};

void fingerprint_begin(struct sha256 *h);
void fingerprint_event(struct sha256 *h, struct slice topic, struct slice type,
    struct slice data, struct slice meta);
void fingerprint_end(struct sha256 *h, uint8_t out[FINGERPRINT_BYTES]);

#endif
