/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log and its backup, for tests.  What fails here is the test's failure, but
 * for outcomes, which are returned.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "log/log_reader.h"
#include "log/verify.h"
#include "tests/lib/backupfix.h"

int
backupfix_directory(struct backupfix *w, const char *name)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "rm -rf '%s/%s'", w->fx->path, name);
	assert_int_equal(system(path), 0);
	assert_int_equal(mkdirat(w->fx->dirfd, name, 0750), 0);
	fd = openat(w->fx->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

int
backupfix_setup(void **state)
{
	struct backupfix *w = calloc(1, sizeof(*w));
	void *fx;

	assert_non_null(w);
	assert_int_equal(logfix_setup(&fx), 0);
	w->fx = fx;
	w->to = backupfix_directory(w, "backup");
	*state = w;
	return 0;
}

int
backupfix_teardown(void **state)
{
	struct backupfix *w = *state;
	void *fx = w->fx;

	(void)close(w->to);
	assert_int_equal(logfix_teardown(&fx), 0);
	free(w);
	return 0;
}

int
backupfix_run(struct backupfix *w, const struct sysio *io)
{
	w->backup =
	    (struct log_backup){ .limit_seq = w->fx->durable_seq, .now_us = 1 };
	return log_backup(io, w->fx->dirfd, w->to, &w->backup, &w->why);
}

void
backupfix_done(struct backupfix *w)
{
	if (backupfix_run(w, &sysio_posix) != LOG_BACKUP_DONE)
		fail_msg("backup: %s", w->why.text);
	assert_int_equal(w->backup.seq, w->fx->durable_seq);
}

/* Restore to a new directory, whose descriptor *out is on success. */
int
backupfix_restore(
    struct backupfix *w, uint64_t until_seq, uint64_t until_us, int *out)
{
	int fd = backupfix_directory(w, "restored"), err;

	w->why.text[0] = '\0';
	w->restore = (struct log_restore){ .until_seq = until_seq,
		.until_us = until_us,
		.now_us = UINT64_C(1000000) * BACKUPFIX_NOW_S,
		.segment_bytes = LOGFIX_SEGMENT };
	err = log_restore(&sysio_posix, w->to, fd, &w->restore, &w->why);
	if (err == LOG_RESTORED)
		*out = fd;
	else
		(void)close(fd);
	return err;
}

/* Events 1 to last, byte by byte, then the one that begins the epoch. */
void
backupfix_expect(struct backupfix *w, int fd, uint64_t last)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	struct log_reader *rd;
	struct log_frame frame;
	uint8_t want[LOGFIX_EVENT_MAX];
	struct slice event;
	uint64_t seq = 1;
	uint32_t crc;
	size_t at;

	assert_int_equal(log_verify(&sysio_posix, fd, &verify, &w->why), 0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.last_seq, last + 1);
	assert_int_equal(w->restore.seq, last);
	assert_int_equal(w->restore.epoch_seq, last + 1);
	assert_int_equal(
	    log_reader_open(&sysio_posix, fd, UINT64_MAX, &rd, &w->why), 0);
	while (log_reader_next(rd, &frame, &w->why) == LOG_READ_FRAME)
		for (at = 0; log_frame_event(&frame, &at, &event, &crc); seq++)
			if (seq <= last)
				assert_true(slice_equal(event,
				    slice_of(want, logfix_event(seq, want))));
	assert_int_equal(seq, last + 2);
	log_reader_free(rd);
	(void)close(fd);
}
