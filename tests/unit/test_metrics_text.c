/* SPDX-License-Identifier: BSD-2-Clause */

/* The text that Prometheus gets: right, and whole whatever was put in. */

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "core/mp.h"
#include "shm/stats_hist.h"
#include "tools/metrics_gather.h"
#include "tools/metrics_text.h"

enum {
	ROUNDS = 200,
	LINE = 1024,
	NAMES = 4096,
};

/* --- a judge of such texts --- */

struct judge {
	char family[LINE];	/* whose lines these are */
	char (*families)[LINE]; /* that had their HELP */
	unsigned n;
	char (*seen)[LINE]; /* names with labels */
	unsigned n_seen;
};

static bool
known(char (*list)[LINE], unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(list[i], text))
			return true;
	return false;
}

static size_t
name_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
		n++;
	return isdigit((unsigned char)*p) ? 0 : n;
}

/* Behind "{a="b",c="d"}", or NULL. */
static const char *
skip_labels(const char *p)
{
	do {
		size_t n = name_length(++p);

		if (n == 0 || strncmp(p + n, "=\"", 2) != 0)
			return NULL;
		for (p += n + 2; *p && *p != '"'; p++)
			if (*p == '\\' && !strchr("\\n\"", *++p))
				return NULL;
		if (*p++ != '"')
			return NULL;
	} while (*p == ',');
	return *p == '}' ? p + 1 : NULL;
}

static const char *
judge_sample(struct judge *j, const char *line)
{
	size_t family = strlen(j->family), n = name_length(line);
	const char *rest = line + n;
	char what[LINE];

	if (family == 0 || n < family || strncmp(line, j->family, family) != 0)
		return "is of no family that was announced";
	if (*rest == '{')
		rest = skip_labels(rest);
	if (!rest || *rest != ' ')
		return "has labels that are none";
	snprintf(what, sizeof(what), "%.*s", (int)(rest - line), line);
	if (known(j->seen, j->n_seen, what))
		return "stands there twice";
	assert_true(j->n_seen < NAMES);
	snprintf(j->seen[j->n_seen++], LINE, "%s", what);
	rest++;
	n = strspn(rest, "0123456789.");
	return n == 0 || rest[n] ? "has a value that is none" : NULL;
}

static const char *
judge_line(struct judge *j, const char *line)
{
	char name[LINE] = "";

	for (const char *p = line; *p; p++)
		if (!isprint((unsigned char)*p))
			return "has a byte that nobody prints";
	if (sscanf(line, "# HELP %1000s", name) == 1) {
		if (known(j->families, j->n, name))
			return "announces a family twice";
		assert_true(j->n < NAMES);
		snprintf(j->families[j->n++], LINE, "%s", name);
		snprintf(j->family, sizeof(j->family), "%s", name);
		return NULL;
	}
	if (sscanf(line, "# TYPE %1000s", name) == 1)
		return strcmp(name, j->family) ? "types another family" : NULL;
	return *line == '#' ? "is a comment" : judge_sample(j, line);
}

/* NULL, or what is wrong with the last line that was looked at. */
static const char *
judge(const char *text)
{
	struct judge j = { .families = calloc(NAMES, LINE),
		.seen = calloc(NAMES, LINE) };
	const char *fault = NULL;
	char line[LINE];

	while (*text && !fault) {
		size_t n = strcspn(text, "\n");

		assert_true(n < sizeof(line));
		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		fault = text[n] ? judge_line(&j, line) : "is not ended";
		text += n + (text[n] != '\0');
	}
	if (fault)
		print_message("'%s' %s\n", line, fault);
	free(j.families);
	free(j.seen);
	return fault;
}

static void
the_judge_refuses_what_a_scraper_would(void **state)
{
	static const char *const wrong[] = {
		"peal_a 1\n",
		"# HELP peal_a x\n# TYPE peal_b counter\n",
		"# HELP peal_a x\n# TYPE peal_a counter\npeal_a 1",
		"# HELP peal_a x\n# TYPE peal_a counter\npeal_a 1\npeal_a 2\n",
		"# HELP peal_a x\npeal_a 1\n# HELP peal_b x\n# HELP peal_a x\n",
		"# HELP peal_a x\npeal_b 1\n",
		"# HELP peal_a x\npeal_a{b=\"c} 1\n",
		"# HELP peal_a x\npeal_a{b=\"c\"d\"} 1\n",
		"# HELP peal_a x\npeal_a{b=\"\\x\"} 1\n",
		"# HELP peal_a x\npeal_a one\n",
		"# HELP peal_a x\npeal_a{} 1\n",
		"# HELP peal_a \x1b[2J\npeal_a 1\n",
	};

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++)
		assert_non_null(judge(wrong[i]));
	assert_null(judge("# HELP peal_a x\n# TYPE peal_a gauge\npeal_a 1\n"
			  "peal_a{b=\"\\\"\",c=\"d\"} 1.5\n"));
}

/* --- what is written --- */

static char *
written(struct metrics *m, int *left_out)
{
	struct mp_buf out = { 0 };

	*left_out = metrics_write(m, &out);
	mp_buf_bytes(&out, "", 1);
	assert_false(out.failed);
	(void)metrics_free(m);
	return (char *)out.p;
}

static void
expect(struct metrics *m, const char *want)
{
	int left_out;
	char *text = written(m, &left_out);

	assert_string_equal(text, want);
	assert_null(judge(text));
	free(text);
}

static void
times_become_seconds_and_counters_totals(void **state)
{
	struct metrics *m = metrics_new();
	static const struct metrics_about about[] = {
		{ "writer", "flush_ns", "ns", "in flushes", METRICS_COUNTER },
		{ "reader", "lag", "us", "behind", METRICS_GAUGE },
		{ "x", "wait_ms", "ms", "waited", METRICS_GAUGE },
		{ "x", "read_bytes", "bytes", "read", METRICS_COUNTER },
		{ "x", "bytes_sent", "bytes", "sent", METRICS_COUNTER },
		{ "x", "bytes", "bytes", "of it", METRICS_GAUGE },
		{ "x", "appends", "requests", "stored", METRICS_COUNTER },
	};

	for (unsigned i = 0; i < ARRAY_LEN(about); i++)
		metrics_add(m, &about[i], NULL, UINT64_C(1002003040));
	expect(m, "# HELP peal_reader_lag_seconds behind\n"
		  "# TYPE peal_reader_lag_seconds gauge\n"
		  "peal_reader_lag_seconds 1002.00304\n"
		  "# HELP peal_writer_flush_seconds_total in flushes\n"
		  "# TYPE peal_writer_flush_seconds_total counter\n"
		  "peal_writer_flush_seconds_total 1.00200304\n"
		  "# HELP peal_x_appends_total stored\n"
		  "# TYPE peal_x_appends_total counter\n"
		  "peal_x_appends_total 1002003040\n"
		  "# HELP peal_x_bytes of it\n"
		  "# TYPE peal_x_bytes gauge\n"
		  "peal_x_bytes 1002003040\n"
		  "# HELP peal_x_read_bytes_total read\n"
		  "# TYPE peal_x_read_bytes_total counter\n"
		  "peal_x_read_bytes_total 1002003040\n"
		  "# HELP peal_x_sent_bytes_total sent\n"
		  "# TYPE peal_x_sent_bytes_total counter\n"
		  "peal_x_sent_bytes_total 1002003040\n"
		  "# HELP peal_x_wait_seconds waited\n"
		  "# TYPE peal_x_wait_seconds gauge\n"
		  "peal_x_wait_seconds 1002003.04\n");
}

static struct metrics_labels
pid(uint64_t n)
{
	struct metrics_labels labels = { "" };

	metrics_label_uint(&labels, "pid", n);
	return labels;
}

static void
a_family_stands_in_one_place(void **state)
{
	static const struct metrics_about a = { "g", "a", "", "first",
		METRICS_GAUGE };
	static const struct metrics_about b = { "g", "b", "", "second",
		METRICS_GAUGE };
	struct metrics_labels one = pid(1), two = pid(2);
	struct metrics *m = metrics_new();

	metrics_add(m, &a, &one, 1);
	metrics_add(m, &b, &one, UINT64_MAX);
	metrics_add(m, &a, &two, 0);
	metrics_add(m, &b, &two, 4);
	expect(m, "# HELP peal_g_a first\n# TYPE peal_g_a gauge\n"
		  "peal_g_a{pid=\"1\"} 1\npeal_g_a{pid=\"2\"} 0\n"
		  "# HELP peal_g_b second\n# TYPE peal_g_b gauge\n"
		  "peal_g_b{pid=\"1\"} 18446744073709551615\n"
		  "peal_g_b{pid=\"2\"} 4\n");
}

static void
what_comes_twice_or_as_another_type_is_left_out(void **state)
{
	static const struct metrics_about first = { "g", "a", "", "first",
		METRICS_GAUGE };
	static const struct metrics_about other = { "g", "a_total", "", "other",
		METRICS_GAUGE };
	static const struct metrics_about liar = { "g", "a", "", "liar",
		METRICS_HISTOGRAM };
	struct metrics_labels one = pid(1), two = pid(2);
	const struct metrics_hist empty = { .n = 0 };
	struct metrics *m = metrics_new();
	int left_out;
	char *text;

	metrics_add(m, &first, &two, 7);
	metrics_add_hist(m, &liar, &one, &empty);
	metrics_add(m, &first, &two, 8);
	metrics_add(m, &first, &one, 9);
	metrics_add(m, &other, &one, 1);
	text = written(m, &left_out);
	assert_int_equal(left_out, 2);
	assert_string_equal(text,
	    "# HELP peal_g_a first\n# TYPE peal_g_a gauge\n"
	    "peal_g_a{pid=\"1\"} 9\npeal_g_a{pid=\"2\"} 7\n"
	    "# HELP peal_g_a_total other\n# TYPE peal_g_a_total gauge\n"
	    "peal_g_a_total{pid=\"1\"} 1\n");
	free(text);
}

static void
a_histogram_adds_up_and_ends_with_infinity(void **state)
{
	static const struct metrics_about about = { "w", "flush_time", "ns",
		"of a flush", METRICS_HISTOGRAM };
	const struct metrics_hist hist = { .n = 2,
		.edge = { 1023, 2000000000 },
		.upto = { 1, 3 },
		.count = 4,
		.sum = 9000000001 };
	struct metrics_labels one = pid(1);
	struct metrics *m = metrics_new();

	metrics_add_hist(m, &about, &one, &hist);
	expect(m,
	    "# HELP peal_w_flush_time_seconds of a flush\n"
	    "# TYPE peal_w_flush_time_seconds histogram\n"
	    "peal_w_flush_time_seconds_bucket{pid=\"1\",le=\"0.000001023\"} 1\n"
	    "peal_w_flush_time_seconds_bucket{pid=\"1\",le=\"2\"} 3\n"
	    "peal_w_flush_time_seconds_bucket{pid=\"1\",le=\"+Inf\"} 4\n"
	    "peal_w_flush_time_seconds_sum{pid=\"1\"} 9.000000001\n"
	    "peal_w_flush_time_seconds_count{pid=\"1\"} 4\n");
}

/* What a stranger's table may hold, and more. */
static const char *
noise(char *buf, size_t size)
{
	static const char likely[] = "ab_ \"\\\n{}=,#\t\x1b\x80";
	size_t n = (size_t)rand() % size;

	for (size_t i = 0; i < n; i++)
		buf[i] = rand() % 4
			     ? likely[(size_t)rand() % (sizeof(likely) - 1)]
			     : (char)(1 + rand() % 255);
	buf[n] = '\0';
	return buf;
}

static void
add_noise(struct metrics *m)
{
	char room[40], name[40], unit[20], text[90], value[200];
	const struct metrics_about about = {
		.room = noise(room, rand() % 3 ? 2 : sizeof(room)),
		.name = noise(name, rand() % 3 ? 3 : sizeof(name)),
		.unit = rand() % 2 ? "ns" : noise(unit, sizeof(unit)),
		.text = noise(text, sizeof(text)),
		.type = METRICS_GAUGE,
	};
	struct metrics_labels labels = { "" };

	metrics_label(&labels, "role", noise(value, sizeof(value)));
	if (rand() % 2)
		metrics_label(&labels, "pid", noise(value, 4));
	metrics_add(m, &about, &labels, (uint64_t)rand());
}

static void
no_table_breaks_the_text(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	int left_out;

	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct metrics *m = metrics_new();
		char *text;

		for (int n = rand() % 40; n > 0; n--)
			add_noise(m);
		text = written(m, &left_out);
		assert_null(judge(text));
		free(text);
	}
}

static void
beyond_the_most_is_counted_and_left_out(void **state)
{
	static const struct metrics_about about = { "g", "a", "", "one",
		METRICS_GAUGE };
	struct metrics *m = metrics_new();
	int left_out;

	for (unsigned i = 0; i < METRICS_MAX + 3; i++) {
		struct metrics_labels labels = pid(i);

		metrics_add(m, &about, &labels, 1);
	}
	free(written(m, &left_out));
	assert_int_equal(left_out, 3);
}

/* --- fewer buckets --- */

static void
fewer_buckets_count_what_is_there(void **state)
{
	static const char *const units[] = { "ns", "bytes", "events" };
	struct stats_hist h = { .count = 0 };
	static uint64_t values[1000];
	unsigned seed = (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
		uint64_t v =
		    ((uint64_t)rand() << 20 ^ (uint64_t)rand()) >> rand() % 50;

		/* Edges and their neighbours, too. */
		if (i % 3 == 0)
			v = (UINT64_C(1) << rand() % 40) + (uint64_t)i % 2 - 1;
		values[i] = v;
		h.n[stats_hist_bucket(v)]++;
		h.count++;
		h.sum += v;
	}
	for (unsigned u = 0; u < ARRAY_LEN(units); u++) {
		struct metrics_hist few;

		metrics_gather_hist(&h, units[u], &few);
		assert_int_equal(few.count, h.count);
		assert_int_equal(few.sum, h.sum);
		assert_in_range(few.n, 20, METRICS_EDGES);
		for (unsigned i = 0; i < few.n; i++) {
			uint64_t n = 0;

			for (unsigned k = 0; k < ARRAY_LEN(values); k++)
				n += values[k] <= few.edge[i];
			assert_int_equal(few.upto[i], n);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judge_refuses_what_a_scraper_would),
		cmocka_unit_test(times_become_seconds_and_counters_totals),
		cmocka_unit_test(a_family_stands_in_one_place),
		cmocka_unit_test(
		    what_comes_twice_or_as_another_type_is_left_out),
		cmocka_unit_test(a_histogram_adds_up_and_ends_with_infinity),
		cmocka_unit_test(no_table_breaks_the_text),
		cmocka_unit_test(beyond_the_most_is_counted_and_left_out),
		cmocka_unit_test(fewer_buckets_count_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
