/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Known messages, by the position behind which they begin.  Where some get
 * another one behind the same position, the one that came first stays.
 */

#include <errno.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "core/reason.h"
#include "tools/bench_fan.h"
#include "tools/bench_known.h"
#include "tools/follow.h"
#include "tools/refuse.h"

void
bench_known_init(struct bench_known *k, bool json)
{
	*k = (struct bench_known){ .json = json, .odd.after = UINT64_MAX };
	for (unsigned i = 0; i < BENCH_KNOWN_MAX; i++)
		k->kept[i].after = UINT64_MAX;
}

static void
known_free(struct known_message *m)
{
	mp_buf_deinit(&m->bytes);
	free(m->due_ns);
}

void
bench_known_deinit(struct bench_known *k)
{
	for (unsigned i = 0; i < BENCH_KNOWN_MAX; i++)
		known_free(&k->kept[i]);
	known_free(&k->odd);
}

/* The time that an event's source wrote into its data. */
static int
known_due(struct slice bytes, uint64_t *due_ns, struct reason *why)
{
	struct event ev;
	struct mp_walk w;
	struct mp_item item;

	if (event_decode(bytes, &ev, why) < 0)
		return -EPROTO;
	w = mp_walk(ev.data);
	if (!mp_next(&w, &item) || item.type != MP_BIN || item.s.len < FAN_MARK)
		return REFUSE(why, "an event has data of somebody else");
	*due_ns = get_le64(item.s.p);
	return 0;
}

/* When the events of what follow took were due. */
static int
known_keep(struct known_message *m, const struct follow_message *got,
    struct slice msg, struct reason *why)
{
	struct mp_walk w = mp_walk(got->events);
	struct slice event;
	int err = 0;

	free(m->due_ns);
	m->due_ns = calloc(got->n + 1, sizeof(*m->due_ns));
	m->bytes.len = 0;
	mp_buf_bytes(&m->bytes, msg.p, msg.len);
	if (!m->due_ns || m->bytes.failed)
		return reason_set(why, -ENOMEM, "cannot keep a message");
	for (uint32_t i = 0; err >= 0 && i < got->n && mp_skip(&w, &event); i++)
		err = known_due(event, &m->due_ns[i], why);
	return err;
}

/* Check a new message in full, by itself, and keep it. */
static int
known_learn(struct known_message *m, struct slice msg, uint64_t after,
    bool json, struct reason *why)
{
	struct follow f = {
		.live = true, .positioned = true, .position = after
	};
	struct follow_message got;
	struct mp_buf packed = { 0 };
	struct slice value = msg;
	int err = 0;

	m->after = UINT64_MAX;
	if (json) {
		err = json_to_mp(msg, &packed, why) == 0 ? 0 : -EPROTO;
		value = slice_of(packed.p, packed.len);
	}
	if (err >= 0)
		err = follow_take(&f, value, &got, why);
	if (err >= 0)
		err = known_keep(m, &got, msg, why);
	mp_buf_deinit(&packed);
	if (err < 0)
		return err;
	m->after = after;
	m->upto = f.position;
	m->n = got.n;
	return 0;
}

static bool
known_is(const struct known_message *m, struct slice msg, uint64_t after)
{
	return m->after == after && m->bytes.len == msg.len &&
	       memcmp(m->bytes.p, msg.p, msg.len) == 0;
}

const struct known_message *
bench_known_find(struct bench_known *k, struct slice msg, uint64_t after,
    int *err, struct reason *why)
{
	struct known_message *m = &k->kept[after % BENCH_KNOWN_MAX];

	*err = 0;
	if (known_is(m, msg, after))
		return m;
	if (m->after == after)
		m = &k->odd;
	if (!known_is(m, msg, after))
		*err = known_learn(m, msg, after, k->json, why);
	return *err < 0 ? NULL : m;
}
