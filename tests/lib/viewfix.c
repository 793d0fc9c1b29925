/* SPDX-License-Identifier: BSD-2-Clause */

/* Messages are packed by the codec of the JSON form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/viewfix.h"

int
viewfix_setup(void **state)
{
	struct viewfix *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->view = view_new((struct slice){ 0 });
	*state = w;
	return w->view == NULL;
}

int
viewfix_teardown(void **state)
{
	struct viewfix *w = *state;

	view_free(w->view);
	free(w);
	return 0;
}

bool
viewfix_show(struct viewfix *w, const char *json)
{
	struct mp_buf b = { 0 };
	struct reason why;
	bool ok;

	if (json_to_mp(slice_cstr(json), &b, &why) < 0)
		fail_msg("%s: %s", json, why.text);
	ok = view_message(w->view, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
	return ok;
}

void
viewfix_ask(
    struct viewfix *w, uint64_t id, enum view_from from, int64_t position)
{
	const struct view_ask a = { .id = id,
		.topics = { "a.>" },
		.from = from,
		.position = position,
		.heir_of = view_rows(w->view, id) != NULL ? id : 0 };

	assert_true(view_asked(w->view, &a));
}

void
viewfix_live(struct viewfix *w, uint64_t id, unsigned seq)
{
	char json[100];

	viewfix_ask(w, id, VIEW_NOW, VIEW_NO_POSITION);
	snprintf(json, sizeof(json),
	    "{\"op\":\"subscribed\",\"id\":%u,\"seq\":%u}", (unsigned)id, seq);
	ALLOWED(json);
}

void
viewfix_snapshot(struct viewfix *w, uint64_t id, int64_t since)
{
	char json[100];

	viewfix_ask(w, id, VIEW_SNAPSHOT, since);
	snprintf(json, sizeof(json), "{\"op\":\"subscribed\",\"id\":%u}",
	    (unsigned)id);
	ALLOWED(json);
}
