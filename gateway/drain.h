/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Stopping without losing anyone: no new clients, answers to the appends in
 * hand, then each client is sent away at a moment of its own.
 */

#ifndef PEAL_GATEWAY_DRAIN_H
#define PEAL_GATEWAY_DRAIN_H

#include "core/macros.h"

struct gateway;

/* Begin; the loop stops when it is done.  Idempotent. */
MUST_CHECK int drain_begin(struct gateway *gw);
void drain_deinit(void);

#endif
