/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a session may: its token, or what the log grants its user, until the
 * log revokes the token.  A change counts at once for all that the session
 * has under way.
 */

#include <string.h>

#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/counters.h"
#include "gateway/session_priv.h"

/* Is the token one of those that were revoked? */
static bool
is_revoked(const struct session *s, uint64_t issued_s, struct reason *why)
{
	uint64_t before = grants_before(&s->granted);

	if (issued_s >= before)
		return false;
	if (before == UINT64_MAX)
		(void)reason_set(why, 0, "all tokens of this user are refused");
	else
		(void)reason_set(why, 0,
		    "tokens of this user that were issued before %llu are "
		    "refused",
		    (unsigned long long)before);
	return true;
}

/* Put token and grant together; false: it is what it was. */
static bool
permit(struct session *s)
{
	struct acl acl;

	if (acl_copy(&s->token, &acl) < 0)
		alloc_failed();
	grants_join(&s->granted, &acl);
	if (acl_equal(&acl, &s->acl)) {
		acl_deinit(&acl);
		return false;
	}
	acl_deinit(&s->acl);
	s->acl = acl;
	return true;
}

bool
session_adopt(struct session *s, struct token *token, struct reason *why)
{
	uint64_t now_s = time_wall_us() / US_PER_S;

	if (!s->granted.grant)
		grants_enter(
		    s->gw->grants, &s->granted, slice_cstr(token->sub));
	if (is_revoked(s, token->issued_s, why))
		return false;
	acl_deinit(&s->token);
	s->token = token->acl;
	token->acl = (struct acl){ 0 };
	s->issued_s = token->issued_s;
	/* One that the leeway let in ends with it, not at once. */
	s->expires_s = token->expires_s > now_s
			   ? token->expires_s
			   : token->expires_s + TOKEN_LEEWAY_S;
	s->warned = false;
	(void)permit(s);
	return true;
}

void
session_revoke(struct session *s, const char *why)
{
	struct mp_buf b = { 0 };

	COUNTERS_ADD(revoked, 1);
	send_end(&s->sender);
	session_query_end_all(s);
	session_greet_end(s);
	proto_pack_head(&b, "revoked", (struct proto_uint){ 0 }, 1);
	mp_pair_cstr(&b, "reason", why);
	session_say(s, &b);
	session_close(s, PROTO_CLOSE_REVOKED, why);
}

void
session_granted(void *arg, struct grants_member *m)
{
	struct session *s = CONTAINER_OF(m, struct session, granted);
	struct reason why;

	if (s->closing)
		return;
	if (is_revoked(s, s->issued_s, &why))
		session_revoke(s, why.text);
	else if (permit(s))
		session_permissions(s);
}

/* --- while permissions are not known --- */

bool
session_is_held(const struct session *s)
{
	return s->greeting || s->gw->hub.paused;
}

void
session_hold_all(struct gateway *gw)
{
	gw->hub.paused = true;
}

void
session_resume_all(struct gateway *gw)
{
	struct session *s;

	gw->hub.paused = false;
	LIST_FOREACH (s, &gw->sessions, link) {
		session_serve_held(s);
		session_query_pump(s);
		send_pump(&s->sender);
	}
}
