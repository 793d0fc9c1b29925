/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a demo says of a machine whose /proc the test has written: what has
 * changed and nothing else, whatever names there are.
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

#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tests/lib/tmpdir.h"
#include "tools/demo.h"
#include "tools/demo_facts.h"
#include "tools/demo_host.h"
#include "tools/demo_process.h"

struct fixture {
	struct tmpdir *dir;
	struct demo d;
	struct facts *facts;
	struct host *host;
	struct processes *processes;
	struct mp_buf json;
	struct reason why;
};

static void
put(struct fixture *fx, const char *name, const char *text)
{
	CLEANUP(closep)
	int fd = openat(
	    fx->dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
}

/* A process: its stat, as the kernel writes it. */
static void
put_process(struct fixture *fx, unsigned pid, const char *name, unsigned parent,
    unsigned flags, unsigned ticks, unsigned started)
{
	char path[64], text[400];

	snprintf(path, sizeof(path), "%u", pid);
	(void)mkdirat(fx->dir->fd, path, 0700);
	snprintf(path, sizeof(path), "%u/stat", pid);
	snprintf(text, sizeof(text),
	    "%u (%s) S %u 1 1 0 -1 %u 1 2 3 4 %u 0 0 0 20 0 3 0 %u 99 %u 0\n",
	    pid, name, parent, flags, ticks, started,
	    /* Pages that it holds. */
	    name[0] == 'B' ? 5120u : 2560u);
	put(fx, path, text);
}

static void
remove_process(struct fixture *fx, unsigned pid)
{
	char path[64];

	snprintf(path, sizeof(path), "%u/stat", pid);
	assert_int_equal(unlinkat(fx->dir->fd, path, 0), 0);
	snprintf(path, sizeof(path), "%u", pid);
	assert_int_equal(unlinkat(fx->dir->fd, path, AT_REMOVEDIR), 0);
}

/*
 * What was gathered since the last call, as "TYPE TOPIC DATA" lines; each of
 * it has to be an event that the writer takes.
 */
static const char *
said(struct fixture *fx)
{
	struct mp_walk w = mp_walk(slice_of(fx->d.events.p, fx->d.events.len));
	struct slice event;
	struct reason why;

	fx->json.len = 0;
	while (mp_skip(&w, &event)) {
		struct slice topic = proto_get_str(event, "topic");
		struct slice type = proto_get_str(event, "type");

		assert_int_equal(
		    mpvalid_check(event.p, event.len, &why), MPVALID_OK);
		assert_true(topic_valid(topic, &why));
		assert_true(topic_type_valid(type, &why));
		mp_buf_bytes(&fx->json, type.p, type.len);
		mp_buf_bytes(&fx->json, " ", 1);
		mp_buf_bytes(&fx->json, topic.p, topic.len);
		mp_buf_bytes(&fx->json, " ", 1);
		assert_int_equal(
		    json_from_mp(proto_get(event, "data"), &fx->json), 0);
		mp_buf_bytes(&fx->json, "\n", 1);
	}
	mp_buf_bytes(&fx->json, "", 1);
	assert_false(fx->json.failed);
	fx->d.events.len = 0;
	fx->d.n = 0;
	return (const char *)fx->json.p;
}

static void
has(const char *all, const char *line)
{
	if (!strstr(all, line))
		fail_msg("no '%s' in:\n%s", line, all);
}

static void
lacks(const char *all, const char *text)
{
	if (strstr(all, text))
		fail_msg("'%s' in:\n%s", text, all);
}

static void
look_fast(struct fixture *fx, uint64_t ms)
{
	assert_int_equal(host_fast(fx->host, ms, fx->facts, &fx->why), 0);
}

static void
look_slow(struct fixture *fx, uint64_t ms)
{
	assert_int_equal(host_slow(fx->host, ms, fx->facts, &fx->why), 0);
}

static void
look_processes(struct fixture *fx, uint64_t ms)
{
	assert_int_equal(
	    processes_look(fx->processes, ms, fx->facts, &fx->why), 0);
}

/* --- tests --- */

static void
shares_of_time_are_those_since_a_second_ago(void **state)
{
	struct fixture *fx = *state;
	const char *all;

	put(fx, "stat",
	    "cpu  100 0 100 800 0 0 0 0 0 0\n"
	    "cpu0 100 0 100 800 0 0 0 0 0 0\nbtime 1000\n");
	look_fast(fx, 1000);
	lacks(said(fx), "host.cpu");
	put(fx, "stat",
	    "cpu  125 0 110 860 5 0 0 0 0 0\n"
	    "cpu0 100 0 100 900 0 0 0 0 0 0\nbtime 1000\n");
	look_fast(fx, 2000);
	all = said(fx);
	has(all, "cpu_created host.cpu {\"busy\":35,\"user\":25,\"system\":10,"
		 "\"iowait\":5,\"steal\":0}");
	has(all, "cpu_created host.cpu.0 {\"busy\":0,");
	/* Nothing has moved: nothing is said, and nothing is deleted. */
	look_fast(fx, 2000);
	assert_string_equal(said(fx), "");
}

static void
memory_and_load_are_told_when_they_change(void **state)
{
	struct fixture *fx = *state;
	const char *all;

	put(fx, "meminfo",
	    "MemTotal:       4096000 kB\nMemFree:  1 kB\n"
	    "MemAvailable:   3072000 kB\nBuffers: 1024 kB\n"
	    "Cached:         1024 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
	put(fx, "loadavg", "0.50 1.00 1.50 3/400 9999\n");
	look_fast(fx, 1000);
	all = said(fx);
	has(all, "memory_created host.memory {\"total_mib\":4000,"
		 "\"used_mib\":1000,\"available_mib\":3000,\"cached_mib\":2,"
		 "\"swap_mib\":0,\"swap_used_mib\":0}");
	has(all, "load_created host.load {\"one\":0.5,\"five\":1.0,"
		 "\"fifteen\":1.5,\"running\":3,\"tasks\":400}");
	put(fx, "loadavg", "0.75 1.00 1.50 3/400 9999\n");
	look_fast(fx, 1250);
	all = said(fx);
	has(all, "load_sampled host.load {\"one\":0.75,");
	lacks(all, "memory");
}

static void
rates_are_by_the_second(void **state)
{
	struct fixture *fx = *state;

	put(fx, "diskstats",
	    "   8 0 sda 100 0 1000 0 50 0 500 0 0 100 0 0 0 0 0\n"
	    "   7 0 loop0 9 0 9 0 9 0 9 0 0 9 0 0 0 0 0\n");
	look_slow(fx, 1000);
	has(said(fx),
	    "disk_created host.disk.sda {\"reads_s\":0,\"read_bytes_s\":0,"
	    "\"writes_s\":0,\"written_bytes_s\":0,\"busy\":0}\n");
	put(fx, "diskstats",
	    "   8 0 sda 300 0 3000 0 50 0 500 0 0 600 0 0 0 0 0\n");
	look_slow(fx, 3000);
	assert_string_equal(said(fx),
	    "disk_sampled host.disk.sda {\"reads_s\":100,"
	    "\"read_bytes_s\":512000,\"writes_s\":0,\"written_bytes_s\":0,"
	    "\"busy\":25}\n");
}

static void
names_of_interfaces_become_one_token(void **state)
{
	struct fixture *fx = *state;
	const char *all;

	(void)mkdirat(fx->dir->fd, "net", 0700);
	put(fx, "net/dev",
	    "Inter-|   Receive            |  Transmit\n"
	    " face |bytes    packets errs drop fifo frame compressed\n"
	    "eth0.100: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
	    "  a*b>: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
	    "  \xff\xfe: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n");
	look_slow(fx, 1000);
	all = said(fx);
	has(all, "net_created host.net.eth0%2E100 {");
	has(all, "net_created host.net.a%2Ab%3E {");
	has(all, "net_created host.net.?? {");
	has(all, "\"errors\":10,\"dropped\":12}");
	put(fx, "net/dev", "eth0.100: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n");
	look_slow(fx, 2000);
	all = said(fx);
	has(all, "net_deleted host.net.a%2Ab%3E null\n");
	lacks(all, "eth0");
}

/* The file system that holds the test, under a name that needs escaping. */
static void
file_systems_are_told_by_their_disk_or_where_they_are(void **state)
{
	struct fixture *fx = *state;
	const char *all;

	(void)mkdirat(fx->dir->fd, "self", 0700);
	put(fx, "diskstats", "   8 1 sda1 1 0 1 0 1 0 1 0 0 1 0 0 0 0 0\n");
	put(fx, "self/mountinfo",
	    "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
	    "21 1 8:1 /x /tmp rw - ext4 /dev/sda1 rw\n"
	    "22 1 0:5 / /proc rw - proc proc rw\n"
	    "23 1 0:9 / /usr rw - nfs4 elsewhere:/ rw\n"
	    "24 1 8:9 / /usr/./bin rw - ext4 /dev/sda9 rw\n"
	    "25 1 8:8 / /no\\040such rw - ext4 /dev/sda8 rw\n");
	look_slow(fx, 1000);
	all = said(fx);
	has(all, "\"mount\":\"/\",\"total_mib\":");
	has(all, "disk_created host.disk./usr/%2E/bin {\"mount\":");
	lacks(all, "proc");
	lacks(all, "\"mount\":\"/usr\"");
	lacks(all, "\"mount\":\"/tmp\"");
	lacks(all, "such");
}

static void
processes_are_told_while_they_are_there(void **state)
{
	struct fixture *fx = *state;
	const char *all;

	put(fx, "stat", "cpu  1 0 1 8 0 0 0 0 0 0\nbtime 1000\n");
	put_process(fx, 7, "a (b) c", 1, 0, 100, 200);
	put_process(fx, 8, "kworker", 2, 0x200000, 100, 100);
	look_processes(fx, 1000);
	all = said(fx);
	has(all, "process_created host.process.7 {\"name\":\"a (b) c\","
		 "\"parent\":1,\"started\":1002,\"cpu\":0,");
	lacks(all, "kworker");
	/* 50 ticks of a hundred: half a processor, and nothing else is new. */
	put_process(fx, 7, "a (b) c", 1, 0, 150, 200);
	put_process(fx, 8, "kworker", 2, 0x200000, 200, 100);
	look_processes(fx, 2000);
	assert_string_equal(
	    said(fx), "process_updated host.process.7 {\"cpu\":50}\n");
	/* Another one with that id. */
	put_process(fx, 7, "other", 1, 0, 0, 300);
	look_processes(fx, 3000);
	has(said(fx), "process_deleted host.process.7 null\n");
	look_processes(fx, 4000);
	has(said(fx), "process_created host.process.7 {\"name\":\"other\",");
	remove_process(fx, 7);
	look_processes(fx, 5000);
	assert_string_equal(said(fx), "process_deleted host.process.7 null\n");
}

static void
one_that_is_quiet_is_forgotten(void **state)
{
	struct fixture *fx = *state;

	put_process(fx, 9, "busy", 1, 0, 0, 1);
	for (unsigned i = 0; i < 40; i++) {
		char path[16];

		/* They hold more memory, all of them. */
		snprintf(path, sizeof(path), "Big%u", i);
		put_process(fx, 100 + i, path, 1, 0, 0, 1);
	}
	look_processes(fx, 1000);
	(void)said(fx);
	put_process(fx, 9, "busy", 1, 0, 50, 1);
	look_processes(fx, 2000);
	has(said(fx), "host.process.9 ");
	look_processes(fx, 3000);
	lacks(said(fx), "process_deleted host.process.9 ");
	look_processes(fx, 60000);
	has(said(fx), "process_deleted host.process.9 ");
}

/* Whatever stands in the files. */
static void
noise_is_not_believed(void **state)
{
	static const char *const names[] = { "stat", "meminfo", "loadavg",
		"diskstats", "net/dev", "self/mountinfo", "5/stat" };
	struct fixture *fx = *state;
	unsigned seed = (unsigned)getpid();
	char text[3000];

	print_message("seed=%u\n", seed);
	(void)mkdirat(fx->dir->fd, "net", 0700);
	(void)mkdirat(fx->dir->fd, "self", 0700);
	(void)mkdirat(fx->dir->fd, "5", 0700);
	for (unsigned round = 0; round < 200; round++) {
		static const char letters[] =
		    "cpu0123456789 :-/().\n\n  \t\\%kB\xc3\xa9\xff~*>";

		for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
			size_t len = (unsigned)rand_r(&seed) % sizeof(text);

			for (size_t k = 0; k < len; k++)
				text[k] = letters[(unsigned)rand_r(&seed) %
						  (sizeof(letters) - 1)];
			text[MIN(len, sizeof(text) - 1)] = '\0';
			put(fx, names[i], text);
		}
		look_fast(fx, round * 1000);
		look_slow(fx, round * 1000);
		look_processes(fx, round * 1000);
		(void)said(fx);
	}
}

/* --- the fixture --- */

static int
set_up(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));

	if (!fx || tmpdir_setup((void **)&fx->dir) != 0)
		return -1;
	fx->facts = facts_new(&fx->d);
	fx->host = host_new(fx->dir->path);
	fx->processes = processes_new(fx->dir->path);
	*state = fx;
	return !fx->facts || !fx->host || !fx->processes;
}

static int
tear_down(void **state)
{
	struct fixture *fx = *state;

	(void)facts_free(fx->facts);
	(void)host_free(fx->host);
	(void)processes_free(fx->processes);
	demo_close(&fx->d);
	mp_buf_deinit(&fx->json);
	(void)tmpdir_teardown((void **)&fx->dir);
	free(fx);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shares_of_time_are_those_since_a_second_ago),
		TEST(memory_and_load_are_told_when_they_change),
		TEST(rates_are_by_the_second),
		TEST(names_of_interfaces_become_one_token),
		TEST(file_systems_are_told_by_their_disk_or_where_they_are),
		TEST(processes_are_told_while_they_are_there),
		TEST(one_that_is_quiet_is_forgotten),
		TEST(noise_is_not_believed),
	};

	return cmocka_run_group_tests_name("demo", tests, NULL, NULL);
}
