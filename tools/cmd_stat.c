/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal stat`: the counters of all processes of a house.  Read from shared
 * memory alone: it shows what a crash left behind, too, and believes nothing.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "shm/ring_reader.h"
#include "shm/stats.h"
#include "tools/cmd.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/vitals.h"

struct stat_command {
	struct tool t;
	const char *glob; /* of PROCESS.NAME; NULL: all */
	struct mp_buf list;
	unsigned n;	/* processes in it */
	unsigned shown; /* counters of them */
	unsigned bad;
};

/* Somebody with that pid runs; whether it is the same one, nobody knows. */
static bool
stat_alive(uint32_t pid)
{
	return pid > 0 && pid <= INT_MAX &&
	       (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static bool
stat_wanted(const struct stat_command *c, const char *process, const char *name)
{
	char whole[80];

	snprintf(whole, sizeof(whole), "%s.%s", process, name);
	return !c->glob || fnmatch(c->glob, whole, 0) == 0;
}

static void
stat_pack_text(struct mp_buf *b, const char *key, const char *text)
{
	mp_pack_cstr(b, key);
	mp_pack_cstr(b, text);
}

static void
stat_pack_item(struct mp_buf *b, const struct stats_item *item)
{
	mp_pack_map(b, 5);
	stat_pack_text(b, "name", item->name);
	stat_pack_text(b, "kind", stats_kind_name(item->kind));
	stat_pack_text(b, "unit", item->unit);
	stat_pack_text(b, "text", item->text);
	mp_pack_cstr(b, "value");
	mp_pack_uint(b, item->value);
}

static void
stat_line(const struct stats_view *view, const struct stats_item *item)
{
	char name[80];

	snprintf(name, sizeof(name), "%s.%s", view->process, item->name);
	printf("%-30s %7" PRIu32 " %14" PRIu64 " %-12s %s\n", name, view->pid,
	    item->value, item->unit, item->text);
}

/* The counters of one process that are asked for. */
static void
stat_process(struct stat_command *c, const struct stats_view *view)
{
	struct mp_buf *b = &c->list;
	struct stats_item item;
	uint32_t n = 0;
	size_t at;

	mp_pack_map(b, 5);
	stat_pack_text(b, "process", view->process);
	mp_pack_cstr(b, "pid");
	mp_pack_uint(b, view->pid);
	mp_pack_cstr(b, "alive");
	mp_pack_bool(b, stat_alive(view->pid));
	mp_pack_cstr(b, "started");
	mp_pack_uint(b, view->started_us);
	mp_pack_cstr(b, "counters");
	at = mp_begin(b);
	if (!c->t.json && !stat_alive(view->pid))
		printf("# %s %" PRIu32 " has gone; this is what it left\n",
		    view->process, view->pid);
	for (unsigned i = 0; i < view->n; i++) {
		if (stats_view_item(view, i, &item) < 0 ||
		    !stat_wanted(c, view->process, item.name))
			continue;
		stat_pack_item(b, &item);
		n++;
		c->shown++;
		if (!c->t.json)
			stat_line(view, &item);
	}
	mp_end_array(b, at, n);
	c->n++;
}

static void
stat_bad(struct stat_command *c, const struct reason *why)
{
	tool_note(&c->t, "%s", why->text);
	c->bad++;
}

/* The writer's stand in the ring itself. */
static void
stat_ring(struct stat_command *c)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct stats_view view;
	char path[PATH_MAX];
	struct reason why;

	snprintf(path, sizeof(path), "%s/ring", house_run_dir(&c->t.house));
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return;
	if (ring_reader_open(path, &rd, &why) < 0 ||
	    ring_reader_stats(rd, &view, &why) < 0)
		stat_bad(c, &why);
	else
		stat_process(c, &view);
}

static void
stat_page(struct stat_command *c, int dirfd, const char *name)
{
	CLEANUP(stats_page_freep) struct stats_page *page = NULL;
	struct reason why;

	if (stats_page_copy(dirfd, name, &page, &why) < 0)
		stat_bad(c, &why);
	else
		stat_process(c, stats_page_view(page));
}

static int
stat_not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
stat_pages(struct stat_command *c)
{
	CLEANUP(closep) int dirfd = -1;
	struct dirent **names = NULL;
	char path[PATH_MAX];
	int n;

	snprintf(path, sizeof(path), "%s/stat", house_run_dir(&c->t.house));
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 && errno == ENOENT)
		return 0;
	n = dirfd < 0 ? -1
		      : scandir(path, &names, stat_not_hidden, versionsort);
	if (n < 0)
		return tool_error(
		    &c->t, "cannot read '%s': %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		stat_page(c, dirfd, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

static int
stat_run(struct stat_command *c)
{
	struct show show = { .json = true };
	size_t at = mp_begin(&c->list);
	int err = 0;

	stat_ring(c);
	if (stat_pages(c) != 0)
		return TOOL_ERROR;
	mp_end_array(&c->list, at, c->n);
	if (c->n == 0 && c->bad == 0)
		return tool_error(
		    &c->t, "no counters in '%s'", house_run_dir(&c->t.house));
	if (c->shown == 0 && c->bad == 0)
		return tool_error(
		    &c->t, "no counter is named '%s'", c->glob ? c->glob : "");
	if (c->t.json)
		err = c->list.failed
			  ? -1
			  : show_value(&show, slice_of(c->list.p, c->list.len));
	show_deinit(&show);
	if (err < 0)
		return tool_error(&c->t, "out of memory");
	return c->bad > 0 ? TOOL_DAMAGED : TOOL_OK;
}

/* What `peal up` does by itself, for those who start programs one by one. */
static int
stat_emit(struct stat_command *c)
{
	struct vitals *v = vitals_new(house_run_dir(&c->t.house));
	int was = VITALS_TOLD, is;
	struct reason why;

	if (!v)
		return tool_error(&c->t, "out of memory");
	tool_catch_stop();
	while (!tool_stopped()) {
		is = vitals_turn(v, &why);
		if (is == -EACCES)
			break;
		if (is != was && is == VITALS_AWAY)
			tool_note(&c->t, "waiting for a writer in '%s'",
			    house_run_dir(&c->t.house));
		else if (is != was && is < 0)
			tool_note(&c->t, "%s", why.text);
		was = is == VITALS_EARLY ? was : is;
		(void)poll(NULL, 0, vitals_wait_ms(v));
	}
	(void)vitals_free(v);
	return tool_stopped() ? TOOL_OK : tool_fail(&c->t, &why);
}

int
cmd_stat(int argc, char **argv)
{
	struct stat_command c = { 0 };
	bool once = true, emit = false;
	const struct tool_option options[] = {
		{ .name = "once",
		    .letter = '1',
		    .kind = TOOL_FLAG,
		    .value = &once,
		    .help = "print them once" },
		{ .name = "emit",
		    .kind = TOOL_FLAG,
		    .value = &emit,
		    .help = "instead tell them once a second on $stat.*, as "
			    "'peal up' does" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "stat",
		.operands = "[GLOB]",
		.text = "Print the counters of all processes, or those whose "
			"PROCESS.NAME matches GLOB, such\nas "
			"'gateway.refused*'. Asks no process.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.max_operands = 1,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	c.glob = c.t.argc > 0 ? c.t.argv[0] : NULL;
	status = emit ? stat_emit(&c) : stat_run(&c);
	mp_buf_deinit(&c.list);
	return tool_end(&c.t, status);
}
