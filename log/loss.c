/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loss.  The epoch in the topic ties the events of one repair together: those
 * of an earlier one may stand behind them, and must not end them.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "log/loss.h"

#define LOG_TOPIC "$log."
#define LOST	  ".lost"

void
log_loss_put(struct mp_buf *b, uint64_t epoch, const struct log_range *lost,
    uint64_t seq, uint64_t version, uint64_t time_us)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
	char topic[LOSS_TOPIC_SIZE];
	int len =
	    snprintf(topic, sizeof(topic), LOG_TOPIC "%" PRIu64 LOST, epoch);
	struct event ev = { .seq = seq,
		.time_us = time_us,
		.version = version,
		.topic = slice_of(topic, (size_t)len),
		.type = SLICE_STR(LOSS_TYPE),
		.actor = SLICE_STR("peal") };
	uint8_t *p;

	mp_pack_map(&data, 2);
	mp_pack_cstr(&data, "first");
	mp_pack_uint(&data, lost->first);
	mp_pack_cstr(&data, "last");
	mp_pack_uint(&data, lost->last);
	ev.data = slice_of(data.p, data.len);
	p = data.failed ? NULL : mp_buf_reserve(b, event_size(&ev));
	if (p)
		b->len += (size_t)(event_encode(&ev, p) - p);
	else
		b->failed = true;
}

void
log_loss_see(struct log_loss *loss, struct slice topic)
{
	const size_t begin = sizeof(LOG_TOPIC) - 1;
	char text[LOSS_TOPIC_SIZE];
	uint64_t epoch = 0;
	char *p;

	if (topic.len <= begin || topic.len >= sizeof(text) ||
	    memcmp(topic.p, LOG_TOPIC, begin) != 0)
		return;
	memcpy(text, topic.p, topic.len);
	text[topic.len] = '\0';
	for (p = text + begin; *p >= '0' && *p <= '9'; p++)
		epoch = epoch * 10 + (uint64_t)(*p - '0');
	if (strcmp(p, LOST) == 0)
		loss->lost = MAX(loss->lost, epoch);
	else if (*p == '\0')
		loss->ended = MAX(loss->ended, epoch);
}
