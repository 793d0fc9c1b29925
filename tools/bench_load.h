/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Events as an application has them: topics that come into being all along,
 * are changed, tagged and deleted, with 128 bytes of data.  The same numbers
 * give the same events.
 */

#ifndef PEAL_TOOLS_BENCH_LOAD_H
#define PEAL_TOOLS_BENCH_LOAD_H

#include <stdint.h>

#include "core/macros.h"
#include "tools/writer_client.h"

struct bench_hist;
struct reason;
struct tool;

enum {
	BENCH_LOAD_REQUEST = 32, /* events in a request */
};

struct bench_load {
	uint64_t events; /* over which all topics come into being */
	uint64_t topics; /* at most as many, at least 1 */
	uint64_t made;	 /* events so far */
	uint64_t created;
	uint64_t random;
	struct mp_buf request;
	struct {
		char topic[32];
		char actor[16];
		struct mp_buf data;
	} slot[BENCH_LOAD_REQUEST];
	struct writer_append append[BENCH_LOAD_REQUEST];
};

void bench_load_init(struct bench_load *load, uint64_t events, uint64_t topics);
void bench_load_deinit(struct bench_load *load);

/* Topic number i, in the order in which they come into being. */
void bench_load_topic(const struct bench_load *load, uint64_t i, char buf[32]);

/* Pack a request of the next n events; it lives until the next call. */
MUST_CHECK int bench_load_request(
    struct bench_load *load, uint64_t id, unsigned n, struct slice *request);

/* Append all of load's events as fast as the writer takes them. */
MUST_CHECK int bench_load_fill(
    const struct tool *t, struct bench_load *load, struct reason *why);

#endif
