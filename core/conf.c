/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Configuration.  A file is applied whole or not at all: it is read into a
 * copy, and a refusal names the line that has to change.
 */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/conf.h"
#include "core/diag.h"
#include "core/fs.h"
#include "core/reason.h"

enum {
	FILE_BYTES = 1 << 20,
	LINE_BYTES = 64 << 10,
	BY_DEFAULT = 0, /* in place of a line number */
	BY_COMMAND = -1,
};

struct conf_row {
	const char *name; /* section.key */
	const char *section;
	const char *key;
	const char *fallback;
	const char *text;
	enum conf_kind kind;
	enum {
		START,
		LIVE
	} when;
	uint64_t min, max;
};

static const struct conf_row rows[CONF_KEYS] = {
#define CONF_KEY(s, k, kd, wh, def, lo, hi, help) \
	[CONF_##s##_##k] = { .name = #s "." #k,   \
		.section = #s,                    \
		.key = #k,                        \
		.fallback = (def),                \
		.text = (help),                   \
		.kind = CONF_##kd,                \
		.when = (wh),                     \
		.min = (lo),                      \
		.max = (hi) },
#include "core/conf_keys.h"
#undef CONF_KEY
};

struct conf_value {
	char *text;
	uint64_t number;
	int line;
};

struct conf {
	struct conf_value v[CONF_KEYS];
	char file[PATH_MAX]; /* where values with a line come from */
};

/* --- values --- */

static bool
kind_is_bytes(enum conf_kind kind)
{
	return kind == CONF_BYTES || kind == CONF_BYTES_POW2;
}

static void
conf_range(const struct conf_row *row, char *buf, size_t size)
{
	unsigned long long lo = row->min, hi = row->max;
	const char *what = "";

	switch (row->kind) {
	case CONF_BOOL:
		snprintf(buf, size, "yes or no");
		return;
	case CONF_TEXT:
		snprintf(buf, size, "text of %llu to %llu bytes", lo, hi);
		return;
	case CONF_POW2:
		what = ", a power of two";
		break;
	case CONF_BYTES:
		what = " bytes (K, M, G and T are understood)";
		break;
	case CONF_BYTES_POW2:
		what = " bytes, a power of two (K, M, G and T are understood)";
		break;
	case CONF_MS:
		what = " milliseconds";
		break;
	case CONF_SECONDS:
		what = " seconds";
		break;
	case CONF_UINT:
		break;
	}
	snprintf(buf, size, "a number from %llu to %llu%s", lo, hi, what);
}

/* Decimal digits, then for sizes one letter; false on overflow too. */
static bool
conf_number(enum conf_kind kind, struct slice s, uint64_t *out)
{
	static const char units[] = "KMGT";
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s.p[i] - '0', &n))
			return false;
	if (i == 0)
		return false;
	if (i + 1 == s.len && kind_is_bytes(kind)) {
		const char *unit = memchr(units, s.p[i], sizeof(units) - 1);
		unsigned shift;

		if (!unit)
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
		i++;
	}
	*out = n;
	return i == s.len;
}

static bool
conf_text_good(const struct conf_row *row, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.len >= row->min && s.len <= row->max;
}

static bool
conf_parse(const struct conf_row *row, struct slice s, uint64_t *number)
{
	switch (row->kind) {
	case CONF_TEXT:
		*number = 0;
		return conf_text_good(row, s);
	case CONF_BOOL:
		*number = slice_is(s, "yes");
		return *number || slice_is(s, "no");
	default:
		if (!conf_number(row->kind, s, number) || *number < row->min ||
		    *number > row->max)
			return false;
		if (row->kind == CONF_POW2 || row->kind == CONF_BYTES_POW2)
			return (*number & (*number - 1)) == 0;
		return true;
	}
}

/* --- setting --- */

/* The place of a mistake: "FILE:LINE: " or "-o: ". */
struct conf_place {
	const char *file;
	int line;
};

static int PRINTF(3, 4) conf_refuse(
    const struct conf_place *at, struct reason *why, const char *fmt, ...)
{
	char text[sizeof(why->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at->line == BY_COMMAND)
		(void)reason_set(why, 0, "option -o: %s", text);
	else
		(void)reason_set(why, 0, "%s:%d: %s", at->file, at->line, text);
	return -EINVAL;
}

static int
conf_assign(struct conf *conf, const struct conf_row *row, struct slice s,
    const struct conf_place *at, struct reason *why)
{
	struct conf_value *v = &conf->v[row - rows];
	char range[120], quoted[48];
	uint64_t number;
	char *text;

	if (!conf_parse(row, s, &number)) {
		conf_range(row, range, sizeof(range));
		return conf_refuse(at, why,
		    "%s = \"%s\" is refused: it takes %s", row->name,
		    diag_quote(quoted, sizeof(quoted), s.p, s.len), range);
	}
	text = strndup((const char *)s.p, s.len);
	if (!text)
		return reason_set(why, -ENOMEM, "cannot set %s", row->name);
	free(v->text);
	*v = (struct conf_value){ text, number, at->line };
	return 0;
}

static struct slice
trim(struct slice s)
{
	while (s.len && strchr(" \t\r", s.p[0]) && s.p[0])
		s = slice_of(s.p + 1, s.len - 1);
	while (s.len && strchr(" \t\r", s.p[s.len - 1]) && s.p[s.len - 1])
		s.len--;
	return s;
}

static const struct conf_row *
conf_find(struct slice section, struct slice key)
{
	for (size_t i = 0; i < CONF_KEYS; i++)
		if (slice_is(section, rows[i].section) &&
		    slice_is(key, rows[i].key))
			return &rows[i];
	return NULL;
}

/*
 * Names in one line, each once: the sections, or the keys of a section; "..."
 * for those that find no room.
 */
static const char *
conf_list(const char *section, char *buf, size_t size)
{
	const char *last = "";
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < CONF_KEYS; i++) {
		const char *name = section ? rows[i].key : rows[i].section;

		if (section ? strcmp(section, rows[i].section) != 0
			    : strcmp(last, rows[i].section) == 0)
			continue;
		last = rows[i].section;
		if (len + strlen(name) + sizeof(", , ...") > size) {
			snprintf(buf + len, size - len, ", ...");
			break;
		}
		len += (size_t)snprintf(
		    buf + len, size - len, "%s%s", len ? ", " : "", name);
	}
	return buf;
}

static const char *
conf_section(struct slice name)
{
	for (size_t i = 0; i < CONF_KEYS; i++)
		if (slice_is(name, rows[i].section))
			return rows[i].section;
	return NULL;
}

static int
conf_refuse_section(
    const struct conf_place *at, struct slice name, struct reason *why)
{
	char list[140], quoted[40];

	return conf_refuse(at, why, "there is no section \"%s\", only %s",
	    diag_quote(quoted, sizeof(quoted), name.p, name.len),
	    conf_list(NULL, list, sizeof(list)));
}

static int
conf_refuse_key(const struct conf_place *at, const char *section,
    struct slice key, struct reason *why)
{
	char list[140], quoted[40];

	return conf_refuse(at, why, "[%s] has no key \"%s\", only %s", section,
	    diag_quote(quoted, sizeof(quoted), key.p, key.len),
	    conf_list(section, list, sizeof(list)));
}

int
conf_set(struct conf *conf, const char *assignment, struct reason *why)
{
	const struct conf_place at = { NULL, BY_COMMAND };
	struct slice all = slice_cstr(assignment);
	const char *equal = strchr(assignment, '=');
	const char *dot = strchr(assignment, '.');
	const struct conf_row *row;
	struct slice section, key;
	const char *known;
	char quoted[64];

	if (!equal || !dot || dot > equal)
		return conf_refuse(&at, why,
		    "\"%s\" is not of the form section.key=value",
		    diag_quote(quoted, sizeof(quoted), all.p, all.len));
	section = trim(slice_of(assignment, (size_t)(dot - assignment)));
	key = trim(slice_of(dot + 1, (size_t)(equal - dot - 1)));
	row = conf_find(section, key);
	if (!row) {
		known = conf_section(section);
		return known ? conf_refuse_key(&at, known, key, why)
			     : conf_refuse_section(&at, section, why);
	}
	return conf_assign(conf, row, trim(slice_cstr(equal + 1)), &at, why);
}

/* --- the file --- */

struct conf_reader {
	struct conf *conf; /* the copy */
	struct conf_place at;
	const char *section;
};

static int
conf_section_line(struct conf_reader *rd, struct slice line, struct reason *why)
{
	struct slice name;

	if (line.p[line.len - 1] != ']')
		return conf_refuse(&rd->at, why,
		    "a section is a name between [ and ], and nothing else");
	name = trim(slice_of(line.p + 1, line.len - 2));
	rd->section = conf_section(name);
	if (!rd->section)
		return conf_refuse_section(&rd->at, name, why);
	return 0;
}

static int
conf_line(struct conf_reader *rd, struct slice line, struct reason *why)
{
	const struct conf_row *row;
	const uint8_t *equal;
	struct slice key;
	char quoted[64];

	line = trim(line);
	if (line.len == 0 || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	if (line.p[0] == '[')
		return conf_section_line(rd, line, why);
	equal = memchr(line.p, '=', line.len);
	if (!equal)
		return conf_refuse(&rd->at, why,
		    "\"%s\" is neither [section] nor key = value",
		    diag_quote(quoted, sizeof(quoted), line.p, line.len));
	key = trim(slice_of(line.p, (size_t)(equal - line.p)));
	if (!rd->section)
		return conf_refuse(&rd->at, why,
		    "key \"%s\" stands before the first [section]",
		    diag_quote(quoted, sizeof(quoted), key.p, key.len));
	row = conf_find(slice_cstr(rd->section), key);
	if (!row)
		return conf_refuse_key(&rd->at, rd->section, key, why);
	if (rd->conf->v[row - rows].line > 0)
		return conf_refuse(&rd->at, why, "%s stands in line %d already",
		    row->name, rd->conf->v[row - rows].line);
	equal++;
	return conf_assign(rd->conf, row,
	    trim(slice_of(equal, (size_t)(line.p + line.len - equal))), &rd->at,
	    why);
}

static int
conf_lines(struct conf_reader *rd, struct slice rest, struct reason *why)
{
	while (rest.len) {
		const uint8_t *end = memchr(rest.p, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.p) : rest.len;
		size_t step = end ? len + 1 : len;
		int err;

		rd->at.line++;
		if (len > LINE_BYTES)
			return conf_refuse(&rd->at, why,
			    "the line has %zu bytes, more than %d", len,
			    LINE_BYTES);
		err = conf_line(rd, slice_of(rest.p, len), why);
		if (err < 0)
			return err;
		rest = slice_of(rest.p + step, rest.len - step);
	}
	return 0;
}

int
conf_read(struct conf *conf, const char *path, struct reason *why)
{
	CLEANUP(freep) uint8_t *bytes = NULL;
	CLEANUP(conf_freep) struct conf *fresh = NULL;
	struct conf_reader rd = { .at = { path, 0 } };
	size_t len;
	int err;

	err = fs_read_path(path, FILE_BYTES, &bytes, &len, why);
	if (err < 0)
		return err;
	fresh = conf_new();
	if (!fresh)
		return reason_set(why, -ENOMEM, "cannot read '%s'", path);
	rd.conf = fresh;
	err = conf_lines(&rd, slice_of(bytes, len), why);
	if (err < 0)
		return err;
	snprintf(conf->file, sizeof(conf->file), "%s", path);
	for (size_t i = 0; i < CONF_KEYS; i++) {
		struct conf_value spare = conf->v[i];

		if (spare.line == BY_COMMAND)
			continue;
		conf->v[i] = fresh->v[i];
		fresh->v[i] = spare;
	}
	return 0;
}

/* --- the whole --- */

struct conf *
conf_new(void)
{
	CLEANUP(conf_freep) struct conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	for (size_t i = 0; i < CONF_KEYS; i++) {
		struct slice s = slice_cstr(rows[i].fallback);
		struct conf_value *v = &conf->v[i];

		/* The table is ours: a default that is refused is a bug. */
		if (!conf_parse(&rows[i], s, &v->number))
			abort();
		v->text = strdup(rows[i].fallback);
		v->line = BY_DEFAULT;
		if (!v->text)
			return NULL;
	}
	return TAKE(conf);
}

struct conf *
conf_copy(const struct conf *conf)
{
	CLEANUP(conf_freep) struct conf *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	memcpy(copy->file, conf->file, sizeof(copy->file));
	for (size_t i = 0; i < CONF_KEYS; i++) {
		copy->v[i] = conf->v[i];
		copy->v[i].text = strdup(conf->v[i].text);
		if (!copy->v[i].text)
			return NULL;
	}
	return TAKE(copy);
}

void
conf_swap(struct conf *a, struct conf *b, enum conf_key key)
{
	struct conf_value v = a->v[key];

	a->v[key] = b->v[key];
	b->v[key] = v;
}

const char *
conf_file(const struct conf *conf)
{
	return conf->file;
}

struct conf *
conf_free(struct conf *conf)
{
	if (!conf)
		return NULL;
	for (size_t i = 0; i < CONF_KEYS; i++)
		free(conf->v[i].text);
	free(conf);
	return NULL;
}

uint64_t
conf_uint(const struct conf *conf, enum conf_key key)
{
	return conf->v[key].number;
}

bool
conf_bool(const struct conf *conf, enum conf_key key)
{
	return conf->v[key].number;
}

const char *
conf_text(const struct conf *conf, enum conf_key key)
{
	return conf->v[key].text;
}

void
conf_describe(
    const struct conf *conf, enum conf_key key, struct conf_entry *entry)
{
	const struct conf_row *row = &rows[key];
	const struct conf_value *v = &conf->v[key];

	*entry = (struct conf_entry){ .name = row->name,
		.section = row->section,
		.key = row->key,
		.text = row->text,
		.fallback = row->fallback,
		.value = v->text,
		.live = row->when == LIVE };
	conf_range(row, entry->range, sizeof(entry->range));
	if (v->line == BY_DEFAULT)
		snprintf(entry->source, sizeof(entry->source), "default");
	else if (v->line == BY_COMMAND)
		snprintf(entry->source, sizeof(entry->source), "command line");
	else
		snprintf(entry->source, sizeof(entry->source), "%.280s:%d",
		    conf->file, v->line);
}
