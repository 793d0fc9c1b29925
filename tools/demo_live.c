/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Live facts: looks at the machine, and what they come upon as events.  A
 * look that comes late is not made up for.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/fs.h"
#include "core/reason.h"
#include "tools/demo.h"
#include "tools/demo_facts.h"
#include "tools/demo_graph.h"
#include "tools/demo_host.h"
#include "tools/demo_process.h"
#include "tools/tool.h"

enum {
	LIVE_SLOW_MS = 1000 /* between looks at disks and processes */
};

struct live {
	struct demo *d;
	const struct demo_live_options *options;
	struct facts *facts;
	struct host *host;
	struct processes *processes;
	uint64_t slow_ms; /* when they are due */
};

/* Two of them would say everything twice. */
static int
live_lock(struct demo *d, int *lock)
{
	CLEANUP(closep) int dirfd = -1;
	const char *dir = house_run_dir(&d->t->house);
	struct reason why = REASON_NO_MEMORY;
	long holder = 0;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0) {
		(void)reason_set(&why, -errno, "cannot use '%s'", dir);
		return tool_fail(d->t, &why);
	}
	switch (fs_lock(dirfd, "demo.lock", lock, &holder, &why)) {
	case FS_LOCKED:
		return TOOL_OK;
	case FS_LOCK_HELD:
		(void)tool_error(d->t,
		    "another 'peal demo' (pid %ld) tells of this machine here "
		    "already",
		    holder);
		return TOOL_HELD;
	default:
		return tool_fail(d->t, &why);
	}
}

static int
live_slow(struct live *l, uint64_t now, struct reason *why)
{
	int err = host_slow(l->host, now, l->facts, why);

	if (err >= 0)
		err = processes_look(l->processes, now, l->facts, why);
	if (err >= 0 && !l->options->no_graph)
		err = demo_graph(l->host, l->processes, l->facts, why);
	return err;
}

static int
live_look(struct live *l, struct reason *why)
{
	uint64_t now = demo_now_ms();
	int err = host_fast(l->host, now, l->facts, why);

	if (err >= 0 && now >= l->slow_ms) {
		l->slow_ms = now + LIVE_SLOW_MS;
		err = live_slow(l, now, why);
	}
	return err < 0 ? err : demo_store(l->d, why);
}

static int
live_run(struct live *l, struct reason *why)
{
	uint64_t interval = l->options->interval_ms, due = demo_now_ms();
	char what[60];
	int err = 0;

	while (err >= 0 && !demo_over(l->d)) {
		if (demo_now_ms() < due) {
			demo_wait_until(l->d, due);
			continue;
		}
		err = live_look(l, why);
		due = MAX(due + interval, demo_now_ms());
		snprintf(what, sizeof(what), "%u facts about this machine",
		    facts_count(l->facts));
		demo_status(l->d, what);
	}
	demo_status_end(l->d);
	return err;
}

int
demo_live(struct demo *d, const struct demo_live_options *options)
{
	CLEANUP(closep) int lock = -1;
	struct live l = { .d = d, .options = options };
	struct reason why = REASON_NO_MEMORY;
	int status = live_lock(d, &lock), err = -ENOMEM;

	if (status != TOOL_OK)
		return status;
	l.facts = facts_new(d);
	l.host = host_new("/proc");
	l.processes = processes_new("/proc");
	if (l.facts && l.host && l.processes) {
		err = facts_load(l.facts, !options->no_graph, &why);
		if (err == -ENOMEM)
			status = tool_fail(d->t, &why);
		else if (err < 0)
			tool_note(d->t,
			    "going on without what was said before: %s",
			    why.text);
		tool_note(d->t,
		    "telling facts about this machine every %" PRIu64
		    " ms, on host.*%s; Ctrl-C ends it",
		    options->interval_ms,
		    options->no_graph ? "" : " and as a graph");
		err = live_run(&l, &why);
	}
	if (err < 0)
		status = tool_fail(d->t, &why);
	else
		tool_note(d->t, "stored %" PRIu64 " events", d->stored);
	(void)facts_free(l.facts);
	(void)host_free(l.host);
	(void)processes_free(l.processes);
	return status;
}
