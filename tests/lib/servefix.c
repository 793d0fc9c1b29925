/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the broker's socket asks for is defined here in place of store, folder
 * and queries: programs that link this file never see those.
 */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "broker/archives.h"
#include "broker/folder.h"
#include "broker/jobs.h"
#include "broker/query.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "core/json.h"
#include "core/loop.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/servefix.h"

#define TURNS_NS (300 * NS_PER_S)

struct spool {
	unsigned refs;
	uint64_t seq;
	uint64_t parts;
	size_t part_bytes;
};

static struct {
	pthread_mutex_t lock;
	struct store_status store;
	struct folder_status folder;
	void (*on_commit)(void *arg);
	void *on_commit_arg;
	size_t part_bytes;
	bool gone;
	unsigned spools, packed;
	char order[4096];
	sem_t held, release;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct query no_query;

/* --- store and folder --- */

void
store_status(const struct store *st, struct store_status *out)
{
	pthread_mutex_lock(&fake.lock);
	*out = fake.store;
	pthread_mutex_unlock(&fake.lock);
}

int
store_pack_rules(const struct store *st, struct mp_buf *b)
{
	mp_pack_map(b, 0);
	return 0;
}

void
store_on_commit(struct store *st, void (*fn)(void *arg), void *arg)
{
	fake.on_commit = fn;
	fake.on_commit_arg = arg;
}

void
folder_status(const struct folder *f, struct folder_status *out)
{
	*out = fake.folder;
}

void
servefix_store(const char *log, uint64_t tail, uint64_t seq)
{
	pthread_mutex_lock(&fake.lock);
	snprintf(fake.store.log, sizeof(fake.store.log), "%s", log);
	fake.store.seq = seq;
	fake.store.history_seq = seq;
	fake.folder.tail_seq = tail;
	pthread_mutex_unlock(&fake.lock);
}

void
servefix_attached(bool attached)
{
	fake.folder.attached = attached;
}

void
servefix_commit(uint64_t seq)
{
	pthread_mutex_lock(&fake.lock);
	fake.store.seq = seq;
	fake.folder.tail_seq = MAX(fake.folder.tail_seq, seq);
	pthread_mutex_unlock(&fake.lock);
	fake.on_commit(fake.on_commit_arg);
}

/* --- spools --- */

void
servefix_part_bytes(size_t bytes)
{
	fake.part_bytes = bytes;
}

void
servefix_spools_go(void)
{
	fake.gone = true;
}

unsigned
servefix_spools(void)
{
	unsigned n;

	pthread_mutex_lock(&fake.lock);
	n = fake.spools;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

unsigned
servefix_packed(void)
{
	return fake.packed;
}

struct spool *
spool_unref(struct spool *s)
{
	if (!s)
		return NULL;
	assert_int_equal(s->refs, 1);
	pthread_mutex_lock(&fake.lock);
	fake.spools--;
	pthread_mutex_unlock(&fake.lock);
	free(s);
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
	return true;
}

uint64_t
spool_rows(const struct spool *s)
{
	return s->parts;
}

uint64_t
spool_parts(const struct spool *s)
{
	return s->parts;
}

int
spool_pack_part(struct spool *s, uint64_t n, struct mp_buf *b)
{
	CLEANUP(freep) char *text = NULL;

	if (fake.gone)
		return SPOOL_GONE;
	if (n >= s->parts)
		return SPOOL_NONE;
	fake.packed++;
	text = calloc(1, s->part_bytes + 1);
	memset(text, 'x', s->part_bytes);
	mp_pack_array(b, 2);
	mp_pack_uint(b, n);
	mp_pack_cstr(b, text);
	return SPOOL_PART;
}

void
spools_status(struct spools *ss, struct spools_status *out)
{
	*out = (struct spools_status){ .built = 77 };
}

void
archives_status(struct archives *ar, struct archives_status *out)
{
	*out = (struct archives_status){ .newest = 88 };
}

/* --- queries --- */

static void
begun(const char *what, struct proto_uint id)
{
	char text[40];

	snprintf(text, sizeof(text), "%s%llu ", what, (unsigned long long)id.v);
	pthread_mutex_lock(&fake.lock);
	if (strlen(fake.order) + strlen(text) < sizeof(fake.order))
		strcat(fake.order, text);
	pthread_mutex_unlock(&fake.lock);
}

static void
hold(void)
{
	sem_post(&fake.held);
	while (sem_wait(&fake.release) < 0)
		;
}

void
servefix_release(unsigned n)
{
	while (n-- > 0)
		sem_post(&fake.release);
}

void
servefix_await_held(struct servefix *fx)
{
	while (sem_trywait(&fake.held) < 0)
		servefix_turn(fx);
}

const char *
servefix_order(void)
{
	static char text[sizeof(fake.order)];

	pthread_mutex_lock(&fake.lock);
	memcpy(text, fake.order, sizeof(text));
	fake.order[0] = '\0';
	pthread_mutex_unlock(&fake.lock);
	return text;
}

enum proto_code
query_snapshot(struct query *q, const struct proto_request *req,
    const struct topic_set *set, struct spool **out, struct query_refusal *no)
{
	struct slice first = set->patterns[0];
	struct spool *s;

	begun("s", req->id);
	if (slice_is(first, "hold"))
		hold();
	if (slice_is(first, "none")) {
		no->oldest = (struct proto_uint){ true, 7 };
		snprintf(no->text, sizeof(no->text), "it is not kept");
		return PROTO_NOT_FOUND;
	}
	s = calloc(1, sizeof(*s));
	s->refs = 1;
	s->parts = 1;
	if (first.len > 2 && first.p[0] == 'p')
		s->parts = (uint64_t)atoi((const char *)first.p + 2);
	pthread_mutex_lock(&fake.lock);
	s->seq = fake.store.seq;
	s->part_bytes = fake.part_bytes;
	fake.spools++;
	pthread_mutex_unlock(&fake.lock);
	*out = s;
	return PROTO_OK;
}

enum proto_code
query_history(struct query *q, const struct proto_request *req,
    struct mp_buf *reply, struct query_refusal *no)
{
	begun("h", req->id);
	if (slice_is(req->history.topic, "hold"))
		hold();
	proto_pack_head(reply, "history", req->id, 1);
	mp_pack_cstr(reply, "events");
	mp_pack_array(reply, 0);
	return PROTO_OK;
}

enum proto_code
query_page(struct query *q, const struct proto_request *req,
    struct mp_buf *reply, struct query_refusal *no)
{
	begun("g", req->id);
	proto_pack_head(reply, "page", req->id, 1);
	mp_pair_uint(reply, "upto", req->page.upto.v);
	return PROTO_OK;
}

/* --- the broker's end --- */

int
servefix_setup(void **state)
{
	static const unsigned threads[JOBS_PACES] = { 1, 1, 1 };
	struct servefix *fx = calloc(1, sizeof(*fx));
	struct serve_parts parts = { .query = &no_query, .listen_fd = -1 };

	if (!fx || tmpdir_setup((void **)&fx->dir) != 0)
		return -1;
	memset(&fake.store, 0, sizeof(fake.store));
	memset(&fake.folder, 0, sizeof(fake.folder));
	fake.part_bytes = 1;
	fake.gone = false;
	fake.spools = fake.packed = 0;
	fake.order[0] = '\0';
	sem_init(&fake.held, 0, 0);
	sem_init(&fake.release, 0, 0);
	servefix_store("log-1", 100, 100);
	servefix_attached(true);
	fx->loop = loop_new();
	if (jobs_new(fx->loop, threads, &fx->jobs, NULL) != 0 ||
	    clients_open(tmpdir_path(fx->dir, "clients"), 1000 * US_PER_S,
		&fx->clients, NULL) != CLIENTS_OPENED)
		return -1;
	parts.loop = fx->loop;
	parts.jobs = fx->jobs;
	parts.clients = fx->clients;
	if (serve_new(&parts, &fx->serve, NULL) != 0 ||
	    serve_open(fx->serve, NULL, NULL) != 0)
		return -1;
	*state = fx;
	return 0;
}

int
servefix_teardown(void **state)
{
	struct servefix *fx = *state;

	fx->jobs = jobs_free(fx->jobs);
	fx->serve = serve_free(fx->serve);
	assert_int_equal(fake.spools, 0);
	fx->clients = clients_free(fx->clients);
	fx->loop = loop_free(fx->loop);
	for (unsigned i = 0; i < fx->n_peers; i++)
		frame_stream_deinit(&fx->peers[i]);
	for (unsigned i = 0; i < ARRAY_LEN(fx->said); i++)
		free(fx->said[i]);
	sem_destroy(&fake.held);
	sem_destroy(&fake.release);
	tmpdir_teardown((void **)&fx->dir);
	free(fx);
	return 0;
}

void
servefix_turn(struct servefix *fx)
{
	assert_int_equal(loop_once(fx->loop, 0), 0);
}

/* --- the peers' ends --- */

unsigned
servefix_peer(struct servefix *fx)
{
	unsigned i = fx->n_peers++;
	int fds[2];

	assert_true(i < SERVEFIX_PEERS);
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	frame_stream_init(&fx->peers[i], fds[0], 64 << 20);
	assert_int_equal(serve_add(fx->serve, fds[1]), 0);
	return i;
}

void
servefix_leave(struct servefix *fx, unsigned peer)
{
	frame_stream_deinit(&fx->peers[peer]);
}

static void
flush(struct servefix *fx, unsigned peer)
{
	while (frame_flush(&fx->peers[peer]) == FRAME_IO_AGAIN)
		servefix_turn(fx);
}

void
servefix_say(struct servefix *fx, unsigned peer, const char *fmt, ...)
{
	struct reason why = { "" };
	struct mp_buf *b;
	va_list ap;
	size_t mark;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	assert_true(len > 0);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	b = frame_begin(&fx->peers[peer], &mark);
	if (json_to_mp(slice_of(text, (size_t)len), b, &why) < 0)
		fail_msg("%s: %s", text, why.text);
	free(text);
	assert_int_equal(frame_end(&fx->peers[peer], mark), 0);
	flush(fx, peer);
}

void
servefix_bytes(struct servefix *fx, unsigned peer, const void *p, size_t len)
{
	mp_buf_bytes(&fx->peers[peer].out, p, len);
	flush(fx, peer);
}

/* The next whole message that is there; NULL: none. */
static const char *
look(struct servefix *fx, unsigned peer)
{
	struct frame_stream *fs = &fx->peers[peer];
	struct mp_buf b = { 0 };
	struct slice value;
	unsigned slot;

	if (frame_next(fs, &value) != FRAME_ONE) {
		int got = frame_fill(fs);

		assert_true(got >= 0);
		if (frame_next(fs, &value) != FRAME_ONE)
			return NULL;
	}
	assert_int_equal(mpvalid_check(value.p, value.len, NULL), MPVALID_OK);
	assert_int_equal(json_from_mp(value, &b), 0);
	mp_buf_bytes(&b, "", 1);
	for (size_t i = 0; i < b.len; i++)
		if (b.p[i] == '"')
			b.p[i] = '\'';
	slot = fx->n_said++ % ARRAY_LEN(fx->said);
	free(fx->said[slot]);
	fx->said[slot] = (char *)b.p;
	return fx->said[slot];
}

const char *
servefix_next(struct servefix *fx, unsigned peer)
{
	uint64_t until = time_mono_ns() + TURNS_NS;
	const char *text;

	while (!(text = look(fx, peer))) {
		if (time_mono_ns() > until)
			fail_msg("no message has come");
		servefix_turn(fx);
	}
	return text;
}

void
servefix_expect(struct servefix *fx, unsigned peer, ...)
{
	const char *text = servefix_next(fx, peer), *part;
	va_list ap;

	va_start(ap, peer);
	while ((part = va_arg(ap, const char *)))
		if (!strstr(text, part))
			fail_msg("%s has no %s", text, part);
	va_end(ap);
}

void
servefix_quiet(struct servefix *fx, unsigned peer)
{
	const char *text;

	for (unsigned i = 0; i < 100; i++) {
		servefix_turn(fx);
		text = look(fx, peer);
		if (text)
			fail_msg("%.200s has come", text);
	}
}

bool
servefix_closed(struct servefix *fx, unsigned peer)
{
	uint64_t until = time_mono_ns() + TURNS_NS;
	int got = FRAME_IO_AGAIN;

	while (got != FRAME_IO_CLOSED && time_mono_ns() < until) {
		servefix_turn(fx);
		got = frame_fill(&fx->peers[peer]);
		if (got < 0)
			return true;
	}
	return got == FRAME_IO_CLOSED;
}
