/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A question looks at every member: they are tens of thousands, and asked
 * about seldom.  Nothing is kept per topic, so that coming and going, which
 * is frequent, costs one entry of a table.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "broker/presence.h"
#include "core/map.h"
#include "core/topic.h"
#include "core/topic_set.h"

struct member {
	uint64_t number;
	uint64_t since_us;
	size_t bytes;
	struct topic_set set;
	unsigned user_len, client_len;
	uint8_t text[]; /* user, client */
};

struct presence_group {
	LIST_ENTRY(presence_group) all;
	struct presence *presence;
	struct map *members;
};

struct presence {
	LIST_HEAD(, presence_group) groups;
	struct presence_counts counts;
};

struct found {
	struct slice user, client, topic;
	uint64_t since_us;
};

struct found_list {
	struct found *v;
	size_t n, cap;
};

struct presence *
presence_new(void)
{
	struct presence *p = calloc(1, sizeof(*p));

	if (p)
		LIST_INIT(&p->groups);
	return p;
}

struct presence *
presence_free(struct presence *p)
{
	free(p);
	return NULL;
}

struct presence_group *
presence_group_new(struct presence *p)
{
	struct presence_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->members = map_new();
	if (!g->members) {
		free(g);
		return NULL;
	}
	g->presence = p;
	LIST_INSERT_HEAD(&p->groups, g, all);
	return g;
}

static void
member_free(struct presence *p, struct member *m)
{
	p->counts.members--;
	p->counts.bytes -= m->bytes;
	topic_set_deinit(&m->set);
	free(m);
}

struct presence_group *
presence_group_free(struct presence_group *g)
{
	struct member *m;
	size_t at = 0;

	if (!g)
		return NULL;
	while ((m = map_next(g->members, &at)))
		member_free(g->presence, m);
	(void)map_free(g->members);
	LIST_REMOVE(g, all);
	free(g);
	return NULL;
}

static struct slice
key_of(const uint64_t *number)
{
	return slice_of(number, sizeof(*number));
}

/* --- coming and going --- */

static struct member *
member_new(const struct presence_member *of)
{
	struct member *m =
	    calloc(1, sizeof(*m) + of->user.len + of->client.len);

	if (!m)
		return NULL;
	m->number = of->number;
	m->since_us = of->since_us;
	m->user_len = (unsigned)of->user.len;
	m->client_len = (unsigned)of->client.len;
	if (of->user.len)
		memcpy(m->text, of->user.p, of->user.len);
	if (of->client.len)
		memcpy(m->text + of->user.len, of->client.p, of->client.len);
	/* Both arrays, once as text and once as slices into it. */
	m->bytes = sizeof(*m) + of->user.len + of->client.len + of->topics.len +
		   of->read.len;
	if (topic_set_init(&m->set, of->topics, of->read, of->admin) < 0) {
		free(m);
		return NULL;
	}
	m->bytes += (m->set.n + m->set.n_read) * sizeof(struct slice);
	return m;
}

enum presence_taken
presence_present(struct presence_group *g, const struct presence_member *of)
{
	struct presence *p = g->presence;
	struct member *m;

	presence_absent(g, of->number);
	if (map_count(g->members) >= PRESENCE_MEMBERS_MAX ||
	    p->counts.bytes >= PRESENCE_BYTES_MAX) {
		p->counts.dropped++;
		return PRESENCE_FULL;
	}
	m = member_new(of);
	if (!m) {
		p->counts.dropped++;
		return PRESENCE_FULL;
	}
	p->counts.members++;
	p->counts.bytes += m->bytes;
	if (map_put(g->members, key_of(&m->number), m) < 0) {
		member_free(p, m);
		p->counts.dropped++;
		return PRESENCE_FULL;
	}
	return PRESENCE_TAKEN;
}

void
presence_absent(struct presence_group *g, uint64_t number)
{
	struct member *m = map_take(g->members, key_of(&number));

	if (m)
		member_free(g->presence, m);
}

/* --- asking --- */

/* Has a pattern of the member, as far as it may read, to do with asker? */
static bool
is_seen(const struct topic_set *asker, const struct topic_set *member,
    struct slice pattern)
{
	char buf[2 * TOPIC_MAX + 2];
	size_t len;

	if (!topic_set_meets(asker, pattern))
		return false;
	if (!member->restricted)
		return true;
	if (topic_is_system(pattern) && !member->admin)
		return false;
	for (unsigned i = 0; i < member->n_read; i++) {
		len = topic_cross(pattern, member->read[i], buf);
		if (len && topic_set_meets(asker, slice_of(buf, len)))
			return true;
	}
	return false;
}

static int
add_found(struct found_list *list, const struct member *m, struct slice topic)
{
	struct found *v;

	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 64;

		v = reallocarray(list->v, cap, sizeof(*v));
		if (!v)
			return -ENOMEM;
		list->v = v;
		list->cap = cap;
	}
	list->v[list->n++] = (struct found){
		.user = slice_of(m->text, m->user_len),
		.client = slice_of(m->text + m->user_len, m->client_len),
		.topic = topic,
		.since_us = m->since_us,
	};
	return 0;
}

static int
find(struct presence *p, const struct topic_set *asker, struct found_list *list)
{
	const struct presence_group *g;
	const struct member *m;
	int err = 0;

	LIST_FOREACH (g, &p->groups, all) {
		size_t at = 0;

		while (!err && (m = map_next(g->members, &at)))
			for (unsigned i = 0; !err && i < m->set.n; i++)
				if (is_seen(asker, &m->set, m->set.patterns[i]))
					err = add_found(
					    list, m, m->set.patterns[i]);
	}
	return err;
}

static int
compare_text(struct slice a, struct slice b)
{
	size_t len = MIN(a.len, b.len);
	int order = len ? memcmp(a.p, b.p, len) : 0;

	if (order)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static int
compare_names(const struct found *x, const struct found *y)
{
	int order = compare_text(x->user, y->user);

	if (!order)
		order = compare_text(x->client, y->client);
	return order ? order : compare_text(x->topic, y->topic);
}

static int
compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = compare_names(x, y);

	if (order)
		return order;
	return x->since_us < y->since_us ? -1 : x->since_us > y->since_us;
}

static void
pack_found(struct mp_buf *b, const struct found *f)
{
	mp_pack_map(b, 4);
	mp_pair_str(b, "user", f->user);
	mp_pair_str(b, "client", f->client);
	mp_pair_str(b, "topic", f->topic);
	mp_pair_uint(b, "since", f->since_us);
}

int
presence_pack(struct presence *p, const struct topic_set *asker,
    size_t max_bytes, struct mp_buf *b)
{
	CLEANUP(freep) struct found *v = NULL;
	struct found_list list = { 0 };
	size_t before = b->len, head;
	uint32_t n = 0;
	int err = find(p, asker, &list);

	v = list.v;
	if (err < 0)
		return err;
	if (list.n)
		qsort(v, list.n, sizeof(*v), compare_found);
	head = mp_begin(b);
	for (size_t i = 0; i < list.n && b->len - before <= max_bytes; i++) {
		if (i && compare_names(&v[i - 1], &v[i]) == 0)
			continue;
		pack_found(b, &v[i]);
		n++;
	}
	mp_end_array(b, head, n);
	if (b->failed)
		return -ENOMEM;
	if (b->len - before > max_bytes) {
		b->len = before;
		return -EMSGSIZE;
	}
	return 0;
}

void
presence_counts(const struct presence *p, struct presence_counts *out)
{
	*out = p->counts;
}
