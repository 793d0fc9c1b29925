/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A file of another log, or of another history of this one, in the place of
 * one of the log's own: it is told, and nothing wrong is said of the others,
 * for what is said of them an operator may do.
 */

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
#include "log/verify.h"
#include "tests/lib/modelfix.h"

/* All that a verification says, line by line. */
struct told {
	char text[8 * LOG_PROBLEM_SENTENCE];
};

static void
tell(void *arg, const struct log_problem *problem)
{
	struct told *told = arg;
	char sentence[LOG_PROBLEM_SENTENCE];
	size_t len = strlen(told->text);

	snprintf(told->text + len, sizeof(told->text) - len, "%s\n",
	    log_problem_sentence(problem, sentence));
}

static uint64_t
verified(struct modelfix *m, struct told *told)
{
	struct log_verify verify = {
		.limit_seq = UINT64_MAX, .problem = tell, .arg = told
	};

	told->text[0] = '\0';
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	return verify.problems;
}

static void
one_of_another_log_makes_no_other_foreign(void **state)
{
	static const struct {
		size_t nth;
		const char *besides;
	} places[] = {
		{ 0, "it is number 2, and the log begins with it; events 1 to "
		     "12 are damaged or missing\n" },
		{ 2, "it is number 4 and follows number 2; events 25 to 36 are "
		     "damaged or missing\n" },
		{ 4, "'durable.wit' says that 60 was durable; events 49 to 60 "
		     "are damaged or missing\n" },
	};
	char sentence[100];
	struct modelfix *m = *state;
	struct modelfix_copy was;
	struct told told;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *name =
		    modelfix_named(m, modelfix_nth(m, places[i].nth));

		snprintf(sentence, sizeof(sentence),
		    "foreign segment: segment '%s': it belongs to another "
		    "log\n",
		    name);
		modelfix_put_foreign(m, places[i].nth, &was);
		assert_int_equal(verified(m, &told), 2);
		assert_ptr_equal(strstr(told.text, sentence), told.text);
		assert_non_null(strstr(told.text, places[i].besides));
		modelfix_expect_damage(
		    m, LOG_FOREIGN_SEGMENT, "belongs to another log");
		modelfix_put_file(
		    m, modelfix_named(m, modelfix_nth(m, places[i].nth)), &was);
	}
	assert_int_equal(verified(m, &told), 0);
}

/* Its header has the digest of a predecessor, which the log's own is not. */
static void
no_history_is_called_edited_for_a_foreign_segment(void **state)
{
	struct modelfix *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	char name[SEGMENT_NAME_SIZE];
	struct modelfix_copy c;
	struct logfix fx;
	struct told told;

	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	logfix_stop(&m->fx);
	/* From here on there are two histories, whose salts differ. */
	other = filemodel_clone(m->fm);
	assert_int_equal(sysio_random(filemodel_io(other), c.bytes, 1), 0);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&fx);
	logfix_fill(&fx, 20, 3);
	logfix_deinit(&fx);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 20, 3);
	snprintf(
	    name, sizeof(name), "%s", modelfix_named(m, modelfix_nth(m, 3)));
	filemodel_edit(other, name, modelfix_take_copy, &c);
	modelfix_put_file(m, name, &c);
	assert_true(verified(m, &told) > 0);
	assert_non_null(strstr(told.text, "foreign segment"));
	assert_null(strstr(told.text, "edited history"));
}

/* So nobody gets rid of digests by saying that there were none. */
static void
to_version_1(void *arg, uint8_t *bytes, uint64_t size)
{
	(void)arg;
	(void)size;
	put_le32(bytes + SEG_VERSION, 1);
	put_le32(bytes + SEG_CRC, crc32c(0, bytes, SEG_CRC));
	memcpy(bytes + LOG_PAGE, bytes, LOG_PAGE);
}

static void
a_segment_of_an_earlier_version_does_not_follow(void **state)
{
	struct modelfix *m = *state;
	struct told told;

	modelfix_fill_segments(m);
	filemodel_edit(m->fm, modelfix_named(m, 49), to_version_1, NULL);
	assert_int_equal(verified(m, &told), 1);
	assert_non_null(strstr(told.text, "format version is before that of"));
	modelfix_expect_damage(
	    m, LOG_FOREIGN_SEGMENT, "format version is before that of");
}

/* The id in a header that does not verify is no log's. */
static void
no_witness_is_called_anothers_for_a_lost_header(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	modelfix_store_witness(m, 60);
	modelfix_spoil(m, modelfix_named(m, 1), 0, SEGMENT_FRAMES);
	(void)logfix_notes();
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT, "copy of its header");
	assert_int_equal(logfix_notes(), 0);
}

#define MODEL_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(one_of_another_log_makes_no_other_foreign),
		MODEL_TEST(no_history_is_called_edited_for_a_foreign_segment),
		MODEL_TEST(a_segment_of_an_earlier_version_does_not_follow),
		MODEL_TEST(no_witness_is_called_anothers_for_a_lost_header),
	};

	return cmocka_run_group_tests_name("log_foreign", tests, NULL, NULL);
}
