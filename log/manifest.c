/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Manifest of a backup, as JSON: people look into it, and other programs
 * check the sums.  It is read as strictly as it is written.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/fs.h"
#include "core/jsondoc.h"
#include "core/mp.h"
#include "core/reason.h"
#include "log/base.h"
#include "log/format_priv.h"
#include "log/manifest.h"
#include "log/segment.h"
#include "log/sums.h"

enum {
	MANIFEST_VERSION = 1,
	/* Some two hundred bytes a file. */
	MANIFEST_BYTES_MAX = 64 << 20
};

void
manifest_deinit(struct manifest *m)
{
	free(m->files);
	*m = (struct manifest){ 0 };
}

int
manifest_add(struct manifest *m, const struct manifest_file *f)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		void *v = reallocarray(m->files, cap, sizeof(*m->files));

		if (!v)
			return -ENOMEM;
		m->files = v;
		m->cap = cap;
	}
	m->files[m->n++] = *f;
	return 0;
}

const struct manifest_file *
manifest_find(const struct manifest *m, const char *name)
{
	size_t from = 0, to = m->n;

	while (from < to) {
		size_t at = from + (to - from) / 2;
		int order = strcmp(m->files[at].name, name);

		if (order == 0)
			return &m->files[at];
		if (order < 0)
			from = at + 1;
		else
			to = at;
	}
	return NULL;
}

/* --- writing --- */

static void PRINTF(2, 3) manifest_print(struct mp_buf *b, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		mp_buf_bytes(b, text, MIN((size_t)n, sizeof(text) - 1));
}

static void
manifest_print_hex(struct mp_buf *b, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		manifest_print(b, "%02x", p[i]);
}

/* Names are of a log's files: nothing in them needs escaping. */
static void
manifest_print_file(struct mp_buf *b, const struct manifest_file *f)
{
	manifest_print(
	    b, "{\"name\":\"%s\",\"bytes\":%" PRIu64, f->name, f->bytes);
	if (f->capacity > 0)
		manifest_print(b,
		    ",\"capacity\":%" PRIu64
		    ",\"sealed\":%s,\"first_seq\":%" PRIu64
		    ",\"last_seq\":%" PRIu64,
		    f->capacity, f->sealed ? "true" : "false", f->first_seq,
		    f->last_seq);
	manifest_print(b, ",\"sha256\":\"");
	manifest_print_hex(b, f->sha256, sizeof(f->sha256));
	manifest_print(b, "\"}");
}

int
manifest_store(const struct sysio *io, int dirfd, const struct manifest *m,
    struct reason *why)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };

	manifest_print(
	    &b, "{\"peal_backup\":%d,\n\"log\":\"", MANIFEST_VERSION);
	manifest_print_hex(&b, m->log_id, sizeof(m->log_id));
	manifest_print(&b,
	    "\",\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64
	    ",\"taken_us\":%" PRIu64,
	    m->epoch, m->seq, m->taken_us);
	if (m->has_head) {
		manifest_print(&b, ",\n\"head\":\"");
		manifest_print_hex(&b, m->head, sizeof(m->head));
		manifest_print(&b, "\"");
	}
	manifest_print(&b, ",\n\"files\":[");
	for (size_t i = 0; i < m->n; i++) {
		manifest_print(&b, i > 0 ? ",\n" : "\n");
		manifest_print_file(&b, &m->files[i]);
	}
	manifest_print(&b, "\n]}\n");
	if (b.failed)
		return -ENOMEM;
	return fs_replace(io, dirfd, MANIFEST_NAME, b.p, b.len, 0640, why);
}

/* --- reading --- */

static int
manifest_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
manifest_hex(const struct jsondoc_value *v, uint8_t *out, size_t len)
{
	struct slice text;

	if (!jsondoc_string(v, &text) || text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = manifest_digit(text.p[2 * i]);
		int low = manifest_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
manifest_read_name(const struct jsondoc_value *v, struct manifest_file *f)
{
	struct slice text;

	if (!jsondoc_string(v, &text) || text.len >= sizeof(f->name))
		return false;
	memcpy(f->name, text.p, text.len);
	f->name[text.len] = '\0';
	return true;
}

/* A segment's entry says of it what its name says. */
static bool
manifest_read_segment(const struct jsondoc_value *v, struct manifest_file *f)
{
	uint64_t first;
	uint32_t incarnation;

	/* Packed ones are in no backup. */
	return segment_parse_name(f->name, &first, &incarnation) &&
	       strstr(f->name, ".segz") == NULL &&
	       jsondoc_uint(jsondoc_get(v, "capacity"), &f->capacity) &&
	       jsondoc_bool(jsondoc_get(v, "sealed"), &f->sealed) &&
	       jsondoc_uint(jsondoc_get(v, "first_seq"), &f->first_seq) &&
	       jsondoc_uint(jsondoc_get(v, "last_seq"), &f->last_seq) &&
	       f->first_seq == first && f->last_seq + 1 >= first &&
	       f->capacity > 0 && f->capacity <= SEGMENT_BYTES_MAX &&
	       f->bytes <= f->capacity && (!f->sealed || f->bytes > LOG_PAGE);
}

static bool
manifest_read_file(const struct jsondoc_value *v, struct manifest_file *f)
{
	uint64_t seq;

	*f = (struct manifest_file){ 0 };
	return manifest_read_name(jsondoc_get(v, "name"), f) &&
	       jsondoc_uint(jsondoc_get(v, "bytes"), &f->bytes) &&
	       manifest_hex(
		   jsondoc_get(v, "sha256"), f->sha256, sizeof(f->sha256)) &&
	       (base_parse_name(f->name, &seq) || sums_is_name(f->name) ||
		   manifest_read_segment(v, f));
}

static int
manifest_refuse(struct reason *why, const char *what)
{
	return reason_say(
	    why, -EPROTO, "'%s' is no manifest: %s", MANIFEST_NAME, what);
}

static int
manifest_read_files(
    const struct jsondoc_value *list, struct manifest *m, struct reason *why)
{
	struct manifest_file f;
	char what[64];
	uint64_t last = 0;
	size_t n;
	int err = 0;

	if (!jsondoc_array(list, &n))
		return manifest_refuse(why, "it has no list of files");
	for (size_t i = 0; err == 0 && i < n; i++) {
		snprintf(what, sizeof(what), "file %zu of it is wrong", i + 1);
		if (!manifest_read_file(jsondoc_at(list, i), &f))
			return manifest_refuse(why, what);
		if (i > 0 && strcmp(m->files[i - 1].name, f.name) >= 0)
			return manifest_refuse(
			    why, "its files are not in order");
		err = manifest_add(m, &f);
		last = MAX(last, f.last_seq);
	}
	if (err == 0 && last != m->seq)
		return manifest_refuse(why, "its files do not end with 'seq'");
	if (err == 0 && m->n > 0 && m->files[0].capacity == 0)
		return manifest_refuse(why, "its first file is no segment");
	return err;
}

static int
manifest_read(
    const struct jsondoc_value *v, struct manifest *m, struct reason *why)
{
	uint64_t version;

	if (!jsondoc_uint(jsondoc_get(v, "peal_backup"), &version))
		return manifest_refuse(why, "'peal_backup' is missing");
	if (version != MANIFEST_VERSION)
		return reason_say(why, -EPROTO,
		    "the backup is of version %" PRIu64
		    ", this program knows %d",
		    version, MANIFEST_VERSION);
	if (!manifest_hex(jsondoc_get(v, "log"), m->log_id, sizeof(m->log_id)))
		return manifest_refuse(why, "'log' is no log's id");
	if (!jsondoc_uint(jsondoc_get(v, "epoch"), &m->epoch) ||
	    !jsondoc_uint(jsondoc_get(v, "seq"), &m->seq) ||
	    !jsondoc_uint(jsondoc_get(v, "taken_us"), &m->taken_us))
		return manifest_refuse(
		    why, "'epoch', 'seq' or 'taken_us' is no number");
	m->has_head = jsondoc_get(v, "head") != NULL;
	if (m->has_head &&
	    !manifest_hex(jsondoc_get(v, "head"), m->head, sizeof(m->head)))
		return manifest_refuse(why, "'head' is no SHA-256");
	return manifest_read_files(jsondoc_get(v, "files"), m, why);
}

int
manifest_load(
    const struct sysio *io, int dirfd, struct manifest *out, struct reason *why)
{
	CLEANUP(jsondoc_freep) struct jsondoc *doc = NULL;
	CLEANUP(freep) uint8_t *text = NULL;
	struct manifest m = { 0 };
	struct reason parse;
	size_t len;
	int err;

	err = fs_read(
	    io, dirfd, MANIFEST_NAME, MANIFEST_BYTES_MAX, &text, &len, why);
	if (err < 0)
		return err;
	err = jsondoc_parse(slice_of(text, len), &doc, &parse);
	if (err == -EPROTO)
		return manifest_refuse(why, parse.text);
	if (err == 0)
		err = manifest_read(jsondoc_root(doc), &m, why);
	if (err < 0) {
		manifest_deinit(&m);
		return err;
	}
	*out = m;
	return 0;
}
