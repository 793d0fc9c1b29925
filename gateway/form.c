/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks in another form, made when somebody first needs it.  A group whose
 * clients all speak MessagePack never pays for it.
 */

#include <stdio.h>

#include "core/json.h"
#include "core/proto.h"
#include "gateway/form.h"
#include "gateway/http.h"

/* What is said of a message that was written is true of each form. */
static struct block *
like(struct block *form, const struct block *b)
{
	if (form) {
		form->n_events = b->n_events;
		form->read_ns = b->read_ns;
	}
	return form;
}

static struct block *
make_json(const struct block *b)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };

	if (json_from_mp(block_payload(b), &text) < 0)
		return NULL;
	return like(block_text(slice_of(text.p, text.len)), b);
}

struct block *
form_of(struct block *b, enum form form)
{
	if (form == FORM_MSGPACK)
		return b;
	if (!b->json)
		b->json = make_json(b);
	return b->json;
}

/* The text may be there already. */
static void
put_json(const struct block *b, struct mp_buf *out)
{
	struct slice text;

	if (b->json) {
		text = block_payload(b->json);
		mp_buf_bytes(out, text.p, text.len);
	} else if (json_from_mp(block_payload(b), out) < 0) {
		out->failed = true;
	}
}

static struct block *
make_events(const struct block *b, const char *log)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf chunk = { 0 };
	char head[PROTO_LOG_NAME + 40];
	int n = snprintf(head, sizeof(head), "id: %s:%llu\ndata: ", log,
	    (unsigned long long)b->upto);

	mp_buf_bytes(&text, head, (size_t)n);
	put_json(b, &text);
	mp_buf_bytes(&text, "\n\n", 2);
	http_chunk_head(&chunk, text.len);
	mp_buf_bytes(&chunk, text.p, text.len);
	mp_buf_bytes(&chunk, "\r\n", 2);
	if (text.failed || chunk.failed)
		return NULL;
	return like(block_raw(slice_of(chunk.p, chunk.len)), b);
}

struct block *
form_events(struct block *b, const char *log)
{
	if (!b->events)
		b->events = make_events(b, log);
	return b->events;
}
