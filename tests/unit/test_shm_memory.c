/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * shm/ with each of its allocations failing: what is made is there as a whole
 * or not at all, nobody keeps a file, a mapping or a descriptor of it, and
 * what is there can be read by whoever has memory.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/reason.h"
#include "shm/client_page.h"
#include "shm/client_page_priv.h"
#include "shm/stats.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/ringfix.h"
#include "tests/lib/tmpdir.h"

static void
assert_said(int err, const struct reason *why)
{
	if (err < 0 && !strstr(why->text, "memory"))
		fail_msg("%d: '%s'", err, why->text);
}

static int
make_ring(void *arg)
{
	CLEANUP(ring_writer_freep) struct ring_writer *rw = NULL;
	const struct ringfix *fx = arg;
	unsigned before = descriptors_open();
	struct reason why = { "" };
	int err = ring_writer_create(fx->dirfd, &fx->opt, &rw, &why);

	assert_said(err, &why);
	if (err < 0)
		assert_int_equal(descriptors_open(), before);
	return err;
}

static int
read_ring(void *arg)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL, *twin = NULL;
	struct ringfix *fx = arg;
	unsigned before = descriptors_open(), maps = ringfix_mappings(fx->dir);
	struct reason why = { "" };
	struct ring_status status;
	char path[128];
	int err;

	snprintf(path, sizeof(path), "%s/ring", fx->dir);
	err = ring_reader_open(path, &rd, &why);
	assert_said(err, &why);
	assert_int_equal(descriptors_open(), before);
	if (err < 0)
		assert_int_equal(ringfix_mappings(fx->dir), maps);
	if (err == 0)
		err = ring_reader_clone(rd, &twin);
	/* Whichever goes first, the mapping is the other's. */
	rd = ring_reader_free(rd);
	if (err == 0) {
		ring_reader_status(twin, &status);
		assert_int_equal(status.tail_seq, 3);
	}
	return err;
}

static int
attach(void *arg)
{
	CLEANUP(doorbell_hub_freep) struct doorbell_hub *hub = NULL;
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	CLEANUP(doorbell_freep) struct doorbell *bell = NULL;
	CLEANUP(closep) int sock = -1;
	struct ringfix *fx = arg;
	struct reason why = { "" };
	char role[DOORBELL_ROLE];
	int err = doorbell_hub_new(fx->writer, &hub);

	if (err < 0)
		return err;
	err = doorbell_ask(fx->dir, "tail", &bell, &why);
	assert_said(err, &why);
	if (err < 0)
		return err;
	sock = accept4(fx->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(doorbell_hub_request(sock, role), 0);
	assert_true(doorbell_hub_add(hub, sock, role, 1) >= 0);
	err = doorbell_answer(bell, &rd, &why);
	assert_said(err, &why);
	return err;
}

static void
a_ring_is_made_read_and_attached_to_or_not(void **state)
{
	struct ringfix fx;
	unsigned before, maps;

	(void)state;
	ringfix_dir(&fx);
	nomemory_sweep(make_ring, &fx);
	ringfix_open(&fx);
	ringfix_listen(&fx, 0);
	ringfix_publish(&fx, 3);
	before = descriptors_open();
	maps = ringfix_mappings(fx.dir);
	assert_true(maps > 0);
	nomemory_sweep(read_ring, &fx);
	nomemory_sweep(attach, &fx);
	assert_int_equal(descriptors_open(), before);
	assert_int_equal(ringfix_mappings(fx.dir), maps);
	ringfix_close(&fx);
}

static int
make_clients(void *arg)
{
	CLEANUP(client_page_freep) struct client_page *page = NULL;
	CLEANUP(client_reader_freep) struct client_reader *rd = NULL;
	static const struct client_info someone = { .opened = 7,
		.state = CLIENT_NEW };
	struct tmpdir *dir = arg;
	struct reason why = { "" };
	struct client_info info;
	char name[64];
	int err = client_page_create(dir->fd, "forest", 8, &page, &why);

	assert_said(err, &why);
	if (err < 0)
		return err;
	assert_true(client_page_take(page, &someone) > 0);
	snprintf(
	    name, sizeof(name), CLIENT_DIRECTORY "/forest.%ld", (long)getpid());
	assert_true(tmpdir_has(dir, name));
	err = client_reader_open(dir->fd, name, &rd, &why);
	assert_said(err, &why);
	if (err < 0)
		return err;
	assert_int_equal(client_reader_next(rd, &info, &why), CLIENT_ROW);
	assert_int_equal(info.opened, 7);
	return 0;
}

static int
make_counters(void *arg)
{
	CLEANUP(stats_page_freep) struct stats_page *page = NULL, *copy = NULL;
	struct tmpdir *dir = arg;
	struct reason why = { "" };
	char name[64];
	int err = stats_page_create(dir->fd, &stats_broker_table, &page, &why);

	assert_said(err, &why);
	if (err < 0)
		return err;
	snprintf(name, sizeof(name), "%s.%ld", stats_broker_table.process,
	    (long)getpid());
	err = stats_page_copy(dir->fd, name, &copy, &why);
	assert_said(err, &why);
	if (err == 0)
		assert_int_equal(
		    stats_page_view(copy)->n, stats_page_view(page)->n);
	return err;
}

static void
pages_of_clients_and_counters_are_made_or_not(void **state)
{
	unsigned before = descriptors_open();

	nomemory_sweep(make_clients, *state);
	nomemory_sweep(make_counters, *state);
	assert_int_equal(descriptors_open(), before);
	/* The directory of the former alone is left. */
	assert_int_equal(tmpdir_count(*state), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_is_made_read_and_attached_to_or_not),
		cmocka_unit_test_setup_teardown(
		    pages_of_clients_and_counters_are_made_or_not, tmpdir_setup,
		    tmpdir_teardown),
	};

	return cmocka_run_group_tests_name("shm_memory", tests, NULL, NULL);
}
