/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of a sender share: send.c drives the chain, send_ride.c has
 * the live set and its parts, send_sub.c the subscriptions, send_replay.c and
 * send_rows.c what they are given before they are live.
 */

#ifndef PEAL_GATEWAY_SEND_PRIV_H
#define PEAL_GATEWAY_SEND_PRIV_H

#include "core/mp.h"
#include "gateway/send.h"
#include "gateway/trim.h"

/* Out of the list; the live set is not looked at. */
void send_sub_free(struct send_sub *sub);
struct send_sub *send_sub_new(struct sender *s, struct proto_uint id,
    struct filter *filter, enum send_sub_state state, uint64_t position);
/* A packed message in the lane of data; the connection is ready. */
void send_message(struct sender *s, struct mp_buf *b);
/* The position that it would resume from, if it has one. */
struct proto_uint send_sub_position(const struct send_sub *sub);

/* --- send_replay.c --- */

/* One part of a replay; the connection is ready. */
void send_step_replay(struct sender *s, struct send_sub *sub);
/* A page came, or is not to be had. */
void send_replay_came(struct send_sub *sub, const struct fetch_refusal *no);

/* --- send_rows.c --- */

/* One part of a snapshot, or its opening; the connection is ready. */
void send_step_rows(struct sender *s, struct send_sub *sub);
/* The snapshot is open, a part came, or neither is to be had. */
void send_rows_came(struct send_sub *sub, const struct fetch_refusal *no);
void send_taking_free(struct send_taking *t);
struct proto_uint send_rows_position(const struct send_sub *sub);

/* --- send.c --- */

/* Where the chain is; not set: there is none. */
struct proto_uint send_chain(const struct sender *s);
/* It needs the feed to come further. */
void send_wait_ahead(struct sender *s);

/* Into the array of the group where it belongs; behind, if in none. */
void send_place(struct sender *s);
/* Out of the array, so that the chain can be driven by hand. */
void send_take_out(struct sender *s);
/* What the open block holds now brings it no ephemeral event. */
void send_have_all(struct sender *s);
/* After a live subscription was freed; whole: what is under way is sent. */
void send_shrink(struct sender *s, bool whole);

/* --- send_ride.c --- */

/* What its live subscriptions let through; the caller's; NULL: nothing. */
struct filter *send_live_set(struct sender *s);
/* The live set has changed at the position: into the group that it has now. */
void send_regroup(struct sender *s);
/* The chain ends, if there is one. */
void send_leave_group(struct sender *s);

/* Does the group lack events of its own beyond where it was looked through? */
bool send_lacks_own(const struct sender *s);
/* Asides up to there it will have to find in the ring. */
void send_lose_asides(struct sender *s, uint64_t upto);
/* What trim leaves of the group's block (or NULL), with its asides. */
struct block *send_private(
    struct sender *s, const struct block *b, const struct trim *trim);
/* Give it a copy of its group's block with its asides; true: it is sent. */
bool send_with_asides(struct sender *s, const struct block *b);

#endif
