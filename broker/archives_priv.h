/* SPDX-License-Identifier: BSD-2-Clause */

/* What archives.c (archives) and archives_base.c (the log's base) share. */

#ifndef PEAL_BROKER_ARCHIVES_PRIV_H
#define PEAL_BROKER_ARCHIVES_PRIV_H

#include <pthread.h>

#include "broker/archives.h"

struct spool;
struct spools;

struct known_archive {
	struct archive_id id;
	uint64_t bytes;
	bool damaged; /* it is not to be used, and the first to go */
};

struct archives {
	pthread_mutex_t lock;
	int dirfd;
	uint64_t max_bytes, every;
	struct known_archive *v; /* ascending by seq */
	size_t n, cap;
	bool writing;
	uint64_t last_try; /* seq */
	struct archives_status counts;
	/* Of states under way to their archive: they make nobody go. */
	struct spools *spools;
	int log_dirfd;	   /* -1: there is no base to be looked for */
	uint64_t bad_base; /* its seq, where it proved damaged */
};

/* The log of a name as proto_log_name() makes it; false: it is none. */
bool archives_parse_log(const char *log, struct archive_id *id);
/*
 * Begin the archive called tmp and put all that s has, which are rows behind
 * their marks; the rest is the caller's.  As archive_create().
 */
MUST_CHECK int archives_fill(struct archives *ar, struct spool *s,
    const char *tmp, const struct archive_id *id, struct archive_writer **out,
    struct reason *why);

/* --- archives_base.c --- */

/* The seq of the log's base, 0 where it has none. */
uint64_t archives_base(const struct archives *ar, const char *log);
/* Is the base that the log has now of that seq? */
bool archives_is_base(const struct archives *ar, uint64_t seq);
/* The rows of that base; *out stays NULL where it is of no use. */
MUST_CHECK int archives_open_base(
    struct archives *ar, const char *log, uint64_t seq, struct archive **out);

#endif
