/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal graph`: an entity of the memory graph, its observations and its
 * relations, and which of these lead nowhere.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/row.h"
#include "tools/cmd.h"
#include "tools/entity.h"
#include "tools/query.h"
#include "tools/show.h"
#include "tools/tool.h"

static const char graph_text[] =
    "Print the entity NAME of the memory graph (its exact name), what was "
    "observed, its\nrelations to others (->) and from others (<-). A "
    "relation whose other end is missing\nor deleted dangles. With --json: "
    "one object with name, seq, entity (a row or null), out\nand in, arrays "
    "of {relation: row, dangles: bool}.";

/* --- for people --- */

static bool
graph_named(struct slice name, const char *const *names)
{
	for (; *names; names++)
		if (name.p && slice_is(name, *names))
			return true;
	return false;
}

/* A map without some of its members; nothing where none is left. */
static void
graph_rest(struct slice map, const char *const *but, struct mp_buf *out)
{
	struct slice key, value, name;
	struct mp_walk w = mp_walk(map), at;
	struct mp_item head;
	uint32_t n = 0;
	size_t mark;

	if (!mp_next(&w, &head) || head.type != MP_MAP)
		return;
	mark = mp_begin(out);
	for (uint32_t i = 0; i < head.n; i++) {
		at = w;
		if (!mp_skip(&w, &key) || !mp_skip(&w, &value) ||
		    !mp_next_name(&at, &name))
			return;
		if (graph_named(name, but))
			continue;
		mp_pack_raw(out, key);
		mp_pack_raw(out, value);
		n++;
	}
	mp_end_map(out, mark, n);
	if (n == 0)
		out->len = 0;
}

/* What else the value holds, as JSON; without it what a line ends in. */
static int
graph_print_rest(struct show *show, struct slice map, const char *const *but,
    const char *without)
{
	struct mp_buf rest = { 0 };
	int err = 0;

	graph_rest(map, but, &rest);
	if (rest.failed) {
		err = -ENOMEM;
	} else if (rest.len) {
		printf("  ");
		err = show_value(show, slice_of(rest.p, rest.len));
	} else {
		printf("%s", without);
	}
	mp_buf_deinit(&rest);
	return err;
}

static int
graph_print_observations(struct show *show, struct slice value)
{
	struct mp_walk w = mp_walk(proto_get(value, "observations"));
	struct mp_item head, item;
	struct mp_walk at;
	struct slice one;
	int err = 0;

	if (!mp_next(&w, &head) || head.type != MP_ARRAY)
		return 0;
	for (uint32_t i = 0; i < head.n && err >= 0; i++) {
		at = w;
		if (!mp_skip(&w, &one) || !mp_next(&at, &item))
			break;
		printf("  ");
		if (item.type == MP_STR) {
			show_name(item.s);
			putchar('\n');
		} else {
			err = show_value(show, one);
		}
	}
	return err;
}

static int
graph_print_entity(
    struct show *show, const struct entity *e, struct reason *why)
{
	static const char *const told[] = { "name", "entityType",
		"observations", NULL };
	char time[TOOL_TIME_BYTES];
	struct mp_walk w;
	struct mp_item head;
	struct slice kind;
	struct row row;
	int err;

	show_name(e->name);
	if (!e->bytes) {
		printf("  (there is no such entity)\n");
		return 0;
	}
	err = row_decode(slice_of(e->bytes, e->len), &row, why);
	if (err < 0)
		return err;
	w = mp_walk(row.value);
	if (!mp_next(&w, &head) || head.type != MP_MAP)
		row.value = slice_of("\x80", 1);
	kind = proto_get_str(row.value, "entityType");
	printf("  (");
	show_name(kind);
	printf(")  @%" PRIu64 "  %s  ", row.version,
	    tool_time(row.updated_us, time));
	show_name(row.updated_by);
	printf("%s\n", row.deleted ? "  deleted" : "");
	err = graph_print_observations(show, row.value);
	return err < 0 ? err : graph_print_rest(show, row.value, told, "");
}

static int
graph_print_relations(struct show *show, const struct entity_relations *list,
    const char *arrow, struct reason *why)
{
	static const char *const told[] = { "from", "to", "relationType",
		NULL };
	int err = 0;

	for (size_t i = 0; i < list->n && err >= 0; i++) {
		const struct entity_relation *r = &list->v[i];
		struct row row;

		err = row_decode(slice_of(r->bytes, r->len), &row, why);
		if (err < 0)
			return err;
		printf("%s ", arrow);
		show_name(r->type);
		printf("  ");
		show_name(r->name);
		if (entity_dangles(r))
			printf("  (dangles)");
		err = graph_print_rest(show, row.value, told, "\n");
	}
	return err;
}

static int
graph_print(struct show *show, const struct entity *e, struct reason *why)
{
	int err = graph_print_entity(show, e, why);

	if (err >= 0)
		err = graph_print_relations(show, &e->out, "->", why);
	if (err >= 0)
		err = graph_print_relations(show, &e->in, "<-", why);
	return err;
}

/* --- for programs --- */

static void
graph_pack_relations(struct mp_buf *b, const struct entity_relations *list)
{
	mp_pack_array(b, (uint32_t)list->n);
	for (size_t i = 0; i < list->n; i++) {
		mp_pack_map(b, 2);
		mp_pair_raw(
		    b, "relation", slice_of(list->v[i].bytes, list->v[i].len));
		mp_pair_bool(b, "dangles", entity_dangles(&list->v[i]));
	}
}

static int
graph_json(struct show *show, const struct entity *e)
{
	struct mp_buf b = { 0 };
	int err;

	mp_pack_map(&b, 5);
	mp_pair_str(&b, "name", e->name);
	mp_pair_uint(&b, "seq", e->seq);
	mp_pack_cstr(&b, "entity");
	if (e->bytes)
		mp_pack_raw(&b, slice_of(e->bytes, e->len));
	else
		mp_pack_nil(&b);
	mp_pack_cstr(&b, "out");
	graph_pack_relations(&b, &e->out);
	mp_pack_cstr(&b, "in");
	graph_pack_relations(&b, &e->in);
	err = b.failed ? -ENOMEM : show_value(show, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
	return err;
}

/* --- the command --- */

static int
graph_run(struct tool *t, struct slice name)
{
	CLEANUP(query_freep) struct query *q = NULL;
	struct show show = { .json = t->json };
	struct reason why = REASON_NO_MEMORY;
	struct entity e = { 0 };
	int err, status = TOOL_OK;

	err = query_open(t, &q, &why);
	if (err >= 0)
		err = entity_read(q, name, query_min_seq(q), &e, &why);
	if (err < 0)
		status = tool_fail(t, &why);
	else if (!e.bytes && e.out.n == 0 && e.in.n == 0)
		status = tool_error(
		    t, "nothing is known of '%.200s'", (const char *)name.p);
	else if ((t->json ? graph_json(&show, &e)
			  : graph_print(&show, &e, &why)) < 0)
		status = tool_fail(t, &why);
	entity_deinit(&e);
	show_deinit(&show);
	return status;
}

int
cmd_graph(int argc, char **argv)
{
	static const struct tool_usage usage = { .name = "graph",
		.operands = "NAME",
		.text = graph_text,
		.common = TOOL_HOUSE | TOOL_REMOTE | TOOL_JSON | TOOL_QUERY,
		.min_operands = 1,
		.max_operands = 1 };
	struct slice name;
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	name = slice_cstr(t.argv[0]);
	if (name.len == 0 || !mpvalid_utf8(name.p, name.len))
		status = tool_usage_error(&t, "NAME has to be text in UTF-8");
	else
		status = graph_run(&t, name);
	return tool_end(&t, status);
}
