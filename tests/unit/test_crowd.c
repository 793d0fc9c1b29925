/* SPDX-License-Identifier: BSD-2-Clause */

/* The clients of all gateways: those that rank highest, in bounded memory. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/tmpdir.h"
#include "tools/crowd.h"

enum {
	MANY = 500
};

struct fixture {
	struct tmpdir *dir; /* the run directory */
	int stat;
	struct client_page *page;
	uint64_t lags[MANY];
};

static int
setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	void *dir;

	if (!fx || tmpdir_setup(&dir) != 0)
		return -1;
	fx->dir = dir;
	*state = fx;
	if (mkdirat(fx->dir->fd, "stat", 0700) < 0)
		return -1;
	fx->stat = openat(fx->dir->fd, "stat", O_RDONLY | O_DIRECTORY);
	return fx->stat < 0
		   ? -1
		   : client_page_create(fx->stat, "one", MANY, &fx->page, NULL);
}

static int
teardown(void **state)
{
	struct fixture *fx = *state;
	void *dir = fx->dir;

	(void)client_page_free(fx->page);
	close(fx->stat);
	free(fx);
	return tmpdir_teardown(&dir);
}

static uint32_t
add(struct client_page *page, const char *user, uint64_t lag)
{
	const struct client_info info = { .lag = lag,
		.position = 1000 - lag,
		.state = CLIENT_LIVE,
		.opened = lag + 5 };
	uint32_t slot = client_page_take(page, &info);

	assert_int_not_equal(slot, 0);
	client_page_name(page, slot, slice_cstr(user), SLICE_STR(""));
	return slot;
}

static void
look(struct fixture *fx, struct crowd *c, unsigned room,
    const struct crowd_ask *ask)
{
	struct reason why = { "" };

	assert_int_equal(crowd_init(c, room), 0);
	if (crowd_look(c, fx->dir->path, ask, &why) < 0)
		fail_msg("%s", why.text);
}

static int
descending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void
the_furthest_behind_come_first_however_little_room_there_is(void **state)
{
	static const unsigned rooms[] = { 1, 2, 3, 10, MANY - 1, MANY,
		MANY + 1 };
	struct fixture *fx = *state;
	const struct crowd_ask ask = { .by = (size_t)crowd_column("lag") };
	unsigned seed = (unsigned)time(NULL);
	struct crowd c;

	print_message("# seed %u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < MANY; i++) {
		fx->lags[i] = (uint64_t)rand() % 300;
		(void)add(fx->page, "jo", fx->lags[i]);
	}
	qsort(fx->lags, MANY, sizeof(fx->lags[0]), descending);
	for (unsigned r = 0; r < ARRAY_LEN(rooms); r++) {
		look(fx, &c, rooms[r], &ask);
		assert_int_equal(c.found, MANY);
		assert_int_equal(c.n, MIN(rooms[r], (unsigned)MANY));
		for (unsigned i = 0; i < c.n; i++)
			assert_int_equal(c.rows[i].info.lag, fx->lags[i]);
		crowd_deinit(&c);
	}
}

static void
any_number_ranks(void **state)
{
	struct fixture *fx = *state;
	const struct crowd_ask ask = { .by = (size_t)crowd_column("position") };
	struct crowd c;

	(void)add(fx->page, "a", 7);
	(void)add(fx->page, "b", 5);
	look(fx, &c, 1, &ask);
	assert_int_equal(c.rows[0].info.position, 995);
	crowd_deinit(&c);
	assert_int_equal(crowd_column("user"), -1);
	assert_int_equal(crowd_column(""), -1);
}

static void
only_users_that_are_asked_for_are_shown(void **state)
{
	struct fixture *fx = *state;
	struct crowd_ask ask = { .by = (size_t)crowd_column("lag"),
		.user = "jo*" };
	struct crowd c;

	(void)add(fx->page, "jo", 1);
	(void)add(fx->page, "joe", 2);
	(void)add(fx->page, "ann", 3);
	(void)add(fx->page, "", 4);
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 2);
	assert_int_equal(c.rows[0].info.lag, 2);
	crowd_deinit(&c);
	ask.user = "";
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 1);
	crowd_deinit(&c);
}

static void
who_has_gone_is_shown_when_asked_for(void **state)
{
	struct fixture *fx = *state;
	struct crowd_ask ask = { .by = (size_t)crowd_column("lag") };
	struct client_info gone = { .state = CLIENT_GONE, .close_code = 4409 };
	struct crowd c;

	(void)add(fx->page, "jo", 1);
	client_page_leave(fx->page, add(fx->page, "ann", 3), &gone);
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 1);
	crowd_deinit(&c);
	ask.gone = true;
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 2);
	assert_int_equal(c.rows[1].info.close_code, 4409);
	crowd_deinit(&c);
}

/* A process makes a page with one client and is gone. */
static void
crash(struct fixture *fx)
{
	struct client_page *page;
	pid_t pid = fork();

	if (pid == 0) {
		if (client_page_create(fx->stat, "dead", 3, &page, NULL) == 0)
			(void)add(page, "ann", 3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
clients_of_a_gateway_that_crashed_are_kept_apart(void **state)
{
	struct fixture *fx = *state;
	struct crowd_ask ask = { .by = (size_t)crowd_column("lag") };
	struct crowd c;

	(void)add(fx->page, "jo", 1);
	crash(fx);
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 1);
	assert_int_equal(c.orphans, 1);
	crowd_deinit(&c);
	ask.gone = true;
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 2);
	assert_int_equal(c.orphans, 0);
	assert_false(c.rows[0].alive);
	assert_true(c.rows[1].alive);
	crowd_deinit(&c);
}

static void
a_bad_page_is_told_of_and_harms_no_other(void **state)
{
	struct fixture *fx = *state;
	const struct crowd_ask ask = { .by = (size_t)crowd_column("lag") };
	struct crowd c;

	(void)add(fx->page, "jo", 1);
	(void)tmpdir_text(fx->dir, "stat/clients/noise", "no page at all");
	look(fx, &c, 9, &ask);
	assert_int_equal(c.found, 1);
	assert_int_equal(c.bad_n, 1);
	assert_non_null(strstr(c.bad[0].text, "'noise'"));
	crowd_deinit(&c);
}

static void
where_no_gateway_ever_was_there_is_nothing(void **state)
{
	struct fixture *fx = *state;
	const struct crowd_ask ask = { .by = (size_t)crowd_column("lag") };
	struct reason why;
	struct crowd c;

	assert_int_equal(crowd_init(&c, 3), 0);
	assert_int_equal(crowd_look(&c, "/nowhere", &ask, &why), -ENOENT);
	assert_int_equal(c.n, 0);
	crowd_deinit(&c);
	(void)fx;
}

static void
a_name_that_was_cut_ends_in_dots(void **state)
{
	struct client_text text = { .whole = 9, .n = 2, .bytes = "jo" };
	char buf[CROWD_NAME];

	assert_string_equal(crowd_name(&text, buf), "jo...");
	text.whole = 2;
	assert_string_equal(crowd_name(&text, buf), "jo");
	memset(text.bytes, 0x1b, sizeof(text.bytes));
	text.n = CLIENT_TEXT_MAX;
	text.whole = 255;
	assert_int_equal(
	    strlen(crowd_name(&text, buf)), 4 * CLIENT_TEXT_MAX + 3);
}

#define WITH_PAGE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAGE(
		    the_furthest_behind_come_first_however_little_room_there_is),
		WITH_PAGE(any_number_ranks),
		WITH_PAGE(only_users_that_are_asked_for_are_shown),
		WITH_PAGE(who_has_gone_is_shown_when_asked_for),
		WITH_PAGE(clients_of_a_gateway_that_crashed_are_kept_apart),
		WITH_PAGE(a_bad_page_is_told_of_and_harms_no_other),
		WITH_PAGE(where_no_gateway_ever_was_there_is_nothing),
		cmocka_unit_test(a_name_that_was_cut_ends_in_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
