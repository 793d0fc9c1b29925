/* SPDX-License-Identifier: BSD-2-Clause */

/* Doors whose sessions are played; see the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mp.h"
#include "core/reason.h"
#include "gateway/block.h"
#include "tests/lib/doorfix.h"

char doorfix_asked[4096];
unsigned doorfix_questions, doorfix_hellos;
const char *doorfix_answer;

void
doorfix_swap(char *text, char from, char to)
{
	for (; *text != '\0'; text++)
		if (*text == from)
			*text = to;
}

/* A value from its JSON form; ' stands for ". */
static struct mp_buf
value_of(const char *text)
{
	char copy[4096];
	struct mp_buf b = { 0 };
	struct reason why = { "" };

	snprintf(copy, sizeof(copy), "%s", text);
	doorfix_swap(copy, '\'', '"');
	if (json_to_mp(slice_cstr(copy), &b, &why) < 0)
		fail_msg("%s: %s", why.text, copy);
	return b;
}

void
doorfix_says(struct edgefix *fx, const char *text)
{
	struct mp_buf b = value_of(text);

	conn_control(fx->conn, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
}

enum conn_send
doorfix_gives(struct edgefix *fx, const char *text)
{
	struct mp_buf b = value_of(text);
	struct block *block = block_message(slice_of(b.p, b.len));
	enum conn_send how;

	mp_buf_deinit(&b);
	assert_true(conn_is_ready(fx->conn));
	how = conn_send(fx->conn, block);
	block_unref(block);
	return how;
}

/* Say welcome to a hello; keep anything else. */
static void
on_message(struct edgefix *fx, struct slice msg)
{
	struct mp_buf b = { 0 };

	assert_int_equal(json_from_mp(msg, &b), 0);
	assert_true(b.len < sizeof(doorfix_asked));
	if (memmem(b.p, b.len, "\"hello\"", 7)) {
		doorfix_hellos++;
		doorfix_says(fx, "{'op':'welcome','log':'log-1'}");
	} else {
		memcpy(doorfix_asked, b.p, b.len);
		doorfix_asked[b.len] = '\0';
		doorfix_swap(doorfix_asked, '"', '\'');
		doorfix_questions++;
		if (doorfix_answer)
			doorfix_says(fx, doorfix_answer);
	}
	mp_buf_deinit(&b);
}

struct edge_client *
doorfix_start(struct edgefix *fx, const char *const *options)
{
	doorfix_questions = doorfix_hellos = 0;
	doorfix_answer = NULL;
	doorfix_asked[0] = '\0';
	edgefix_start(fx, options);
	fx->on_message = on_message;
	return edge_open(fx);
}

void
doorfix_ask(struct edge_client *c, const char *request)
{
	unsigned before = doorfix_questions;

	edge_puts(c, request);
	EDGE_UNTIL(c->fx, doorfix_questions > before);
}

void
doorfix_refused(struct edge_client *c, const char *request, int status)
{
	char want[16];

	edge_puts(c, request);
	snprintf(want, sizeof(want), "HTTP/1.1 %d ", status);
	if (strncmp(doorfix_read_to(c, "\r\n\r\n"), want, strlen(want)) != 0)
		fail_msg("not %d: %s", status, request);
}

const char *
doorfix_read_to(struct edge_client *c, const char *text)
{
	static char got[65536];
	const uint8_t *at;
	size_t n;

	edgefix_deadline(c->fx);
	for (;;) {
		at = memmem(c->in, c->len, text, strlen(text));
		if (at)
			break;
		if (!edge_fill(c, c->len + 1))
			fail_msg("no '%s' in: %.*s", text, (int)c->len, c->in);
	}
	n = (size_t)(at - c->in) + strlen(text);
	assert_true(n < sizeof(got));
	memcpy(got, c->in, n);
	got[n] = '\0';
	edge_consume(c, n);
	return got;
}

void
doorfix_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

void
doorfix_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in: %s", part, text);
}

const char *
doorfix_read_all(struct edge_client *c)
{
	edge_until_eof(c);
	assert_true(c->len < sizeof(c->in));
	c->in[c->len] = '\0';
	return (const char *)c->in;
}
