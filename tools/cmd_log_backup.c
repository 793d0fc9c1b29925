/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal log backup` and `peal log restore`: a log as files that anybody can
 * carry away, and back into its place up to any event or time.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conf.h"
#include "core/fs.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/backup.h"
#include "log/restore.h"
#include "tools/cmd_log.h"
#include "tools/log_place.h"
#include "tools/log_walk.h"
#include "tools/refuse.h"
#include "tools/tool.h"
#include "tools/when.h"

/* --- backup --- */

/* Its segments would take the place of those that they are made of. */
static bool
backup_is_of_itself(int from, int to)
{
	struct stat log, backup;

	return fstat(from, &log) == 0 && fstat(to, &backup) == 0 &&
	       log.st_dev == backup.st_dev && log.st_ino == backup.st_ino;
}

static int
backup_open_target(struct tool *t, int from, int *lock, struct reason *why)
{
	long holder;
	int err, fd;

	err = fs_mkdirs(t->argv[0], 0750, why);
	if (err < 0)
		return err;
	fd = open(t->argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return reason_set(why, -errno, "cannot open '%s'", t->argv[0]);
	if (backup_is_of_itself(from, fd))
		err = REFUSE(why, "'%s' is the log itself", t->argv[0]);
	else
		err = fs_lock(fd, "LOCK", lock, &holder, why);
	if (err == FS_LOCK_HELD)
		err = reason_say(why, -EBUSY,
		    "pid %ld is making a backup in '%s'", holder, t->argv[0]);
	if (err < 0) {
		(void)close(fd);
		return err;
	}
	return fd;
}

static void
backup_print(const struct tool *t, const struct log_backup *b)
{
	if (t->json)
		printf("{\"seq\":%" PRIu64 ",\"segments\":%" PRIu64
		       ",\"copied_bytes\":%" PRIu64 ",\"kept_bytes\":%" PRIu64
		       "}\n",
		    b->seq, b->segments, b->copied, b->kept);
	else
		printf("'%s' has the log up to seq %" PRIu64 ": %" PRIu64
		       " bytes copied, %" PRIu64 " were there\n",
		    t->argv[0], b->seq, b->copied, b->kept);
}

static int
backup_run(struct tool *t)
{
	CLEANUP(closep) int from = -1, to = -1, lock = -1;
	struct log_walk_bounds bounds;
	struct log_backup b = { .now_us = time_wall_us(),
		.note = cmd_log_note,
		.progress = cmd_log_progress,
		.arg = t };
	struct reason why = REASON_NO_MEMORY;
	int err;

	log_walk_bounds(&t->house, &bounds);
	b.limit_seq = bounds.limit;
	from = log_walk_open(&t->house, &why);
	if (from < 0)
		return tool_fail(t, &why);
	to = backup_open_target(t, from, &lock, &why);
	if (to < 0)
		return tool_fail(t, &why);
	err = log_backup(&sysio_posix, from, to, &b, &why);
	if (err == LOG_BACKUP_DONE) {
		backup_print(t, &b);
		return TOOL_OK;
	}
	(void)tool_fail(t, &why);
	return err == LOG_BACKUP_DAMAGED ? TOOL_DAMAGED : TOOL_ERROR;
}

int
cmd_log_backup(int argc, char **argv)
{
	static const struct tool_usage usage = {
		.name = "log backup",
		.operands = "DIR",
		.text = "Bring the backup in DIR up to date with the log, "
			"beside a running writer or without\none: everything "
			"up to one seq, verified on the way. Segments that "
			"are there already\nare not copied again. Exit code "
			"3 where the log is damaged: what DIR had stays.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.min_operands = 1,
		.max_operands = 1,
	};
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	cmd_log_notes_to(&t);
	return tool_end(&t, backup_run(&t));
}

/* --- restore --- */

struct restore_command {
	struct tool t;
	const char *until;
	bool replace;
	struct log_restore r;
	struct log_place place;
};

static void
restore_print(const struct restore_command *c)
{
	const struct log_restore *r = &c->r;

	if (r->until_seq != UINT64_MAX && r->seq < r->until_seq && !r->split)
		tool_note(&c->t,
		    "the backup ends with seq %" PRIu64 ", before %" PRIu64,
		    r->seq, r->until_seq);
	if (c->t.json) {
		printf("{\"seq\":%" PRIu64 ",\"dropped\":%" PRIu64
		       ",\"epoch\":%" PRIu64 ",\"epoch_seq\":%" PRIu64 "}\n",
		    r->seq, r->dropped, r->epoch, r->epoch_seq);
		return;
	}
	printf("'%s' has the log up to seq %" PRIu64 ", epoch %" PRIu64
	       "; event %" PRIu64 " says so\n",
	    c->place.path, r->seq, r->epoch, r->epoch_seq);
	if (r->dropped > 0)
		printf("%" PRIu64 " later event%s left out%s\n", r->dropped,
		    r->dropped == 1 ? " was" : "s were",
		    r->split ? ", the first of them with its request" : "");
	if (c->place.kept[0])
		printf("what was there before is in '%s'\n", c->place.kept);
}

static int
restore_made(struct restore_command *c, struct reason *why)
{
	CLEANUP(closep)
	int from = open(c->t.argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (from < 0)
		return reason_set(
		    why, -errno, "cannot open '%s'", c->t.argv[0]);
	if (log_place_taken(&c->place) && !c->replace) {
		reason_set(why, 0,
		    "'%s' is not empty; with --replace it is kept as '%s'",
		    c->place.path, c->place.kept);
		return -EEXIST;
	}
	err = log_restore(&sysio_posix, from, c->place.fd, &c->r, why);
	if (err == -ENOENT)
		return reason_say(
		    why, -ENOENT, "no backup is in '%s'", c->t.argv[0]);
	return err == LOG_RESTORED ? log_place_swap(&c->place, why) : err;
}

static int
restore_run(struct restore_command *c)
{
	char suffix[40];
	struct reason why = REASON_NO_MEMORY;
	int err;

	c->r.now_us = time_wall_us();
	c->r.segment_bytes = conf_uint(c->t.house.conf, CONF_log_segment_bytes);
	snprintf(
	    suffix, sizeof(suffix), ".before-%" PRIu64, c->r.now_us / US_PER_S);
	err = log_place_begin(&c->place, &c->t.house, suffix, &why);
	if (err == LOG_PLACE_HELD) {
		log_place_end(&c->place);
		(void)tool_fail(&c->t, &why);
		return TOOL_HELD;
	}
	if (err == LOG_PLACE_READY)
		err = log_place_make(&c->place, &why);
	if (err == 0)
		err = restore_made(c, &why);
	if (err == LOG_RESTORED)
		restore_print(c);
	else
		(void)tool_fail(&c->t, &why);
	log_place_end(&c->place);
	if (err == LOG_RESTORE_DAMAGED)
		return TOOL_DAMAGED;
	return err == LOG_RESTORED ? TOOL_OK : TOOL_ERROR;
}

/* false: it is no point in time; the sentence is out. */
static bool
restore_until(struct restore_command *c)
{
	struct reason why = REASON_NO_MEMORY;
	struct when when;

	c->r.until_seq = c->r.until_us = UINT64_MAX;
	if (!c->until)
		return true;
	if (!when_parse(c->until, &when, &why)) {
		(void)tool_usage_error(&c->t, "%s", why.text);
		return false;
	}
	if (when.kind == WHEN_SEQ)
		c->r.until_seq = when.v;
	else
		c->r.until_us = when.v;
	return true;
}

int
cmd_log_restore(int argc, char **argv)
{
	struct restore_command c = { .r = { .note = cmd_log_note,
					 .progress = cmd_log_progress } };
	const struct tool_option options[] = {
		{ .name = "until",
		    .kind = TOOL_TEXT,
		    .value = &c.until,
		    .arg = "SEQ|TIME",
		    .help = "the newest event to restore, by its number or "
			    "time (default: all)" },
		{ .name = "replace",
		    .kind = TOOL_FLAG,
		    .value = &c.replace,
		    .help = "where a log is there already, keep it beside" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "log restore",
		.operands = "DIR",
		.text = "Put the backup in DIR in the place of the log, which "
			"no writer may have open. Every\nbyte and frame is "
			"checked. The log gets a new epoch, so that clients "
			"and the broker\ntake nothing from the history that "
			"was before. Exit code 3 where the backup is\n"
			"damaged, 73 where a writer runs. The directory of "
			"--data is made where it is\nnot there.",
		.common = TOOL_HOUSE | TOOL_JSON | TOOL_MAKES,
		.options = options,
		.min_operands = 1,
		.max_operands = 1,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	cmd_log_notes_to(&c.t);
	return tool_end(&c.t, restore_until(&c) ? restore_run(&c) : TOOL_USAGE);
}
