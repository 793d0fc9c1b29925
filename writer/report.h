/* SPDX-License-Identifier: BSD-2-Clause */

/* Report: the writer's counters, gathered into the ring's for all to read. */

#ifndef PEAL_WRITER_REPORT_H
#define PEAL_WRITER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct attach;
struct ingest;
struct retainer;
struct ring_writer;
struct syncer;

struct report_parts {
	struct ring_writer *ring;
	const struct ingest *ingest;
	const struct syncer *syncer;
	const struct attach *attach;
	const struct retainer *retainer;
	uint64_t checkpoint_failed;
	bool unsafe;		/* may flushes be lost there? */
	int log_dir;		/* whose disk is looked at */
	uint64_t segment_bytes; /* of the log */
};

void report_counters(const struct report_parts *parts);

#endif
