/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The fixture plays the writer: it numbers events and counts the versions of
 * their topics.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/json.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/rules.h"
#include "tests/lib/storefix.h"

struct counted {
	uint64_t version;
	size_t len;
	char topic[];
};

void
storefix_open(struct storefix *fx)
{
	struct reason why = { "" };

	if (store_open(&fx->opt, &fx->st, &why) < 0)
		fail_msg("open: %s", why.text);
	assert_true(store_fold_log(fx->st, fx->log_id, 1, UINT64_MAX) >= 0);
}

void
storefix_rules(struct storefix *fx, const char *text)
{
	struct reason why = { "" };

	assert_null(fx->st);
	fx->rules = rules_free(fx->rules);
	if (rules_parse(text ? text : "", &fx->rules, &why) < 0)
		fail_msg("rules: %s", why.text);
	fx->opt.rules = fx->rules;
}

int
storefix_setup(void **state)
{
	struct storefix *fx = calloc(1, sizeof(*fx));
	void *dir;

	assert_non_null(fx);
	assert_int_equal(tmpdir_setup(&dir), 0);
	fx->dir = dir;
	fx->opt = (struct store_options){
		.dir = tmpdir_path(fx->dir, "broker"),
		.map_bytes = 256 << 20,
		.tombstone_s = 100,
	};
	fx->log_id[0] = 1;
	fx->versions = map_new();
	assert_non_null(fx->versions);
	storefix_rules(fx, NULL);
	storefix_open(fx);
	*state = fx;
	return 0;
}

int
storefix_teardown(void **state)
{
	struct storefix *fx = *state;
	char command[300];
	void *dir = fx->dir, *c;
	size_t at = 0;

	fx->st = store_free(fx->st);
	fx->rules = rules_free(fx->rules);
	while ((c = map_next(fx->versions, &at)))
		free(c);
	fx->versions = map_free(fx->versions);
	mp_buf_deinit(&fx->event);
	mp_buf_deinit(&fx->text);
	snprintf(command, sizeof(command), "rm -rf '%s/'*", fx->dir->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(tmpdir_teardown(&dir), 0);
	free(fx);
	return 0;
}

static uint64_t
next_version(struct storefix *fx, const char *topic)
{
	struct counted *c = map_get(fx->versions, slice_cstr(topic));

	if (!c) {
		c = calloc(1, sizeof(*c) + strlen(topic) + 1);
		assert_non_null(c);
		strcpy(c->topic, topic);
		assert_int_equal(
		    map_put(fx->versions, slice_cstr(c->topic), c), 0);
	}
	return ++c->version;
}

struct slice
storefix_event(struct storefix *fx, const char *topic, const char *type,
    const char *actor, const char *data)
{
	struct reason why = { "" };
	struct event ev = {
		.seq = ++fx->seq,
		.time_us = fx->seq * 1000,
		.version = next_version(fx, topic),
		.topic = slice_cstr(topic),
		.type = slice_cstr(type),
		.actor = slice_cstr(actor),
	};
	uint8_t *p;

	fx->text.len = 0;
	if (json_to_mp(slice_cstr(data), &fx->text, &why) < 0)
		fail_msg("data: %s", why.text);
	ev.data = slice_of(fx->text.p, fx->text.len);
	fx->event.len = 0;
	p = mp_buf_reserve(&fx->event, event_size(&ev));
	assert_non_null(p);
	fx->event.len = (size_t)(event_encode(&ev, p) - p);
	return slice_of(fx->event.p, fx->event.len);
}

int
storefix_try(struct storefix *fx, const char *topic, const char *type,
    const char *actor, const char *data)
{
	struct slice bytes = storefix_event(fx, topic, type, actor, data);

	return store_fold_event(fx->st, fx->seq, bytes);
}

void
storefix_fold(
    struct storefix *fx, const char *topic, const char *type, const char *data)
{
	assert_int_equal(storefix_try(fx, topic, type, "ann", data), 0);
}

void
storefix_commit(struct storefix *fx)
{
	assert_int_equal(store_fold_commit(fx->st), 0);
}

static void
add(struct storefix *fx, const char *text)
{
	mp_buf_bytes(&fx->text, text, strlen(text));
}

static const char *
text_of(struct storefix *fx)
{
	mp_buf_bytes(&fx->text, "", 1);
	return (const char *)fx->text.p;
}

static void
add_row(struct storefix *fx, struct slice bytes, bool dropped)
{
	struct row row;
	struct reason why = { "" };
	char head[400];

	if (row_decode(bytes, &row, &why) < 0)
		fail_msg("row: %s", why.text);
	snprintf(head, sizeof(head), "%s[%.*s, %llu, %llu, %s, ",
	    dropped ? "dropped " : "", (int)row.topic.len, row.topic.p,
	    (unsigned long long)row.version, (unsigned long long)row.seq,
	    row.deleted ? "true" : "false");
	add(fx, head);
	assert_int_equal(json_from_mp(row.value, &fx->text), 0);
	add(fx, "]");
}

const char *
storefix_row(struct storefix *fx, const char *topic)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	struct slice bytes;
	bool dropped;
	int got;

	fx->text.len = 0;
	assert_int_equal(store_read_begin(fx->st, &r), 0);
	got = store_row(r, slice_cstr(topic), &bytes, &dropped);
	assert_true(got >= 0);
	if (got == STORE_END)
		add(fx, "-");
	else
		add_row(fx, bytes, dropped);
	return text_of(fx);
}

const char *
storefix_walk(struct storefix *fx, struct store_iter *it)
{
	struct store_item item;
	char number[40];
	int got;

	fx->text.len = 0;
	while ((got = store_iter_next(it, &item)) == STORE_FOUND) {
		if (fx->text.len)
			add(fx, " ");
		if (item.dropped)
			add(fx, "~");
		snprintf(number, sizeof(number), "%llu",
		    (unsigned long long)item.seq);
		if (item.seq)
			add(fx, number);
		if (item.seq && item.topic.p)
			add(fx, ":");
		mp_buf_bytes(&fx->text, item.topic.p, item.topic.len);
	}
	assert_int_equal(got, STORE_END);
	assert_int_equal(store_iter_next(it, &item), STORE_END);
	store_iter_free(it);
	return text_of(fx);
}

#define WALK(call)                                                 \
	do {                                                       \
		CLEANUP(store_read_endp)                           \
		struct store_read *r = NULL;                       \
		struct store_iter *it = NULL;                      \
                                                                   \
		assert_int_equal(store_read_begin(fx->st, &r), 0); \
		assert_int_equal(call, 0);                         \
		return storefix_walk(fx, it);                      \
	} while (0)

const char *
storefix_rows(struct storefix *fx, const char *from, bool dropped)
{
	WALK(store_iter_rows(r, slice_cstr(from), dropped, &it));
}

const char *
storefix_changed(struct storefix *fx, uint64_t after)
{
	WALK(store_iter_changed(r, after, &it));
}

const char *
storefix_edges(struct storefix *fx, const char *name)
{
	WALK(store_iter_edges(r, slice_cstr(name), &it));
}

const char *
storefix_topic(
    struct storefix *fx, const char *topic, uint64_t seq, bool reverse)
{
	WALK(store_iter_topic(r, slice_cstr(topic), seq, reverse, &it));
}

const char *
storefix_actor(
    struct storefix *fx, const char *actor, uint64_t seq, bool reverse)
{
	WALK(store_iter_actor(r, slice_cstr(actor), seq, reverse, &it));
}
