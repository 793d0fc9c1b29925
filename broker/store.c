/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store as a whole: opened, made anew where it can't be trusted, closed.
 * It is a cache of the log, so whatever is doubtful is dropped, and said.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "broker/store_priv.h"
#include "core/diag.h"
#include "core/fs.h"
#include "core/reason.h"

#define STATE_DIR "state"

static int
open_dirs(struct store *st, struct reason *why)
{
	const char *dir = st->opt.dir;
	char path[STORE_PATH];
	long holder = 0;
	int err;

	if (snprintf(path, sizeof(path), "%s/" STATE_DIR, dir) >=
	    (int)sizeof(path))
		return reason_set(why, -ENAMETOOLONG, "'%s'", dir);
	err = fs_mkdirs(dir, 0750, why);
	if (err == 0)
		err = fs_mkdirs(path, 0750, why);
	if (err < 0)
		return err;
	st->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->dirfd < 0)
		return reason_set(why, -errno, "cannot open '%s'", dir);
	err = fs_lock(st->dirfd, STATE_DIR "/LOCK", &st->lock, &holder, why);
	if (err == FS_LOCK_HELD)
		return reason_say(why, -EBUSY,
		    "'%s' is held by another broker, pid %ld", path, holder);
	return err;
}

/* Why what is there can't be used, or NULL. */
static const char *
doubt(int mark)
{
	switch (mark) {
	case STORE_MARK_OTHER_BOOT:
		return "it was open when the system went down";
	case STORE_MARK_DAMAGED:
		return "it was left damaged";
	case STORE_MARK_NONE:
		return "it has no mark";
	default:
		return NULL;
	}
}

static int
drop(const struct store *st, const char *because, struct reason *why)
{
	static const char *const names[] = { STATE_DIR "/data.mdb",
		STATE_DIR "/lock.mdb" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (unlinkat(st->dirfd, names[i], 0) == 0) {
			if (i == 0)
				diag_warn("the state in '%s/" STATE_DIR
					  "' is folded anew: %s",
				    st->opt.dir, because);
		} else if (errno != ENOENT) {
			return reason_set(why, -errno, "cannot remove '%s/%s'",
			    st->opt.dir, names[i]);
		}
	}
	return 0;
}

static int
open_env(struct store *st, struct reason *why)
{
	char path[STORE_PATH];
	bool fresh;
	int err;

	snprintf(path, sizeof(path), "%s/" STATE_DIR, st->opt.dir);
	st->meta = (struct store_meta){ 0 };
	err = store_env_open(
	    path, st->opt.map_bytes, &st->e, &st->meta, &fresh, why);
	if (err < 0)
		return err;
	err = store_gen_settle(st, why);
	if (err < 0) {
		store_env_close(&st->e);
		st->old = rules_free(st->old);
	}
	return err;
}

static int
open_state(struct store *st, struct reason *why)
{
	const char *because;
	int err, mark = store_mark_read(st->dirfd, why);

	if (mark < 0)
		return mark;
	because = doubt(mark);
	err = because ? drop(st, because, why) : 0;
	if (err == 0)
		err = store_mark_write(st->dirfd, STORE_LEFT_OPEN, why);
	if (err == 0)
		err = store_guard_arm(st->dirfd, why);
	if (err == 0)
		err = open_env(st, why);
	if (err != -EBADMSG)
		return err;
	err = drop(st, why->text, why);
	return err < 0 ? err : open_env(st, why);
}

int
store_open(
    const struct store_options *opt, struct store **out, struct reason *why)
{
	CLEANUP(freep) struct store *st = calloc(1, sizeof(*st));
	struct reason none = { "" };
	int err;

	if (!st)
		return -ENOMEM;
	why = why ? why : &none;
	st->opt = *opt;
	st->dirfd = st->lock = -1;
	pthread_mutex_init(&st->mutex, NULL);
	err = open_dirs(st, why);
	if (err == 0)
		err = open_state(st, why);
	if (err < 0) {
		store_guard_disarm();
		closep(&st->lock);
		closep(&st->dirfd);
		pthread_mutex_destroy(&st->mutex);
		return err;
	}
	store_publish(st);
	st->status.commits = 0;
	*out = TAKE(st);
	return 0;
}

struct store *
store_free(struct store *st)
{
	struct reason why = { "" };
	enum store_left how;
	int failed, err;

	if (!st)
		return NULL;
	st->work = store_work_free(st->work);
	failed = store_env_sync(&st->e);
	store_env_close(&st->e);
	store_guard_disarm();
	if (failed < 0)
		diag_error("the state can't be synced: %s; the next start "
			   "folds anew",
		    strerror(-failed));
	how = failed < 0 ? STORE_LEFT_DAMAGED : STORE_LEFT_CLEAN;
	err = st->damaged || st->unsynced
		  ? 0
		  : store_mark_write(st->dirfd, how, &why);
	if (err < 0)
		diag_error("%s", why.text);
	st->old = rules_free(st->old);
	closep(&st->lock);
	closep(&st->dirfd);
	pthread_mutex_destroy(&st->mutex);
	free(st);
	return NULL;
}

void
store_publish(struct store *st)
{
	const struct store_meta *m = &st->meta;
	const struct store_gen *live = &m->gen[STORE_LIVE];
	struct store_status *s = &st->status;

	pthread_mutex_lock(&st->mutex);
	st->published = *m;
	s->log[0] = '\0';
	if (m->named)
		proto_log_name(m->log_id, m->epoch, s->log);
	s->seq = live->seq;
	s->history_seq = m->history_seq;
	s->tombstone_floor = live->floor;
	s->rows = live->rows;
	s->unfoldable = live->unfoldable;
	s->too_large = live->too_large;
	s->next_seq = m->gen[STORE_NEXT].seq;
	s->refolding = m->gen[STORE_NEXT].number != 0;
	s->behind = live->seq;
	if (!st->opt.state_only)
		s->behind = MIN(s->behind, m->history_seq);
	if (s->refolding)
		s->behind = MIN(s->behind, s->next_seq);
	s->commits++;
	pthread_mutex_unlock(&st->mutex);
}

void
store_status(const struct store *st, struct store_status *out)
{
	struct store *own = (struct store *)(uintptr_t)st;

	pthread_mutex_lock(&own->mutex);
	*out = own->status;
	pthread_mutex_unlock(&own->mutex);
}

int
store_pack_rules(const struct store *st, struct mp_buf *b)
{
	struct store *own = (struct store *)(uintptr_t)st;

	pthread_mutex_lock(&own->mutex);
	rules_pack(store_gen_rules(st, STORE_LIVE), b);
	pthread_mutex_unlock(&own->mutex);
	return b->failed ? -ENOMEM : 0;
}

void
store_on_commit(struct store *st, void (*fn)(void *arg), void *arg)
{
	st->on_commit = fn;
	st->on_commit_arg = arg;
}
