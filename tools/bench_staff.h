/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The processes of a house of a benchmark's own, each started and stopped by
 * itself: what restarts, kills and rebuilds cost can't be seen through a
 * supervisor that does them when it likes.
 */

#ifndef PEAL_TOOLS_BENCH_STAFF_H
#define PEAL_TOOLS_BENCH_STAFF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/macros.h"
#include "tools/bench_house.h"
#include "tools/up.h"

struct reason;
struct tool;

enum bench_role {
	BENCH_WRITER,
	BENCH_BROKER,
	BENCH_GATEWAY,
	BENCH_ROLES
};

struct bench_staff {
	struct tool *t;
	struct bench_house house;
	struct up_options options;
	char *token; /* with all rights */
	char url[300];
	int lock;
	int listen_fd;
	pid_t pid[BENCH_ROLES]; /* 0: not running */
};

/*
 * Make a house in a temporary directory, and t's; nothing runs in it.
 * bench_staff_close() ends it, also where this fails.
 */
MUST_CHECK int bench_staff_open(
    struct bench_staff *s, struct tool *t, struct reason *why);
/* Stop what runs, and remove the directory. */
void bench_staff_close(struct bench_staff *s);

/*
 * Start one, with further options "section.key=value" (or NULL each), and
 * wait until it answers.
 */
MUST_CHECK int bench_staff_start(struct bench_staff *s, enum bench_role role,
    const char *const *options, unsigned n, struct reason *why);
/* Send signo, and wait for its end. */
void bench_staff_stop(struct bench_staff *s, enum bench_role role, int signo);
/* What it has used so far. */
MUST_CHECK int bench_staff_usage(const struct bench_staff *s,
    enum bench_role role, struct bench_usage *usage, struct reason *why);

MUST_CHECK int bench_staff_cpu(const struct bench_staff *s,
    enum bench_role role, uint64_t *cpu_ns, struct reason *why);

/* What the broker says of itself. */
struct bench_welcome {
	uint64_t seq;	   /* rows include it */
	uint64_t timeline; /* indexes of events include it */
	uint64_t rows;
	uint64_t archives;
	uint64_t archive_bytes;
	uint64_t archive_newest; /* a seq */
	uint64_t jobs_waiting;
};

/* Below zero where it does not answer, or has ended. */
MUST_CHECK int bench_staff_welcome(
    struct bench_staff *s, struct bench_welcome *welcome, struct reason *why);
/* Wait until rows, and indexes where they are wanted, include seq. */
MUST_CHECK int bench_staff_folded(
    struct bench_staff *s, uint64_t seq, bool indexes, struct reason *why);

/* Bytes on the disk of all files below DIR/name; 0: there is none. */
uint64_t bench_staff_disk(const struct bench_staff *s, const char *name);
/* Remove DIR/name and all below it. */
void bench_staff_remove(const struct bench_staff *s, const char *name);

#endif
