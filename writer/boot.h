/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Boot: from a directory to a writer that may take its first request.  Until
 * recovery has made the log's end certain, nothing of it is published.
 */

#ifndef PEAL_WRITER_BOOT_H
#define PEAL_WRITER_BOOT_H

#include <stdint.h>
#include <sys/types.h>

#include "core/macros.h"
#include "log/recover.h"
#include "shm/ring_writer.h"
#include "writer/state.h"

struct conf;
struct log_writer;
struct reason;
struct witness;

struct boot {
	int log_dir;
	int lock;
	int run_dir;
	struct log_tail tail;
	struct state state;
	struct log_writer *log;
	struct witness *witness;
	const char
	    *unsafe; /* what the log's file system is; NULL: it is safe */
	struct ring_options ring_options;
	struct ring_writer *ring; /* pre-loaded, not yet installed */
};

enum boot_result {
	BOOT_DONE = 0,
	BOOT_HELD,    /* another writer has the log */
	BOOT_DAMAGED, /* acknowledged data is damaged */
	BOOT_CONFIG,  /* the configuration can't work */
};

/* Is there something in the configuration that can't work?  options_check() */
int boot_check(const struct conf *conf);
/* *b is to be given to boot_deinit() whatever the result. */
MUST_CHECK int boot_run(
    const struct conf *conf, struct boot *b, struct reason *why);
void boot_deinit(struct boot *b);

#endif
