/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Boot, in this order: lock, recover, state from checkpoint and log, a ring
 * with the newest events.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/fs.h"
#include "core/options.h"
#include "core/reason.h"
#include "log/log_writer.h"
#include "log/witness.h"
#include "shm/ring_reader.h"
#include "writer/boot.h"
#include "writer/load.h"
#include "writer/preload.h"

/* What can't be had now is not there at the next start either. */
static int
open_dir(const struct conf *conf, enum conf_key key, mode_t mode, int *out,
    struct reason *why)
{
	const char *path = conf_text(conf, key);
	int err = fs_mkdirs(path, mode, why);
	struct conf_entry entry;
	int fd = -1;

	if (err >= 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			reason_set(why, -errno, "cannot open '%s'", path);
	}
	conf_describe(conf, key, &entry);
	if (fd < 0)
		return reason_set(
		    why, BOOT_CONFIG, "%s: %s", entry.name, why->text);
	*out = fd;
	return 0;
}

/*
 * May the log be where it is?  Files of somebody else's would be mixed with
 * ours, and one of us could not read them at the next start.
 */
static int
check_place(const struct conf *conf, struct boot *b, struct reason *why)
{
	const char *path = conf_text(conf, CONF_log_directory);
	struct stat st;

	if (fstat(b->log_dir, &st) < 0)
		return reason_set(why, -errno, "cannot stat '%s'", path);
	if (st.st_uid != geteuid())
		return reason_set(why, BOOT_CONFIG,
		    "the log '%s' belongs to user %u, and this is user %u",
		    path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (faccessat(b->log_dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return reason_set(
		    why, -errno, "cannot write to the log '%s'", path);
	b->unsafe = fs_unsafe(b->log_dir);
	if (!b->unsafe)
		return 0;
	if (!conf_bool(conf, CONF_log_unsafe_filesystem))
		return reason_set(why, BOOT_CONFIG,
		    "the log '%s' is on %s, which may lose what was flushed: "
		    "put log.directory on a local disk, or set "
		    "log.unsafe_filesystem = yes",
		    path, b->unsafe);
	diag_warn(
	    "the log is on %s: what is acknowledged may be lost", b->unsafe);
	return 0;
}

static int
lock_log(const char *path, struct boot *b, struct reason *why)
{
	long holder = 0;
	int got = fs_lock(b->log_dir, "LOCK", &b->lock, &holder, why);

	if (got < 0)
		return reason_say(
		    why, got, "the log '%s': %s", path, why->text);
	if (got == FS_LOCK_HELD)
		return reason_set(why, BOOT_HELD,
		    "the log '%s' is held by another writer, pid %ld", path,
		    holder);
	return got;
}

static void
note(const char *sentence)
{
	diag_warn("%s", sentence);
}

static void
note_kindly(const char *sentence)
{
	diag_note("%s", sentence);
}

/* The ring that the last writer left knows what was acknowledged. */
static unsigned
ask_old_ring(const char *run_dir, struct log_witness *w, uint32_t *incarnation)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct ring_status status;

	/* The ring of one who serves is not ours; start() says whose it is. */
	if (ring_reader_open_left(run_dir, &rd) < 0)
		return 0;
	ring_reader_status(rd, &status);
	*w = (struct log_witness){ .name = "the old ring",
		.epoch = ring_reader_info(rd)->epoch,
		.seq = status.tail_seq };
	memcpy(w->log_id, ring_reader_info(rd)->log_id, sizeof(w->log_id));
	*incarnation = ring_reader_info(rd)->incarnation;
	return 1;
}

/* The broker has folded what was acknowledged; it need not be there. */
static unsigned
ask_broker(const char *dir, struct log_witness *w)
{
	struct reason why;
	int got = witness_load_broker(dir, w, &why);

	if (got == WITNESS_BAD || got < 0)
		diag_warn("the broker's witness says nothing: %s", why.text);
	return got == WITNESS_LOADED;
}

static int
recover(const struct conf *conf, struct boot *b, struct reason *why)
{
	struct log_witness known[2];
	const struct log_witness *ring = &known[0];
	uint32_t old = 0;
	unsigned n_ring =
	    ask_old_ring(conf_text(conf, CONF_ring_directory), known, &old);
	unsigned n = n_ring + ask_broker(conf_text(conf, CONF_broker_directory),
				  &known[n_ring]);
	int got = recover_log(
	    &sysio_posix, b->log_dir, known, n, note, &b->tail, why);

	/* A start that stored nothing has left its number in the ring alone. */
	if (got == RECOVER_OK && n_ring &&
	    !memcmp(ring->log_id, b->tail.log_id, sizeof(ring->log_id)) &&
	    ring->epoch == b->tail.epoch)
		b->tail.incarnation = MAX(b->tail.incarnation, old + 1);
	return got == RECOVER_DAMAGED ? BOOT_DAMAGED : got;
}

static int
load(const struct conf *conf, struct boot *b, struct reason *why)
{
	int got = load_state(&sysio_posix, b->log_dir, &b->tail,
	    conf_uint(conf, CONF_writer_keys), note_kindly, &b->state, why);

	return got == LOAD_DAMAGED ? BOOT_DAMAGED : got;
}

static int
ring_group(const struct conf *conf, gid_t *gid, struct reason *why)
{
	const char *name = conf_text(conf, CONF_ring_group);
	const struct group *gr;

	*gid = (gid_t)-1;
	if (!*name)
		return 0;
	gr = getgrnam(name);
	if (!gr)
		return reason_set(why, BOOT_CONFIG,
		    "ring.group: there is no group '%s'", name);
	*gid = gr->gr_gid;
	return 0;
}

static int
make_ring(const struct conf *conf, struct boot *b, struct reason *why)
{
	struct ring_options *o = &b->ring_options;
	int err;

	*o = (struct ring_options){
		.slots = (uint32_t)conf_uint(conf, CONF_ring_slots),
		.payload_bytes = conf_uint(conf, CONF_ring_payload_bytes),
		.epoch = b->tail.epoch,
		.incarnation = b->tail.incarnation,
		.topic_key = b->state.topic_key,
		.unsafe = b->unsafe != NULL,
	};
	memcpy(o->log_id, b->tail.log_id, sizeof(o->log_id));
	err = ring_group(conf, &o->group, why);
	if (!err)
		err = preload_plan(
		    &sysio_posix, b->log_dir, &b->tail, o, &o->head_seq, why);
	if (!err)
		err = ring_writer_create(b->run_dir, o, &b->ring, why);
	if (!err)
		err = preload_run(&sysio_posix, b->log_dir, &b->tail,
		    o->head_seq, &o->topic_key, b->ring, why);
	if (!err)
		ring_writer_set_oldest(b->ring, b->tail.oldest_seq);
	return err == -EBADMSG ? BOOT_DAMAGED : err;
}

int
boot_run(const struct conf *conf, struct boot *b, struct reason *why)
{
	int err;

	*b = (struct boot){ .log_dir = -1, .lock = -1, .run_dir = -1 };
	err = open_dir(conf, CONF_log_directory, 0750, &b->log_dir, why);
	if (!err)
		err = check_place(conf, b, why);
	if (!err)
		err =
		    open_dir(conf, CONF_ring_directory, 0755, &b->run_dir, why);
	if (!err)
		err = lock_log(conf_text(conf, CONF_log_directory), b, why);
	if (!err)
		err = recover(conf, b, why);
	if (!err)
		err = load(conf, b, why);
	if (!err)
		err = make_ring(conf, b, why);
	if (!err)
		err = log_writer_open(&sysio_posix, b->log_dir, &b->tail,
		    conf_uint(conf, CONF_log_segment_bytes), &b->log, why);
	if (!err)
		err = witness_open(&sysio_posix, b->log_dir, WITNESS_NAME,
		    b->tail.log_id, b->tail.epoch, &b->witness, why);
	/* An empty log has no segment yet that would remember its id. */
	if (!err && !b->tail.last_seq && witness_store(b->witness, 0) < 0)
		diag_warn("the witness can't be written");
	return err;
}

void
boot_deinit(struct boot *b)
{
	b->ring = ring_writer_free(b->ring);
	b->log = log_writer_free(b->log);
	b->witness = witness_free(b->witness);
	state_deinit(&b->state);
	closep(&b->run_dir);
	closep(&b->lock);
	closep(&b->log_dir);
	b->run_dir = b->lock = b->log_dir = -1;
}

static int
judge_group(const struct conf *conf, struct reason *why)
{
	gid_t gid;

	return ring_group(conf, &gid, why);
}

static int
judge_log(const struct conf *conf, struct reason *why)
{
	return options_judge_directory(conf, CONF_log_directory, why);
}

static int
judge_run(const struct conf *conf, struct reason *why)
{
	return options_judge_directory(conf, CONF_ring_directory, why);
}

int
boot_check(const struct conf *conf)
{
	static options_judge *const judges[] = { judge_group, judge_log,
		judge_run };

	return options_check(conf, judges, ARRAY_LEN(judges));
}
