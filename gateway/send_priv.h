/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the two files of a sender share: send.c drives the chain, send_sub.c
 * has the subscriptions and their replays.
 */

#ifndef PEAL_GATEWAY_SEND_PRIV_H
#define PEAL_GATEWAY_SEND_PRIV_H

#include "gateway/send.h"

/* Out of the list; the live set is not looked at. */
void send_sub_free(struct send_sub *sub);
/* One part of a replay; the connection is ready. */
void send_step_replay(struct sender *s, struct send_sub *sub);

/* The chain ends, if there is one. */
void send_leave_group(struct sender *s);
/* After a live subscription was freed; whole: what is under way is sent. */
void send_shrink(struct sender *s, bool whole);

#endif
