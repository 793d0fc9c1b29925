/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Marks that no argument may hold are put around each value in the format;
 * where more of them come out than went in, an argument did hold one, and the
 * line has no fields.  Looking for "key=" in the finished line would be
 * simpler, and would let whoever chooses a name or a reason choose fields.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/diag_text.h"

enum {
	BEGIN = 1, /* marks */
	END = 2,
	RAW = 2 * DIAG_TEXT_MAX,
};

static bool
is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* A word of the format: the length of the "key" of "key=%...", or 0. */
static size_t
key_of(const char *word, size_t len)
{
	size_t n = 0;

	while (n < len && is_key(word[n]))
		n++;
	return n > 0 && n < DIAG_TEXT_KEY && n < len && word[n] == '=' &&
		       memchr(word + n, '%', len - n)
		   ? n
		   : 0;
}

/*
 * Copy fmt with marks around its values, and note its keys.  False: there is
 * no key, or no room.
 */
static bool
mark(const char *fmt, char *out, size_t size, struct diag_text *t)
{
	size_t at = 0;

	while (*fmt) {
		size_t len = strcspn(fmt, " ");
		size_t space = strspn(fmt + len, " ");
		size_t key = t->n < DIAG_TEXT_FIELDS ? key_of(fmt, len) : 0;
		size_t end = len;

		if (at + len + space + 3 > size)
			return false;
		while (key && strchr(",;:)", fmt[end - 1]))
			end--; /* of the sentence, not of the value */
		if (key) {
			memcpy(t->field[t->n].key, fmt, key);
			t->field[t->n++].key[key] = '\0';
			memcpy(out + at, fmt, key + 1);
			at += key + 1;
			out[at++] = BEGIN;
			memcpy(out + at, fmt + key + 1, end - key - 1);
			at += end - key - 1;
			out[at++] = END;
		} else {
			end = 0;
		}
		memcpy(out + at, fmt + end, len + space - end);
		at += len + space - end;
		fmt += len + space;
	}
	out[at] = '\0';
	return t->n > 0;
}

/* Put one byte at the end; false: it is full. */
static bool
put(struct diag_text *t, unsigned char c)
{
	bool plain = c >= 0x20 && c < 0x7f;

	if (t->len + (plain ? 1 : 4) > DIAG_TEXT_MAX)
		return false;
	if (plain)
		t->text[t->len++] = (char)c;
	else
		t->len += (size_t)snprintf(
		    t->text + t->len, sizeof(t->text) - t->len, "\\x%02x", c);
	return true;
}

static void
finish_field(struct diag_text *t, unsigned i, size_t from)
{
	const char *p = t->text + from;
	size_t len = t->len - from;

	if (len >= 2 && (*p == '\'' || *p == '"') && p[len - 1] == *p) {
		p++;
		len -= 2;
	}
	t->field[i].value = slice_of(p, len);
}

/* Marks come in pairs, as many as there are fields, or it is not done. */
static bool
take_marked(struct diag_text *t, const char *raw)
{
	bool within = false;
	unsigned i = 0;
	size_t from = 0;

	for (; *raw; raw++) {
		if (*raw == BEGIN) {
			if (within || i == t->n)
				return false;
			within = true;
			from = t->len;
		} else if (*raw == END) {
			if (!within)
				return false;
			within = false;
			finish_field(t, i++, from);
		} else if (!put(t, (unsigned char)*raw)) {
			return false;
		}
	}
	return !within && i == t->n;
}

static void
take_plain(struct diag_text *t, const char *raw)
{
	for (; *raw; raw++)
		if (!put(t, (unsigned char)*raw)) {
			t->len = MIN(t->len, (size_t)DIAG_TEXT_MAX - 3);
			memcpy(t->text + t->len, "...", 3);
			t->len += 3;
			break;
		}
}

void
diag_text_make(struct diag_text *t, const char *fmt, va_list ap)
{
	char marked[512], raw[RAW];
	va_list again;
	int n;

	t->len = t->n = 0;
	va_copy(again, ap);
	if (mark(fmt, marked, sizeof(marked), t)) {
		n = vsnprintf(raw, sizeof(raw), marked, ap);
		if (n < 0 || (size_t)n >= sizeof(raw) || !take_marked(t, raw))
			t->n = 0;
	} else {
		t->n = 0;
	}
	if (t->n == 0) {
		t->len = 0;
		n = vsnprintf(raw, sizeof(raw), fmt, again);
		take_plain(t, n < 0 ? fmt : raw);
	}
	va_end(again);
	t->text[t->len] = '\0';
}
