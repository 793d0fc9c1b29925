/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The made-up broker.  It reads requests as the real one would, in frames,
 * and knows nothing of state.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/fakebroker.h"
#include "tools/tool.h"

void
fakebroker_house(struct tool *t, const char *dir)
{
	struct reason why;
	char run[300];

	*t = (struct tool){ .timeout_s = 10 };
	snprintf(run, sizeof(run), "%s/run", dir);
	assert_true(mkdir(run, 0700) == 0 || errno == EEXIST);
	assert_int_equal(house_find(&t->house, NULL, dir, NULL, 0, &why), 0);
}

void
fakebroker_refuse(struct frame_stream *fs, const struct proto_reply *request,
    enum proto_code code, const char *message)
{
	size_t mark;
	struct mp_buf *b = frame_begin(fs, &mark);

	proto_pack_error(
	    b, request->id, code, message, code == PROTO_UNAVAILABLE ? 1 : 0);
	(void)!frame_end(fs, mark);
}

void
fakebroker_say(struct frame_stream *fs, const struct proto_reply *request,
    const char *json)
{
	struct mp_buf body = { 0 };
	struct reason why;
	size_t mark;

	if (json_to_mp(slice_cstr(json), &body, &why) < 0) {
		fprintf(stderr, "fakebroker: %s: %s\n", json, why.text);
		abort();
	}
	proto_pack_reply(
	    frame_begin(fs, &mark), slice_of(body.p, body.len), request->id);
	(void)!frame_end(fs, mark);
	mp_buf_deinit(&body);
}

static bool
fakebroker_request(
    struct fakebroker *fb, struct frame_stream *fs, struct slice value)
{
	struct proto_reply request;
	char welcome[300];

	if (proto_reply_parse(value, &request, NULL) != PROTO_OK)
		return false;
	if (fb->all || !slice_is(request.op, "hello"))
		return fb->answer(fb->arg, fs, &request);
	snprintf(welcome, sizeof(welcome),
	    "{\"op\":\"welcome\",\"v\":1,\"log\":\"00ff-1\",\"seq\":%llu,"
	    "\"head\":%llu,\"oldest\":1,\"fold\":{\"version\":1,\"rules\":"
	    "[[\"*created\",\"set\"],[\"*reverted\",\"set\"],"
	    "[\"*updated\",\"merge\"],[\"*deleted\",\"delete\"]]}}",
	    (unsigned long long)fb->head, (unsigned long long)fb->head);
	fakebroker_say(fs, &request, welcome);
	return true;
}

static void
fakebroker_serve(struct fakebroker *fb, int fd)
{
	struct frame_stream fs;
	struct slice value;
	bool on = true;

	frame_stream_init(&fs, fd, 1 << 20);
	while (on && frame_fill(&fs) == FRAME_IO_DONE) {
		while (on && frame_next(&fs, &value) == FRAME_ONE)
			on = fakebroker_request(fb, &fs, value);
		if (frame_flush(&fs) != FRAME_IO_DONE)
			break;
	}
	frame_stream_deinit(&fs);
}

static void *
fakebroker_run(void *arg)
{
	struct fakebroker *fb = arg;
	int fd;

	while ((fd = accept(fb->fd, NULL, NULL)) >= 0) {
		fb->connections++;
		fakebroker_serve(fb, fd);
	}
	return NULL;
}

void
fakebroker_start(struct fakebroker *fb, const char *dir)
{
	struct reason why;

	snprintf(fb->path, sizeof(fb->path), "%s/run/%s", dir,
	    fb->name ? fb->name : "broker.sock");
	assert_int_equal(
	    frame_listen(fb->path, SOCK_STREAM, 0600, &fb->fd, &why), 0);
	assert_int_equal(
	    pthread_create(&fb->thread, NULL, fakebroker_run, fb), 0);
}

void
fakebroker_stop(struct fakebroker *fb)
{
	(void)shutdown(fb->fd, SHUT_RDWR);
	assert_int_equal(pthread_join(fb->thread, NULL), 0);
	(void)close(fb->fd);
	(void)unlink(fb->path);
}
