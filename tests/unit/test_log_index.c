/* SPDX-License-Identifier: BSD-2-Clause */

/* The index of a segment, a cache, where memory is short. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log/index.h"
#include "log/segment.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/nomemory.h"

/* Nobody has to have one. */
static void
an_index_without_memory_is_none(void **state)
{
	struct modelfix *m = *state;
	struct segment_list list;
	struct index ix = { 0 };
	unsigned none = 0;
	bool fired = true;

	modelfix_fill_segments(m);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	assert_int_equal(list.v[0].seal, SEAL_GOOD);
	for (uint64_t n = 1; fired; n++) {
		const struct sysio *io = nomemory_io(m->fx.io);
		enum index_read got;

		nomemory_at(n, false);
		got = index_read(io, m->fx.dirfd, &list.v[0].header, &ix);
		fired = nomemory_end();
		assert_int_equal(got, fired ? INDEX_NONE : INDEX_READ);
		assert_true(fired || ix.n > 0);
		none += got == INDEX_NONE;
	}
	assert_true(none > 1);
	index_deinit(&ix);
	segment_list_deinit(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_index_without_memory_is_none,
		    modelfix_setup, modelfix_teardown),
	};

	return cmocka_run_group_tests_name("log_index", tests, NULL, NULL);
}
