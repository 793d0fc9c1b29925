/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How an event looks.  The line for people has fixed columns as far as they
 * go: seq, local time, topic, type, actor, then the data as JSON.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/event.h"
#include "core/json.h"
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

/* Topics and names hold no control characters; types of old logs might. */
static void
show_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		putchar(s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
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
	if (ev->actor.len)
		show_name(ev->actor);
	else
		putchar('-');
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
