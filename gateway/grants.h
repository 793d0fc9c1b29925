/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the log says of users beyond their tokens: grants (`$acl.USER`) and
 * revocations (`$revoke.USER`), the newest of each, of every user.  Whoever
 * is connected is told when something that concerns him has changed.
 */

#ifndef PEAL_GATEWAY_GRANTS_H
#define PEAL_GATEWAY_GRANTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/acl.h"
#include "core/bytes.h"
#include "core/macros.h"

struct grant;
struct grants;

/* Somebody who is connected; embedded.  {0} is nobody. */
struct grants_member {
	LIST_ENTRY(grants_member) link;
	struct grant *grant; /* of his user; NULL: has none, ever */
};

/* The user's grant or revocation may be another one by now. */
typedef void grants_changed(void *arg, struct grants_member *m);

struct grants *grants_new(grants_changed *changed, void *arg);
/* Nobody is a member any more. */
struct grants *grants_free(struct grants *g);
CLEANUP_FN(struct grants *, grants_free)

/* Does the topic speak of grants or revocations? */
bool grants_topic(struct slice topic);
/*
 * An event of such a topic as the ring has it, or its row as the broker has
 * it; an older one changes nothing.  Bytes that make no sense grant nothing,
 * or revoke every token.  Members of the user are told, of rows when all of
 * them are here, and so of events while what was known is disowned.
 */
void grants_event(struct grants *g, struct slice event);
void grants_row(struct grants *g, struct slice row);

/*
 * Is all of it here?  At first it is not; it is when every row as of seq was
 * given.  What is forgotten is to be given again, of another log or, where
 * the log is the same, on top of what is here.
 */
bool grants_known(const struct grants *g);
void grants_all_known(struct grants *g, uint64_t seq);
void grants_forget(struct grants *g, bool other_log);
/*
 * Rows were given that may be of another log: nothing counts until all of it
 * was given as of the seq that this returns, or later.
 */
MUST_CHECK uint64_t grants_disown(struct grants *g);

/* Users of whom something is known. */
uint64_t grants_count(const struct grants *g);

/* A user (as the token has it, unescaped; empty: nobody) comes, or goes. */
void grants_enter(struct grants *g, struct grants_member *m, struct slice user);
void grants_leave(struct grants *g, struct grants_member *m);

/* Tokens issued before then (Unix seconds) are refused; 0: none are. */
uint64_t grants_before(const struct grants_member *m);
/* Add what is granted to what a token allows. */
void grants_join(const struct grants_member *m, struct acl *acl);

#endif
