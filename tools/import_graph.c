/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lines of a memory graph.  A member that the topic or a reader of the graph
 * needs must be there; others are taken as they come.
 */

#include <string.h>

#include "core/graph.h"
#include "core/proto.h"
#include "core/reason.h"
#include "tools/import_graph.h"
#include "tools/refuse.h"

enum {
	/* What an event's data and topic may need beyond the line's map. */
	IMPORT_GRAPH_ROOM = 1024
};

bool
import_graph_is(struct slice map)
{
	struct slice type = proto_get_str(map, "type");

	return proto_get(map, "topic").len == 0 &&
	       (slice_is(type, "entity") || slice_is(type, "relation"));
}

static int
import_graph_name(struct slice map, const char *member, struct slice *name,
    struct reason *why)
{
	struct slice value = proto_get(map, member);
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	if (value.len == 0 || !mp_next(&w, &item))
		return REFUSE(why, "'%s' is missing", member);
	if (item.type != MP_STR)
		return REFUSE(why, "'%s' is no text", member);
	if (item.s.len == 0)
		return REFUSE(why, "'%s' is empty", member);
	*name = item.s;
	return 0;
}

static int
import_graph_entity(struct slice map, char topic[TOPIC_MAX + 1], size_t *len,
    struct reason *why)
{
	struct slice observations = proto_get(map, "observations");
	struct mp_walk w = mp_walk(observations);
	struct slice name, kind;
	struct mp_item item;
	int err;

	err = import_graph_name(map, "name", &name, why);
	if (err >= 0)
		err = import_graph_name(map, "entityType", &kind, why);
	if (err < 0)
		return err;
	if (observations.len == 0 || !mp_next(&w, &item))
		return REFUSE(why, "'observations' is missing");
	if (item.type != MP_ARRAY)
		return REFUSE(why, "'observations' is no array");
	*len = graph_entity_topic(name, topic);
	return 0;
}

static int
import_graph_relation(struct slice map, char topic[TOPIC_MAX + 1], size_t *len,
    struct reason *why)
{
	struct slice from, to, type;
	int err;

	err = import_graph_name(map, "from", &from, why);
	if (err >= 0)
		err = import_graph_name(map, "to", &to, why);
	if (err >= 0)
		err = import_graph_name(map, "relationType", &type, why);
	if (err >= 0)
		*len = graph_relation_topic(from, type, to, topic);
	return err;
}

/* The map without its member "type". */
static void
import_graph_data(struct slice map, struct mp_buf *out)
{
	struct mp_walk w = mp_walk(map);
	struct slice key, value, name;
	struct mp_item head;

	if (!mp_next(&w, &head) || head.type != MP_MAP)
		return;
	mp_pack_map(out, head.n - 1);
	for (uint32_t i = 0; i < head.n; i++) {
		struct mp_walk at = w;

		if (!mp_skip(&w, &key) || !mp_skip(&w, &value) ||
		    !mp_next_name(&at, &name))
			return;
		if (name.p && slice_is(name, "type"))
			continue;
		mp_pack_raw(out, key);
		mp_pack_raw(out, value);
	}
}

int
import_graph_read(
    struct mp_buf *scratch, struct writer_append *append, struct reason *why)
{
	char topic[TOPIC_MAX + 1];
	size_t map_len = scratch->len, len, data_at;
	struct slice map;
	bool entity;
	int err;

	/* With the room made before, what slices point to stays in place. */
	if (!mp_buf_reserve(scratch, map_len + IMPORT_GRAPH_ROOM))
		return reason_set(why, -ENOMEM, "cannot read a line");
	map = slice_of(scratch->p, map_len);
	entity = slice_is(proto_get_str(map, "type"), "entity");
	err = entity ? import_graph_entity(map, topic, &len, why)
		     : import_graph_relation(map, topic, &len, why);
	if (err < 0)
		return err;
	mp_buf_bytes(scratch, topic, len);
	data_at = scratch->len;
	import_graph_data(map, scratch);
	append->topic = slice_of(scratch->p + map_len, len);
	append->data = slice_of(scratch->p + data_at, scratch->len - data_at);
	append->type = entity ? SLICE_STR("entity_created")
			      : SLICE_STR("relation_created");
	return 0;
}
