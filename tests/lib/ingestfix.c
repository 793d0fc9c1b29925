/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sockets of one machine deliver at once: what a pass of the loop has not
 * brought will not come by waiting.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/mpvalid.h"
#include "core/proto.h"
#include "tests/lib/ingestfix.h"

enum {
	PASSES = 4, /* accept, read, write, and what came of it */
	FRAME_MAX = 1 << 20,
	TOPICS = 1000
};

void
ingestfix_again(struct ingestfix *fx)
{
	fx->in = ingest_free(fx->in);
	assert_int_equal(ingest_new(&fx->parts, &fx->in, &fx->f->why), 0);
}

int
ingestfix_setup(void **state)
{
	struct ingestfix *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	assert_int_equal(syncfix_setup((void **)&fx->f), 0);
	assert_int_equal(chmod(fx->f->dir->path, 0755), 0);
	assert_int_equal(state_init(&fx->st, &fx->f->io, 1000), 0);
	fx->path = tmpdir_path(fx->f->dir, "writer.sock");
	assert_int_equal(frame_listen(fx->path, SOCK_STREAM | SOCK_NONBLOCK,
			     0666, &fx->listen_fd, &fx->f->why),
	    0);
	fx->loop = loop_new();
	assert_non_null(fx->loop);
	fx->sq = (struct sequencer){
		.state = &fx->st,
		.gather = fx->f->g,
		.limits = {
			.event_bytes =
			    (uint32_t)ring_writer_pass_bytes(fx->f->rw),
			.events = ring_writer_pass_events(fx->f->rw),
			.topics = TOPICS,
		},
	};
	fx->parts = (struct ingest_parts){
		.loop = fx->loop,
		.sequencer = &fx->sq,
		.syncer = fx->f->sy,
		.log_name = "log-of-a-test",
		.oldest_seq = 1,
		.stall_ns = UINT64_MAX,
		.ring_slots = fx->f->opt.slots,
		.ring_bytes = fx->f->opt.payload_bytes,
		.listen_fd = fx->listen_fd,
	};
	ingestfix_again(fx);
	*state = fx;
	return 0;
}

int
ingestfix_teardown(void **state)
{
	struct ingestfix *fx = *state;

	fx->in = ingest_free(fx->in);
	fx->loop = loop_free(fx->loop);
	fx->space = space_free(fx->space);
	state_deinit(&fx->st);
	closep(&fx->listen_fd);
	assert_int_equal(syncfix_teardown((void **)&fx->f), 0);
	free(fx);
	return 0;
}

void
ingestfix_bound(struct ingestfix *fx)
{
	struct syncer_parts parts = syncfix_parts_of(fx->f);

	assert_int_equal(space_new(fx->f->lw, -1, &fx->space), 0);
	parts.space = fx->space;
	fx->f->sy = syncer_free(fx->f->sy);
	assert_int_equal(syncer_new(&parts, &fx->f->sy), 0);
	fx->sq.space = fx->space;
	fx->parts.syncer = fx->f->sy;
	ingestfix_again(fx);
}

void
ingestfix_turn(struct ingestfix *fx)
{
	for (unsigned i = 0; i < PASSES; i++)
		assert_int_equal(loop_once(fx->loop, 0), 0);
}

void
ingestfix_flush(struct ingestfix *fx)
{
	int n;

	do {
		if (!fx->space && !log_writer_has_spare(fx->f->lw))
			syncfix_spare(fx->f);
		n = syncer_round(fx->f->sy, &fx->f->why);
	} while (n > 0);
	assert_int_equal(n, 0);
}

void
ingestfix_done(struct ingestfix *fx)
{
	ingestfix_flush(fx);
	ingest_wake(fx->in);
	ingestfix_turn(fx);
}

/* Who a peer is is settled when it connects. */
void
ingestfix_dial(struct ingestfix *fx, struct frame_stream *p, unsigned uid)
{
	int fd;

	assert_int_equal(uid == geteuid() ? 0 : seteuid(uid), 0);
	assert_int_equal(
	    frame_connect(fx->path, SOCK_STREAM | SOCK_NONBLOCK, &fd, NULL), 0);
	assert_int_equal(uid == geteuid() ? seteuid(getuid()) : 0, 0);
	frame_stream_init(p, fd, FRAME_MAX);
	ingestfix_turn(fx);
}

void
ingestfix_send(struct ingestfix *fx, struct frame_stream *p)
{
	size_t unsent;
	int got;

	do {
		unsent = frame_unsent(p);
		got = frame_flush(p);
		ingestfix_turn(fx);
	} while (got == FRAME_IO_AGAIN && frame_unsent(p) < unsent);
	assert_int_equal(got, FRAME_IO_DONE);
}

struct ingest_counts
ingestfix_counts(const struct ingestfix *fx)
{
	struct ingest_counts counts;

	ingest_counts(fx->in, &counts);
	return counts;
}

void
ingestfix_append(struct frame_stream *p, uint64_t id, const char *topic,
    uint64_t expect, const char *key)
{
	size_t mark;
	struct mp_buf *b = frame_begin(p, &mark);

	proto_pack_head(b, "append", (struct proto_uint){ true, id }, 1);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, 1);
	mp_pack_map(b, 3 + (expect != INGESTFIX_ANY) + (key != NULL));
	mp_pair_cstr(b, "topic", topic);
	mp_pair_cstr(b, "type", "set");
	mp_pair_uint(b, "data", 1);
	if (expect != INGESTFIX_ANY)
		mp_pair_uint(b, "expect", expect);
	if (key)
		mp_pair_cstr(b, "key", key);
	assert_int_equal(frame_end(p, mark), 0);
}

void
ingestfix_append_bytes(struct frame_stream *p, uint64_t id, size_t size)
{
	CLEANUP(freep) uint8_t *data = calloc(1, size);
	size_t mark;
	struct mp_buf *b = frame_begin(p, &mark);

	assert_non_null(data);
	memset(data, 'x', size);
	proto_pack_head(b, "append", (struct proto_uint){ true, id }, 1);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, 1);
	mp_pack_map(b, 3);
	mp_pair_cstr(b, "topic", "t");
	mp_pair_cstr(b, "type", "set");
	mp_pair_str(b, "data", slice_of(data, size));
	assert_int_equal(frame_end(p, mark), 0);
}

void
ingestfix_emit(struct frame_stream *p, uint64_t id, const char *topic)
{
	size_t mark;
	struct mp_buf *b = frame_begin(p, &mark);

	proto_pack_head(b, "emit", (struct proto_uint){ true, id }, 3);
	mp_pair_cstr(b, "topic", topic);
	mp_pair_cstr(b, "type", "typing");
	mp_pair_uint(b, "data", 1);
	assert_int_equal(frame_end(p, mark), 0);
}

void
ingestfix_ask(struct frame_stream *p, uint64_t id, const char *op,
    const char *field, uint64_t value)
{
	size_t mark;
	struct mp_buf *b = frame_begin(p, &mark);

	proto_pack_head(b, op, (struct proto_uint){ true, id }, field != NULL);
	if (field)
		mp_pair_uint(b, field, value);
	assert_int_equal(frame_end(p, mark), 0);
}

bool
ingestfix_next(struct frame_stream *p, struct slice *value)
{
	int got = frame_next(p, value);

	while (got == FRAME_NONE) {
		got = frame_fill(p);
		if (got != FRAME_IO_DONE)
			return false;
		got = frame_next(p, value);
	}
	assert_int_equal(got, FRAME_ONE);
	return true;
}

struct slice
ingestfix_hear(struct frame_stream *p, uint64_t id, const char *op)
{
	struct proto_reply reply;
	struct slice value;

	if (!ingestfix_next(p, &value))
		fail_msg("no answer to %llu has come", (unsigned long long)id);
	assert_int_equal(mpvalid_check(value.p, value.len, NULL), MPVALID_OK);
	assert_int_equal(proto_reply_parse(value, &reply, NULL), PROTO_OK);
	assert_int_equal(reply.id.set ? reply.id.v : 0, id);
	if (!slice_is(reply.op, op))
		fail_msg("'%.*s' came, and not '%s'", (int)reply.op.len,
		    (const char *)reply.op.p, op);
	return value;
}

struct slice
ingestfix_hear_error(struct frame_stream *p, uint64_t id, const char *code)
{
	struct slice value = ingestfix_hear(p, id, "error");
	struct slice is = proto_get_str(value, "code");

	if (!slice_is(is, code))
		fail_msg("error '%.*s' came, and not '%s'", (int)is.len,
		    (const char *)is.p, code);
	return value;
}

uint64_t
ingestfix_uint(struct slice answer, const char *field)
{
	struct proto_uint v = proto_get_uint(answer, field);

	assert_true(v.set);
	return v.v;
}

bool
ingestfix_bool(struct slice answer, const char *field)
{
	struct mp_walk w = mp_walk(proto_get(answer, field));
	struct mp_item item;

	assert_true(mp_next(&w, &item) && item.type == MP_BOOL);
	return item.boolean;
}

void
ingestfix_hear_nothing(struct frame_stream *p)
{
	struct slice value;

	assert_int_equal(frame_fill(p), FRAME_IO_AGAIN);
	assert_int_equal(frame_next(p, &value), FRAME_NONE);
}

void
ingestfix_hear_end(struct frame_stream *p)
{
	struct slice value;

	assert_int_equal(frame_next(p, &value), FRAME_NONE);
	assert_int_equal(frame_fill(p), FRAME_IO_CLOSED);
}
