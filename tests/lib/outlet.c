/* SPDX-License-Identifier: BSD-2-Clause */

/* Two ways in with one face; neither is believed to be there for long. */

#include "tests/lib/outlet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/reason.h"

enum {
	OUTLET_FRAME = 1 << 20,
};

bool
outlet_open(struct outlet *o, const struct outlet_to *to)
{
	struct reason why;
	int fd;

	memset(o, 0, sizeof(*o));
	o->gateway = to->socket == NULL;
	if (o->gateway) {
		o->open = client_open(&o->client, &to->wire, to->token);
		if (!o->open)
			client_close(&o->client);
		return o->open;
	}
	if (frame_connect(to->socket, SOCK_STREAM, &fd, &why) < 0)
		return false;
	frame_stream_init(&o->fs, fd, OUTLET_FRAME);
	msgpack_unpacked_init(&o->value);
	o->open = true;
	return true;
}

void
outlet_close(struct outlet *o)
{
	if (!o->open)
		return;
	o->open = false;
	if (o->gateway) {
		client_close(&o->client);
		return;
	}
	frame_stream_deinit(&o->fs);
	msgpack_unpacked_destroy(&o->value);
}

bool
outlet_send(struct outlet *o, const msgpack_sbuffer *request)
{
	size_t mark;
	int r;

	if (o->gateway)
		return client_send(&o->client, request);
	mp_pack_raw(
	    frame_begin(&o->fs, &mark), slice_of(request->data, request->size));
	if (frame_end(&o->fs, mark) < 0)
		return false;
	do
		r = frame_flush(&o->fs);
	while (r == FRAME_IO_AGAIN || r == -EINTR);
	return r == FRAME_IO_DONE;
}

/* A frame that is here already; false: none is. */
static bool
outlet_frame(struct outlet *o, bool *wrong)
{
	struct slice value;
	size_t used = 0;
	int r = frame_next(&o->fs, &value);

	*wrong = r == FRAME_TOO_LONG ||
		 (r == FRAME_ONE &&
		     msgpack_unpack_next(&o->value, (const char *)value.p,
			 value.len, &used) != MSGPACK_UNPACK_SUCCESS);
	return r == FRAME_ONE;
}

static enum outlet_kind
outlet_next_frame(
    struct outlet *o, int timeout_ms, const msgpack_object **answer)
{
	int64_t until = wire_now_ms() + timeout_ms;
	struct pollfd pfd = { .fd = o->fs.fd, .events = POLLIN };
	bool wrong;

	while (!outlet_frame(o, &wrong)) {
		int64_t left = until - wire_now_ms();

		if (wrong)
			return OUTLET_WRONG;
		if (poll(&pfd, 1, left > 0 ? (int)left : 0) == 0)
			return OUTLET_LATE;
		if (frame_fill(&o->fs) != FRAME_IO_DONE)
			return OUTLET_LOST;
	}
	*answer = &o->value.data;
	return wrong ? OUTLET_WRONG : OUTLET_ANSWER;
}

enum outlet_kind
outlet_next(struct outlet *o, int timeout_ms, const msgpack_object **answer)
{
	if (!o->gateway)
		return outlet_next_frame(o, timeout_ms, answer);
	switch (client_next(&o->client, timeout_ms)) {
	case CLIENT_CONTROL:
		*answer = &o->client.value.data;
		return OUTLET_ANSWER;
	case CLIENT_LATE:
		return OUTLET_LATE;
	case CLIENT_BATCH:
	case CLIENT_WRONG:
		return OUTLET_WRONG;
	default:
		return OUTLET_LOST;
	}
}
