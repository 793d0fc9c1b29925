/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Spools.  One list under one lock; a spool's file is written by its builder
 * alone and never changes once it is finished, so that readers take no lock
 * while they read.  Making room truncates the file: a reader that was within
 * it finds `gone` set, which happens before.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "broker/spool_priv.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "core/time.h"

enum {
	SPOOL_KEPT = 64, /* that nobody holds: each is an open file */
};

/* A spool this young is shared though the state has moved on. */
#define SPOOL_YOUNG_NS (200 * NS_PER_MS)
/* Whoever has not read for so long may lose it. */
#define SPOOL_IDLE_NS (10 * NS_PER_S)
/* What nobody holds any more is kept for so long, should someone ask. */
#define SPOOL_FORGET_NS (60 * NS_PER_S)

int
spools_new(const char *dir, uint64_t max_bytes, struct spools **out)
{
	struct spools *ss;

	if (strlen(dir) >= SPOOL_DIR_MAX)
		return -ENAMETOOLONG;
	ss = calloc(1, sizeof(*ss));
	if (!ss)
		return -ENOMEM;
	pthread_mutex_init(&ss->lock, NULL);
	pthread_cond_init(&ss->built, NULL);
	ss->max_bytes = max_bytes;
	ss->idle_ns = SPOOL_IDLE_NS;
	strcpy(ss->dir, dir);
	*out = ss;
	return 0;
}

void
spools_set_max(struct spools *ss, uint64_t max_bytes)
{
	pthread_mutex_lock(&ss->lock);
	ss->max_bytes = max_bytes;
	pthread_mutex_unlock(&ss->lock);
}

void
spools_set_idle(struct spools *ss, uint64_t idle_ns)
{
	ss->idle_ns = idle_ns;
}

void
spool_destroy(struct spool *s)
{
	closep(&s->fd);
	free(s->parts);
	free(s->buffer);
	free(s->key);
	free(s);
}

/* Under the lock: the disk that it holds counts as free. */
void
spool_disclaim(struct spool *s)
{
	s->ss->counts.bytes -= s->bytes;
	s->bytes = 0;
}

/* Under the lock: the disk that it holds is free again. */
static void
spool_release_disk(struct spool *s)
{
	spool_disclaim(s);
	if (s->fd >= 0)
		(void)sysio_ftruncate(&sysio_posix, s->fd, 0);
}

/* Under the lock: nobody holds or finds it.  spools_unlock() frees it. */
static void
spool_bury(struct spool *s)
{
	spool_disclaim(s);
	s->next = s->ss->dead;
	s->ss->dead = s;
}

/*
 * Freeing gigabytes of disk takes a while, and the lock is what everybody
 * who reads a part waits for.
 */
void
spools_unlock(struct spools *ss)
{
	struct spool *dead = TAKE(ss->dead), *next;

	pthread_mutex_unlock(&ss->lock);
	for (; dead; dead = next) {
		next = dead->next;
		spool_destroy(dead);
	}
}

/* Under the lock: nobody finds it any more; buried when nobody holds it. */
void
spool_unlist(struct spool *s)
{
	struct spool **at = &s->ss->list;

	if (s->listed) {
		while (*at != s)
			at = &(*at)->next;
		*at = s->next;
		s->listed = false;
		s->ss->counts.spools--;
	}
	if (s->refs == 0)
		spool_bury(s);
}

struct spools *
spools_free(struct spools *ss)
{
	if (!ss)
		return NULL;
	pthread_mutex_lock(&ss->lock);
	while (ss->list) {
		assert(ss->list->refs == 0);
		spool_unlist(ss->list);
	}
	spools_unlock(ss);
	pthread_cond_destroy(&ss->built);
	pthread_mutex_destroy(&ss->lock);
	free(ss);
	return NULL;
}

void
spools_status(struct spools *ss, struct spools_status *out)
{
	pthread_mutex_lock(&ss->lock);
	*out = ss->counts;
	pthread_mutex_unlock(&ss->lock);
}

struct spool *
spool_unref(struct spool *s)
{
	struct spools *ss;

	if (!s)
		return NULL;
	ss = s->ss;
	pthread_mutex_lock(&ss->lock);
	assert(s->refs > 0);
	if (--s->refs == 0 && !s->listed)
		spool_bury(s);
	spools_unlock(ss);
	return NULL;
}

uint64_t
spool_seq(const struct spool *s)
{
	return s->seq;
}

bool
spool_full(const struct spool *s)
{
	return s->full;
}

uint64_t
spool_rows(const struct spool *s)
{
	return s->rows;
}

uint64_t
spool_parts(const struct spool *s)
{
	return MAX(s->n_parts, 1);
}

/* --- reading --- */

/* The lock is not needed: it is but a hint of who has to go. */
void
spool_note_read(struct spool *s, uint64_t now_ns)
{
	__atomic_store_n(&s->read_ns, now_ns, __ATOMIC_RELAXED);
}

static uint64_t
spool_last_read(const struct spool *s)
{
	return __atomic_load_n(&s->read_ns, __ATOMIC_RELAXED);
}

static bool
spool_is_gone(struct spool *s)
{
	bool gone;

	pthread_mutex_lock(&s->ss->lock);
	gone = s->gone;
	pthread_mutex_unlock(&s->ss->lock);
	return gone;
}

int
spool_read_part(struct spool *s, uint64_t n, struct mp_buf *b, uint32_t *rows)
{
	const struct spool_index *part;
	ssize_t got;
	uint8_t *p;

	if (n >= spool_parts(s))
		return SPOOL_NONE;
	spool_note_read(s, time_mono_ns());
	*rows = 0;
	if (s->n_parts == 0)
		return spool_is_gone(s) ? SPOOL_GONE : SPOOL_PART;
	part = &s->parts[n];
	p = mp_buf_reserve(b, part->bytes);
	if (!p)
		return -ENOMEM;
	got = sysio_pread(&sysio_posix, s->fd, p, part->bytes, part->offset);
	if (spool_is_gone(s))
		return SPOOL_GONE;
	if (got < 0)
		return (int)got;
	if ((size_t)got != part->bytes)
		return -EIO;
	b->len += part->bytes;
	*rows = part->rows;
	return SPOOL_PART;
}

int
spool_pack_part(struct spool *s, uint64_t n, struct mp_buf *b)
{
	size_t before = b->len;
	uint32_t rows;
	int got;

	if (n >= spool_parts(s))
		return SPOOL_NONE;
	mp_pack_array(b, s->n_parts ? s->parts[n].rows : 0);
	got = spool_read_part(s, n, b, &rows);
	if (got != SPOOL_PART)
		b->len = before;
	return got;
}

/* --- room --- */

/* Under the lock: the spool that has been idle longest, or NULL. */
static struct spool *
spools_victim(struct spools *ss, uint64_t now_ns)
{
	struct spool *oldest = NULL;
	uint64_t oldest_ns = UINT64_MAX;

	for (struct spool *s = ss->list; s; s = s->next) {
		uint64_t read_ns = spool_last_read(s);

		if (s->building || s->bytes == 0 || read_ns >= oldest_ns)
			continue;
		if (s->refs > 0 && now_ns < read_ns + ss->idle_ns)
			continue;
		oldest = s;
		oldest_ns = read_ns;
	}
	return oldest;
}

/* Account n more bytes of disk to s; others have to go where they must. */
int
spool_claim(struct spool *s, uint64_t n)
{
	struct spools *ss = s->ss;
	uint64_t now_ns = time_mono_ns();
	int got = SPOOL_PUT;

	pthread_mutex_lock(&ss->lock);
	if (s->bytes + n > ss->max_bytes)
		got = SPOOL_TOO_LARGE;
	while (got == SPOOL_PUT && ss->counts.bytes + n > ss->max_bytes) {
		struct spool *victim = spools_victim(ss, now_ns);

		if (!victim) {
			got = SPOOL_NO_ROOM;
			break;
		}
		if (victim->refs > 0) {
			ss->counts.gone++;
			spool_release_disk(victim);
		}
		victim->gone = true;
		spool_unlist(victim);
	}
	if (got == SPOOL_PUT) {
		s->bytes += n;
		ss->counts.bytes += n;
	}
	spools_unlock(ss);
	return got;
}

/* --- asking --- */

static int
spool_open_file(const char *dir, struct reason *why)
{
	char name[SPOOL_DIR_MAX + 32];
	int fd;

	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	snprintf(name, sizeof(name), "%s/spool.XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return reason_set(
		    why, -errno, "cannot make a spool in '%s'", dir);
	(void)unlink(name);
	return fd;
}

struct spool *
spool_new(struct spools *ss)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ss = ss;
	s->fd = -1;
	s->refs = 1;
	s->building = true;
	s->read_ns = time_mono_ns();
	return s;
}

int
spool_prepare(struct spool *s, struct reason *why)
{
	s->buffer = malloc(SPOOL_BUFFER);
	if (!s->buffer)
		return -ENOMEM;
	s->fd = spool_open_file(s->ss->dir, why);
	return s->fd < 0 ? s->fd : 0;
}

static bool
spool_will_do(
    const struct spool *s, const struct spool_want *want, uint64_t now_ns)
{
	if (s->seq < want->min_seq)
		return false;
	return s->generation == 0 || s->seq >= want->seq_now ||
	       now_ns - s->built_ns < SPOOL_YOUNG_NS;
}

/* Under the lock: nobody will ask again for what nobody holds. */
static void
spools_prune(struct spools *ss, const struct spool_want *want)
{
	struct spool *s = ss->list, *next;
	uint64_t now_ns = time_mono_ns();

	for (; s; s = next) {
		uint64_t read_ns = spool_last_read(s);

		next = s->next;
		if (s->building || s->refs > 0)
			continue;
		if (now_ns > read_ns + SPOOL_FORGET_NS ||
		    (s->generation != 0 && s->seq < want->seq_now &&
			now_ns - s->built_ns >= SPOOL_YOUNG_NS))
			spool_unlist(s);
	}
}

/* Under the lock: of those that nobody holds, keep the last read. */
static void
spools_keep(struct spools *ss)
{
	struct spool *oldest;
	unsigned kept;

	do {
		oldest = NULL;
		kept = 0;
		for (struct spool *s = ss->list; s; s = s->next) {
			if (s->building || s->refs > 0)
				continue;
			kept++;
			if (!oldest ||
			    spool_last_read(s) < spool_last_read(oldest))
				oldest = s;
		}
		if (kept >= SPOOL_KEPT)
			spool_unlist(oldest);
	} while (kept > SPOOL_KEPT);
}

static bool
spool_is_for(const struct spool *s, const struct spool_want *want)
{
	return s->generation == want->generation &&
	       slice_equal(slice_of(s->key, s->key_len), want->key);
}

/*
 * Under the lock, which waiting for another builder lets go of: one that
 * will do, with a reference, or NULL.
 */
static struct spool *
spools_share(struct spools *ss, const struct spool_want *want)
{
	struct spool *s;
	bool wait;

	do {
		uint64_t now_ns = time_mono_ns();

		wait = false;
		for (s = ss->list; s; s = s->next) {
			if (!spool_is_for(s, want))
				continue;
			if (s->building) {
				wait = true;
			} else if (spool_will_do(s, want, now_ns)) {
				s->refs++;
				spool_note_read(s, now_ns);
				ss->counts.shared++;
				return s;
			}
		}
		if (wait)
			pthread_cond_wait(&ss->built, &ss->lock);
	} while (wait);
	return NULL;
}

/* Under the lock: a new one, listed; NULL: no memory. */
static struct spool *
spools_begin(struct spools *ss, const struct spool_want *want)
{
	struct spool *s = spool_new(ss);

	if (!s)
		return NULL;
	s->key = malloc(want->key.len + 1);
	if (!s->key) {
		spool_destroy(s);
		return NULL;
	}
	memcpy(s->key, want->key.p, want->key.len);
	s->key_len = want->key.len;
	s->generation = want->generation;
	s->next = ss->list;
	s->listed = true;
	ss->list = s;
	ss->counts.spools++;
	return s;
}

int
spools_find(struct spools *ss, const struct spool_want *want,
    struct spool **out, struct reason *why)
{
	struct spool *s;
	bool shared;
	int err;

	pthread_mutex_lock(&ss->lock);
	spools_prune(ss, want);
	s = spools_share(ss, want);
	shared = s != NULL;
	if (!s) {
		spools_keep(ss);
		s = spools_begin(ss, want);
	}
	spools_unlock(ss);
	if (!s)
		return -ENOMEM;
	if (!shared) {
		err = spool_prepare(s, why);
		if (err < 0) {
			spool_abandon(s);
			return err;
		}
	}
	*out = s;
	return shared ? SPOOLS_SHARED : SPOOLS_BUILD;
}
