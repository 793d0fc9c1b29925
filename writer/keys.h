/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Idempotency keys: which requests were stored under which keys, and what
 * was answered.  The newest are kept, request by request.  Like the versions
 * this is pending state, ahead of the disk.
 */

#ifndef PEAL_WRITER_KEYS_H
#define PEAL_WRITER_KEYS_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/macros.h"

struct keys;

/* Identifies a key within its actor: two keyed hashes. */
struct key_id {
	uint64_t h[2];
};

/* What is kept of a request. */
struct keys_request {
	uint64_t first_seq;
	uint64_t time_us;
	uint8_t fingerprint[16];
	uint32_t n;
};

/* At most max keys are kept; their hashes want a salt: see keys_set_salt(). */
struct keys *keys_new(uint64_t max);
/*
 * Room for n keys in requests, so that adding them grows nothing; what is
 * beyond max is left out.  0 or -ENOMEM.
 */
MUST_CHECK int keys_reserve(struct keys *ks, uint64_t requests, uint64_t n);
struct keys *keys_free(struct keys *ks);
CLEANUP_FN(struct keys *, keys_free)

struct key_id keys_id(
    const struct keys *ks, struct slice actor, struct slice key);

enum keys_verdict {
	KEYS_NEW = 0, /* none of them is known */
	KEYS_REPEAT,  /* the same request: *req and versions[] tell */
	KEYS_REUSED,  /* another request: *which is the first known key */
};

/*
 * Look up the n keys of a request.  For KEYS_REPEAT *req and versions (room
 * for n) are filled in.
 */
enum keys_verdict keys_look_up(const struct keys *ks, const struct key_id *ids,
    uint32_t n, const uint8_t fingerprint[16], struct keys_request *req,
    uint64_t *versions, uint32_t *which);

/* Remember a request; drops the oldest beyond the limit.  0 or -ENOMEM. */
MUST_CHECK int keys_add(struct keys *ks, const struct keys_request *req,
    const struct key_id *ids, const uint64_t *versions);

/* Time of the oldest request kept; 0 when nothing was ever dropped. */
uint64_t keys_reach_us(const struct keys *ks);

/* For the checkpoint. */
struct keys_salt {
	struct hash_key k[2];
};

struct keys_salt keys_salt(const struct keys *ks);
/* Before anything was added. */
void keys_set_salt(struct keys *ks, const struct keys_salt *salt);
void keys_set_dropped(struct keys *ks);
uint64_t keys_requests(const struct keys *ks);
/* Request i, oldest first; *first is its first slot for keys_slot(). */
struct keys_request keys_request_at(
    const struct keys *ks, uint64_t i, uint64_t *first);
struct key_id keys_slot(
    const struct keys *ks, uint64_t slot, uint64_t *version);

#endif
