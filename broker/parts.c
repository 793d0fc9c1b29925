/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Order is what counts here.  Commits are listened for before the folder
 * starts, the door opens last; workers end first, since they use all else,
 * and the store ends last, since all else reads it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "broker/archiver.h"
#include "broker/archives.h"
#include "broker/clients.h"
#include "broker/folder.h"
#include "broker/handover.h"
#include "broker/jobs.h"
#include "broker/logs.h"
#include "broker/parts.h"
#include "broker/serve.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "core/conf.h"
#include "core/diag.h"
#include "core/frame.h"
#include "core/fs.h"
#include "core/options.h"
#include "core/reason.h"
#include "core/rules.h"
#include "core/time.h"

enum {
	PATH_SIZE = 600
};

/* Two of each, so that one that is long delays no other of its kind. */
static const unsigned threads[JOBS_PACES] = {
	[JOBS_QUICK] = 2,
	[JOBS_SNAPSHOT] = 2,
	[JOBS_SLOW] = 2,
};

static const char *
dir_of(const struct parts *p)
{
	return conf_text(p->conf, CONF_broker_directory);
}

static const char *
path_in(const struct parts *p, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", dir_of(p), name);
	return path;
}

static int
take_lock(struct parts *p, struct reason *why)
{
	CLEANUP(closep) int dirfd = -1;
	long holder = 0;
	int err = fs_mkdirs(dir_of(p), 0750, why);

	if (err >= 0) {
		dirfd = open(dir_of(p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dirfd < 0)
			reason_set(why, -errno, "cannot open '%s'", dir_of(p));
	}
	/* What can't be had now is not there at the next start either. */
	if (dirfd < 0)
		return reason_set(
		    why, PARTS_CONFIG, "broker.directory: %s", why->text);
	err = fs_lock(dirfd, "LOCK", &p->lock, &holder, why);
	if (err != FS_LOCK_HELD)
		return err;
	(void)reason_set(why, 0, "'%s' is held by another broker, pid %ld",
	    dir_of(p), holder);
	return PARTS_HELD;
}

bool
parts_have_directory(const struct parts *p)
{
	char path[PATH_SIZE];
	struct stat held, named;

	if (fstat(p->lock, &held) < 0 ||
	    stat(path_in(p, "LOCK", path), &named) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int
open_store(struct parts *p, struct reason *why)
{
	struct store_options opt = {
		.dir = dir_of(p),
		.map_bytes = conf_uint(p->conf, CONF_broker_map_bytes),
		.tombstone_s =
		    conf_uint(p->conf, CONF_broker_tombstone_seconds),
		.state_only = !conf_bool(p->conf, CONF_broker_history),
	};
	int err =
	    rules_parse(conf_text(p->conf, CONF_fold_rules), &p->rules, why);

	if (err == -EINVAL)
		return PARTS_CONFIG;
	if (err < 0)
		return reason_set(why, err, "cannot read fold.rules");
	opt.rules = p->rules;
	return store_open(&opt, &p->query.store, why);
}

static int
open_archives(struct parts *p, struct reason *why)
{
	char path[PATH_SIZE];
	const struct archives_options opt = {
		.dir = path_in(p, "archives", path),
		.max_bytes = conf_uint(p->conf, CONF_broker_archive_bytes),
		.every = conf_uint(p->conf, CONF_broker_archive_events),
		.log_dir = p->query.log_dir,
	};

	return archives_new(&opt, &p->query.archives, why);
}

static int
open_spools(struct parts *p, struct reason *why)
{
	char path[PATH_SIZE];
	int err = fs_mkdirs(path_in(p, "spool", path), 0750, why);

	if (err < 0)
		return err;
	err = spools_new(path, conf_uint(p->conf, CONF_broker_spool_bytes),
	    &p->query.spools);
	return err < 0 ? reason_set(why, err, "cannot use '%s'", path) : 0;
}

static int
open_clients(struct parts *p, struct reason *why)
{
	char path[PATH_SIZE];
	int opened = clients_open(path_in(p, "clients", path),
	    conf_uint(p->conf, CONF_broker_cursor_seconds) * US_PER_S,
	    &p->clients, why);

	if (opened == CLIENTS_ANEW)
		diag_warn("%s", why->text);
	return MIN(opened, 0);
}

static uint64_t
tail(void *arg)
{
	struct parts *p = arg;
	struct folder_status status;

	folder_status(p->folder, &status);
	logs_note_oldest(p->query.logs, status.oldest_seq);
	return status.tail_seq;
}

static int
listen_at(struct parts *p, struct reason *why)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/broker.sock",
	    conf_text(p->conf, CONF_ring_directory));
	return frame_listen(
	    path, SOCK_STREAM | SOCK_NONBLOCK, 0660, &p->listen_fd, why);
}

static int
start(struct parts *p, struct reason *why)
{
	const struct serve_parts serve = {
		.loop = p->loop,
		.jobs = p->jobs,
		.store = p->query.store,
		.query = &p->query,
		.clients = p->clients,
		.listen_fd = p->listen_fd,
	};
	const struct folder_options folder = {
		.run_dir = conf_text(p->conf, CONF_ring_directory),
		.log_dir = p->query.log_dir,
		.dir = dir_of(p),
		.restore = archives_restore,
		.restore_arg = p->query.archives,
	};
	int err = serve_new(&serve, &p->serve, why);

	if (!err)
		err = folder_start(&folder, p->query.store, &p->folder, why);
	if (!err)
		err = archiver_new(p->loop, p->jobs, &p->query, &p->archiver);
	if (!err)
		err = handover_new(p->loop, p->jobs, &p->query, p->clients,
		    folder.run_dir, &p->handover);
	if (!err)
		err = serve_open(p->serve, p->folder, why);
	return err;
}

int
parts_open(struct parts *p, struct reason *why)
{
	int err = p->lock < 0 ? take_lock(p, why) : 0;

	if (err)
		return err;
	p->query.log_dir = conf_text(p->conf, CONF_log_directory);
	p->query.tail = tail;
	p->query.tail_arg = p;
	err = logs_new(p->query.log_dir, &p->query.logs, why);
	if (err)
		return err == -ENOENT ? PARTS_NO_LOG : err;
	err = open_store(p, why);
	if (!err)
		err = open_archives(p, why);
	if (!err)
		err = open_spools(p, why);
	if (!err)
		err = open_clients(p, why);
	if (!err)
		err = jobs_new(p->loop, threads, &p->jobs, why);
	if (!err)
		err = listen_at(p, why);
	return err ? err : start(p, why);
}

void
parts_configure(struct parts *p)
{
	const struct conf *conf = p->conf;

	if (p->query.archives)
		archives_configure(p->query.archives,
		    conf_uint(conf, CONF_broker_archive_bytes),
		    conf_uint(conf, CONF_broker_archive_events));
	if (p->query.spools)
		spools_set_max(
		    p->query.spools, conf_uint(conf, CONF_broker_spool_bytes));
}

static void
flush_clients(struct parts *p)
{
	struct reason why = { "" };

	/* Nothing is that old now. */
	if (p->clients && clients_flush(p->clients, 0, &why) < 0)
		diag_error("positions of clients are lost: %s", why.text);
}

void
parts_close(struct parts *p)
{
	if (p->serve)
		serve_close(p->serve);
	/* Before jobs, too: a long one may cost the time that is left. */
	flush_clients(p);
	p->jobs = jobs_free(p->jobs);
	flush_clients(p);
	p->folder = folder_stop(p->folder);
	p->archiver = archiver_free(p->archiver);
	p->handover = handover_free(p->handover);
	p->serve = serve_free(p->serve);
	closep(&p->listen_fd);
	p->listen_fd = -1;
	p->clients = clients_free(p->clients);
	p->query.spools = spools_free(p->query.spools);
	p->query.archives = archives_free(p->query.archives);
	p->query.store = store_free(p->query.store);
	p->query.logs = logs_free(p->query.logs);
	p->rules = rules_free(p->rules);
	closep(&p->lock);
	p->lock = -1;
}

static int
judge_rules(const struct conf *conf, struct reason *why)
{
	CLEANUP(rules_freep) struct rules *rules = NULL;

	return rules_parse(conf_text(conf, CONF_fold_rules), &rules, why);
}

static int
judge_directory(const struct conf *conf, struct reason *why)
{
	return options_judge_directory(conf, CONF_broker_directory, why);
}

int
parts_check(const struct conf *conf)
{
	static options_judge *const judges[] = { judge_rules, judge_directory };

	return options_check(conf, judges, ARRAY_LEN(judges));
}
