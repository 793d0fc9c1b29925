/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading a line.  The order of the checks is that of the members in the
 * documentation; the first thing wrong is what is told.
 */

#include <errno.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "tools/import_graph.h"
#include "tools/import_line.h"
#include "tools/refuse.h"

/* "data":null */
static const uint8_t import_line_nil[] = { 0xc0 };

bool
import_line_is_blank(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] != ' ' && line.p[i] != '\t')
			return false;
	return true;
}

static bool
import_line_item(struct slice map, const char *name, struct mp_item *item)
{
	struct slice value = proto_get(map, name);
	struct mp_walk w = mp_walk(value);

	return value.len > 0 && mp_next(&w, item);
}

/* A member that must be text; p NULL where it is absent. */
static int
import_line_text(
    struct slice map, const char *name, struct slice *text, struct reason *why)
{
	struct mp_item item;

	*text = slice_of(NULL, 0);
	if (!import_line_item(map, name, &item))
		return 0;
	if (item.type != MP_STR)
		return REFUSE(why, "'%s' is no text", name);
	*text = item.s;
	return 0;
}

static int
import_line_uint(struct slice map, const char *name, struct proto_uint *v,
    struct reason *why)
{
	struct mp_item item;

	*v = (struct proto_uint){ 0 };
	if (!import_line_item(map, name, &item))
		return 0;
	if (item.type != MP_UINT)
		return REFUSE(
		    why, "'%s' is no whole number of zero or more", name);
	*v = (struct proto_uint){ true, item.u };
	return 0;
}

static int
import_line_missing(struct reason *why, const char *name)
{
	return REFUSE(why, "'%s' is missing", name);
}

static int
import_line_names(
    struct slice map, struct writer_append *append, struct reason *why)
{
	int err = import_line_text(map, "topic", &append->topic, why);

	if (err >= 0)
		err = import_line_text(map, "type", &append->type, why);
	if (err >= 0)
		err = import_line_text(map, "actor", &append->actor, why);
	if (err < 0)
		return err;
	if (!append->topic.p)
		return import_line_missing(why, "topic");
	if (!append->type.p)
		return import_line_missing(why, "type");
	if (!topic_valid(append->topic, why) ||
	    !topic_type_valid(append->type, why) ||
	    (append->actor.p && !topic_actor_valid(append->actor, why)))
		return -EPROTO;
	return 0;
}

/* As long as the writer will make it. */
static int
import_line_size(const struct writer_append *append, struct reason *why)
{
	const struct event ev = {
		.seq = PROTO_SEQ_MAX,
		.time_us = PROTO_SEQ_MAX,
		.version = 1,
		.topic = append->topic,
		.type = append->type,
		.actor = append->actor,
		.data = append->data,
		.meta = append->meta,
	};

	if (event_size(&ev) > EVENT_MAX)
		return REFUSE(why, "the event has %zu bytes, more than %d",
		    event_size(&ev), EVENT_MAX);
	return 0;
}

static int
import_line_read(struct slice map, uint64_t now_us,
    struct writer_append *append, struct reason *why)
{
	struct mp_item item;
	int err;

	err = import_line_uint(map, "time", &append->time_us, why);
	if (err >= 0)
		err = import_line_names(map, append, why);
	if (err >= 0)
		err = import_line_uint(map, "schema", &append->schema, why);
	if (err < 0)
		return err;
	if (append->time_us.set && append->time_us.v > now_us + US_PER_S)
		return REFUSE(why,
		    "'time' %llu lies in the future (it counts "
		    "microseconds)",
		    (unsigned long long)append->time_us.v);
	append->data = proto_get(map, "data");
	if (append->data.len == 0)
		append->data = slice_of(import_line_nil, 1);
	append->meta = proto_get(map, "meta");
	if (import_line_item(map, "meta", &item) && item.type != MP_MAP)
		return REFUSE(why, "'meta' is no object");
	return import_line_size(append, why);
}

/* Of a line alone the number would always be 1, beside its real one. */
static void
import_line_unnumber(struct reason *why)
{
	static const char number[] = "line 1, ";
	size_t len = sizeof(number) - 1;

	if (strncmp(why->text, number, len) == 0)
		memmove(
		    why->text, why->text + len, strlen(why->text + len) + 1);
}

int
import_line_parse(struct slice line, uint64_t now_us, struct mp_buf *scratch,
    struct writer_append *append, struct reason *why)
{
	struct mp_item item;
	struct mp_walk w;
	struct slice map;
	int err;

	scratch->len = 0;
	*append = (struct writer_append){ 0 };
	err = json_to_mp(line, scratch, why);
	if (err == -EPROTO)
		import_line_unnumber(why);
	if (err < 0)
		return err;
	map = slice_of(scratch->p, scratch->len);
	w = mp_walk(map);
	if (!mp_next(&w, &item) || item.type != MP_MAP)
		return REFUSE(why, "the line is no JSON object");
	if (import_graph_is(map)) {
		err = import_graph_read(scratch, append, why);
		return err < 0 ? err : import_line_size(append, why);
	}
	return import_line_read(map, now_us, append, why);
}
