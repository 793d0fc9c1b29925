/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients' positions with each allocation failing, alone or with all behind
 * it.  What was taken stays, in memory until a flush has stored it; what was
 * refused is not there by half, and is taken when it comes again.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/clients.h"
#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/tmpdir.h"

#define KEEP_US (UINT64_C(1000) * US_PER_S)
#define NOW	(UINT64_C(1700000000) * US_PER_S)

enum {
	CLIENTS = 20,
};

struct world {
	const char *dir;
	struct clients *c;
	uint64_t seq; /* of all positions that were taken last */
};

static struct clients_cursor
cursor_of(unsigned i, uint64_t seq)
{
	static char client[20];

	snprintf(client, sizeof(client), "c%u", i);
	return (struct clients_cursor){ SLICE_STR("ann"), slice_cstr(client),
		SLICE_STR("main"), SLICE_STR("forest-1"), seq };
}

static void
ack_all(struct clients *c, uint64_t seq)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct clients_cursor cursor = cursor_of(i, seq);

		assert_int_equal(clients_ack(c, &cursor, NOW), CLIENTS_TAKEN);
	}
}

/* Where a client stands, 0: nowhere; or -ENOMEM. */
static int64_t
position(struct clients *c, unsigned i)
{
	static struct clients_list list;
	struct clients_cursor cursor = cursor_of(i, 0);
	int err = clients_read(c, cursor.user, cursor.client, NOW, &list);

	if (err < 0)
		return err;
	assert_true(list.n <= 1);
	return list.n ? (int64_t)list.v[0].seq : 0;
}

static int
open_again(struct world *w)
{
	struct reason why = { "" };
	int got;

	w->c = clients_free(w->c);
	got = clients_open(w->dir, KEEP_US, &w->c, &why);
	if (got < 0 && !strstr(why.text, "memory"))
		fail_msg("%d: '%s'", got, why.text);
	assert_true(got <= CLIENTS_OPENED);
	return got;
}

/* Each client moves on or stands where it stood. */
static int
move_on(void *arg)
{
	struct world *w = arg;
	struct reason why = { "" };
	uint64_t stands[CLIENTS];
	unsigned refused = 0;
	int err;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct clients_cursor cursor = cursor_of(i, w->seq + 1);
		enum clients_ack got = clients_ack(w->c, &cursor, NOW);

		assert_true(got == CLIENTS_TAKEN || got == CLIENTS_NO_ROOM);
		refused += got != CLIENTS_TAKEN;
		stands[i] = w->seq + (got == CLIENTS_TAKEN);
	}
	err = clients_flush(w->c, NOW, &why);
	if (err < 0 && !strstr(why.text, "memory"))
		fail_msg("%d: '%s'", err, why.text);
	if (err == 0 && refused > 0)
		err = -ENOMEM;
	/* With memory: nothing is lost, and what was refused comes again. */
	nomemory_hold();
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(position(w->c, i), stands[i]);
	ack_all(w->c, ++w->seq);
	assert_int_equal(clients_flush(w->c, NOW, &why), 0);
	assert_int_equal(open_again(w), CLIENTS_OPENED);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(position(w->c, i), w->seq);
	nomemory_release();
	return err;
}

static int
look(void *arg)
{
	struct world *w = arg;
	uint64_t needed = 0;
	int64_t got;
	int err;

	for (unsigned i = 0; i < CLIENTS; i++) {
		got = position(w->c, i);
		if (got < 0)
			return (int)got;
		assert_int_equal(got, w->seq);
	}
	err = clients_needed(w->c, SLICE_STR("forest-1"), 1, &needed, NULL);
	if (err == 0)
		assert_int_equal(needed, w->seq + 1);
	return err;
}

static int
open_and_look(void *arg)
{
	int err = open_again(arg);

	return err < 0 ? err : look(arg);
}

static void
positions_are_taken_and_stored_or_refused(void **state)
{
	struct world w = { .dir = tmpdir_path(*state, "clients"), .seq = 1 };

	assert_int_equal(open_again(&w), CLIENTS_OPENED);
	ack_all(w.c, w.seq);
	nomemory_sweep(move_on, &w);
	nomemory_sweep(look, &w);
	nomemory_sweep(open_and_look, &w);
	w.c = clients_free(w.c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    positions_are_taken_and_stored_or_refused, tmpdir_setup,
		    tmpdir_teardown),
	};

	return cmocka_run_group_tests_name("clients_memory", tests, NULL, NULL);
}
