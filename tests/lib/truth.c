/* SPDX-License-Identifier: BSD-2-Clause */

/* Nothing is trusted but the frames' checksums, which the reader looked at. */

#include "tests/lib/truth.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <msgpack.h>

#include "core/reason.h"
#include "log/log_reader.h"

static bool
truth_str(const msgpack_object *o, struct truth_text *text)
{
	if (o->type != MSGPACK_OBJECT_STR)
		return false;
	text->p = o->via.str.ptr;
	text->len = o->via.str.size;
	return true;
}

static bool
truth_meta(const msgpack_object *meta, struct truth_event *ev)
{
	if (meta->type != MSGPACK_OBJECT_MAP)
		return false;
	for (uint32_t i = 0; i < meta->via.map.size; i++) {
		const msgpack_object_kv *kv = &meta->via.map.ptr[i];
		struct truth_text name;

		if (!truth_str(&kv->key, &name))
			continue;
		if (name.len == 3 && !memcmp(name.p, "key", 3) &&
		    !truth_str(&kv->val, &ev->key))
			return false;
		if (name.len == 4 && !memcmp(name.p, "time", 4))
			ev->meta_time = kv->val.via.u64;
	}
	return true;
}

/* Where element 6, data, stands among the bytes of the event. */
static bool
truth_data(struct slice bytes, struct truth_text *data)
{
	msgpack_unpacked one;
	size_t at = 1, end = 1; /* behind the head of seven or eight */
	bool ok = true;

	msgpack_unpacked_init(&one);
	for (int i = 0; ok && i < 7; i++) {
		at = end;
		ok = msgpack_unpack_next(&one, (const char *)bytes.p, bytes.len,
			 &end) == MSGPACK_UNPACK_SUCCESS;
	}
	msgpack_unpacked_destroy(&one);
	data->p = (const char *)bytes.p + at;
	data->len = end - at;
	return ok;
}

static bool
truth_event(const msgpack_object *o, struct slice bytes, struct truth_event *ev)
{
	const msgpack_object *f;
	struct truth_text topic;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size < 7 ||
	    o->via.array.size > 8)
		return false;
	f = o->via.array.ptr;
	if (f[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    f[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    f[3].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    !truth_str(&f[2], &topic) || !truth_str(&f[4], &ev->type) ||
	    !truth_str(&f[5], &ev->actor))
		return false;
	ev->event.seq = f[0].via.u64;
	ev->event.time = f[1].via.u64;
	ev->event.topic = topic.p;
	ev->event.topic_len = topic.len;
	ev->event.version = f[3].via.u64;
	ev->event.bytes = bytes.p;
	ev->event.len = bytes.len;
	ev->key.len = 0;
	ev->meta_time = 0;
	return (o->via.array.size == 7 || truth_meta(&f[7], ev)) &&
	       truth_data(bytes, &ev->data);
}

/* Each event of a frame; *go turns false when fn has had enough. */
static bool
truth_frame(const struct log_frame *frame,
    bool (*fn)(void *arg, const struct truth_event *event), void *arg, bool *go)
{
	struct truth_event ev = { .first = frame->first_seq,
		.last = frame->first_seq + frame->n_events - 1 };
	uint64_t seq = frame->first_seq;
	msgpack_unpacked one;
	struct slice bytes;
	uint32_t crc;
	size_t at = 0, used;
	bool ok = true;

	msgpack_unpacked_init(&one);
	while (ok && *go && log_frame_event(frame, &at, &bytes, &crc)) {
		used = 0;
		ok = msgpack_unpack_next(&one, (const char *)bytes.p, bytes.len,
			 &used) == MSGPACK_UNPACK_SUCCESS &&
		     used == bytes.len && truth_event(&one.data, bytes, &ev) &&
		     ev.event.seq == seq++;
		if (ok)
			*go = fn(arg, &ev);
	}
	msgpack_unpacked_destroy(&one);
	if (!ok)
		fprintf(stderr, "# the log has no event at seq %llu\n",
		    (unsigned long long)(seq - 1));
	return ok;
}

bool
truth_each(const char *directory,
    bool (*fn)(void *arg, const struct truth_event *event), void *arg)
{
	CLEANUP(closep) int dirfd = open(directory, O_DIRECTORY | O_CLOEXEC);
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct reason why = { .text = "cannot open it" };
	struct log_frame frame;
	int r = -1;
	bool go = true;

	if (dirfd >= 0)
		r = log_reader_open(&sysio_posix, dirfd, UINT64_MAX, &rd, &why);
	while (r >= 0 && go) {
		r = log_reader_next(rd, &frame, &why);
		if (r == LOG_READ_END)
			return true;
		if (r != LOG_READ_FRAME)
			break;
		if (!truth_frame(&frame, fn, arg, &go))
			return false;
	}
	if (go)
		fprintf(stderr, "# log '%s': %s\n", directory, why.text);
	return !go;
}
