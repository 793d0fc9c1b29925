/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Spools being built: rows gather in a buffer, parts in an index.  Nobody
 * reads a spool before spool_finish(), so that its builder needs no lock but
 * for the room that it takes.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spool_priv.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "core/time.h"

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
	spool_disclaim(s);
	pthread_mutex_unlock(&s->ss->lock);
	if (s->fd >= 0)
		(void)sysio_ftruncate(&sysio_posix, s->fd, 0);
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
	spools_unlock(ss);
}
