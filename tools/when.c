/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading times.  What does not name one point exactly is refused: a date
 * that the calendar lacks, an hour that was left out for summer time.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/proto.h"
#include "core/reason.h"
#include "core/rfc3339.h"
#include "core/time.h"
#include "tools/tool.h"
#include "tools/when.h"

/* "1795240630" or "1795240630.25" into microseconds. */
static bool
when_unix(const char *text, uint64_t *us)
{
	const char *dot = strchr(text, '.');
	size_t len = dot ? (size_t)(dot - text) : strlen(text);
	char whole[24], part[7] = "000000";
	uint64_t s, fraction;

	if (len >= sizeof(whole) || (dot && strlen(dot + 1) > 6) ||
	    (dot && !dot[1]))
		return false;
	memcpy(whole, text, len);
	whole[len] = '\0';
	if (dot)
		memcpy(part, dot + 1, strlen(dot + 1));
	if (!tool_number(whole, 0, PROTO_SEQ_MAX / US_PER_S, &s) ||
	    !tool_number(part, 0, US_PER_S - 1, &fraction))
		return false;
	*us = s * US_PER_S + fraction;
	return true;
}

static bool
when_is_shape(const char *text, const char *shape)
{
	for (; *text && *shape; text++, shape++)
		if (*shape == '0' ? *text < '0' || *text > '9'
				  : *text != *shape)
			return false;
	return *text == *shape;
}

static bool
when_same(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon &&
	       a->tm_mday == b->tm_mday && a->tm_hour == b->tm_hour &&
	       a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/* Of the local zone; of an hour that came twice it is one. */
static bool
when_local(const char *text, int64_t *seconds)
{
	struct tm tm = { .tm_isdst = -1 }, got;

	if (!when_is_shape(text, "0000-00-00") &&
	    !when_is_shape(text, "0000-00-00 00:00") &&
	    !when_is_shape(text, "0000-00-00 00:00:00"))
		return false;
	/* The shape says how many there are. */
	(void)!sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
	    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	got = tm;
	*seconds = mktime(&got);
	return when_same(&tm, &got);
}

bool
when_parse(const char *text, struct when *when, struct reason *why)
{
	uint32_t nanoseconds = 0;
	int64_t seconds;
	uint64_t v;

	if (tool_number(text, 0, PROTO_SEQ_MAX, &v)) {
		*when = (struct when){ WHEN_SEQ, v };
		return true;
	}
	if (*text && strspn(text, "0123456789") == strlen(text)) {
		(void)reason_set(why, 0,
		    "'%.60s' is beyond any seq: the last is %" PRIu64, text,
		    (uint64_t)PROTO_SEQ_MAX);
		return false;
	}
	if (*text == '@' && when_unix(text + 1, &v)) {
		*when = (struct when){ WHEN_TIME, v };
		return true;
	}
	if (!rfc3339_parse(slice_cstr(text), &seconds, &nanoseconds) &&
	    !when_local(text, &seconds)) {
		(void)reason_set(why, 0,
		    "'%.60s' is no time: write 2026-11-21T05:57:10Z, "
		    "'2026-11-21 05:57' or @SECONDS",
		    text);
		return false;
	}
	if (seconds < 0) {
		(void)reason_set(why, 0, "'%.60s' lies before 1970", text);
		return false;
	}
	v = (uint64_t)seconds * US_PER_S + nanoseconds / 1000;
	*when = (struct when){ WHEN_TIME, v };
	return true;
}
