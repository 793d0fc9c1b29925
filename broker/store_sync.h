/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The syncer's thread: once a second a witness remembers how far the log had
 * got, and every ten seconds what was committed is written to the disk.
 */

#ifndef PEAL_BROKER_STORE_SYNC_H
#define PEAL_BROKER_STORE_SYNC_H

#include "core/macros.h"

struct reason;
struct store;
struct store_sync;

/* The witness is dir/position.wit.  The store outlives *out. */
MUST_CHECK int store_sync_start(struct store *st, const char *dir,
    struct store_sync **out, struct reason *why);
/* Once more, then it ends. */
struct store_sync *store_sync_stop(struct store_sync *sy);
CLEANUP_FN(struct store_sync *, store_sync_stop)

#endif
