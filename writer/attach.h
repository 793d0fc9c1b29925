/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attach: ring.sock, where readers get the ring, a doorbell and a status
 * page.  Only root, our own account and members of the ring's group may.
 */

#ifndef PEAL_WRITER_ATTACH_H
#define PEAL_WRITER_ATTACH_H

#include <stdint.h>
#include <sys/types.h>

#include "core/macros.h"

struct attach;
struct doorbell_hub;
struct loop;
struct reason;

/* listen_fd (SEQPACKET, non-blocking) stays the caller's; group -1: none. */
MUST_CHECK int attach_new(struct loop *loop, int listen_fd,
    struct doorbell_hub *hub, gid_t group, struct attach **out,
    struct reason *why);
struct attach *attach_free(struct attach *at);
CLEANUP_FN(struct attach *, attach_free)

/* Readers attached now. */
uint64_t attach_readers(const struct attach *at);

#endif
