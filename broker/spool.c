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

#include "broker/spool.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "core/time.h"

enum {
	/* What a client that does not read costs a gateway. */
	SPOOL_PART_BYTES = 60 << 10,
	SPOOL_BUFFER = 1 << 20,
	SPOOL_DIR_MAX = 400,
	SPOOL_KEPT = 64, /* that nobody holds: each is an open file */
};

/* A spool this young is shared though the state has moved on. */
#define SPOOL_YOUNG_NS (200 * NS_PER_MS)
/* Whoever has not read for so long may lose it. */
#define SPOOL_IDLE_NS (10 * NS_PER_S)
/* What nobody holds any more is kept for so long, should someone ask. */
#define SPOOL_FORGET_NS (60 * NS_PER_S)

struct spool_index {
	uint64_t offset;
	uint32_t bytes;
	uint32_t rows;
};

struct spool {
	struct spools *ss;
	struct spool *next;
	/* Under the lock. */
	unsigned refs;
	bool listed;
	bool building;
	bool gone;
	uint64_t bytes; /* of disk, as accounted */
	uint64_t built_ns;
	/* Whoever reads notes it, without the lock. */
	uint64_t read_ns;
	/* Constant once it is finished. */
	uint8_t *key;
	size_t key_len;
	uint64_t generation;
	uint64_t seq;
	bool full;
	int fd;
	struct spool_index *parts;
	size_t n_parts, cap_parts;
	uint64_t rows;
	/* The builder's. */
	uint8_t *buffer;
	size_t buffered;
	uint64_t written;
	struct spool_index part;
};

struct spools {
	pthread_mutex_t lock;
	pthread_cond_t built;
	struct spool *list;
	uint64_t max_bytes;
	uint64_t idle_ns;
	struct spools_status counts;
	char dir[SPOOL_DIR_MAX];
};

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
spools_set_idle(struct spools *ss, uint64_t idle_ns)
{
	ss->idle_ns = idle_ns;
}

static void
spool_destroy(struct spool *s)
{
	closep(&s->fd);
	free(s->parts);
	free(s->buffer);
	free(s->key);
	free(s);
}

/* Under the lock: the disk that it holds is free again. */
static void
spool_release_disk(struct spool *s)
{
	s->ss->counts.bytes -= s->bytes;
	s->bytes = 0;
	if (s->fd >= 0)
		(void)sysio_ftruncate(&sysio_posix, s->fd, 0);
}

/* Under the lock: nobody finds it any more; frees it when nobody holds it. */
static void
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
	if (s->refs == 0) {
		spool_release_disk(s);
		spool_destroy(s);
	}
}

struct spools *
spools_free(struct spools *ss)
{
	if (!ss)
		return NULL;
	while (ss->list) {
		assert(ss->list->refs == 0);
		spool_unlist(ss->list);
	}
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
	if (--s->refs == 0 && !s->listed) {
		spool_release_disk(s);
		spool_destroy(s);
	}
	pthread_mutex_unlock(&ss->lock);
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
static void
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
static int
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
		if (victim->refs > 0)
			ss->counts.gone++;
		victim->gone = true;
		spool_release_disk(victim);
		spool_unlist(victim);
	}
	if (got == SPOOL_PUT) {
		s->bytes += n;
		ss->counts.bytes += n;
	}
	pthread_mutex_unlock(&ss->lock);
	return got;
}

/* --- building --- */

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

static struct spool *
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

static int
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
	pthread_mutex_unlock(&ss->lock);
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

static int
spool_write(struct spool *s, const uint8_t *p, size_t len)
{
	int got = spool_claim(s, len);

	if (got != SPOOL_PUT || len == 0)
		return got;
	got = sysio_pwrite(&sysio_posix, s->fd, p, len, s->written);
	if (got < 0)
		return got;
	s->written += len;
	return SPOOL_PUT;
}

static int
spool_end_part(struct spool *s)
{
	if (s->part.rows == 0)
		return 0;
	if (s->n_parts == s->cap_parts) {
		size_t cap = MAX(s->cap_parts * 2, 16);
		struct spool_index *parts =
		    realloc(s->parts, cap * sizeof(*parts));

		if (!parts)
			return -ENOMEM;
		s->parts = parts;
		s->cap_parts = cap;
	}
	s->parts[s->n_parts++] = s->part;
	s->part = (struct spool_index){
		.offset = s->written + s->buffered,
	};
	return 0;
}

static int
spool_write_buffer(struct spool *s)
{
	int got = spool_write(s, s->buffer, s->buffered);

	if (got == SPOOL_PUT)
		s->buffered = 0;
	return got;
}

int
spool_put(struct spool *s, struct slice row)
{
	int got;

	if (UNLIKELY(s->part.bytes + row.len > SPOOL_PART_BYTES)) {
		got = spool_end_part(s);
		if (got < 0)
			return got;
	}
	if (UNLIKELY(s->buffered + row.len > SPOOL_BUFFER)) {
		got = spool_write_buffer(s);
		if (got != SPOOL_PUT)
			return got;
	}
	if (LIKELY(row.len <= SPOOL_BUFFER)) {
		memcpy(s->buffer + s->buffered, row.p, row.len);
		s->buffered += row.len;
	} else {
		got = spool_write(s, row.p, row.len);
		if (got != SPOOL_PUT)
			return got;
	}
	s->part.bytes += (uint32_t)row.len;
	s->part.rows++;
	s->rows++;
	return SPOOL_PUT;
}

int
spool_flush(struct spool *s)
{
	int err = spool_end_part(s);

	return err < 0 ? err : spool_write_buffer(s);
}

void
spool_restart(struct spool *s)
{
	pthread_mutex_lock(&s->ss->lock);
	spool_release_disk(s);
	pthread_mutex_unlock(&s->ss->lock);
	s->n_parts = 0;
	s->rows = 0;
	s->buffered = 0;
	s->written = 0;
	s->part = (struct spool_index){ 0 };
}

int
spool_begin_copy(struct spool *s, struct spool **out, struct reason *why)
{
	struct spool *copy = spool_new(s->ss);
	int err;

	if (!copy)
		return -ENOMEM;
	err = spool_prepare(copy, why);
	if (err < 0) {
		spool_destroy(copy);
		return err;
	}
	*out = copy;
	return 0;
}

struct spool *
spool_drop(struct spool *copy)
{
	return spool_unref(copy);
}

#define SPOOL_SWAP(a, b)                   \
	do {                               \
		__typeof__(a) swap_ = (a); \
		(a) = (b);                 \
		(b) = swap_;               \
	} while (0)

void
spool_replace(struct spool *s, struct spool *copy)
{
	pthread_mutex_lock(&s->ss->lock);
	SPOOL_SWAP(s->fd, copy->fd);
	SPOOL_SWAP(s->bytes, copy->bytes);
	pthread_mutex_unlock(&s->ss->lock);
	SPOOL_SWAP(s->parts, copy->parts);
	SPOOL_SWAP(s->n_parts, copy->n_parts);
	SPOOL_SWAP(s->cap_parts, copy->cap_parts);
	SPOOL_SWAP(s->buffer, copy->buffer);
	s->rows = copy->rows;
	s->buffered = copy->buffered;
	s->written = copy->written;
	s->part = copy->part;
	(void)spool_drop(copy);
}

void
spool_finish(struct spool *s, uint64_t seq, bool full)
{
	struct spools *ss = s->ss;

	assert(s->buffered == 0);
	free(s->buffer);
	s->buffer = NULL;
	pthread_mutex_lock(&ss->lock);
	s->seq = seq;
	s->full = full;
	s->building = false;
	s->built_ns = time_mono_ns();
	spool_note_read(s, s->built_ns);
	ss->counts.built++;
	pthread_cond_broadcast(&ss->built);
	pthread_mutex_unlock(&ss->lock);
}

void
spool_abandon(struct spool *s)
{
	struct spools *ss = s->ss;

	pthread_mutex_lock(&ss->lock);
	s->refs--;
	spool_unlist(s);
	pthread_cond_broadcast(&ss->built);
	pthread_mutex_unlock(&ss->lock);
}
