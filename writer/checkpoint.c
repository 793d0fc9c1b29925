/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Checkpoint files: a header, the topics, the keyed requests oldest first,
 * and a CRC32C over all of it at the end.  Written and read as a stream
 * through one buffer, so that size does not matter.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/event.h"
#include "core/reason.h"
#include "log/base.h"
#include "writer/checkpoint.h"
#include "writer/state.h"

#define MAGIC "peal.ckp"
enum {
	VERSION = 1,
	KEY = 24,
	HEADER = 112,
	BUFFER = 1 << 18
};

/* One direction at a time; the first error sticks. */
struct stream {
	const struct sysio *io;
	int fd;
	struct base_writer *base; /* goes there instead of into fd */
	int err;
	uint64_t at; /* of the buffer's first byte in the file */
	size_t len;
	size_t pos; /* reading: consumed */
	uint32_t crc;
	uint8_t buf[BUFFER];
};

/* The child's, and the loader's: too large for a stack. */
static struct stream stream;

static void
put_flush(struct stream *s)
{
	if (!s->err && s->base)
		s->err = base_put(s->base, s->buf, s->len, NULL);
	else if (!s->err)
		s->err =
		    sysio_write_behind(s->io, s->fd, s->buf, s->len, s->at);
	s->crc = crc32c(s->crc, s->buf, s->len);
	s->at += s->len;
	s->len = 0;
}

static uint8_t *
put_room(struct stream *s, size_t n)
{
	uint8_t *p;

	if (s->len + n > BUFFER)
		put_flush(s);
	p = s->buf + s->len;
	s->len += n;
	return p;
}

static void
put_header(
    struct stream *s, const struct checkpoint_of *of, const struct state *st)
{
	struct keys_salt salt = keys_salt(st->keys);
	uint8_t *p = put_room(s, HEADER);

	memset(p, 0, HEADER);
	memcpy(p, MAGIC, 8);
	put_le32(p + 8, VERSION);
	put_le32(p + 12, keys_reach_us(st->keys) != 0);
	memcpy(p + 16, of->log_id, 16);
	put_le64(p + 32, of->epoch);
	put_le64(p + 40, st->head_seq);
	put_le64(p + 48, st->last_time_us);
	put_le64(p + 56, versions_count(st->versions));
	put_le64(p + 64, keys_requests(st->keys));
	for (unsigned i = 0; i < 4; i++)
		put_le64(p + 72 + 8 * i, salt.k[i / 2].k[i % 2]);
}

static void
put_topics(struct stream *s, const struct state *st)
{
	uint64_t n = versions_count(st->versions);

	for (uint64_t i = 0; i < n; i++) {
		struct slice topic;
		struct version v = versions_at(st->versions, i, &topic);
		uint8_t *p = put_room(s, 17 + topic.len);

		put_le64(p, v.version);
		put_le64(p + 8, v.last_seq);
		p[16] = (uint8_t)topic.len;
		memcpy(p + 17, topic.p, topic.len);
	}
}

static void
put_requests(struct stream *s, const struct state *st)
{
	uint64_t n = keys_requests(st->keys);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t slot, version;
		struct keys_request req = keys_request_at(st->keys, i, &slot);
		uint8_t *p = put_room(s, 36);

		put_le64(p, req.first_seq);
		put_le64(p + 8, req.time_us);
		memcpy(p + 16, req.fingerprint, 16);
		put_le32(p + 32, req.n);
		for (uint32_t k = 0; k < req.n; k++) {
			struct key_id id =
			    keys_slot(st->keys, slot + k, &version);

			p = put_room(s, 24);
			put_le64(p, id.h[0]);
			put_le64(p + 8, id.h[1]);
			put_le64(p + 16, version);
		}
	}
}

static void
put_all(
    struct stream *s, const struct checkpoint_of *of, const struct state *st)
{
	put_header(s, of, st);
	put_topics(s, st);
	put_requests(s, st);
	put_flush(s);
	put_le32(put_room(s, 4), s->crc);
	put_flush(s);
}

int
checkpoint_write(const struct sysio *io, int dirfd,
    const struct checkpoint_of *of, const struct state *st)
{
	struct stream *s = &stream;
	int err;

	s->io = io;
	s->base = NULL;
	s->err = 0;
	s->at = s->len = s->crc = 0;
	s->fd = sysio_openat(
	    io, dirfd, CHECKPOINT_TMP, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (s->fd < 0)
		return s->fd;
	put_all(s, of, st);
	err = s->err;
	if (!err)
		err = sysio_fsync(io, s->fd);
	(void)sysio_close(io, s->fd);
	if (err)
		(void)sysio_unlink(io, dirfd, CHECKPOINT_TMP);
	return err;
}

int
checkpoint_put(struct base_writer *base, const struct checkpoint_of *of,
    const struct state *st)
{
	CLEANUP(freep) struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base = base;
	put_all(s, of, st);
	return s->err;
}

uint64_t
checkpoint_size(const struct state *st)
{
	enum {
		TOPIC = 17 + 32,
		REQUEST = 36 + 24
	};

	return HEADER + versions_count(st->versions) * TOPIC +
	       keys_requests(st->keys) * REQUEST;
}

int
checkpoint_install(const struct sysio *io, int dirfd)
{
	/* No sync of the directory: losing a cache is no loss. */
	return sysio_rename(io, dirfd, CHECKPOINT_TMP, CHECKPOINT_NAME);
}

/* The next n bytes, n at most BUFFER; NULL at the end or after an error. */
static const uint8_t *
get(struct stream *s, size_t n)
{
	const uint8_t *p;

	if (s->len - s->pos < n) {
		ssize_t got;

		memmove(s->buf, s->buf + s->pos, s->len - s->pos);
		s->at += s->pos;
		s->len -= s->pos;
		s->pos = 0;
		got = s->err ? s->err
			     : sysio_pread(s->io, s->fd, s->buf + s->len,
				   BUFFER - s->len, s->at + s->len);
		if (got < 0)
			s->err = (int)got;
		else
			s->len += (size_t)got;
		if (s->err || s->len < n)
			return NULL;
	}
	p = s->buf + s->pos;
	s->pos += n;
	s->crc = crc32c(s->crc, p, n);
	return p;
}

struct counts {
	uint64_t topics;
	uint64_t requests;
};

static const char *
get_header(struct stream *s, const struct checkpoint_of *of, uint64_t last_seq,
    struct state *st, struct counts *n)
{
	struct keys_salt salt;
	const uint8_t *p = get(s, HEADER);

	if (!p || memcmp(p, MAGIC, 8))
		return "is no checkpoint";
	if (get_le32(p + 8) != VERSION)
		return "has another version";
	if (memcmp(p + 16, of->log_id, 16) || get_le64(p + 32) != of->epoch)
		return "is of another log";
	if (get_le64(p + 40) > last_seq)
		return "is ahead of the log";
	st->head_seq = get_le64(p + 40);
	st->last_time_us = get_le64(p + 48);
	n->topics = get_le64(p + 56);
	n->requests = get_le64(p + 64);
	for (unsigned i = 0; i < 4; i++)
		salt.k[i / 2].k[i % 2] = get_le64(p + 72 + 8 * i);
	keys_set_salt(st->keys, &salt);
	if (get_le32(p + 12))
		keys_set_dropped(st->keys);
	return NULL;
}

/* No fault of the file, and who has nothing else can't go on without it. */
static const char *
no_memory(struct stream *s)
{
	s->err = -ENOMEM;
	return "does not fit into memory";
}

static const char *
get_topics(struct stream *s, struct state *st, uint64_t n)
{
	while (n-- > 0) {
		const uint8_t *p = get(s, 17);
		struct version v;
		struct slice topic;

		if (!p || !p[16])
			return "is cut short";
		v = (struct version){ get_le64(p), get_le64(p + 8) };
		topic.len = p[16];
		topic.p = get(s, topic.len);
		if (!topic.p)
			return "is cut short";
		log_loss_see(&st->loss, topic);
		if (versions_set(st->versions,
			hash_bytes(&st->topic_key, topic.p, topic.len), topic,
			v) < 0)
			return no_memory(s);
	}
	return NULL;
}

static const char *
get_requests(struct stream *s, struct state *st, uint64_t n)
{
	struct key_id ids[EVENT_REQUEST_MAX];
	uint64_t versions[EVENT_REQUEST_MAX];
	uint64_t size;

	/* Growing step by step took a third of a start with 4 million keys. */
	s->err = sysio_size(s->io, s->fd, &size);
	if (s->err)
		return "can't be read";
	if (keys_reserve(st->keys, n, size / KEY) < 0)
		return no_memory(s);
	while (n-- > 0) {
		const uint8_t *p = get(s, 36);
		struct keys_request req;

		if (!p)
			return "is cut short";
		req = (struct keys_request){ .first_seq = get_le64(p),
			.time_us = get_le64(p + 8),
			.n = get_le32(p + 32) };
		memcpy(req.fingerprint, p + 16, 16);
		if (req.n == 0 || req.n > EVENT_REQUEST_MAX)
			return "contradicts itself";
		for (uint32_t k = 0; k < req.n; k++) {
			p = get(s, KEY);
			if (!p)
				return "is cut short";
			ids[k] =
			    (struct key_id){ { get_le64(p), get_le64(p + 8) } };
			versions[k] = get_le64(p + 16);
		}
		if (keys_add(st->keys, &req, ids, versions) < 0)
			return no_memory(s);
	}
	return NULL;
}

/* All that a stream from the header on holds; NULL, or what is wrong. */
static const char *
get_all(struct stream *s, const struct checkpoint_of *of, uint64_t last_seq,
    struct state *st)
{
	struct counts n = { 0, 0 };
	const char *wrong = get_header(s, of, last_seq, st, &n);
	const uint8_t *p;
	uint32_t crc;

	if (!wrong)
		wrong = get_topics(s, st, n.topics);
	if (!wrong)
		wrong = get_requests(s, st, n.requests);
	if (wrong)
		return wrong;
	crc = s->crc;
	p = get(s, 4);
	return p && get_le32(p) == crc ? NULL : "does not match its CRC";
}

int
checkpoint_get(const struct sysio *io, const struct base *base,
    struct state *st, struct reason *why)
{
	CLEANUP(freep) struct stream *s = calloc(1, sizeof(*s));
	const struct base_id *id = base_id(base);
	struct checkpoint_of of = { .epoch = id->epoch };
	const char *wrong;

	if (!s)
		return -ENOMEM;
	memcpy(of.log_id, id->log_id, sizeof(of.log_id));
	s->io = io;
	s->fd = base_fd(base);
	s->at = id->rows_bytes;
	wrong = get_all(s, &of, id->seq, st);
	if (s->err)
		return reason_set(why, s->err, "cannot read a base");
	if (!wrong && st->head_seq != id->seq)
		wrong = "is of another event";
	if (wrong)
		return reason_set(why, CHECKPOINT_NONE,
		    "the state in the base of seq %llu %s",
		    (unsigned long long)id->seq, wrong);
	return CHECKPOINT_LOADED;
}

int
checkpoint_load(const struct sysio *io, int dirfd,
    const struct checkpoint_of *of, uint64_t last_seq, struct state *st,
    struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	struct stream *s = &stream;
	const char *wrong;

	f.fd = sysio_openat(io, dirfd, CHECKPOINT_NAME, O_RDONLY, 0);
	if (f.fd < 0) {
		reason_set(why, f.fd, "cannot open '" CHECKPOINT_NAME "'");
		return CHECKPOINT_NONE;
	}
	s->io = io;
	s->fd = f.fd;
	s->err = 0;
	s->at = s->len = s->pos = s->crc = 0;
	wrong = get_all(s, of, last_seq, st);
	if (wrong)
		return reason_set(
		    why, CHECKPOINT_NONE, "'" CHECKPOINT_NAME "' %s", wrong);
	return CHECKPOINT_LOADED;
}
