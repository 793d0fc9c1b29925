/* SPDX-License-Identifier: BSD-2-Clause */

/* A log on the disk, its backup, and what is restored of it, for tests. */

#ifndef PEAL_TESTS_LIB_BACKUPFIX_H
#define PEAL_TESTS_LIB_BACKUPFIX_H

#include <stdint.h>

#include "core/reason.h"
#include "core/sysio.h"
#include "log/backup.h"
#include "log/restore.h"
#include "tests/lib/logfix.h"

enum {
	BACKUPFIX_NOW_S = 1000000000
};

struct backupfix {
	struct logfix *fx; /* the log */
	int to;		   /* its backup */
	struct log_backup backup;
	struct log_restore restore;
	struct reason why;
};

/* cmocka's setup and teardown. */
int backupfix_setup(void **state);
int backupfix_teardown(void **state);

/* An empty directory beside the log; a descriptor of the caller's. */
int backupfix_directory(struct backupfix *w, const char *name);
/* Bring the backup up to date; log_backup()'s outcome. */
int backupfix_run(struct backupfix *w, const struct sysio *io);
/* The same, and it must succeed. */
void backupfix_done(struct backupfix *w);
/* Restore to a new directory, whose descriptor *out is on success. */
int backupfix_restore(
    struct backupfix *w, uint64_t until_seq, uint64_t until_us, int *out);
/* Events 1 to last, byte by byte, then the one that begins the epoch. */
void backupfix_expect(struct backupfix *w, int fd, uint64_t last);

#endif
