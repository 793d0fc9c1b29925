/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The text format wants all lines of a family in one place and no line twice:
 * one duplicate, and a scraper drops the whole answer.  So everything is kept
 * until its end, and sorted.
 */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "core/time.h"
#include "tools/metrics_text.h"

enum {
	NAME_MAX_BYTES = 96,
	HELP_BYTES = 80,
	NUMBER_BYTES = 40
};

static const struct metrics_unit {
	const char *unit; /* in a table of counters */
	const char *base; /* in a metric's name */
	uint64_t scale;
} units[] = {
	{ "ns", "seconds", NS_PER_S },
	{ "us", "seconds", US_PER_S },
	{ "ms", "seconds", 1000 },
	{ "s", "seconds", 1 },
	{ "seconds", "seconds", 1 },
	{ "bytes", "bytes", 1 },
	/* All others are things that are counted. */
	{ "", "", 1 },
};

struct metrics_sample {
	char name[NAME_MAX_BYTES];
	char help[HELP_BYTES];
	char labels[METRICS_LABELS];
	enum metrics_type type;
	unsigned nth; /* as they were added */
	uint64_t scale;
	uint64_t value;
	struct metrics_hist *hist; /* ours */
};

struct metrics {
	struct metrics_sample *v;
	unsigned n, cap;
	unsigned left_out;
	bool failed;
};

struct metrics *
metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

struct metrics *
metrics_free(struct metrics *m)
{
	if (!m)
		return NULL;
	for (unsigned i = 0; i < m->n; i++)
		free(m->v[i].hist);
	free(m->v);
	free(m);
	return NULL;
}

/* --- labels --- */

/* A backslash, a quote and a newline are escaped; other bytes are ASCII. */
static const char *
escape(char *buf, size_t size, const char *text)
{
	size_t at = 0;

	for (; *text && at + 3 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\\' || c == '"' || c == '\n')
			buf[at++] = '\\';
		if (c == '\n')
			c = 'n';
		buf[at++] = isascii(c) && isprint(c) ? (char)c : '?';
	}
	buf[at] = '\0';
	return buf;
}

void
metrics_label(
    struct metrics_labels *labels, const char *name, const char *value)
{
	size_t at = strlen(labels->text), room = sizeof(labels->text) - at;
	char escaped[METRICS_LABELS];
	int n;

	n = snprintf(labels->text + at, room, "%s%s=\"%s\"", at ? "," : "",
	    name, escape(escaped, sizeof(escaped), value));
	if (n < 0 || (size_t)n >= room)
		labels->text[at] = '\0';
}

void
metrics_label_uint(
    struct metrics_labels *labels, const char *name, uint64_t value)
{
	char digits[NUMBER_BYTES];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	metrics_label(labels, name, digits);
}

/* --- names --- */

static const struct metrics_unit *
find_unit(const char *unit)
{
	unsigned i = 0;

	while (i < ARRAY_LEN(units) - 1 && strcmp(units[i].unit, unit) != 0)
		i++;
	return &units[i];
}

/* Without "_SUFFIX", where it ends so and is more than that. */
static size_t
without(const char *name, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	if (n > 0 && len > n + 1 && name[len - n - 1] == '_' &&
	    !memcmp(name + len - n, suffix, n))
		return len - n - 1;
	return len;
}

/* Behind "PREFIX_", where it begins so and is more than that. */
static const char *
behind(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n > 0 && !strncmp(name, prefix, n) && name[n] == '_' && name[n + 1])
		return name + n + 1;
	return name;
}

/* bytes_sent and sent_bytes are the same, and flush_ns is in seconds. */
static void
make_name(char name[NAME_MAX_BYTES], const struct metrics_about *about,
    const struct metrics_unit *unit)
{
	const char *stem = behind(about->name, unit->unit);
	size_t len = without(stem, strlen(stem), unit->unit);
	bool named =
	    len == strlen(unit->base) && !memcmp(stem, unit->base, len);

	snprintf(name, NAME_MAX_BYTES, "peal_%s%s%.*s%s%s%s", about->room,
	    *about->room ? "_" : "", (int)len, stem,
	    *unit->base && !named ? "_" : "", named ? "" : unit->base,
	    about->type == METRICS_COUNTER ? "_total" : "");
	for (char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		*p = isascii(c) && isalnum(c) ? (char)tolower(c) : '_';
	}
}

/* --- gathering --- */

static bool
have_room(struct metrics *m)
{
	unsigned cap = m->cap ? 2 * m->cap : 256;
	struct metrics_sample *v;

	if (m->n < m->cap)
		return true;
	if (m->n == METRICS_MAX) {
		m->left_out++;
		return false;
	}
	v = realloc(m->v, cap * sizeof(*v));
	if (!v) {
		m->failed = true;
		return false;
	}
	m->v = v;
	m->cap = cap;
	return true;
}

static struct metrics_sample *
add(struct metrics *m, const struct metrics_about *about,
    const struct metrics_labels *labels)
{
	const struct metrics_unit *unit = find_unit(about->unit);
	struct metrics_sample *s;

	if (!have_room(m))
		return NULL;
	s = &m->v[m->n];
	*s = (struct metrics_sample){
		.type = about->type,
		.nth = m->n,
		.scale = unit->scale,
	};
	m->n++;
	make_name(s->name, about, unit);
	/* A help's quotes stand as they are; nothing else differs. */
	for (size_t i = 0; about->text[i] && i < sizeof(s->help) - 1; i++) {
		unsigned char c = (unsigned char)about->text[i];

		s->help[i] =
		    isascii(c) && isprint(c) && c != '\\' ? (char)c : '?';
	}
	if (labels)
		memcpy(s->labels, labels->text, sizeof(s->labels));
	return s;
}

void
metrics_add(struct metrics *m, const struct metrics_about *about,
    const struct metrics_labels *labels, uint64_t value)
{
	struct metrics_sample *s = add(m, about, labels);

	if (s)
		s->value = value;
}

void
metrics_add_hist(struct metrics *m, const struct metrics_about *about,
    const struct metrics_labels *labels, const struct metrics_hist *hist)
{
	struct metrics_sample *s = add(m, about, labels);

	if (!s)
		return;
	s->hist = malloc(sizeof(*s->hist));
	if (s->hist)
		*s->hist = *hist;
	else
		m->failed = true;
}

/* --- writing --- */

static void PRINTF(2, 3) say(struct mp_buf *out, const char *fmt, ...)
{
	char line[2 * METRICS_LABELS + 2 * NAME_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		mp_buf_bytes(out, line, MIN((size_t)n, sizeof(line) - 1));
}

/* As a decimal number, exactly. */
static const char *
decimal(char buf[NUMBER_BYTES], uint64_t value, uint64_t scale)
{
	int at = snprintf(buf, NUMBER_BYTES, "%" PRIu64, value / scale);
	uint64_t left = value % scale;

	if (left)
		buf[at++] = '.';
	while (left) {
		scale /= 10;
		buf[at++] = (char)('0' + left / scale);
		left %= scale;
	}
	buf[at] = '\0';
	return buf;
}

static void
say_sample(struct mp_buf *out, const struct metrics_sample *s,
    const char *suffix, uint64_t value, uint64_t scale)
{
	const char *open = *s->labels ? "{" : "";
	char number[NUMBER_BYTES];

	say(out, "%s%s%s%s%s %s\n", s->name, suffix, open, s->labels,
	    *open ? "}" : "", decimal(number, value, scale));
}

static void
say_bucket(struct mp_buf *out, const struct metrics_sample *s, const char *le,
    uint64_t upto)
{
	say(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", s->name, s->labels,
	    *s->labels ? "," : "", le, upto);
}

static void
say_hist(struct mp_buf *out, const struct metrics_sample *s)
{
	const struct metrics_hist *h = s->hist;
	char le[NUMBER_BYTES];

	for (unsigned i = 0; i < h->n; i++)
		say_bucket(
		    out, s, decimal(le, h->edge[i], s->scale), h->upto[i]);
	say_bucket(out, s, "+Inf", h->count);
	say_sample(out, s, "_sum", h->sum, s->scale);
	say_sample(out, s, "_count", h->count, 1);
}

static int
compare(const void *a_, const void *b_)
{
	const struct metrics_sample *a = a_, *b = b_;
	int c = strcmp(a->name, b->name);

	if (c == 0)
		c = strcmp(a->labels, b->labels);
	return c ? c : (a->nth > b->nth) - (a->nth < b->nth);
}

/* A family's n samples.  Returns how many of them had to be left out. */
static int
say_family(struct mp_buf *out, const struct metrics_sample *v, unsigned n)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const struct metrics_sample *first = v, *said = NULL;
	int left_out = 0;

	for (unsigned i = 1; i < n; i++)
		if (v[i].nth < first->nth)
			first = &v[i];
	say(out, "# HELP %s %s\n# TYPE %s %s\n", v->name, first->help, v->name,
	    types[first->type]);
	for (unsigned i = 0; i < n; i++) {
		if (v[i].type != first->type ||
		    (said && !strcmp(v[i].labels, said->labels))) {
			left_out++;
			continue;
		}
		said = &v[i];
		if (said->hist)
			say_hist(out, said);
		else
			say_sample(out, said, "", said->value, said->scale);
	}
	return left_out;
}

int
metrics_write(struct metrics *m, struct mp_buf *out)
{
	int left_out = (int)m->left_out;
	unsigned n;

	if (m->failed)
		return -ENOMEM;
	if (m->n > 0)
		qsort(m->v, m->n, sizeof(*m->v), compare);
	for (unsigned i = 0; i < m->n; i += n) {
		n = 1;
		while (i + n < m->n && !strcmp(m->v[i].name, m->v[i + n].name))
			n++;
		left_out += say_family(out, &m->v[i], n);
	}
	return out->failed ? -ENOMEM : left_out;
}
