/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Topics, patterns and escaped names.  What is valid is decided here alone;
 * matching takes valid ones and stays within their bytes.
 */

#include <stdio.h>
#include <string.h>

#include "core/diag.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "core/topic.h"

enum {
	QUOTE = 100, /* of a hostile name in a sentence */
	ESCAPED_PREFIX = 120,
	ESCAPED_DIGITS = 24, /* of the SHA-256 behind the prefix */
};

/* What a character may not be in a topic. */
static const char *
character_fault(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return c >= 0x09 && c <= 0x0d ? "white space"
		       : c == 0x85	      ? "white space"
					      : "a control character";
	if (c == ' ' || c == 0xa0 || c == 0x1680 ||
	    (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
	    c == 0x202f || c == 0x205f || c == 0x3000)
		return "white space";
	return NULL;
}

/* The character at p of valid UTF-8, and its length. */
static uint32_t
utf8_get(const uint8_t *p, unsigned *len)
{
	uint32_t c = *p;

	if (c < 0x80) {
		*len = 1;
		return c;
	}
	*len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	c &= 0x7fU >> *len;
	for (unsigned i = 1; i < *len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Printable ASCII but what means something in a topic. */
static const bool plain[256] = {
	['!' ... ')'] = true,
	['+' ... '-'] = true,
	['/' ... '='] = true,
	['?' ... '~'] = true,
};

/* noun "topic": false, and a sentence about byte at. */
static bool
refuse(const char *noun, struct slice s, size_t at, const char *what,
    struct reason *why)
{
	char quoted[QUOTE];

	(void)reason_set(why, 0, "%s \"%s\": %s at byte %zu", noun,
	    diag_quote(quoted, sizeof(quoted), s.p, s.len), what, at);
	return false;
}

static bool
refuse_text(const char *noun, struct slice s, struct reason *why)
{
	char quoted[QUOTE];

	(void)reason_set(why, 0, "%s \"%s\" is not UTF-8", noun,
	    diag_quote(quoted, sizeof(quoted), s.p, s.len));
	return false;
}

static bool
length_valid(const char *noun, struct slice s, size_t least, size_t most,
    struct reason *why)
{
	char quoted[QUOTE];

	if (s.len >= least && s.len <= most)
		return true;
	(void)reason_set(why, 0,
	    "%s \"%s\" has %zu bytes, allowed are %zu to %zu", noun,
	    diag_quote(quoted, sizeof(quoted), s.p, s.len), s.len, least, most);
	return false;
}

/* A wildcard at byte i of a pattern: a whole token, and '>' the last. */
static const char *
wildcard_fault(struct slice s, size_t i)
{
	bool begins = i == 0 || s.p[i - 1] == '.';
	bool ends = i + 1 == s.len || s.p[i + 1] == '.';

	if (!begins || !ends)
		return "a wildcard that is not a whole token";
	if (s.p[i] == '>' && i + 1 != s.len)
		return "a '>' that is not the last token";
	return NULL;
}

/* A byte at i that is not plain: what is wrong with it, and its length. */
static const char *
topic_fault(struct slice s, size_t i, bool pattern, unsigned *len)
{
	*len = 1;
	if (s.p[i] == '.')
		return i == 0 || i + 1 == s.len || s.p[i + 1] == '.'
			   ? "an empty token"
			   : NULL;
	if (s.p[i] == '*' || s.p[i] == '>')
		return pattern ? wildcard_fault(s, i) : "a wildcard";
	return character_fault(utf8_get(s.p + i, len));
}

static bool
tokens_valid(const char *noun, struct slice s, bool pattern, struct reason *why)
{
	bool checked = false;
	const char *fault;
	unsigned len;

	if (!length_valid(noun, s, 1, TOPIC_MAX, why))
		return false;
	for (size_t i = 0; i < s.len; i += len) {
		len = 1;
		if (LIKELY(plain[s.p[i]]))
			continue;
		if (s.p[i] >= 0x80 && !checked) {
			if (!mpvalid_utf8(s.p, s.len))
				return refuse_text(noun, s, why);
			checked = true;
		}
		fault = topic_fault(s, i, pattern, &len);
		if (fault)
			return refuse(noun, s, i, fault, why);
	}
	return true;
}

bool
topic_valid(struct slice topic, struct reason *why)
{
	return tokens_valid("topic", topic, false, why);
}

bool
topic_pattern_valid(struct slice pattern, struct reason *why)
{
	return tokens_valid("pattern", pattern, true, why);
}

/* UTF-8 without control characters. */
static bool
name_valid(const char *noun, struct slice s, size_t least, size_t most,
    struct reason *why)
{
	unsigned len;
	uint32_t c;

	if (!length_valid(noun, s, least, most, why))
		return false;
	if (!mpvalid_utf8(s.p, s.len))
		return refuse_text(noun, s, why);
	for (size_t i = 0; i < s.len; i += len) {
		len = 1;
		if (LIKELY(plain[s.p[i]]))
			continue;
		c = utf8_get(s.p + i, &len);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return refuse(noun, s, i, "a control character", why);
	}
	return true;
}

bool
topic_type_valid(struct slice type, struct reason *why)
{
	return name_valid("type", type, 1, TOPIC_TYPE_MAX, why);
}

bool
topic_actor_valid(struct slice actor, struct reason *why)
{
	return name_valid("actor", actor, 0, TOPIC_ACTOR_MAX, why);
}

bool
topic_is_system(struct slice topic)
{
	return topic.len > 0 && topic.p[0] == '$';
}

bool
topic_next_token(struct slice *rest, struct slice *token)
{
	const uint8_t *dot;

	if (rest->len == 0)
		return false;
	dot = memchr(rest->p, '.', rest->len);
	if (!dot) {
		*token = *rest;
		rest->p += rest->len;
		rest->len = 0;
		return true;
	}
	*token = slice_of(rest->p, (size_t)(dot - rest->p));
	rest->p += token->len + 1;
	rest->len -= token->len + 1;
	return true;
}

unsigned
topic_tokens(struct slice topic)
{
	struct slice token;
	unsigned n = 0;

	while (topic_next_token(&topic, &token))
		n++;
	return n;
}

static inline bool
is_wildcard(struct slice token)
{
	return token.len == 1 && (*token.p == '*' || *token.p == '>');
}

bool
topic_match(struct slice pattern, struct slice topic)
{
	const uint8_t *p = pattern.p, *pe = p + pattern.len;
	const uint8_t *t = topic.p, *te = t + topic.len;

	/* In a valid pattern a wildcard is the whole of its token. */
	if (p < pe && (*p == '*' || *p == '>') && topic_is_system(topic))
		return false;
	while (p < pe && t < te) {
		if (*p == '>')
			return true;
		if (*p == '*') {
			p++;
			while (t < te && *t != '.')
				t++;
		} else if (*p++ != *t++) {
			return false;
		}
	}
	return p == pe && t == te;
}

bool
topic_patterns_meet(struct slice a, struct slice b)
{
	struct slice ta, tb;
	size_t len = 0;

	if ((topic_is_system(a) && b.len && (*b.p == '*' || *b.p == '>')) ||
	    (topic_is_system(b) && a.len && (*a.p == '*' || *a.p == '>')))
		return false;
	while (a.len && b.len) {
		/*
		 * What both match is at least this long: a literal is as long
		 * as it is, a wildcard stands for one byte or more.
		 */
		if (*a.p == '>' || *b.p == '>')
			return len + MAX(a.len, b.len) <= TOPIC_MAX;
		(void)topic_next_token(&a, &ta);
		(void)topic_next_token(&b, &tb);
		if (!is_wildcard(ta) && !is_wildcard(tb) &&
		    !slice_equal(ta, tb))
			return false;
		len += MAX(ta.len, tb.len) + 1;
	}
	return a.len == b.len && len - 1 <= TOPIC_MAX;
}

bool
topic_glob_match(struct slice glob, struct slice text)
{
	size_t g = 0, t = 0, star = SIZE_MAX, tried = 0;

	while (t < text.len) {
		if (g < glob.len && glob.p[g] == '*') {
			star = g++;
			tried = t;
		} else if (g < glob.len && glob.p[g] == text.p[t]) {
			g++;
			t++;
		} else if (star != SIZE_MAX) {
			/* Let the last star take one byte more. */
			g = star + 1;
			t = ++tried;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.p[g] == '*')
		g++;
	return g == glob.len;
}

/* Length of the character at p, 1 for a byte that is no UTF-8. */
static unsigned
character_len(const uint8_t *p, size_t left)
{
	unsigned len = *p < 0xc0 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

	return len <= left && mpvalid_utf8(p, len) ? len : 1;
}

/* Does the character at p, at offset at of its name, need escaping? */
static bool
needs_escape(const uint8_t *p, unsigned len, size_t at)
{
	if (len == 1 && *p >= 0x80)
		return true;
	if (*p == '.' || *p == '%' || *p == '~' || *p == '*' || *p == '>')
		return true;
	if (*p == '$')
		return at == 0;
	return character_fault(utf8_get(p, &len)) != NULL;
}

/* The character's escaped form, at most 12 bytes. */
static size_t
escape_character(char *to, const uint8_t *p, unsigned len, size_t at)
{
	static const char digits[] = "0123456789ABCDEF";

	if (!needs_escape(p, len, at)) {
		memcpy(to, p, len);
		return len;
	}
	for (unsigned i = 0; i < len; i++) {
		*to++ = '%';
		*to++ = digits[p[i] >> 4];
		*to++ = digits[p[i] & 15];
	}
	return 3 * (size_t)len;
}

static size_t
append_digest(struct slice name, char *to)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t sum[32];
	size_t n = 0;

	sha256(name.p, name.len, sum);
	to[n++] = '~';
	for (unsigned i = 0; i < ESCAPED_DIGITS / 2; i++) {
		to[n++] = digits[sum[i] >> 4];
		to[n++] = digits[sum[i] & 15];
	}
	return n;
}

size_t
topic_escape(struct slice name, char buf[TOPIC_ESCAPED_MAX + 1])
{
	size_t n = 0, prefix = 0, more;
	unsigned len;
	char one[12];

	for (size_t at = 0; at < name.len; at += len) {
		len = character_len(name.p + at, name.len - at);
		more = escape_character(one, name.p + at, len, at);
		if (n + more > TOPIC_ESCAPED_MAX) {
			n = prefix + append_digest(name, buf + prefix);
			break;
		}
		memcpy(buf + n, one, more);
		n += more;
		if (n <= ESCAPED_PREFIX)
			prefix = n;
	}
	buf[n] = '\0';
	return n;
}
