/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal bench append`: what a producer waits for, and how many events a
 * second become durable.  Five pairs of peal and bare loop, interleaved, so
 * that a disk that changes its mind does so to both.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench.h"
#include "tools/bench_bare.h"
#include "tools/bench_hist.h"
#include "tools/bench_house.h"
#include "tools/tool.h"
#include "tools/writer_client.h"

enum {
	BENCH_PAIRS = 5,
	BENCH_BARE_RECORDS = 256,     /* to a flush, with many in flight */
	BENCH_OVERHEAD = 64 + 8 + 48, /* of frame, event header, event */
	BENCH_INFLIGHT_MAX = 4096,
	BENCH_TOPICS = 64,
};

/* Of one run: peal's or the bare loop's. */
struct append_result {
	double events_per_s;
	double p50_us;
	double p99_us;
	double p999_us;
};

struct append_bench {
	struct tool t;
	uint64_t inflight;
	uint64_t size;
	uint64_t events; /* in a run */
	uint64_t rate;	 /* a second; 0: as fast as may be */
	bool own;
	struct writer_client wc;
	struct bench_bare bare;
	struct mp_buf data;
	struct mp_buf request;
	/* When it was sent, at a rate when it was due. */
	uint64_t sent_ns[BENCH_INFLIGHT_MAX];
	struct append_result peal[BENCH_PAIRS];
	struct append_result lone[BENCH_PAIRS]; /* the bare loop */
	struct bench_hist hist;
};

/* --- peal --- */

static int
append_bench_send(struct append_bench *b, uint64_t id, uint64_t due_ns)
{
	char topic[24];
	struct writer_append append = { .type = SLICE_STR("measured"),
		.data = slice_of(b->data.p, b->data.len) };

	snprintf(topic, sizeof(topic), "bench.%" PRIu64, id % BENCH_TOPICS);
	append.topic = slice_cstr(topic);
	b->request.len = 0;
	writer_client_pack(&b->request, id, &append);
	b->sent_ns[id % b->inflight] = due_ns ? due_ns : time_mono_ns();
	return b->request.failed ? -ENOMEM
				 : writer_client_send(&b->wc,
				       slice_of(b->request.p, b->request.len));
}

/* Take the answers that are there; adds their number to *done. */
static int
append_bench_answers(struct append_bench *b, uint64_t *done, struct reason *why)
{
	struct writer_reply reply;
	uint64_t now = time_mono_ns();
	int got;

	while ((got = writer_client_reply(&b->wc, &reply, why)) > 0) {
		if (reply.code != PROTO_OK)
			return reason_say(why, -EIO, "%s: %.*s",
			    proto_code_name(reply.code), (int)reply.message.len,
			    (const char *)reply.message.p);
		bench_hist_add(
		    &b->hist, now - b->sent_ns[reply.id % b->inflight], 1);
		(*done)++;
	}
	return got;
}

static void
append_bench_result(const struct append_bench *b, struct append_result *result)
{
	result->p50_us = (double)bench_hist_percentile(&b->hist, 50) / 1e3;
	result->p99_us = (double)bench_hist_percentile(&b->hist, 99) / 1e3;
	result->p999_us = (double)bench_hist_percentile(&b->hist, 99.9) / 1e3;
}

/* When request id is due in a run that began then; 0: at once. */
static uint64_t
append_bench_due(const struct append_bench *b, uint64_t begin, uint64_t id)
{
	return b->rate ? begin + id * NS_PER_S / b->rate : 0;
}

/* Send what is due and may be sent; returns how long to wait for more, in ms. */
static int
append_bench_send_due(struct append_bench *b, uint64_t begin, uint64_t *sent,
    uint64_t done, struct reason *why)
{
	while (*sent < b->events && *sent - done < b->inflight) {
		uint64_t due = append_bench_due(b, begin, *sent);
		int err;

		if (due > time_mono_ns())
			return 1;
		err = append_bench_send(b, (*sent)++, due);
		if (err < 0)
			return reason_set(why, err, "cannot send");
	}
	return INT_MAX;
}

static int
append_bench_peal(
    struct append_bench *b, struct append_result *result, struct reason *why)
{
	uint64_t sent = 0, done = 0, begin = time_mono_ns();
	int err = 0;

	b->hist = (struct bench_hist){ 0 };
	while (done < b->events) {
		err = append_bench_send_due(b, begin, &sent, done, why);
		if (err < 0)
			return err;
		err = writer_client_wait(&b->wc, err, why);
		if (err == WRITER_CLOSED)
			return reason_say(why, -EPIPE, "the writer went away");
		if (err >= 0)
			err = append_bench_answers(b, &done, why);
		if (err < 0)
			return err;
		if (tool_stopped())
			return reason_say(why, -EINTR, "stopped");
	}
	result->events_per_s =
	    (double)b->events * NS_PER_S / (double)(time_mono_ns() - begin);
	append_bench_result(b, result);
	return 0;
}

/* --- the bare loop --- */

static uint64_t
append_bench_records(const struct append_bench *b)
{
	return b->inflight == 1 ? 1 : BENCH_BARE_RECORDS;
}

static int
append_bench_bare(
    struct append_bench *b, struct append_result *result, struct reason *why)
{
	uint64_t records = append_bench_records(b), ns;
	uint64_t flushes = MAX(b->events / records, 1);
	int err;

	b->hist = (struct bench_hist){ 0 };
	err = bench_bare_run(&b->bare, flushes, &b->hist, &ns, why);
	if (err < 0)
		return err;
	result->events_per_s =
	    (double)(flushes * records) * NS_PER_S / (double)MAX(ns, 1);
	append_bench_result(b, result);
	return 0;
}

/* --- both --- */

static int
append_bench_run(struct append_bench *b, struct reason *why)
{
	int err = 0;

	for (unsigned i = 0; err >= 0 && i < BENCH_PAIRS; i++) {
		err = append_bench_peal(b, &b->peal[i], why);
		if (err >= 0)
			err = append_bench_bare(b, &b->lone[i], why);
		if (err >= 0 && !b->t.json)
			printf("pair %u: peal %8.0f events/s, p50 %8.1f us, "
			       "p99 %8.1f us; bare %8.0f/s, p50 %8.1f us\n",
			    i + 1, b->peal[i].events_per_s, b->peal[i].p50_us,
			    b->peal[i].p99_us, b->lone[i].events_per_s,
			    b->lone[i].p50_us);
		(void)tool_flush(&b->t);
	}
	return err;
}

static int
append_bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median over the pairs of one member. */
static double
append_bench_median(const struct append_result *r, size_t offset)
{
	double v[BENCH_PAIRS];

	for (unsigned i = 0; i < BENCH_PAIRS; i++)
		memcpy(&v[i], (const char *)&r[i] + offset, sizeof(v[i]));
	qsort(v, BENCH_PAIRS, sizeof(v[0]), append_bench_compare);
	return v[BENCH_PAIRS / 2];
}

#define MEDIAN(results, member) \
	append_bench_median((results), offsetof(struct append_result, member))

/* Of each pair: what disturbs the machine disturbs both of a pair. */
static void
append_bench_ratios(const struct append_bench *b, double *rate, double *p50)
{
	struct append_result ratio[BENCH_PAIRS];

	for (unsigned i = 0; i < BENCH_PAIRS; i++) {
		ratio[i].events_per_s =
		    b->peal[i].events_per_s / b->lone[i].events_per_s;
		ratio[i].p50_us = b->peal[i].p50_us / b->lone[i].p50_us;
	}
	*rate = MEDIAN(ratio, events_per_s);
	*p50 = MEDIAN(ratio, p50_us);
}

static void
append_bench_print(const struct append_bench *b)
{
	double eps = MEDIAN(b->peal, events_per_s);
	double bare_eps = MEDIAN(b->lone, events_per_s);
	double p50 = MEDIAN(b->peal, p50_us), p99 = MEDIAN(b->peal, p99_us);
	double bare_p50 = MEDIAN(b->lone, p50_us);
	double bare_p99 = MEDIAN(b->lone, p99_us);
	double p999 = MEDIAN(b->peal, p999_us);
	double bare_p999 = MEDIAN(b->lone, p999_us);
	double rate_ratio, p50_ratio;

	append_bench_ratios(b, &rate_ratio, &p50_ratio);
	if (b->t.json) {
		printf("{\"bench\":\"append\",\"inflight\":%" PRIu64
		       ",\"size\":%" PRIu64 ",\"events\":%" PRIu64
		       ",\"rate\":%" PRIu64
		       ",\"events_per_s\":%.0f,\"p50_us\":%.1f,"
		       "\"p99_us\":%.1f,\"p99_9_us\":%.1f,"
		       "\"bare_records\":%" PRIu64
		       ",\"bare_events_per_s\":%.0f,\"bare_p50_us\":%.1f,"
		       "\"bare_p99_us\":%.1f,\"bare_p99_9_us\":%.1f,"
		       "\"rate_ratio\":%.3f,\"p50_ratio\":%.3f}\n",
		    b->inflight, b->size, b->events, b->rate, eps, p50, p99,
		    p999, append_bench_records(b), bare_eps, bare_p50, bare_p99,
		    bare_p999, rate_ratio, p50_ratio);
		return;
	}
	printf("median: %.0f events/s, p50 %.1f us, p99 %.1f us, p99.9 %.1f us "
	       "with %" PRIu64 " in flight, %" PRIu64 " bytes of data\n",
	    eps, p50, p99, p999, b->inflight, b->size);
	printf(
	    "bare:   %.0f records/s, p50 %.1f us, p99 %.1f us, p99.9 %.1f us "
	    "with %" PRIu64 " to a pwrite + fdatasync\n",
	    bare_eps, bare_p50, bare_p99, bare_p999, append_bench_records(b));
	printf("ratio:  %.2f of the bare rate, %.2f times the bare p50 "
	       "(median of %d pairs)\n",
	    rate_ratio, p50_ratio, BENCH_PAIRS);
}

static int
append_bench_open(struct append_bench *b, struct reason *why)
{
	size_t record = BENCH_OVERHEAD + b->size;
	uint8_t *blob;
	int err;

	blob = calloc(1, b->size + 1);
	if (!blob)
		return reason_set(why, -ENOMEM, "cannot measure");
	mp_pack_bin(&b->data, slice_of(blob, b->size));
	free(blob);
	err = writer_client_open(&b->wc, house_run_dir(&b->t.house), why);
	if (err < 0)
		return err;
	return bench_bare_open(&b->bare, house_log_dir(&b->t.house),
	    append_bench_records(b) * record, why);
}

static void
append_bench_close(struct append_bench *b)
{
	writer_client_close(&b->wc);
	bench_bare_close(&b->bare);
	mp_buf_deinit(&b->data);
	mp_buf_deinit(&b->request);
}

static int
append_bench_main(struct append_bench *b)
{
	struct bench_house own = { .gateways = 1 };
	struct reason why = REASON_NO_MEMORY;
	int err = 0;

	if (b->rate && b->inflight == 1)
		b->inflight = BENCH_INFLIGHT_MAX;
	if (!b->events)
		b->events = b->inflight == 1 ? 1000 : 100000;
	b->bare.fd = -1;
	tool_catch_stop();
	if (b->own)
		err = bench_house_start(&own, &b->t, &why);
	if (err >= 0)
		err = append_bench_open(b, &why);
	if (err >= 0)
		err = append_bench_run(b, &why);
	if (err >= 0)
		append_bench_print(b);
	append_bench_close(b);
	bench_house_stop(&own);
	return err < 0 ? tool_fail(&b->t, &why) : TOOL_OK;
}

int
bench_append(int argc, char **argv)
{
	struct append_bench *b = calloc(1, sizeof(*b));
	int status = TOOL_ERROR;

	if (!b)
		return status;
	b->inflight = 1;
	b->size = 128;
	const struct tool_option options[] = {
		{ .name = "inflight",
		    .kind = TOOL_UINT,
		    .value = &b->inflight,
		    .arg = "N",
		    .help = "requests unanswered (default: 1)",
		    .min = 1,
		    .max = BENCH_INFLIGHT_MAX },
		{ .name = "size",
		    .kind = TOOL_UINT,
		    .value = &b->size,
		    .arg = "BYTES",
		    .help = "data of an event (default: 128)",
		    .min = 1,
		    .max = EVENT_MAX - 1024 },
		{ .name = "events",
		    .kind = TOOL_UINT,
		    .value = &b->events,
		    .arg = "N",
		    .help = "in each of the five pairs (default: 1000 alone, "
			    "100000 with many in flight)",
		    .min = 1,
		    .max = UINT32_MAX },
		{ .name = "rate",
		    .kind = TOOL_UINT,
		    .value = &b->rate,
		    .arg = "R",
		    .help = "events a second, by a schedule from which each is "
			    "timed (default: as many as can be)",
		    .min = 1,
		    .max = 10000000 },
		{ .name = "own",
		    .kind = TOOL_FLAG,
		    .value = &b->own,
		    .help = "start a peal in a temporary directory" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "bench append",
		.text = "Append events from one producer and time them, beside "
			"pwrite + fdatasync in the\nsame directory. The events "
			"go to topics bench.* of the running peal, or with\n"
			"--own to one that is removed afterwards.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options };

	if (tool_begin(&b->t, &usage, argc, argv, &status))
		status = tool_end(&b->t, append_bench_main(b));
	free(b);
	return status;
}
