/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The folder's thread between a writer in small and a store: whatever
 * happens to either, rows and histories are those of the log.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/folder.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/witness.h"
#include "tests/lib/storefix.h"
#include "tests/lib/tailfix.h"

struct fix {
	struct storefix *s;
	struct tailfix w;
	struct folder *f;
	struct folder_options opt;
};

static int
setup(void **state)
{
	struct fix *fx = calloc(1, sizeof(*fx));
	void *s;

	assert_non_null(fx);
	tailfix_init(&fx->w);
	assert_int_equal(storefix_setup(&s), 0);
	fx->s = s;
	memcpy(fx->s->log_id, fx->w.lf.tail.log_id, 16);
	fx->opt = (struct folder_options){ .run_dir = fx->w.run,
		.log_dir = fx->w.log,
		.dir = fx->s->opt.dir };
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *fx = *state;
	void *s = fx->s;

	fx->f = folder_stop(fx->f);
	tailfix_deinit(&fx->w);
	storefix_teardown(&s);
	free(fx);
	return 0;
}

static void
start(struct fix *fx)
{
	struct reason why = { "" };

	if (!fx->s->st && store_open(&fx->s->opt, &fx->s->st, &why) < 0)
		fail_msg("open: %s", why.text);
	if (folder_start(&fx->opt, fx->s->st, &fx->f, &why) < 0)
		fail_msg("start: %s", why.text);
}

static void
stop(struct fix *fx)
{
	fx->f = folder_stop(fx->f);
	fx->s->st = store_free(fx->s->st);
}

static void
append(struct fix *fx, const char *topic, const char *type, const char *data)
{
	struct slice ev = storefix_event(fx->s, topic, type, "ann", data);

	tailfix_append(&fx->w, &ev, 1, true);
}

/* Many events over a few hundred topics. */
static void
append_many(struct fix *fx, int n)
{
	static const char *const types[] = { "x_set", "x_changed", "x_deleted",
		"x_added", "x_touched" };
	char topic[32], data[64];

	for (int i = 0; i < n; i++) {
		uint64_t seq = fx->s->seq;

		snprintf(topic, sizeof(topic), "t.%d", (int)(seq * 31 % 300));
		snprintf(data, sizeof(data), "{\"f%d\":%d}", (int)(seq % 7), i);
		append(fx, topic, types[seq * 17 % ARRAY_LEN(types)], data);
	}
}

typedef bool condition(const struct fix *fx, const struct store_status *s);

static void
await(struct fix *fx, condition *met)
{
	uint64_t until = time_mono_ns() + 300 * NS_PER_S;
	struct store_status s;

	for (;;) {
		store_status(fx->s->st, &s);
		if (met(fx, &s))
			return;
		if (time_mono_ns() > until)
			fail_msg("in vain: seq %llu history %llu of %llu",
			    (unsigned long long)s.seq,
			    (unsigned long long)s.history_seq,
			    (unsigned long long)fx->s->seq);
		(void)poll(NULL, 0, 2);
	}
}

static bool
level(const struct fix *fx, const struct store_status *s)
{
	return s->seq == fx->s->seq && s->history_seq == fx->s->seq &&
	       !s->refolding;
}

static bool
refolding(const struct fix *fx, const struct store_status *s)
{
	return s->refolding && s->seq == fx->s->seq;
}

static bool
is_stalled(const struct fix *fx, const struct store_status *s)
{
	struct folder_status status;

	folder_status(fx->f, &status);
	return status.stalled && s->commit_failed > 0;
}

/* All rows as one text, of the caller. */
static char *
all_rows(struct fix *fx)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	struct mp_buf b = { 0 };
	struct store_item item;

	assert_int_equal(store_read_begin(fx->s->st, &r), 0);
	assert_int_equal(store_iter_rows(r, slice_of(NULL, 0), true, &it), 0);
	while (store_iter_next(it, &item) == STORE_FOUND)
		for (size_t i = 0; i < item.row.len; i++) {
			char hex[3];

			snprintf(hex, sizeof(hex), "%02x", item.row.p[i]);
			mp_buf_bytes(&b, hex, 2);
		}
	mp_buf_bytes(&b, "", 1);
	return (char *)b.p;
}

/* The same as a store that folds the log from its beginning has? */
static void
expect_as_folded_afresh(struct fix *fx)
{
	struct store *st = fx->s->st;
	struct store_options opt = fx->s->opt;
	char *got = all_rows(fx), *want;
	struct reason why = { "" };
	struct folder *f = NULL;

	opt.dir = tmpdir_path(fx->s->dir, "fresh");
	if (store_open(&opt, &fx->s->st, &why) < 0)
		fail_msg("%s", why.text);
	fx->opt.dir = opt.dir;
	assert_int_equal(folder_start(&fx->opt, fx->s->st, &f, &why), 0);
	await(fx, level);
	f = folder_stop(f);
	want = all_rows(fx);
	assert_string_equal(got, want);
	fx->s->st = store_free(fx->s->st);
	fx->s->st = st;
	fx->opt.dir = fx->s->opt.dir;
	free(got);
	free(want);
}

static void
what_is_appended_is_folded(void **state)
{
	struct fix *fx = *state;
	struct folder_status s;

	append(fx, "a", "x_set", "1");
	append(fx, "b", "x_set", "1");
	start(fx);
	folder_status(fx->f, &s);
	assert_false(s.attached);
	tailfix_start(&fx->w);
	append(fx, "a", "x_set", "2");
	await(fx, level);
	assert_string_equal(storefix_row(fx->s, "a"), "[a, 2, 3, false, 2]");
	assert_string_equal(storefix_topic(fx->s, "a", 0, false), "1 3");
	for (int i = 0; i < 20; i++) {
		append_many(fx, 100);
		await(fx, level);
	}
	folder_status(fx->f, &s);
	assert_true(s.attached);
	assert_false(s.stalled);
	assert_int_equal(s.tail_seq, fx->s->seq);
	expect_as_folded_afresh(fx);
}

static void
commits_are_ten_milliseconds_apart(void **state)
{
	struct fix *fx = *state;
	struct store_status before, after;
	uint64_t begin, ms;

	tailfix_start(&fx->w);
	start(fx);
	append(fx, "a", "x_set", "1");
	await(fx, level);
	store_status(fx->s->st, &before);
	begin = time_mono_ns();
	for (int i = 0; i < 300; i++) {
		append(fx, "a", "x_set", "1");
		(void)sched_yield();
	}
	await(fx, level);
	ms = (time_mono_ns() - begin) / NS_PER_MS;
	store_status(fx->s->st, &after);
	assert_in_range(after.commits - before.commits, 1, ms / 10 + 2);
}

static void
a_new_writer_is_followed(void **state)
{
	struct fix *fx = *state;

	tailfix_start(&fx->w);
	start(fx);
	for (int i = 0; i < 4; i++) {
		append_many(fx, 200);
		if (i % 2)
			await(fx, level);
		tailfix_stop(&fx->w);
		tailfix_start(&fx->w);
	}
	append_many(fx, 10);
	await(fx, level);
	expect_as_folded_afresh(fx);
}

static bool
emptied(const struct fix *fx, const struct store_status *s)
{
	return s->seq == fx->s->seq && s->rows == 1;
}

static void
another_log_is_folded_anew(void **state)
{
	struct fix *fx = *state;

	tailfix_start(&fx->w);
	start(fx);
	append_many(fx, 50);
	await(fx, level);
	tailfix_stop(&fx->w);
	tailfix_new_log(&fx->w);
	fx->s->seq = 0;
	tailfix_start(&fx->w);
	append(fx, "new", "x_set", "1");
	await(fx, emptied);
	assert_string_equal(storefix_rows(fx->s, "", true), "new");
	assert_string_equal(storefix_topic(fx->s, "t.31", 0, false), "");
}

static void
it_goes_on_where_it_stopped(void **state)
{
	struct fix *fx = *state;

	tailfix_start(&fx->w);
	for (int i = 0; i < 3; i++) {
		start(fx);
		append_many(fx, 300);
		if (i == 1)
			await(fx, level);
		stop(fx);
		append_many(fx, 300);
	}
	start(fx);
	await(fx, level);
	expect_as_folded_afresh(fx);
}

/* So that the old rows must be served for a while. */
static void
new_rules_take_over_when_they_have_caught_up(void **state)
{
	struct fix *fx = *state;
	struct store_status s;
	struct mp_buf rules = { 0 };
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	uint64_t generation;

	tailfix_start(&fx->w);
	start(fx);
	append(fx, "n", "x_set", "{\"a\":1}");
	append(fx, "n", "x_special", "{\"b\":2}");
	append_many(fx, 3000);
	await(fx, level);
	assert_int_equal(store_read_begin(fx->s->st, &r), 0);
	generation = store_read_generation(r);
	r = store_read_end(r);
	stop(fx);
	storefix_rules(fx->s, "x_special=merge x_set=set x_changed=merge "
			      "*=touch");
	tailfix_stop(&fx->w);
	/* Without a writer nothing can be folded. */
	start(fx);
	await(fx, refolding);
	assert_string_equal(
	    storefix_row(fx->s, "n"), "[n, 2, 2, false, {\"a\":1}]");
	assert_int_equal(store_pack_rules(fx->s->st, &rules), 0);
	assert_null(memmem(rules.p, rules.len, "x_special", 9));
	tailfix_start(&fx->w);
	append_many(fx, 100);
	await(fx, level);
	assert_string_equal(
	    storefix_row(fx->s, "n"), "[n, 2, 2, false, {\"a\":1,\"b\":2}]");
	rules.len = 0;
	assert_int_equal(store_pack_rules(fx->s->st, &rules), 0);
	assert_non_null(memmem(rules.p, rules.len, "x_special", 9));
	mp_buf_deinit(&rules);
	store_status(fx->s->st, &s);
	/* Whoever has older rows must take them all. */
	assert_true(s.tombstone_floor > 3000);
	assert_int_equal(store_read_begin(fx->s->st, &r), 0);
	assert_true(store_read_generation(r) > generation);
	append_many(fx, 100);
	await(fx, level);
	expect_as_folded_afresh(fx);
}

static void
rules_that_come_back_drop_what_was_begun(void **state)
{
	struct fix *fx = *state;
	struct store_status s;

	tailfix_start(&fx->w);
	start(fx);
	append_many(fx, 500);
	await(fx, level);
	stop(fx);
	tailfix_stop(&fx->w);
	storefix_rules(fx->s, "*=set");
	start(fx);
	await(fx, refolding);
	stop(fx);
	storefix_rules(fx->s, "*=touch");
	start(fx);
	await(fx, refolding);
	stop(fx);
	storefix_rules(fx->s, NULL);
	start(fx);
	store_status(fx->s->st, &s);
	assert_false(s.refolding);
	assert_int_equal(s.tombstone_floor, 0);
	tailfix_start(&fx->w);
	append_many(fx, 100);
	await(fx, level);
	expect_as_folded_afresh(fx);
}

/* --- archives, kept in memory --- */

enum {
	ARCHIVES = 3
};

struct memory {
	unsigned bad; /* so many of the newest are damaged */
	unsigned asked;
	unsigned n;
	struct {
		uint64_t seq;
		struct mp_buf rows;
	} v[ARCHIVES];
};

/* Keep what the store has now. */
static void
keep_archive(struct memory *m, struct fix *fx)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	struct store_item item;
	uint8_t head[4];

	assert_int_equal(store_read_begin(fx->s->st, &r), 0);
	assert_int_equal(store_iter_rows(r, slice_of(NULL, 0), true, &it), 0);
	m->v[m->n].seq = store_read_seq(r);
	while (store_iter_next(it, &item) == STORE_FOUND) {
		put_le32(head, (uint32_t)item.row.len);
		mp_buf_bytes(&m->v[m->n].rows, head, sizeof(head));
		mp_buf_bytes(&m->v[m->n].rows, item.row.p, item.row.len);
	}
	m->n++;
}

static int
restore(void *arg, struct store_archive *a, store_add_row *add, void *ctx,
    struct reason *why)
{
	struct memory *m = arg;
	unsigned i = m->n;
	int err;

	m->asked++;
	while (i > 0 && m->v[i - 1].seq > a->upto)
		i--;
	if (i-- == 0)
		return STORE_NO_ARCHIVE;
	a->seq = m->v[i].seq;
	for (size_t at = 0; at < m->v[i].rows.len;) {
		const uint8_t *p = m->v[i].rows.p + at;
		uint32_t len = get_le32(p);

		err = add(ctx, slice_of(p + 4, len), false);
		if (err < 0)
			return err;
		at += 4 + len;
	}
	return i + m->bad >= m->n
		   ? reason_set(why, STORE_BAD_ARCHIVE, "it is bad")
		   : STORE_RESTORED;
}

static void
rows_begin_with_an_archive_and_history_catches_up(void **state)
{
	struct fix *fx = *state;
	struct memory m = { 0 };

	tailfix_start(&fx->w);
	start(fx);
	for (int i = 0; i < ARCHIVES; i++) {
		append_many(fx, 700);
		await(fx, level);
		keep_archive(&m, fx);
	}
	append_many(fx, 500);
	fx->opt.restore = restore;
	fx->opt.restore_arg = &m;
	for (m.bad = 0; m.bad <= ARCHIVES; m.bad++) {
		stop(fx);
		tmpdir_text(fx->s->dir, "broker/state.mark", "");
		m.asked = 0;
		start(fx);
		append_many(fx, 10);
		await(fx, level);
		assert_int_equal(m.asked, MIN(m.bad + 1, ARCHIVES + 1u));
		fx->opt.restore = NULL;
		expect_as_folded_afresh(fx);
		fx->opt.restore = restore;
		assert_non_null(
		    strstr(storefix_topic(fx->s, "t.31", 0, false), "2 302"));
	}
	stop(fx);
	fx->opt.restore = NULL;
	fx->opt.restore_arg = NULL;
	for (int i = 0; i < ARCHIVES; i++)
		mp_buf_deinit(&m.v[i].rows);
}

static void
the_witness_names_what_was_folded(void **state)
{
	struct fix *fx = *state;
	CLEANUP(closep) int fd = -1;
	struct log_witness wit = { .seq = 0 };
	uint64_t until = time_mono_ns() + 300 * NS_PER_S;

	tailfix_start(&fx->w);
	start(fx);
	append_many(fx, 20);
	await(fx, level);
	fd = open(fx->s->opt.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (wit.seq < 20 && time_mono_ns() < until) {
		(void)poll(NULL, 0, 10);
		assert_true(witness_load(&sysio_posix, fd, WITNESS_BROKER, &wit,
				NULL) >= 0);
	}
	assert_int_equal(wit.seq, 20);
	assert_int_equal(wit.epoch, fx->w.lf.tail.epoch);
	assert_memory_equal(wit.log_id, fx->w.lf.tail.log_id, 16);
}

static void
a_full_map_stalls_and_a_larger_one_goes_on(void **state)
{
	struct fix *fx = *state;
	static char data[20100];
	struct folder_status s;
	char topic[32];
	uint64_t seq;

	fx->s->st = store_free(fx->s->st);
	fx->s->opt.map_bytes = 16 << 20;
	memset(data, 'x', sizeof(data) - 1);
	data[0] = data[sizeof(data) - 2] = '"';
	tailfix_start(&fx->w);
	start(fx);
	for (int i = 0; i < 1000; i++) {
		snprintf(topic, sizeof(topic), "big.%d", i);
		append(fx, topic, "x_set", data);
	}
	await(fx, is_stalled);
	assert_string_not_equal(storefix_row(fx->s, "big.1"), "-");
	folder_status(fx->f, &s);
	assert_false(s.failed);
	seq = store_fold_seq(fx->s->st);
	stop(fx);
	assert_true(seq > 0 && seq < 1000);
	fx->s->opt.map_bytes = 256 << 20;
	start(fx);
	await(fx, level);
	folder_status(fx->f, &s);
	assert_false(s.stalled);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_appended_is_folded),
		T(commits_are_ten_milliseconds_apart),
		T(a_new_writer_is_followed),
		T(another_log_is_folded_anew),
		T(it_goes_on_where_it_stopped),
		T(new_rules_take_over_when_they_have_caught_up),
		T(rules_that_come_back_drop_what_was_begun),
		T(rows_begin_with_an_archive_and_history_catches_up),
		T(the_witness_names_what_was_folded),
		T(a_full_map_stalls_and_a_larger_one_goes_on),
	};

	return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
