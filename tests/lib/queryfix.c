/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Log, store and naive fold.  Nothing here is what is being tested but
 * core/fold, which has vectors of its own.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/archives.h"
#include "broker/logs.h"
#include "broker/spool.h"
#include "core/crc32c.h"
#include "core/event.h"
#include "core/fold.h"
#include "core/json.h"
#include "core/map.h"
#include "core/topic_set.h"
#include "tests/lib/queryfix.h"

static uint64_t
queryfix_tail(void *arg)
{
	struct queryfix *fx = arg;

	return fx->tail_set ? fx->tail : fx->log->durable_seq;
}

static unsigned
queryfix_seed(void)
{
	const char *text = getenv("PEAL_SEED");

	return text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)getpid();
}

int
queryfix_setup(void **state)
{
	struct queryfix *fx = calloc(1, sizeof(*fx));
	struct reason why;

	assert_non_null(fx);
	assert_int_equal(tmpdir_setup((void **)&fx->dir), 0);
	assert_int_equal(logfix_setup((void **)&fx->log), 0);
	fx->log->segment_bytes = 256 << 10;
	logfix_start(fx->log);
	assert_int_equal(rules_parse("", &fx->rules, &why), 0);
	fx->store = fakestore_new(fx->rules);
	fx->time_us = 1000000;
	fx->seed = queryfix_seed();
	print_message("# seed %u\n", fx->seed);
	fx->q.store = fx->store;
	fx->q.tail = queryfix_tail;
	fx->q.tail_arg = fx;
	assert_int_equal(spools_new(fx->dir->path, 1 << 30, &fx->q.spools), 0);
	assert_int_equal(logs_new(fx->log->path, &fx->q.logs, &why), 0);
	queryfix_archives(fx, 1 << 30, 100);
	*state = fx;
	return 0;
}

void
queryfix_archives(struct queryfix *fx, uint64_t max_bytes, uint64_t every)
{
	struct archives_options opt = { fx->dir->path, max_bytes, every };
	struct reason why;

	fx->q.archives = archives_free(fx->q.archives);
	if (archives_new(&opt, &fx->q.archives, &why) < 0)
		fail_msg("%s", why.text);
}

int
queryfix_teardown(void **state)
{
	struct queryfix *fx = *state;

	(void)archives_free(fx->q.archives);
	(void)spools_free(fx->q.spools);
	(void)logs_free(fx->q.logs);
	(void)fakestore_free(fx->store);
	(void)rules_free(fx->rules);
	for (size_t i = 0; i < fx->n; i++)
		free(fx->v[i].bytes);
	free(fx->v);
	mp_buf_deinit(&fx->message);
	(void)logfix_teardown((void **)&fx->log);
	(void)tmpdir_teardown((void **)&fx->dir);
	free(fx);
	return 0;
}

unsigned
queryfix_random(struct queryfix *fx, unsigned n)
{
	return (unsigned)rand_r(&fx->seed) % n;
}

/* The version that comes next in a topic. */
static uint64_t
queryfix_version(struct queryfix *fx, struct slice topic)
{
	struct event ev;

	for (size_t i = fx->n; i > 0; i--) {
		const struct queryfix_event *e = &fx->v[i - 1];

		assert_int_equal(
		    event_decode(slice_of(e->bytes, e->len), &ev, NULL), 0);
		if (slice_equal(ev.topic, topic))
			return ev.version + 1;
	}
	return 1;
}

void
queryfix_add(struct queryfix *fx, const char *topic, const char *type,
    const char *actor, const char *data)
{
	CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
	struct queryfix_event *e;
	struct event ev;

	assert_int_equal(json_to_mp(slice_cstr(data), &value, NULL), 0);
	ev = (struct event){
		.seq = fx->n + 1,
		.time_us = fx->time_us,
		.version = queryfix_version(fx, slice_cstr(topic)),
		.topic = slice_cstr(topic),
		.type = slice_cstr(type),
		.actor = slice_cstr(actor),
		.data = slice_of(value.p, value.len),
	};
	if (fx->n == fx->cap) {
		fx->cap = MAX(fx->cap * 2, 64);
		fx->v = realloc(fx->v, fx->cap * sizeof(*fx->v));
		assert_non_null(fx->v);
	}
	e = &fx->v[fx->n++];
	e->len = event_size(&ev);
	e->bytes = malloc(e->len);
	assert_non_null(e->bytes);
	(void)event_encode(&ev, e->bytes);
	fx->composed++;
}

static void
queryfix_to_store(struct queryfix *fx, const struct queryfix_event *e)
{
	struct fold fold = { 0 };
	struct row before, after;
	struct slice bytes;
	struct event ev;
	bool there;

	assert_int_equal(
	    event_decode(slice_of(e->bytes, e->len), &ev, NULL), 0);
	there = fakestore_get(fx->store, ev.topic, &bytes);
	if (there)
		assert_int_equal(row_decode(bytes, &before, NULL), 0);
	assert_true(fold_event(&fold, fx->rules, there ? &before : NULL, &ev,
			&after) >= 0);
	fakestore_put(fx->store, &after);
	fold_deinit(&fold);
}

void
queryfix_commit(struct queryfix *fx)
{
	size_t first = fx->n - fx->composed, len = LOG_FRAME_HEADER;
	uint8_t *frame, *p;

	for (size_t i = first; i < fx->n; i++)
		len += LOG_EVENT_HEADER + fx->v[i].len;
	frame = malloc(len);
	assert_non_null(frame);
	p = frame + LOG_FRAME_HEADER;
	for (size_t i = first; i < fx->n; i++) {
		const struct queryfix_event *e = &fx->v[i];

		put_le32(p, (uint32_t)e->len);
		put_le32(p + 4, crc32c(0, e->bytes, e->len));
		memcpy(p + LOG_EVENT_HEADER, e->bytes, e->len);
		p += LOG_EVENT_HEADER + e->len;
	}
	frame_compose(frame, FRAME_EVENTS, (uint32_t)fx->composed, first + 1,
	    fx->time_us, 0, (uint32_t)(len - LOG_FRAME_HEADER));
	if (fx->log->n_iov == LOGFIX_FRAMES)
		queryfix_flush(fx);
	if (logfix_stamp_frame(fx->log, frame) < 0)
		fail_msg("append: %s", fx->log->why.text);
	for (size_t i = first; i < fx->n && !fx->store_waits; i++)
		queryfix_to_store(fx, &fx->v[i]);
	fx->composed = 0;
}

void
queryfix_flush(struct queryfix *fx)
{
	if (logfix_flush(fx->log) < 0)
		fail_msg("flush: %s", fx->log->why.text);
}

void
queryfix_append(struct queryfix *fx, const char *topic, const char *type,
    const char *actor, const char *data)
{
	queryfix_add(fx, topic, type, actor, data);
	queryfix_commit(fx);
	queryfix_flush(fx);
}

static void
queryfix_random_topic(struct queryfix *fx, char topic[64])
{
	switch (queryfix_random(fx, 8)) {
	case 0:
		snprintf(topic, 64, "$acl.u%u", queryfix_random(fx, 4));
		break;
	case 1:
		snprintf(topic, 64, "graph.relation.e%u.uses.e%u",
		    queryfix_random(fx, 5), queryfix_random(fx, 5));
		break;
	case 2:
		snprintf(topic, 64, "t.%u", queryfix_random(fx, 6));
		break;
	default:
		snprintf(topic, 64, "t.%u.%u", queryfix_random(fx, 6),
		    queryfix_random(fx, 12));
		break;
	}
}

void
queryfix_append_random(struct queryfix *fx, unsigned n)
{
	static const char *const types[] = { "created", "updated", "deleted",
		"viewed", "tag_added", "renamed" };
	static const char *const actors[] = { "", "ada", "bob", "cy" };

	while (n > 0) {
		unsigned events = 1 + queryfix_random(fx, 5);

		events = MIN(events, n);

		for (unsigned i = 0; i < events; i++) {
			char topic[64], data[80];

			queryfix_random_topic(fx, topic);
			snprintf(data, sizeof(data), "{\"n%u\":%u,\"t\":[%u]}",
			    queryfix_random(fx, 3), queryfix_random(fx, 1000),
			    queryfix_random(fx, 3));
			queryfix_add(fx, topic,
			    types[queryfix_random(fx, ARRAY_LEN(types))],
			    actors[queryfix_random(fx, ARRAY_LEN(actors))],
			    data);
		}
		queryfix_commit(fx);
		fx->time_us += queryfix_random(fx, 3);
		n -= events;
	}
	queryfix_flush(fx);
}

struct proto_request
queryfix_request(struct queryfix *fx, const char *json)
{
	char text[2000];
	struct proto_request req;
	struct reason why;

	snprintf(text, sizeof(text), "{\"id\":7,%s", json + 1);
	fx->message.len = 0;
	if (json_to_mp(slice_cstr(text), &fx->message, &why) ||
	    proto_request_parse_local(
		slice_of(fx->message.p, fx->message.len), &req, &why))
		fail_msg("'%s': %s", text, why.text);
	return req;
}

enum proto_code
queryfix_ask(struct queryfix *fx, const char *json, struct spool **out)
{
	struct proto_request req = queryfix_request(fx, json);
	struct topic_set set;
	enum proto_code code;

	assert_int_equal(
	    topic_set_init(&set, req.state.topics, req.read, req.admin), 0);
	fx->no.oldest.set = false;
	code = query_snapshot(&fx->q, &req, &set, out, &fx->no);
	topic_set_deinit(&set);
	return code;
}

struct spool *
queryfix_snapshot(struct queryfix *fx, const char *json)
{
	struct spool *s = NULL;

	if (queryfix_ask(fx, json, &s))
		fail_msg("'%s': %s", json, fx->no.text);
	return s;
}

void
queryfix_rows(struct spool *s, struct mp_buf *b)
{
	uint32_t rows, total = 0;

	for (uint64_t n = 0; n < spool_parts(s); n++) {
		assert_int_equal(spool_read_part(s, n, b, &rows), SPOOL_PART);
		total += rows;
	}
	assert_int_equal(total, spool_rows(s));
}

void
queryfix_expect_topics(struct queryfix *fx, const char *json, const char *want)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct spool *s = queryfix_snapshot(fx, json);
	char text[2000] = "";
	struct slice bytes;
	struct mp_walk w;
	struct row row;

	queryfix_rows(s, &b);
	w = mp_walk(slice_of(b.p, b.len));
	while (mp_skip(&w, &bytes)) {
		assert_int_equal(row_decode(bytes, &row, NULL), 0);
		strncat(text, (const char *)row.topic.p, row.topic.len);
		strcat(text, " ");
	}
	assert_string_equal(text, want);
	(void)spool_unref(s);
}

/* A row as folded so far. */
struct folded {
	struct slice topic;
	struct slice row;
};

static int
folded_order(const void *a, const void *b)
{
	struct slice x = ((const struct folded *)a)->topic;
	struct slice y = ((const struct folded *)b)->topic;
	int c = memcmp(x.p, y.p, MIN(x.len, y.len));

	return c != 0 ? c : (x.len > y.len) - (x.len < y.len);
}

static struct folded *
folded_find(struct folded *v, size_t n, struct slice topic)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equal(v[i].topic, topic))
			return &v[i];
	return NULL;
}

void
queryfix_fold(struct queryfix *fx, uint64_t seq, const struct topic_set *set,
    struct mp_buf *rows, uint32_t *n)
{
	struct folded *v = calloc(seq + 1, sizeof(*v)), *f;
	struct fold fold = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < seq; i++) {
		struct row before, after;
		struct event ev;
		uint8_t *bytes;

		assert_int_equal(
		    event_decode(
			slice_of(fx->v[i].bytes, fx->v[i].len), &ev, NULL),
		    0);
		f = folded_find(v, count, ev.topic);
		if (f)
			assert_int_equal(row_decode(f->row, &before, NULL), 0);
		assert_true(fold_event(&fold, fx->rules, f ? &before : NULL,
				&ev, &after) >= 0);
		bytes = malloc(row_size(&after));
		assert_non_null(bytes);
		(void)row_encode(&after, bytes);
		if (f)
			free((void *)(uintptr_t)f->row.p);
		else
			f = &v[count++];
		f->topic = ev.topic;
		f->row = slice_of(bytes, row_size(&after));
	}
	qsort(v, count, sizeof(*v), folded_order);
	*n = 0;
	for (size_t i = 0; i < count; i++) {
		if (!set || topic_set_matches(set, v[i].topic)) {
			mp_pack_raw(rows, v[i].row);
			++*n;
		}
		free((void *)(uintptr_t)v[i].row.p);
	}
	fold_deinit(&fold);
	free(v);
}
