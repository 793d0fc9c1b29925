/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Backups, and history that somebody has edited: in the backup with all its
 * sums made anew, or in the log before.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/proto.h"
#include "log/manifest.h"
#include "log/sums.h"
#include "tests/lib/backupfix.h"
#include "tests/lib/editor.h"
#include "tests/lib/retainfix.h"

/* The nth segment of the backup, from 0 on. */
static struct manifest_file
nth_in_backup(struct backupfix *w, size_t n)
{
	struct manifest_file found = { .bytes = 0 };
	struct manifest m;

	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	for (size_t i = 0; i < m.n && found.bytes == 0; i++)
		if (m.files[i].capacity > 0 && n-- == 0)
			found = m.files[i];
	manifest_deinit(&m);
	assert_true(found.bytes > 0);
	return found;
}

/* Write bytes over the file, and its sum into the manifest. */
static void
forge(struct backupfix *w, const char *name, const uint8_t *p, size_t len)
{
	struct manifest m;

	assert_int_equal(
	    fs_replace(&sysio_posix, w->to, name, p, len, 0640, &w->why), 0);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	for (size_t i = 0; i < m.n; i++)
		if (strcmp(m.files[i].name, name) == 0)
			sha256(p, len, m.files[i].sha256);
	assert_int_equal(manifest_store(&sysio_posix, w->to, &m, &w->why), 0);
	manifest_deinit(&m);
}

/* Edit event seq of the nth segment of the backup, its manifest, too. */
static void
edit_backup(
    struct backupfix *w, size_t n, uint64_t seq, enum editor_digests digests)
{
	static struct editor ed;
	static uint8_t whole[LOGFIX_SEGMENT];
	struct manifest_file f = nth_in_backup(w, n);
	CLEANUP(freep) uint8_t *p = NULL;
	size_t frames, len;

	assert_int_equal(fs_read(&sysio_posix, w->to, f.name, sizeof(whole), &p,
			     &len, &w->why),
	    0);
	/* A sealed one is its frames and its seal. */
	memset(whole, 0, sizeof(whole));
	frames = f.sealed ? len - LOG_PAGE : len;
	memcpy(whole, p, frames);
	memcpy(whole + sizeof(whole) - LOG_PAGE, p + frames, len - frames);
	editor_open(&ed, whole, sizeof(whole));
	editor_change(&ed, seq);
	editor_close(&ed, digests);
	memcpy(p, whole, frames);
	memcpy(p + frames, whole + sizeof(whole) - LOG_PAGE, len - frames);
	forge(w, f.name, p, len);
}

/* A log of 200 events and its sums, and all of it is in the backup. */
static void
back_up_with_sums(struct backupfix *w)
{
	logfix_start(w->fx);
	logfix_fill(w->fx, 50, 4);
	while (retainfix_sum(&sysio_posix, w->fx->dirfd, &w->why) == SUMS_MADE)
		continue;
	backupfix_done(w);
}

static void
an_edited_backup_is_told_as_such(void **state)
{
	struct backupfix *w = *state;
	size_t last = 0;
	char text[80];
	uint64_t seq;
	int fd;

	back_up_with_sums(w);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 200);
	seq = nth_in_backup(w, 1).first_seq + 5;
	snprintf(text, sizeof(text), "first such event is %d", (int)seq);
	for (int i = EDITOR_CRCS; i <= EDITOR_SEAL; i++) {
		edit_backup(w, 1, seq, (enum editor_digests)i);
		assert_int_equal(
		    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
		    LOG_RESTORE_DAMAGED);
		if (!strstr(w->why.text, text))
			fail_msg("%s", w->why.text);
		edit_backup(w, 1, seq, (enum editor_digests)i);
		assert_int_equal(
		    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
		backupfix_expect(w, fd, 200);
	}
	/* Of the newest only the backup's head speaks. */
	while (nth_in_backup(w, last).last_seq < 200)
		last++;
	edit_backup(w, last, 198, EDITOR_CRCS);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
	    LOG_RESTORE_DAMAGED);
	assert_non_null(strstr(w->why.text, "one of 1 to 200"));
}

/* What is left out of a segment nobody has edited. */
static void
a_segment_that_is_cut_has_no_sums(void **state)
{
	struct backupfix *w = *state;
	int fd;

	back_up_with_sums(w);
	assert_true(nth_in_backup(w, 0).last_seq > 40);
	assert_int_equal(backupfix_restore(w, 40, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 40);
}

static void
a_size_that_is_not_the_segments_is_named(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 3, 4);
	backupfix_done(w);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	m.files[0].capacity += LOG_PAGE;
	assert_int_equal(manifest_store(&sysio_posix, w->to, &m, &w->why), 0);
	manifest_deinit(&m);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
	    LOG_RESTORE_DAMAGED);
	assert_non_null(strstr(w->why.text, "another size than the manifest"));
}

static void
what_was_edited_is_not_backed_up(void **state)
{
	static struct editor ed;
	static uint8_t bytes[LOGFIX_SEGMENT];
	struct backupfix *w = *state;
	int fd;

	logfix_start(w->fx);
	logfix_fill(w->fx, 50, 4);
	fd =
	    openat(w->fx->dirfd, "00000000000000000001-0000000001.seg", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	editor_open(&ed, bytes, sizeof(bytes));
	editor_change(&ed, 7);
	editor_close(&ed, EDITOR_CRCS);
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	(void)close(fd);
	assert_int_equal(backupfix_run(w, &sysio_posix), LOG_BACKUP_DAMAGED);
	assert_non_null(strstr(w->why.text, "edited history"));
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, backupfix_setup, backupfix_teardown)

/* Its manifest is of another log, or of an earlier epoch. */
static void
expect_two_names(struct backupfix *w, const struct manifest *m)
{
	char its[PROTO_LOG_NAME], ours[PROTO_LOG_NAME];
	int fd;

	assert_int_equal(manifest_store(&sysio_posix, w->to, m, &w->why), 0);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
	    LOG_RESTORE_DAMAGED);
	proto_log_name(w->fx->tail.log_id, w->fx->tail.epoch, its);
	proto_log_name(m->log_id, m->epoch, ours);
	if (!strstr(w->why.text, its) || !strstr(w->why.text, ours))
		fail_msg("%s", w->why.text);
}

static void
segments_of_another_log_than_the_manifests_are_named(void **state)
{
	struct backupfix *w = *state;
	struct manifest m;
	int fd;

	back_up_with_sums(w);
	assert_int_equal(manifest_load(&sysio_posix, w->to, &m, &w->why), 0);
	m.log_id[15] ^= 1;
	expect_two_names(w, &m);
	m.log_id[15] ^= 1;
	m.epoch--;
	expect_two_names(w, &m);
	m.epoch++;
	assert_int_equal(manifest_store(&sysio_posix, w->to, &m, &w->why), 0);
	manifest_deinit(&m);
	assert_int_equal(backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd), 0);
	backupfix_expect(w, fd, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_edited_backup_is_told_as_such),
		TEST(a_segment_that_is_cut_has_no_sums),
		TEST(a_size_that_is_not_the_segments_is_named),
		TEST(what_was_edited_is_not_backed_up),
		TEST(segments_of_another_log_than_the_manifests_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
