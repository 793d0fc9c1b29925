/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How events and rows look.  The line for people has fixed columns as far as
 * they go: seq, local time, topic, type, actor, then the data as JSON.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/row.h"
#include "tools/show.h"
#include "tools/tool.h"

void
show_deinit(struct show *show)
{
	mp_buf_deinit(&show->text);
}

int
show_value(struct show *show, struct slice value)
{
	int err;

	show->text.len = 0;
	err = json_from_mp(value, &show->text);
	if (err < 0)
		return err;
	mp_buf_bytes(&show->text, "\n", 1);
	if (show->text.failed)
		return -ENOMEM;
	fwrite(show->text.p, 1, show->text.len, stdout);
	return 0;
}

/* Topics hold no control characters; names and types of old logs might. */
void
show_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		/* C1 controls are U+0080 to U+009F. */
		if (c == 0xc2 && i + 1 < name.len && name.p[i + 1] < 0xa0) {
			i++;
			c = '?';
		}
		putchar(c < ' ' || c == 0x7f ? '?' : c);
	}
}

/*
 * Controls that let text be seen in another order: U+061C, U+200E and U+200F,
 * U+202A to U+202E, U+2066 to U+2069.  c ends with a zero.
 */
static bool
show_is_turning(const uint8_t *c)
{
	if (c[0] == 0xd8)
		return c[1] == 0x9c;
	if (c[0] != 0xe2)
		return false;
	if (c[1] == 0x80)
		return c[2] == 0x8e || c[2] == 0x8f ||
		       (c[2] >= 0xaa && c[2] <= 0xae);
	return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
}

/* Does a terminal show the word as it is read, and nothing else? */
static bool
show_is_tame(const char *word)
{
	const uint8_t *c = (const uint8_t *)word;

	if (!mpvalid_utf8(c, strlen(word)))
		return false;
	for (; *c; c++)
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0) ||
		    show_is_turning(c))
			return false;
	return true;
}

void
show_shell_word(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789_./:=,+@%-";
	bool hostile = !show_is_tame(word);

	if (word[0] && word[strspn(word, plain)] == '\0') {
		fputs(word, stdout);
		return;
	}
	/* Only then in words that some shells do not know. */
	fputs(hostile ? "$'" : "'", stdout);
	for (const char *c = word; *c; c++) {
		uint8_t byte = (uint8_t)*c;

		if (hostile && (byte < ' ' || byte >= 0x7f))
			printf("\\%03o", byte);
		else if (hostile && (byte == '\'' || byte == '\\'))
			printf("\\%c", byte);
		else if (byte == '\'')
			fputs("'\\''", stdout);
		else
			putchar(byte);
	}
	putchar('\'');
}

static void
show_who(struct slice who)
{
	if (who.len)
		show_name(who);
	else
		putchar('-');
}

static int
show_line(struct show *show, const struct event *ev)
{
	char time[TOOL_TIME_BYTES];

	if (ev->seq)
		printf("%" PRIu64 "  ", ev->seq);
	else
		printf("-  ");
	printf("%s  ", tool_time(ev->time_us, time));
	show_name(ev->topic);
	if (ev->version)
		printf("@%" PRIu64, ev->version);
	printf("  ");
	show_name(ev->type);
	printf("  ");
	show_who(ev->actor);
	printf("  ");
	return show_value(show, ev->data);
}

int
show_event(struct show *show, struct slice event, struct reason *why)
{
	struct event ev;
	int err;

	if (show->json)
		return show_value(show, event);
	err = event_decode(event, &ev, why);
	if (err < 0)
		return err;
	return show_line(show, &ev);
}

int
show_row(struct show *show, struct slice bytes, struct reason *why)
{
	char time[TOOL_TIME_BYTES];
	struct row row;
	int err;

	err = row_decode(bytes, &row, why);
	if (err < 0)
		return err;
	if (show->json)
		return show_value(show, bytes);
	show_name(row.topic);
	printf(
	    "@%" PRIu64 "  %s  ", row.version, tool_time(row.updated_us, time));
	show_who(row.updated_by);
	printf(row.deleted ? "  deleted  " : "  ");
	return show_value(show, row.value);
}
