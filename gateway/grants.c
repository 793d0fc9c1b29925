/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One entry for each user of whom the log says something, or who is here.
 * What is kept of a grant is its patterns back to back, since there may be a
 * million of them and few of these users are connected.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/diag.h"
#include "core/grant.h"
#include "core/map.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/topic.h"
#include "gateway/alloc.h"
#include "gateway/grants.h"

/*
 * rights:  n_read, n_write, then that many patterns, each with its NUL
 */
struct grant {
	LIST_HEAD(, grants_member) members;
	uint64_t before;     /* 0: nothing is revoked */
	uint64_t acl_seq;    /* of what is known, ... */
	uint64_t revoke_seq; /* ... so that nothing older takes its place */
	uint8_t *rights;     /* NULL: nothing is granted */
	bool untold;	     /* of what rows, or their lack, have changed */
	uint8_t len;
	char name[]; /* escaped */
};

struct grants {
	grants_changed *changed;
	void *arg;
	struct map *users;
	bool known;
	bool cleared; /* so that an event does not say all of a user */
	uint64_t known_seq;
	uint64_t newest; /* seq of the newest event that said something */
};

struct grants *
grants_new(grants_changed *changed, void *arg)
{
	struct grants *g = alloc_zero(1, sizeof(*g));

	g->changed = changed;
	g->arg = arg;
	g->users = map_new();
	if (!g->users)
		alloc_failed();
	return g;
}

/* --- entries --- */

static bool
is_needed(const struct grant *grant)
{
	return !LIST_EMPTY(&grant->members) || grant->rights ||
	       grant->before > 0;
}

static void
drop(struct grants *g, struct grant *grant)
{
	(void)map_take(g->users, slice_of(grant->name, grant->len));
	free(grant->rights);
	free(grant);
}

/*
 * Drop what says nothing.  While rows are still to come an empty entry is
 * kept: it stands before older ones.
 */
static void
tidy(struct grants *g, struct grant *grant)
{
	if (g->known && !is_needed(grant))
		drop(g, grant);
}

static void
drop_all(struct grants *g, bool needed_too)
{
	size_t n = 0, max = map_count(g->users), at = 0;
	struct grant **list =
	    alloc_array(NULL, max + 1, sizeof(struct grant *));
	struct grant *grant;

	while ((grant = map_next(g->users, &at)))
		if (needed_too || !is_needed(grant))
			list[n++] = grant;
	for (size_t i = 0; i < n; i++)
		drop(g, list[i]);
	free(list);
}

struct grants *
grants_free(struct grants *g)
{
	if (!g)
		return NULL;
	drop_all(g, true);
	g->users = map_free(g->users);
	free(g);
	return NULL;
}

static struct grant *
grant_of(struct grants *g, struct slice name)
{
	struct grant *grant = map_get(g->users, name);

	if (grant)
		return grant;
	grant = alloc_zero(1, sizeof(*grant) + name.len);
	LIST_INIT(&grant->members);
	grant->len = (uint8_t)name.len;
	memcpy(grant->name, name.p, name.len);
	if (map_put(g->users, slice_of(grant->name, grant->len), grant) < 0)
		alloc_failed();
	return grant;
}

/* --- what the data says --- */

static void
put_list(struct mp_buf *b, char *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		mp_buf_bytes(b, list[i], strlen(list[i]) + 1);
}

/* NULL where nothing is granted. */
static uint8_t *
to_rights(const struct acl *acl)
{
	const uint8_t head[] = { (uint8_t)acl->n_read, (uint8_t)acl->n_write };
	struct mp_buf b = { 0 };
	uint8_t *rights;

	static_assert(ACL_PATTERNS_MAX <= UINT8_MAX, "their number is a byte");
	if (acl->n_read == 0 && acl->n_write == 0)
		return NULL;
	mp_buf_bytes(&b, head, sizeof(head));
	put_list(&b, acl->read, acl->n_read);
	put_list(&b, acl->write, acl->n_write);
	if (b.failed)
		alloc_failed();
	rights = alloc_bytes(b.len);
	memcpy(rights, b.p, b.len);
	mp_buf_deinit(&b);
	return rights;
}

static void
complain(const struct grant *grant, const char *topic, const char *what)
{
	char name[TOPIC_ESCAPED_MAX * 4 + 1];

	diag_limited("grants", "what '%s%s' says is not understood: %s", topic,
	    diag_quote(name, sizeof(name), grant->name, grant->len), what);
}

static void
set_acl(struct grant *grant, struct slice data)
{
	struct acl acl = { 0 };
	struct reason why;
	int rc = grant_patterns(data, &acl, &why);

	if (rc < 0)
		alloc_failed();
	free(grant->rights);
	grant->rights = to_rights(&acl);
	acl_deinit(&acl);
	if (rc != ACL_ADDED)
		complain(grant, GRANT_ACL_PREFIX, why.text);
}

static void
set_before(struct grant *grant, struct slice data)
{
	struct reason why = { "" };

	grant->before = grant_before(data, &why);
	if (why.text[0])
		complain(grant, GRANT_REVOKE_PREFIX, why.text);
}

/* --- what comes --- */

bool
grants_topic(struct slice topic)
{
	return grant_topic(topic, NULL) != GRANT_NONE;
}

static void
tell(struct grants *g, struct grant *grant)
{
	struct grants_member *m, *next;

	for (m = LIST_FIRST(&grant->members); m; m = next) {
		next = LIST_NEXT(m, link);
		g->changed(g->arg, m);
	}
}

/* Members hear of a row when it is known to be of this log: with all of it. */
static void
take(struct grants *g, struct slice topic, uint64_t seq, struct slice data,
    bool row)
{
	struct slice name;
	enum grant_topic of = grant_topic(topic, &name);
	struct grant *grant;
	uint64_t *at;

	if (of == GRANT_NONE || (g->known && seq <= g->known_seq))
		return;
	if (!row)
		g->newest = MAX(g->newest, seq);
	grant = grant_of(g, name);
	at = of == GRANT_ACL ? &grant->acl_seq : &grant->revoke_seq;
	if (seq <= *at)
		return;
	*at = seq;
	if (of == GRANT_ACL)
		set_acl(grant, data);
	else
		set_before(grant, data);
	if (row || g->cleared)
		grant->untold = true;
	else
		tell(g, grant);
	tidy(g, grant);
}

void
grants_event(struct grants *g, struct slice event)
{
	struct mp_walk w = mp_walk(event);
	struct mp_item array, seq, topic;
	struct slice skipped, data;

	if (!mp_next(&w, &array) || array.type != MP_ARRAY || array.n < 7 ||
	    !mp_next(&w, &seq) || seq.type != MP_UINT ||
	    !mp_skip(&w, &skipped) || !mp_next(&w, &topic) ||
	    topic.type != MP_STR)
		return;
	for (unsigned i = 0; i < 3; i++) /* version, type, actor */
		if (!mp_skip(&w, &skipped))
			return;
	if (mp_skip(&w, &data))
		take(g, topic.s, seq.u, data, false);
}

void
grants_row(struct grants *g, struct slice row)
{
	struct mp_walk w = mp_walk(row);
	struct mp_item array, topic, version, seq, deleted;
	struct slice skipped, value;

	if (!mp_next(&w, &array) || array.type != MP_ARRAY || array.n < 9 ||
	    !mp_next(&w, &topic) || topic.type != MP_STR ||
	    !mp_next(&w, &version) || !mp_next(&w, &seq) || seq.type != MP_UINT)
		return;
	for (unsigned i = 0; i < 4; i++) /* created and updated: when, who */
		if (!mp_skip(&w, &skipped))
			return;
	if (mp_next(&w, &deleted) && mp_skip(&w, &value))
		take(g, topic.s, seq.u, value, true);
}

/* --- all of it --- */

bool
grants_known(const struct grants *g)
{
	return g->known;
}

void
grants_all_known(struct grants *g, uint64_t seq)
{
	struct grant *grant;
	size_t at = 0;

	while ((grant = map_next(g->users, &at)))
		if (grant->untold) {
			grant->untold = false;
			tell(g, grant);
		}
	g->known = true;
	g->cleared = false;
	g->known_seq = seq;
	drop_all(g, false);
}

static void
clear(struct grant *grant)
{
	free(grant->rights);
	grant->rights = NULL;
	grant->before = 0;
	grant->acl_seq = grant->revoke_seq = 0;
	grant->untold = true;
}

static void
clear_all(struct grants *g)
{
	struct grant *grant;
	size_t at = 0;

	while ((grant = map_next(g->users, &at)))
		clear(grant);
	g->cleared = true;
	drop_all(g, false);
}

void
grants_forget(struct grants *g, bool other_log)
{
	g->known = false;
	if (!other_log)
		return;
	g->newest = 0;
	clear_all(g);
}

uint64_t
grants_disown(struct grants *g)
{
	assert(!g->known);
	clear_all(g);
	return g->newest;
}

uint64_t
grants_count(const struct grants *g)
{
	return map_count(g->users);
}

/* --- members --- */

void
grants_enter(struct grants *g, struct grants_member *m, struct slice user)
{
	char name[TOPIC_ESCAPED_MAX + 1];
	size_t len;

	assert(!m->grant);
	if (user.len == 0)
		return;
	len = topic_escape(user, name);
	m->grant = grant_of(g, slice_of(name, len));
	LIST_INSERT_HEAD(&m->grant->members, m, link);
}

void
grants_leave(struct grants *g, struct grants_member *m)
{
	struct grant *grant = m->grant;

	if (!grant)
		return;
	LIST_REMOVE(m, link);
	m->grant = NULL;
	tidy(g, grant);
}

uint64_t
grants_before(const struct grants_member *m)
{
	return m->grant ? m->grant->before : 0;
}

void
grants_join(const struct grants_member *m, struct acl *acl)
{
	char *list[2 * ACL_PATTERNS_MAX];
	struct acl granted = { .read = list };
	uint8_t *rights = m->grant ? m->grant->rights : NULL;
	char *p = (char *)rights + 2;
	unsigned n;

	if (!rights)
		return;
	n = (unsigned)rights[0] + rights[1];
	for (unsigned i = 0; i < n; i++, p += strlen(p) + 1)
		list[i] = p;
	granted.n_read = rights[0];
	granted.write = list + rights[0];
	granted.n_write = rights[1];
	if (acl_join(acl, &granted) < 0)
		alloc_failed();
}
