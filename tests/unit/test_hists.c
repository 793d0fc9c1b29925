/* SPDX-License-Identifier: BSD-2-Clause */

/* Histograms of several processes put together, and drawn. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "tests/lib/fuzz.h"
#include "tools/hists.h"
#include "tools/watch.h"

static const struct stats_def defs[] = {
	{ "fish", "fish", "no histogram", STATS_COUNTER },
};
static const struct stats_def hists[] = {
	{ "weights", "g", "of what was caught", STATS_HISTOGRAM },
	{ "waits", "ns", "until something was caught", STATS_HISTOGRAM },
};
static const struct stats_table table = {
	.process = "pond",
	.defs = defs,
	.n = ARRAY_LEN(defs),
	.hists = hists,
	.n_hists = ARRAY_LEN(hists),
};

enum {
	WEIGHTS,
	WAITS,
	PONDS = 3
};

/* Processes as a look has found them. */
struct fx {
	struct watch w;
	uint8_t *areas[PONDS];
	struct stats st[PONDS];
};

static int
setup(void **state)
{
	struct fx *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	for (unsigned i = 0; i < PONDS; i++) {
		struct watch_process *p = &f->w.processes[i];
		size_t size = ALIGN_UP(stats_bytes(&table), (size_t)64);

		f->areas[i] = aligned_alloc(64, size);
		assert_non_null(f->areas[i]);
		memset(f->areas[i], 0, size);
		stats_init(&f->st[i], f->areas[i], &table);
		assert_int_equal(
		    stats_view_init(&p->view, f->areas[i], size, NULL), 0);
		p->view.pid = i + 1;
		p->alive = i > 0;
	}
	f->w.n = PONDS;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fx *f = *state;

	for (unsigned i = 0; i < PONDS; i++)
		free(f->areas[i]);
	free(f);
	return 0;
}

static void
look(struct fx *f, const char *glob, struct hists *hs)
{
	struct reason why = { "" };

	assert_int_equal(hists_take(hs, &f->w, glob, &why), 0);
}

static void
those_of_all_processes_are_put_together(void **state)
{
	CLEANUP(hists_deinit) struct hists hs = { 0 };
	struct fx *f = *state;

	for (unsigned i = 0; i < PONDS; i++) {
		stats_record(&f->st[i], WEIGHTS, 100 + i, 1);
		stats_record(&f->st[i], WAITS, 5, 10);
	}
	look(f, NULL, &hs);
	assert_int_equal(hs.n, 2 * PONDS);
	hists_merge(&hs);
	assert_int_equal(hs.n, 2);
	assert_string_equal(hs.v[0]->item.name, "weights");
	assert_int_equal(hs.v[0]->processes, PONDS);
	assert_int_equal(hs.v[0]->dead, 1);
	assert_int_equal(hs.v[0]->hist.count, 3);
	assert_int_equal(hs.v[0]->hist.sum, 303);
	assert_int_equal(hs.v[0]->hist.max, 102);
	assert_int_equal(hs.v[1]->hist.n[5], 30);
}

static void
a_glob_means_the_name_or_all_of_it(void **state)
{
	static const struct {
		const char *glob;
		unsigned n;
	} cases[] = {
		{ "weights", PONDS },
		{ "w*", 2 * PONDS },
		{ "pond.*", 2 * PONDS },
		{ "pond.waits", PONDS },
		{ "fish", 0 },
		{ "pond", 0 },
		{ "", 0 },
	};
	struct fx *f = *state;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(hists_deinit) struct hists hs = { 0 };

		look(f, cases[i].glob, &hs);
		assert_int_equal(hs.n, cases[i].n);
	}
}

static void
what_came_since_is_told_of_each_process(void **state)
{
	CLEANUP(hists_deinit) struct hists before = { 0 };
	CLEANUP(hists_deinit) struct hists now = { 0 };
	struct fx *f = *state;

	stats_record(&f->st[0], WAITS, 7, 100);
	stats_record(&f->st[1], WAITS, 7, 100);
	look(f, "waits", &before);
	stats_record(&f->st[0], WAITS, 9, 3);
	/* Another process took its pid. */
	f->w.processes[1].view.started_us++;
	look(f, "waits", &now);
	hists_since(&now, &before);
	assert_int_equal(now.v[0]->hist.count, 3);
	assert_int_equal(now.v[0]->hist.n[9], 3);
	assert_int_equal(now.v[1]->hist.count, 100);
	assert_int_equal(now.v[2]->hist.count, 0);
}

static void
more_than_anybody_has_are_refused(void **state)
{
	CLEANUP(hists_deinit) struct hists hs = { 0 };
	struct fx *f = *state;
	struct reason why = { "" };

	for (unsigned i = PONDS; i <= WATCH_PAGES; i++)
		f->w.processes[i] = f->w.processes[0];
	f->w.n = WATCH_PAGES + 1;
	look(f, NULL, &hs);
	assert_int_equal(hs.n, 2 * (WATCH_PAGES + 1));
	for (unsigned i = 0; i < 2; i++)
		if (hists_take(&hs, &f->w, NULL, &why) < 0)
			break;
	assert_int_equal(hs.n, HISTS_MAX);
	assert_non_null(strstr(why.text, "1024"));
}

/* All values, in rows that follow each other, in at most as many as asked. */
static void
rows_are(const struct stats_hist *h, unsigned max)
{
	struct hists_row rows[64];
	unsigned n = hists_rows(h, rows, max);
	uint64_t sum = 0;

	assert_in_range(n, 1, max);
	for (unsigned i = 0; i < n; i++) {
		sum += rows[i].n;
		assert_int_equal(rows[i].upto, sum);
		assert_true(rows[i].low <= rows[i].high);
		if (i > 0)
			assert_true(rows[i].low == rows[i - 1].high + 1);
	}
	assert_int_equal(sum, h->count);
	assert_true(rows[0].n > 0 && rows[n - 1].n > 0);
	assert_true(rows[n - 1].high >= h->max);
}

static void
rows_have_all_values_and_no_gap(void **state)
{
	struct stats_hist *h = calloc(1, sizeof(*h));
	struct hists_row row;

	assert_non_null(h);
	assert_int_equal(hists_rows(h, &row, 2), 0);
	for (unsigned k = 0; k < 300; k++) {
		unsigned spread = 1 + (unsigned)fuzz_roll(41);
		uint64_t from = fuzz_roll(1000);

		memset(h, 0, sizeof(*h));
		for (unsigned i = 0; i <= fuzz_roll(50); i++) {
			uint64_t v = from + fuzz_roll(UINT64_C(1) << spread);

			h->n[stats_hist_bucket(v)]++;
			h->count++;
			h->max = MAX(h->max, v);
		}
		for (unsigned max = 2; max <= 64; max += 1 + max / 2)
			rows_are(h, max);
	}
	memset(h, 0, sizeof(*h));
	h->n[STATS_HIST_BUCKETS - 1] = h->n[0] = 1;
	h->count = 2;
	h->max = UINT64_MAX;
	rows_are(h, 2);
	rows_are(h, 64);
	free(h);
}

static void
values_are_told_as_people_write_them(void **state)
{
	static const struct {
		const char *unit;
		double v;
		const char *text;
	} cases[] = {
		{ "ns", 0, "0 ns" },
		{ "ns", 999, "999 ns" },
		{ "ns", 1000, "1 us" },
		{ "ns", 1234, "1.23 us" },
		{ "ns", 9994, "9.99 us" },
		{ "ns", 9996, "10.0 us" },
		{ "ns", 99940, "99.9 us" },
		{ "ns", 99960, "100 us" },
		{ "ns", 1.5e9, "1.50 s" },
		{ "ns", 90e9, "1.50 min" },
		{ "bytes", 1023, "1023 B" },
		{ "bytes", 1536, "1.50 KiB" },
		{ "bytes", 1048576, "1 MiB" },
		{ "events", 17, "17" },
		{ "events", 17.25, "17.2" },
		{ "", 1e6, "1000000" },
	};
	char buf[HISTS_TEXT];

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(
		    hists_text(cases[i].unit, cases[i].v, buf), cases[i].text);
	/* Whatever a file says. */
	assert_true(strlen(hists_text("ns", 1.8e19, buf)) < HISTS_TEXT - 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(those_of_all_processes_are_put_together),
		TEST(a_glob_means_the_name_or_all_of_it),
		TEST(what_came_since_is_told_of_each_process),
		TEST(more_than_anybody_has_are_refused),
		cmocka_unit_test(rows_have_all_values_and_no_gap),
		cmocka_unit_test(values_are_told_as_people_write_them),
	};

	fuzz_seed();
	return cmocka_run_group_tests_name("hists", tests, NULL, NULL);
}
