/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Anything may stand on these topics: data that make no sense grant nothing
 * and revoke everything, with a sentence that says why.
 */

#include <string.h>

#include "core/grant.h"
#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/topic.h"

/* What is behind the prefix, where it is one token; else len 0. */
static struct slice
grant_behind(struct slice topic, const char *prefix)
{
	size_t n = strlen(prefix);
	struct slice rest;

	if (topic.len <= n || memcmp(topic.p, prefix, n) != 0)
		return slice_of(NULL, 0);
	rest = slice_of(topic.p + n, topic.len - n);
	if (rest.len > TOPIC_ESCAPED_MAX || memchr(rest.p, '.', rest.len))
		return slice_of(NULL, 0);
	return rest;
}

enum grant_topic
grant_topic(struct slice topic, struct slice *user)
{
	struct slice of_acl = grant_behind(topic, GRANT_ACL_PREFIX);
	struct slice of_revoke = grant_behind(topic, GRANT_REVOKE_PREFIX);

	if (user)
		*user = of_acl.len > 0 ? of_acl : of_revoke;
	if (of_acl.len > 0)
		return GRANT_ACL;
	return of_revoke.len > 0 ? GRANT_REVOKE : GRANT_NONE;
}

static bool
grant_is_map(struct slice data)
{
	struct mp_walk w = mp_walk(data);
	struct mp_item item;

	/* What is stored is canonical. */
	return mpvalid_check(data.p, data.len, NULL) == MPVALID_OK &&
	       mp_next(&w, &item) && item.type == MP_MAP;
}

static int
grant_add(struct slice data, const char *name, enum acl_list list,
    struct acl *acl, struct reason *why)
{
	struct slice array = proto_get(data, name);
	struct mp_walk w = mp_walk(array);
	struct mp_item item;
	int rc = ACL_ADDED;

	if (array.len == 0)
		return ACL_ADDED;
	if (!mp_next(&w, &item) || item.type != MP_ARRAY)
		return reason_set(why, ACL_REFUSED, "\"%s\" is no array", name);
	for (uint32_t n = item.n; rc == ACL_ADDED && n > 0; n--) {
		if (!mp_next(&w, &item) || item.type != MP_STR)
			return reason_set(why, ACL_REFUSED,
			    "\"%s\" holds what is no text", name);
		rc = acl_add(acl, list, item.s, why);
	}
	return rc;
}

int
grant_patterns(struct slice data, struct acl *to, struct reason *why)
{
	struct acl acl = { 0 };
	int rc;

	if (!grant_is_map(data))
		return reason_set(why, ACL_REFUSED, "it is no map");
	rc = grant_add(data, "read", ACL_READ, &acl, why);
	if (rc == ACL_ADDED)
		rc = grant_add(data, "write", ACL_WRITE, &acl, why);
	if (rc == ACL_ADDED)
		*to = acl;
	else
		acl_deinit(&acl);
	return rc;
}

uint64_t
grant_before(struct slice data, struct reason *why)
{
	struct proto_uint before = { 0 };

	if (grant_is_map(data))
		before = proto_get_uint(data, "before");
	if (before.set)
		return before.v;
	(void)reason_set(
	    why, 0, "\"before\" is no time in seconds; all tokens are refused");
	return UINT64_MAX;
}
