/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Entities and relations as facts: said once, changed where they change, and
 * deleted with what they stand for.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/graph.h"
#include "core/reason.h"
#include "tools/demo_facts.h"
#include "tools/demo_graph.h"
#include "tools/demo_process.h"

enum {
	GRAPH_NAME = 2 * HOST_NAME + 24,
	GRAPH_DEPTH = 16 /* ancestors that are followed */
};

struct graph_facts {
	struct facts *f;
	struct reason *why;
	struct mp_buf value;
	char host[HOST_NAME];
	int err; /* the first one: later calls do nothing */
};

static void
graph_say(struct graph_facts *g, enum facts_group group, const char *topic,
    struct host_map *m)
{
	struct slice value = host_map_end(m);

	if (g->err < 0)
		return;
	g->err = g->value.failed
		     ? reason_set(g->why, -ENOMEM, "cannot keep a fact")
		     : facts_say(g->f, group, topic,
			   group == FACTS_ENTITY ? "entity" : "relation", value,
			   true, NULL, g->why);
}

/* An entity with one observation. */
static void
graph_entity(struct graph_facts *g, const char *name, const char *type,
    const char *observation)
{
	struct host_map m = host_map_begin(&g->value);
	char topic[TOPIC_MAX + 1];

	graph_entity_topic(slice_cstr(name), topic);
	host_map_text(&m, "name", name);
	host_map_text(&m, "entityType", type);
	mp_pack_cstr(m.b, "observations");
	mp_pack_array(m.b, 1);
	mp_pack_cstr(m.b, observation);
	m.n++;
	graph_say(g, FACTS_ENTITY, topic, &m);
}

static void
graph_relation(
    struct graph_facts *g, const char *from, const char *type, const char *to)
{
	struct host_map m = host_map_begin(&g->value);
	char topic[TOPIC_MAX + 1];

	graph_relation_topic(
	    slice_cstr(from), slice_cstr(type), slice_cstr(to), topic);
	host_map_text(&m, "from", from);
	host_map_text(&m, "to", to);
	host_map_text(&m, "relationType", type);
	graph_say(g, FACTS_RELATION, topic, &m);
}

static void
graph_host(struct graph_facts *g)
{
	struct utsname names;
	char text[3 * HOST_NAME];

	if (uname(&names) < 0)
		return;
	host_text(names.nodename, g->host);
	snprintf(text, sizeof(text), "%.60s %.60s on %.40s, %ld processors",
	    names.sysname, names.release, names.machine,
	    sysconf(_SC_NPROCESSORS_ONLN));
	graph_entity(g, g->host, "host", text);
}

static void
graph_parts(struct graph_facts *g, const struct host *h, enum host_part part)
{
	const char *type = part == HOST_DISK ? "disk" : "interface";
	char name[GRAPH_NAME], text[GRAPH_NAME];

	for (unsigned i = 0; i < host_parts(h, part); i++) {
		const char *short_name = host_part_name(h, part, i);

		snprintf(name, sizeof(name), "%s@%s", short_name, g->host);
		snprintf(text, sizeof(text), "host.%s.%s",
		    part == HOST_DISK ? "disk" : "net", short_name);
		graph_entity(g, name, type, text);
		graph_relation(g, name, "part_of", g->host);
	}
}

static void
graph_process_name(const struct graph_facts *g, const struct process *one,
    char name[GRAPH_NAME])
{
	snprintf(name, GRAPH_NAME, "%s %" PRIu32 "@%s", one->name, one->pid,
	    g->host);
}

/* One and its ancestors, as far as there are any. */
static void
graph_process(
    struct graph_facts *g, const struct processes *p, const struct process *one)
{
	char name[GRAPH_NAME], parent_name[GRAPH_NAME], text[40];

	for (unsigned depth = 0; one && depth < GRAPH_DEPTH; depth++) {
		const struct process *parent = processes_find(p, one->parent);

		graph_process_name(g, one, name);
		snprintf(text, sizeof(text), "host.process.%" PRIu32, one->pid);
		graph_entity(g, name, "process", text);
		if (parent) {
			graph_process_name(g, parent, parent_name);
			graph_relation(g, name, "child_of", parent_name);
		} else {
			graph_relation(g, name, "runs_on", g->host);
		}
		one = parent;
	}
}

int
demo_graph(const struct host *h, const struct processes *p, struct facts *f,
    struct reason *why)
{
	struct graph_facts g = { .f = f, .why = why };
	const struct process *one;

	facts_begin(f, FACTS_ENTITY);
	facts_begin(f, FACTS_RELATION);
	graph_host(&g);
	graph_parts(&g, h, HOST_DISK);
	graph_parts(&g, h, HOST_NET);
	/* Their names are never used again: those that come and go are not
	 * worth an entity. */
	for (unsigned i = 0; (one = processes_told(p, i)); i++)
		if (one->looks >= PROCESSES_SETTLED)
			graph_process(&g, p, one);
	mp_buf_deinit(&g.value);
	/* Relations before what they relate. */
	if (g.err >= 0)
		g.err = facts_end(f, FACTS_RELATION, why);
	return g.err < 0 ? g.err : facts_end(f, FACTS_ENTITY, why);
}
