/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segments that are missing, misplaced, strange or damaged: each is found
 * out, and the sentence names it.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/verify.h"
#include "log/witness.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"

static void
an_emptied_directory_is_no_new_log(void **state)
{
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 1);
	modelfix_store_witness(m, 2);
	filemodel_put_aside(m->fm, modelfix_named(m, 1), NULL);
	modelfix_expect_damage(m, LOG_LOST_TAIL, "events 1 to 2 were durable");
	assert_int_equal(modelfix_problems(m, sentence), 1);
	assert_non_null(strstr(sentence, "events 1 to 2 are"));
	filemodel_put_aside(m->fm, WITNESS_NAME, NULL);
	modelfix_expect_recovered(m, 0);
}

/* The ring's memory, or the broker's directory, outlived the log's. */
static void
witnesses_elsewhere_know_of_an_emptied_directory(void **state)
{
	struct modelfix *m = *state;
	struct log_witness wit = { .name = "position.wit", .epoch = 1 };
	struct log_tail tail;

	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &wit, 1, NULL,
			     &tail, &m->fx.why),
	    RECOVER_OK);
	wit.seq = 7;
	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &wit, 1, NULL,
			     &tail, &m->fx.why),
	    RECOVER_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "'position.wit'"));
	assert_non_null(strstr(m->fx.why.text, "events 1 to 7"));
}

/* It had all its bytes before it had its name. */
static void
a_newest_segment_without_its_beginning_is_damage(void **state)
{
	struct modelfix *m = *state;
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	char name[SEGMENT_NAME_SIZE];
	size_t n = 0;
	int fd;

	modelfix_fill_segments(m);
	while (modelfix_nth(m, n) + 12 < 60)
		n++;
	memcpy(name, modelfix_named(m, modelfix_nth(m, n)), sizeof(name));
	fd = sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDWR, 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, 0), 0);
	assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
	(void)sysio_close(m->fx.io, fd);
	modelfix_expect_damage(
	    m, LOG_DAMAGED_SEGMENT, "neither copy of its header");
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	assert_int_equal(verify.problems, 1);
}

static void
the_manual_tells_each_kind_of_damage(void **state)
{
	const char *top = getenv("top_srcdir");
	char path[512];
	static char page[64 << 10];
	FILE *f;

	snprintf(
	    path, sizeof(path), "%s/doc/man/peal-writer.8", top ? top : "..");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_in_range(fread(page, 1, sizeof(page) - 1, f), 1000, 60000);
	(void)fclose(f);
	for (int kind = 0; kind <= LOG_EDITED; kind++)
		if (!strstr(page, log_problem_name(kind)))
			fail_msg("no %s", log_problem_name(kind));
	assert_null(strstr(page, "damaged teapot"));
	assert_ptr_equal(
	    log_problem_next("lost tail: x"), log_problem_next("lost tail: y"));
	assert_ptr_not_equal(log_problem_next("lost tail: x"),
	    log_problem_next("foreign segment: x"));
}

static void
a_missing_segment_is_damage(void **state)
{
	struct modelfix *m = *state;
	char text[80];

	modelfix_fill_segments(m);
	snprintf(text, sizeof(text), "events %d to %d are",
	    (int)modelfix_nth(m, 1), (int)modelfix_nth(m, 2) - 1);
	filemodel_put_aside(m->fm, modelfix_named(m, modelfix_nth(m, 1)), "x");
	modelfix_expect_damage(m, LOG_MISSING_SEGMENT, text);
}

static void
a_missing_first_segment_is_damage(void **state)
{
	struct modelfix *m = *state;
	char text[80];

	modelfix_fill_segments(m);
	snprintf(text, sizeof(text), "events 1 to %d are",
	    (int)modelfix_nth(m, 1) - 1);
	filemodel_put_aside(m->fm, modelfix_named(m, 1), "x");
	modelfix_expect_damage(m, LOG_MISSING_SEGMENT, text);
}

static void
a_missing_last_segment_is_damage_where_a_witness_knows(void **state)
{
	struct modelfix *m = *state;
	size_t last = 0;
	char text[80];

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	while (modelfix_nth(m, last) + 12 < 60)
		last++;
	snprintf(text, sizeof(text), "events %d to 60 are",
	    (int)modelfix_nth(m, last));
	filemodel_put_aside(
	    m->fm, modelfix_named(m, modelfix_nth(m, last)), "x");
	modelfix_expect_damage(m, LOG_LOST_TAIL, text);
}

static void
a_renamed_segment_is_found_out(void **state)
{
	struct modelfix *m = *state;
	char to[SEGMENT_NAME_SIZE];

	modelfix_fill_segments(m);
	segment_name(to, modelfix_nth(m, 1) + 1, 1, ".seg");
	filemodel_put_aside(m->fm, modelfix_named(m, modelfix_nth(m, 1)), to);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "by its header");
}

static void
a_segment_that_is_there_twice_is_found_out(void **state)
{
	struct modelfix *m = *state;
	char to[SEGMENT_NAME_SIZE];
	struct modelfix_copy c;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, modelfix_nth(m, 1)),
	    modelfix_take_copy, &c);
	segment_name(to, modelfix_nth(m, 1), 2, ".seg");
	modelfix_put_file(m, to, &c);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "has number 2");
}

static void
a_segment_of_another_log_is_found_out(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy was;

	modelfix_fill_segments(m);
	modelfix_put_foreign(m, 2, &was);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "another log");
}

static void
a_segment_from_another_history_of_the_log_is_found_out(void **state)
{
	struct modelfix *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	char name[SEGMENT_NAME_SIZE];
	struct logfix fx;
	struct modelfix_copy c;

	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	logfix_stop(&m->fx);
	other = filemodel_clone(m->fm);
	assert_int_equal(sysio_random(filemodel_io(other), c.bytes, 1), 0);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = 32 << 10;
	logfix_start(&fx);
	logfix_fill(&fx, 2, 2);
	logfix_fill(&fx, 18, 3);
	logfix_deinit(&fx);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 2);
	logfix_fill(&m->fx, 18, 3);
	/* Both wrote the same events; the salts differ. */
	memcpy(name, modelfix_named(m, modelfix_nth(m, 2)), sizeof(name));
	filemodel_edit(other, name, modelfix_take_copy, &c);
	modelfix_put_file(m, name, &c);
	modelfix_expect_damage(
	    m, LOG_FOREIGN_SEGMENT, "contradicts the header of");
}

/* Events 1 to 9 in three segments; the second was left in a crash. */
static void
fill_with_a_crash(struct logfix *fx, unsigned first)
{
	fx->segment_bytes = sizeof(((struct modelfix_copy *)0)->bytes);
	logfix_start(fx);
	logfix_fill(fx, 1, first);
	logfix_fill(fx, 1, 6 - first);
	assert_int_equal(log_writer_prepare(fx->lw, &fx->why), LOG_PREPARED);
	assert_int_equal(log_writer_roll(fx->lw, 7, &fx->why), 0);
	logfix_fill(fx, 1, 2);
	logfix_stop(fx);
	logfix_start(fx);
	logfix_fill(fx, 1, 1);
}

/* What no seal says, the hash in its successor's header does. */
static void
nor_does_one_behind_a_segment_left_in_a_crash(void **state)
{
	struct modelfix *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	char name[SEGMENT_NAME_SIZE];
	struct logfix fx;
	struct modelfix_copy c;

	other = filemodel_new(1);
	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fill_with_a_crash(&m->fx, 2);
	fill_with_a_crash(&fx, 3);
	memcpy(name, modelfix_named(m, 9), sizeof(name));
	filemodel_edit(other, name, modelfix_take_copy, &c);
	memcpy(c.bytes + SEG_LOG_ID, m->fx.tail.log_id, 16);
	put_le32(c.bytes + SEG_CRC, crc32c(0, c.bytes, SEG_CRC));
	memcpy(c.bytes + LOG_PAGE, c.bytes, LOG_PAGE);
	logfix_deinit(&fx);
	modelfix_put_file(m, name, &c);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "does not carry on");
}

static void
a_truncated_segment_is_damage(void **state)
{
	struct modelfix *m = *state;
	int fd;

	modelfix_fill_segments(m);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, modelfix_named(m, 1), O_RDWR, 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, 20 << 10), 0);
	assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
	(void)sysio_close(m->fx.io, fd);
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT,
	    "it has 20480 bytes, its header says 32768; events 1");
}

static void
a_damaged_seal_is_replaced_by_the_frames(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 1), (32 << 10) - LOG_PAGE + 100, 1);
	modelfix_expect_recovered(m, 60);
	assert_int_equal(logfix_notes(), 1);
	modelfix_wipe(m, modelfix_named(m, 1), (32 << 10) - LOG_PAGE, LOG_PAGE);
	modelfix_expect_recovered(m, 60);
	assert_int_equal(logfix_notes(), 1);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(1) + 100, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_FRAME,
	    "its seal and its frames are damaged; events 4 to ");
}

/* It says what everybody knows by then. */
static void
a_lost_idle_frame_of_a_sealed_segment_is_missed_by_nobody(void **state)
{
	char sentence[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	m->fx.segment_bytes = 32 << 10;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_begin_segment(m);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(2) + 20, 1);
	/* The newest with a frame, then one before others. */
	modelfix_expect_recovered(m, 6);
	logfix_fill(&m->fx, 2, 3);
	logfix_expect(&m->fx, 12);
	modelfix_expect_recovered(m, 12);
	assert_int_equal(logfix_notes(), 1);
	/* By nobody, but who looks at all that there is. */
	assert_int_equal(modelfix_problems(m, sentence), 1);
	assert_non_null(strstr(sentence, "no event is"));
	modelfix_wipe(m, modelfix_named(m, 1), (32 << 10) - LOG_PAGE, LOG_PAGE);
	modelfix_expect_recovered(m, 12);
}

static void
damage_in_a_sealed_segment_is_met_by_whoever_reads_it(void **state)
{
	struct modelfix *m = *state;
	int outcome;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 1), modelfix_page(1) + 100, 1);
	/* Ready at once: its frames are not looked at. */
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.last_seq, 60);
	assert_int_equal(logfix_read(&m->fx, 60, &outcome), 3);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
}

static void
change_second_header(void *arg, uint8_t *bytes, uint64_t size)
{
	uint8_t *p = bytes + LOG_PAGE;

	p[SEG_SALT] ^= 1;
	put_le32(p + SEG_CRC, crc32c(0, p, SEG_CRC));
}

static void
two_good_headers_that_differ_are_worth_nothing(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 1), change_second_header, NULL);
	modelfix_expect_damage(
	    m, LOG_DAMAGED_SEGMENT, "neither copy of its header is valid");
}

static void
no_two_segments_have_the_same_salt(void **state)
{
	struct modelfix *m = *state;
	struct segment a, b;

	modelfix_fill_segments(m);
	for (size_t i = 0; i < 3; i++) {
		char name[SEGMENT_NAME_SIZE];

		memcpy(
		    name, modelfix_named(m, modelfix_nth(m, i)), sizeof(name));
		assert_int_equal(
		    segment_read(m->fx.io, m->fx.dirfd, name, &b, &m->fx.why),
		    0);
		assert_int_not_equal(b.header.salt, 0);
		if (i > 0)
			assert_int_not_equal(a.header.salt, b.header.salt);
		a = b;
	}
}

static void
one_copy_of_a_header_is_enough(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	for (size_t i = 0; i < 4; i++)
		modelfix_spoil(m, modelfix_named(m, modelfix_nth(m, i)),
		    i % 2 * LOG_PAGE + 33, 1);
	modelfix_expect_recovered(m, 60);
}

static void
a_segment_without_a_header_is_damage(void **state)
{
	struct modelfix *m = *state;
	uint64_t last;
	size_t n = 0;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, modelfix_nth(m, 1)), 33, 1);
	modelfix_spoil(
	    m, modelfix_named(m, modelfix_nth(m, 1)), LOG_PAGE + 33, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT,
	    "neither copy of its header is valid; events 13 to 24 are");
	modelfix_spoil(m, modelfix_named(m, modelfix_nth(m, 1)), 33, 1);
	while (modelfix_nth(m, n) + 12 < 60)
		n++;
	last = modelfix_nth(m, n);
	modelfix_spoil(m, modelfix_named(m, last), 33, 1);
	modelfix_spoil(m, modelfix_named(m, last), LOG_PAGE + 33, 1);
	modelfix_expect_damage(
	    m, LOG_DAMAGED_SEGMENT, "neither copy of its header");
	assert_non_null(strstr(m->fx.why.text, "on are damaged"));
}

/* Of the newest segment: a field of both headers, zeroed. */
static void
zero_in_headers(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct modelfix_edit *field = arg;

	(void)size;
	memset(bytes + field->at, 0, field->len);
	put_le32(bytes + SEG_CRC, crc32c(0, bytes, SEG_CRC));
	memcpy(bytes + LOG_PAGE, bytes, LOG_PAGE);
}

static void
a_segment_of_an_earlier_start_or_epoch_does_not_follow(void **state)
{
	static struct modelfix_edit epoch = { SEG_EPOCH, 8, NULL },
				    start = { SEG_INCARNATION, 4, NULL };
	struct modelfix *m = *state;
	struct modelfix_copy was;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 49), modelfix_take_copy, &was);
	filemodel_edit(m->fm, modelfix_named(m, 49), zero_in_headers, &epoch);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "is before that of");
	modelfix_put_file(m, modelfix_named(m, 49), &was);
	filemodel_edit(m->fm, modelfix_named(m, 49), zero_in_headers, &start);
	filemodel_put_aside(m->fm, modelfix_named(m, 49),
	    "00000000000000000049-0000000000.seg");
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "is before that of");
}

static void
a_newest_segment_of_zeros_is_set_aside(void **state)
{
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];

	modelfix_fill_segments(m);
	segment_name(name, 61, 2, ".seg");
	modelfix_put_file(m, name, &(struct modelfix_copy){ { 0 } });
	modelfix_expect_recovered(m, 60);
	assert_true(modelfix_in_quarantine(m, name));
	assert_int_equal(filemodel_size(m->fm, name), -1);
	logfix_fill(&m->fx, 2, 1);
	modelfix_expect_recovered(m, 62);
}

static void
an_unknown_version_is_refused(void **state)
{
	static const uint32_t versions[] = { 0, 3, UINT32_MAX };
	struct modelfix *m = *state;
	char text[60];
	uint8_t header[LOG_PAGE];
	struct modelfix_edit e = { 0, LOG_PAGE, header };
	struct modelfix_copy c;

	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	filemodel_edit(m->fm, modelfix_named(m, 1), modelfix_take_copy, &c);
	memcpy(header, c.bytes, LOG_PAGE);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		snprintf(text, sizeof(text), "format version %u, this",
		    (unsigned)versions[i]);
		put_le32(header + SEG_VERSION, versions[i]);
		put_le32(header + SEG_CRC, crc32c(0, header, SEG_CRC));
		filemodel_edit(m->fm, "00000000000000000001-0000000001.seg",
		    modelfix_apply_edit, &e);
		assert_int_equal(logfix_recover(&m->fx), -ENOTSUP);
		assert_non_null(strstr(m->fx.why.text, text));
	}
}

static void
raise_packed_version(void *arg, uint8_t *bytes, uint64_t size)
{
	(void)arg;
	(void)size;
	put_le32(bytes + 8, 3);
	put_le32(bytes + 60, crc32c(0, bytes, 60));
}

static void
a_packed_one_of_an_unknown_version_is_refused_by_name(void **state)
{
	static const char name[] = "00000000000000000001-0000000001.segz";
	struct modelfix *m = *state;

	modelfix_put_old(m, name);
	filemodel_edit(m->fm, name, raise_packed_version, NULL);
	assert_int_equal(logfix_recover(&m->fx), -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, name));
	assert_non_null(strstr(m->fx.why.text, "format version 3"));
}

static void
a_frame_of_an_unknown_type_is_refused(void **state)
{
	struct modelfix *m = *state;
	uint8_t frame[LOG_FRAME_HEADER];
	struct iovec iov = { frame, sizeof(frame) };

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	frame_compose(frame, FRAME_ERASE, 0, 2, 0, 0, 0);
	log_writer_stamp(m->fx.lw, frame, 1);
	assert_int_equal(log_writer_flush(m->fx.lw, &iov, 1, 1, &m->fx.why), 0);
	assert_int_equal(logfix_recover(&m->fx), -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, "type 5"));
}

static void
a_floor_that_is_none_is_damage(void **state)
{
	struct modelfix *m = *state;
	int outcome;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	modelfix_put_file(m, FLOOR_NAME, &(struct modelfix_copy){ { 0 } });
	modelfix_expect_damage(
	    m, LOG_DAMAGED_BASE, "'FLOOR': it does not verify");
	assert_int_equal(logfix_read(&m->fx, 1, &outcome), 0);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
}

/* That of another copy of the log, say. */
static void
a_floor_that_is_another_logs_is_found_out(void **state)
{
	struct modelfix *m = *state;
	struct log_floor floor, other;

	modelfix_fill_segments(m);
	retainfix_expect(m, 3 * 32 << 10);
	assert_int_equal(
	    floor_read(m->fx.io, m->fx.dirfd, &floor, &m->fx.why), FLOOR_READ);
	for (unsigned i = 0; i < 3; i++) {
		other = floor;
		other.chain[31] ^= i == 0;
		other.number += i == 1;
		other.log_id[0] ^= i == 2;
		assert_int_equal(
		    floor_write(m->fx.io, m->fx.dirfd, &other, &m->fx.why), 0);
		modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT,
		    i < 2 ? "but 'FLOOR' says" : "another log than 'FLOOR'");
	}
	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &floor, &m->fx.why), 0);
	assert_int_equal(logfix_recover(&m->fx), RECOVER_OK);
}

/* Else its seqs would begin anew. */
static void
no_event_above_a_floor_is_a_lost_tail(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	retainfix_expect(m, 2 * 32 << 10);
	filemodel_put_aside(m->fm, modelfix_named(m, 49), NULL);
	modelfix_wipe(m, modelfix_named(m, 37), SEGMENT_FRAMES, 24 << 10);
	modelfix_expect_damage(
	    m, LOG_LOST_TAIL, "the log goes on with event 37");
	filemodel_put_aside(m->fm, modelfix_named(m, 37), NULL);
	modelfix_expect_damage(
	    m, LOG_MISSING_SEGMENT, "the log goes on with event 37");
}

static void
other_files_are_ignored(void **state)
{
	static const char *const names[] = { "lost+found",
		"00000000000000000001-0000000001.seg.bak",
		"00000000000000000001-000000001.seg",
		"0000000000000000000x-0000000001.seg",
		"99999999999999999999-0000000001.seg",
		"00000000000000000001-9999999999.seg" };
	struct modelfix *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		modelfix_put_file(
		    m, names[i], &(struct modelfix_copy){ { 0 } });
	modelfix_expect_recovered(m, 2);
	assert_int_equal(logfix_notes(), 0);
}

#define MODEL_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(an_emptied_directory_is_no_new_log),
		MODEL_TEST(witnesses_elsewhere_know_of_an_emptied_directory),
		MODEL_TEST(a_newest_segment_without_its_beginning_is_damage),
		MODEL_TEST(the_manual_tells_each_kind_of_damage),
		MODEL_TEST(a_missing_segment_is_damage),
		MODEL_TEST(a_missing_first_segment_is_damage),
		MODEL_TEST(
		    a_missing_last_segment_is_damage_where_a_witness_knows),
		MODEL_TEST(a_renamed_segment_is_found_out),
		MODEL_TEST(a_segment_that_is_there_twice_is_found_out),
		MODEL_TEST(a_segment_of_another_log_is_found_out),
		MODEL_TEST(
		    a_segment_from_another_history_of_the_log_is_found_out),
		MODEL_TEST(nor_does_one_behind_a_segment_left_in_a_crash),
		MODEL_TEST(a_truncated_segment_is_damage),
		MODEL_TEST(a_damaged_seal_is_replaced_by_the_frames),
		MODEL_TEST(
		    a_lost_idle_frame_of_a_sealed_segment_is_missed_by_nobody),
		MODEL_TEST(
		    damage_in_a_sealed_segment_is_met_by_whoever_reads_it),
		MODEL_TEST(two_good_headers_that_differ_are_worth_nothing),
		MODEL_TEST(no_two_segments_have_the_same_salt),
		MODEL_TEST(one_copy_of_a_header_is_enough),
		MODEL_TEST(a_segment_without_a_header_is_damage),
		MODEL_TEST(
		    a_segment_of_an_earlier_start_or_epoch_does_not_follow),
		MODEL_TEST(a_newest_segment_of_zeros_is_set_aside),
		MODEL_TEST(an_unknown_version_is_refused),
		MODEL_TEST(
		    a_packed_one_of_an_unknown_version_is_refused_by_name),
		MODEL_TEST(a_frame_of_an_unknown_type_is_refused),
		MODEL_TEST(a_floor_that_is_none_is_damage),
		MODEL_TEST(a_floor_that_is_another_logs_is_found_out),
		MODEL_TEST(no_event_above_a_floor_is_a_lost_tail),
		MODEL_TEST(other_files_are_ignored),
	};

	return cmocka_run_group_tests_name("log_damage", tests, NULL, NULL);
}
