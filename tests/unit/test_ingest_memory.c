/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Producers' connections with each allocation failing, alone or with all
 * behind it.  Who asks is answered, or sees his connection end: nobody waits
 * for ever.  What he was told is stored is there, once, and whoever asks
 * again where memory is there is served.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/loop.h"
#include "core/mpvalid.h"
#include "core/time.h"
#include "log/log_writer.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/seqfix.h"
#include "tests/lib/tmpdir.h"
#include "writer/ingest.h"
#include "writer/syncer.h"

enum {
	ASKS = 150, /* so that buffers of replies grow */
	BULKY = 7,  /* this one has much to say */
	PASSES = 20,
	SEGMENT = 256 << 10, /* for all of them */
	SEED = 1,
};

/* A writer, and who asks it; all but the log is made anew with each start. */
struct world {
	struct tmpdir *dir;
	const char *path; /* of writer.sock */
	struct filemodel *fm;
	struct ledger ledger;
	struct seqfix sf;
	struct loop *loop;
	int listen_fd;
	struct ingest *in;
	bool no_disk; /* nothing is flushed any more */
	bool has_failed;
};

struct client {
	struct frame_stream fs;
	unsigned n;	     /* replies */
	uint64_t seqs[ASKS]; /* of those told to be stored; 0: not */
	bool is_closed;
};

enum kind {
	HELLO,
	APPEND,
	APPEND_LOOSE, /* its topic has a length in long form */
	EMIT,
	KINDS,
};

static void
pack_append(struct mp_buf *b, unsigned i, bool loose)
{
	static const uint8_t bulk[20000];
	char key[20];

	mp_pack_cstr(b, "events");
	mp_pack_array(b, 1);
	mp_pack_map(b, 4);
	mp_pack_cstr(b, "topic");
	if (loose)
		mp_buf_bytes(b, "\xd9\x01t", 3);
	else
		mp_pack_cstr(b, "t");
	mp_pair_cstr(b, "type", "set");
	mp_pack_cstr(b, "data");
	mp_pack_bin(b, slice_of(bulk, i / KINDS == BULKY ? sizeof(bulk) : 9));
	snprintf(key, sizeof(key), "k%u", i);
	mp_pair_cstr(b, "key", key);
}

static void
pack_ask(struct mp_buf *b, unsigned i)
{
	static const char *const ops[KINDS] = { "hello", "append", "append",
		"emit" };
	enum kind kind = i % KINDS;

	mp_pack_map(b, kind == EMIT ? 5 : 3);
	mp_pair_cstr(b, "op", ops[kind]);
	mp_pair_uint(b, "id", i);
	if (kind == HELLO) {
		mp_pair_uint(b, "v", 1);
	} else if (kind == EMIT) {
		mp_pair_cstr(b, "topic", "e");
		mp_pair_cstr(b, "type", "seen");
		mp_pair_uint(b, "data", i);
	} else {
		pack_append(b, i, kind == APPEND_LOOSE);
	}
}

/* All that it asks is on its way at once. */
static void
client_open(struct world *w, struct client *c)
{
	struct reason why;
	size_t mark;
	int fd;

	*c = (struct client){ .n = 0 };
	if (frame_connect(w->path, SOCK_STREAM | SOCK_NONBLOCK, &fd, &why) < 0)
		fail_msg("%s", why.text);
	frame_stream_init(&c->fs, fd, 1 << 20);
	for (unsigned i = 0; i < ASKS; i++) {
		pack_ask(frame_begin(&c->fs, &mark), i);
		assert_int_equal(frame_end(&c->fs, mark), 0);
	}
	assert_int_equal(frame_flush(&c->fs), FRAME_IO_DONE);
}

/* Refusals are for want of memory, or a failed log; else it is well. */
static void
client_judge(struct client *c, struct slice value, bool may_refuse)
{
	struct proto_reply reply;
	struct reason why = { "" };
	uint64_t i;

	assert_int_equal(mpvalid_check(value.p, value.len, &why), MPVALID_OK);
	assert_int_equal(proto_reply_parse(value, &reply, &why), PROTO_OK);
	i = reply.id.v;
	assert_true(reply.id.set && i < ASKS);
	c->n++;
	if (slice_is(reply.op, "error")) {
		struct slice code = proto_get_str(value, "code");

		if (!may_refuse ||
		    !(slice_is(code, "internal") || slice_is(code, "unknown")))
			fail_msg("request %u: '%.*s'", (unsigned)i,
			    (int)code.len, (const char *)code.p);
		return;
	}
	if (i % KINDS == APPEND || i % KINDS == APPEND_LOOSE)
		c->seqs[i] = proto_get_uint(value, "seq").v;
	assert_true(slice_is(reply.op,
	    c->seqs[i] ? "appended" : (i % KINDS ? "ok" : "welcome")));
}

static void
client_read(struct client *c, bool may_refuse)
{
	struct slice value;
	int got;

	nomemory_hold();
	do {
		got = frame_fill(&c->fs);
		while (frame_next(&c->fs, &value) == FRAME_ONE)
			client_judge(c, value, may_refuse);
	} while (got == FRAME_IO_DONE);
	c->is_closed = got != FRAME_IO_AGAIN;
	nomemory_release();
}

static int
world_start(struct world *w)
{
	struct ingest_parts parts = { .loop = w->loop,
		.sequencer = &w->sf.sq,
		.syncer = w->sf.syncer,
		.log_name = "forest-1",
		.oldest_seq = 1,
		.stall_ns = NS_PER_S * 1000,
		.ring_slots = 1 << 20,
		.ring_bytes = 1 << 30,
		.listen_fd = w->listen_fd };
	struct reason why = { "" };

	w->has_failed = false;
	return ingest_new(&parts, &w->in, &why);
}

/* A process ends, and the next one has the log. */
static void
world_restart(struct world *w)
{
	w->in = ingest_free(w->in);
	w->no_disk = false;
	if (seqfix_start(&w->sf, false) != 0)
		fail_msg("%s", w->sf.why.text);
	assert_int_equal(world_start(w), 0);
}

static int
world_flush(struct world *w, unsigned pass)
{
	int n = 0;

	/* So that what was asked waits for it. */
	if (w->no_disk)
		return pass < 4 ? 0 : -1;

	if (!log_writer_has_spare(w->sf.log))
		n = log_writer_prepare(w->sf.log, &w->sf.why);
	if (n == LOG_PREPARED)
		do {
			n = syncer_round(w->sf.syncer, &w->sf.why);
		} while (n > 0);
	return n;
}

/* As in service: a failed flush ends the process once all is told. */
static void
world_serve(struct world *w, struct client *c, bool may_refuse)
{
	for (unsigned i = 0; i < PASSES && !c->is_closed && c->n < ASKS; i++) {
		assert_int_equal(loop_once(w->loop, 0), 0);
		if (world_flush(w, i) < 0) {
			ingest_fail(w->in, "the log failed");
			w->has_failed = true;
			break;
		}
		ingest_wake(w->in);
		client_read(c, may_refuse);
	}
	if (w->has_failed)
		w->in = ingest_free(w->in);
	client_read(c, may_refuse);
	if (!c->is_closed && c->n < ASKS)
		fail_msg("%u of %u are answered", c->n, ASKS);
}

static unsigned
appends(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ASKS; i++)
		n += i % KINDS == APPEND || i % KINDS == APPEND_LOOSE;
	return n;
}

/* Everything once more: each is stored once, where the first was told. */
static void
ask_again(struct world *w, const struct client *first)
{
	struct client c;

	client_open(w, &c);
	world_serve(w, &c, false);
	assert_int_equal(c.n, ASKS);
	for (unsigned i = 0; i < ASKS; i++)
		if (first->seqs[i])
			assert_int_equal(c.seqs[i], first->seqs[i]);
	assert_int_equal(syncer_durable_seq(w->sf.syncer), appends());
	frame_stream_deinit(&c.fs);
}

/* The nth allocation fails; false: there are not as many. */
static bool
ask_short(struct world *w, uint64_t n, bool for_good)
{
	struct client c;
	bool fired;

	w->fm = filemodel_new(SEED);
	seqfix_init(&w->sf, w->fm, &w->ledger, SEED);
	w->sf.segment_bytes = SEGMENT;
	w->sf.io = nomemory_io(filemodel_io(w->fm));
	assert_int_equal(seqfix_start(&w->sf, false), 0);
	nomemory_at(n, for_good);
	nomemory_hold();
	client_open(w, &c);
	nomemory_release();
	if (world_start(w) == 0)
		world_serve(w, &c, true);
	else
		w->has_failed = true;
	fired = nomemory_end();
	if (!fired && !w->no_disk)
		assert_int_equal(c.n, ASKS);
	frame_stream_deinit(&c.fs);
	if (w->has_failed || w->no_disk)
		world_restart(w);
	ask_again(w, &c);
	w->in = ingest_free(w->in);
	seqfix_stop(&w->sf);
	w->fm = filemodel_free(w->fm);
	return fired;
}

static void
sweep(struct world *w, bool no_disk)
{
	unsigned descriptors = descriptors_open(), fired = 0;

	for (int for_good = 0; for_good < 2; for_good++)
		for (uint64_t n = 1;; n++) {
			w->no_disk = no_disk;
			if (!ask_short(w, n, for_good))
				break;
			fired++;
		}
	assert_true(fired > 50);
	assert_int_equal(descriptors_open(), descriptors);
}

static int
setup(void **state)
{
	static struct world w;
	struct reason why;
	void *dir;

	w = (struct world){ .loop = loop_new() };
	assert_non_null(w.loop);
	assert_int_equal(tmpdir_setup(&dir), 0);
	w.dir = dir;
	w.path = tmpdir_path(dir, "writer.sock");
	assert_int_equal(frame_listen(w.path, SOCK_STREAM | SOCK_NONBLOCK, 0600,
			     &w.listen_fd, &why),
	    0);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	void *dir = w->dir;

	closep(&w->listen_fd);
	w->loop = loop_free(w->loop);
	return tmpdir_teardown(&dir);
}

static void
who_asks_is_answered_or_sees_the_end(void **state)
{
	sweep(*state, false);
}

static void
who_waits_for_a_failed_flush_is_told_or_sees_the_end(void **state)
{
	sweep(*state, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    who_asks_is_answered_or_sees_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_waits_for_a_failed_flush_is_told_or_sees_the_end, setup,
		    teardown),
	};

	return cmocka_run_group_tests_name("ingest_memory", tests, NULL, NULL);
}
