/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks in another form, made when somebody first needs it.  A group whose
 * clients all speak MessagePack never pays for it.
 */

#include "gateway/form.h"
#include "core/json.h"

static struct block *
make_json(const struct block *b)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };

	if (json_from_mp(block_payload(b), &text) < 0)
		return NULL;
	return block_text(slice_of(text.p, text.len));
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
