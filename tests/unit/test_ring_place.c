/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What may stand in the way of a ring: nothing of it is left behind then, and
 * the sentence names it.  And what tools are told of a ring that lies.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "shm/ring_map.h"
#include "shm/stats.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/ringfix.h"

static bool
there(const struct ringfix *fx, const char *name)
{
	return faccessat(fx->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
assert_not_made(const struct ringfix *fx, int err, const char *text)
{
	struct ring_writer *rw = NULL;
	struct reason why = { "" };

	assert_int_equal(
	    ring_writer_create(fx->dirfd, &fx->opt, &rw, &why), err);
	assert_null(rw);
	if (!strstr(why.text, text))
		fail_msg("'%s' lacks '%s'", why.text, text);
}

static void
what_is_no_file_is_not_taken_away(void **state)
{
	struct ringfix *fx = *state;

	assert_int_equal(mkdirat(fx->dirfd, "ring.new", 0700), 0);
	assert_not_made(fx, -EISDIR, "cannot remove 'ring.new'");
	assert_true(there(fx, "ring.new"));
	assert_int_equal(unlinkat(fx->dirfd, "ring.new", AT_REMOVEDIR), 0);
}

static void
a_ring_that_gets_no_name_leaves_no_file(void **state)
{
	struct ringfix *fx = *state;
	struct reason why = { "" };
	struct ring_writer *rw;
	struct ring_status status;

	/* The reader keeps the file. */
	assert_int_equal(unlinkat(fx->dirfd, "ring", 0), 0);
	assert_int_equal(mkdirat(fx->dirfd, "ring", 0700), 0);
	assert_int_equal(ring_writer_create(fx->dirfd, &fx->opt, &rw, NULL), 0);
	assert_int_equal(ring_writer_install(rw, &why), -EISDIR);
	assert_non_null(strstr(why.text, "cannot rename 'ring.new' to 'ring'"));
	/* Whoever reads the ring before it isn't told that it has ended. */
	ring_reader_status(fx->reader, &status);
	assert_int_equal(status.state, RING_RUNNING);
	rw = ring_writer_free(rw);
	assert_false(there(fx, "ring.new"));
	assert_int_equal(unlinkat(fx->dirfd, "ring", AT_REMOVEDIR), 0);
}

static void
without_descriptors_no_ring_is_made_and_none_is_left(void **state)
{
	struct ringfix *fx = *state;
	unsigned before = descriptors_open();
	struct ring_writer *rw = NULL;

	/* The directory and the file twice, once to write. */
	for (unsigned n = 0; n <= 3; n++) {
		struct rlimit old = descriptors_leave(n);
		int err = ring_writer_create(fx->dirfd, &fx->opt, &rw, NULL);

		descriptors_restore(&old);
		assert_int_equal(err, n < 3 ? -EMFILE : 0);
		assert_int_equal(there(fx, "ring.new"), n == 3);
		if (n < 3)
			assert_int_equal(descriptors_open(), before);
	}
	rw = ring_writer_free(rw);
}

/* As an account that may not give files away. */
static int
give_as_nobody(struct ringfix *fx)
{
	struct ring_writer *rw = NULL;
	struct reason why = { "" };

	if (fchown(fx->dirfd, 65534, 65534) < 0 || setgroups(0, NULL) < 0 ||
	    setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	fx->opt.group = 4711;
	if (ring_writer_create(fx->dirfd, &fx->opt, &rw, &why) != -EPERM)
		return 1;
	return strstr(why.text, "to group 4711") && !there(fx, "ring.new") ? 0
									   : 2;
}

static void
assert_nobody_cannot_give(struct ringfix *fx)
{
	int status = 0;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(give_as_nobody(fx));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	/* In some containers root cannot become anybody else. */
	if (WEXITSTATUS(status) != 77)
		assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_ring_belongs_to_the_group_that_was_named_or_is_not_made(void **state)
{
	struct ringfix *fx = *state;
	struct ring_writer *rw = NULL;
	struct reason why = { "" };
	struct stat st;
	int err;

	if (geteuid() == 0)
		assert_nobody_cannot_give(fx);
	fx->opt.group = 4711;
	err = ring_writer_create(fx->dirfd, &fx->opt, &rw, &why);
	if (err < 0) {
		assert_non_null(strstr(why.text, "to group 4711"));
		assert_false(there(fx, "ring.new"));
		return;
	}
	assert_int_equal(fstatat(fx->dirfd, "ring.new", &st, 0), 0);
	assert_int_equal(st.st_gid, 4711);
	assert_int_equal(st.st_mode & 07777, 0640);
	rw = ring_writer_free(rw);
}

static void
a_reader_knows_whether_its_ring_is_still_there(void **state)
{
	struct ringfix *fx = *state;
	struct ring_writer *next;
	char path[128];

	snprintf(path, sizeof(path), "%s/ring", fx->dir);
	assert_true(ring_reader_is_at(fx->reader, path));
	ringfix_publish(fx, 20);
	assert_true(ring_reader_is_at(fx->reader, path));
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &fx->opt, &next, NULL), 0);
	assert_int_equal(ring_writer_install(next, NULL), 0);
	assert_false(ring_reader_is_at(fx->reader, path));
	next = ring_writer_free(next);
	assert_int_equal(unlinkat(fx->dirfd, "ring", 0), 0);
	assert_false(ring_reader_is_at(fx->reader, path));
	assert_int_equal(mkdirat(fx->dirfd, "ring", 0700), 0);
	assert_false(ring_reader_is_at(fx->reader, path));
	assert_int_equal(unlinkat(fx->dirfd, "ring", AT_REMOVEDIR), 0);
}

/* Has the run directory a ring that nobody serves?  0, or -errno. */
static int
left(const struct ringfix *fx)
{
	struct ring_reader *rd = NULL;
	int err = ring_reader_open_left(fx->dir, &rd);

	assert_int_equal(rd == NULL, err < 0);
	rd = ring_reader_free(rd);
	return err;
}

/* Somebody at ring.sock, of some type, who takes nobody on. */
static int
somebody(const struct ringfix *fx, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/ring.sock", fx->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

/* Its witness counts in a recovery: another's would be of another log. */
static void
a_ring_is_left_where_nobody_listens_any_more(void **state)
{
	struct ringfix *fx = *state;
	int listener;

	assert_int_equal(left(fx), 0);
	for (int i = 0; i < 2; i++) {
		listener = somebody(fx, i == 0 ? SOCK_SEQPACKET : SOCK_STREAM);
		assert_int_equal(left(fx), -EBUSY);
		/* Who has asked is not looked at, and there is no more room. */
		assert_int_equal(left(fx), -EBUSY);
		closep(&listener);
		assert_int_equal(left(fx), 0);
		assert_int_equal(unlinkat(fx->dirfd, "ring.sock", 0), 0);
	}
	assert_int_equal(unlinkat(fx->dirfd, "ring", 0), 0);
	assert_int_equal(left(fx), -ENOENT);
}

/* A pass of this size leaves readers seven eighths to be late in. */
static void
a_pass_may_take_an_eighth_of_the_ring(void **state)
{
	struct ringfix *fx = *state;

	assert_int_equal(ring_writer_pass_events(fx->writer), 1);
	assert_int_equal(ring_writer_pass_bytes(fx->writer), 512);
}

static void
a_ring_beyond_the_address_space_is_refused_by_its_size(void **state)
{
	struct ringfix *fx = *state;
	const struct ring_header head = ring_writer_map(fx->writer)->head;
	struct ring_header big = head;
	struct ring_reader *rd = NULL;
	struct reason why = { "" };
	struct rlimit old, small;
	unsigned long pages = 0;
	char path[128];
	FILE *statm;
	int fd;

	snprintf(path, sizeof(path), "%s/big", fx->dir);
	big.magic = RING_MAGIC;
	big.payload_bytes = 1ULL << 31;
	big.file_bytes = big.payload_at + big.payload_bytes;
	big.crc = ring_map_crc(&big);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, (off_t)big.file_bytes), 0);
	assert_int_equal(pwrite(fd, &big, sizeof(big), 0), sizeof(big));
	(void)close(fd);
	statm = fopen("/proc/self/statm", "r");
	assert_int_equal(fscanf(statm, "%lu", &pages), 1);
	(void)fclose(statm);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	small = old;
	small.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1UL << 31);
	assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
	assert_int_equal(ring_reader_open(path, &rd, &why), -ENOMEM);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_non_null(strstr(why.text, "bytes of address space"));
	assert_null(rd);
	assert_int_equal(unlink(path), 0);
}

/* The row of the readers' table that a writer would fill first. */
static struct ring_seat *
seat(struct ringfix *fx)
{
	return &ring_writer_map(fx->writer)->seats[0];
}

static void
a_row_that_is_being_rewritten_is_not_shown(void **state)
{
	struct ring_seat_info info[RING_SEATS];
	struct ringfix *fx = *state;

	ring_store(&seat(fx)->pid, 17);
	assert_int_equal(ring_reader_seats(fx->reader, info, RING_SEATS), 1);
	assert_int_equal(info[0].pid, 17);
	assert_int_equal(ring_reader_seats(fx->reader, info, 0), 0);
	/* As a writer leaves it that was killed in between. */
	ring_store(&seat(fx)->generation, 1);
	assert_int_equal(ring_reader_seats(fx->reader, info, RING_SEATS), 0);
	ring_store(&seat(fx)->generation, 2);
	ring_store(&seat(fx)->pid, (uint64_t)-17);
	assert_int_equal(ring_reader_seats(fx->reader, info, RING_SEATS), 0);
}

static struct ring_seat *rows;
static volatile sig_atomic_t rewritten;

/* Between any two instructions of who copies rows, as another process does. */
static void
rewrite(int sig)
{
	uint64_t v = (uint64_t)(rewritten = rewritten + 1);

	for (unsigned i = 0; i < RING_READERS; i++) {
		ring_store(&rows[i].generation, 2 * v - 1);
		ring_store(&rows[i].position, v);
		ring_store(&rows[i].wakeups, v);
		ring_store(&rows[i].heartbeat_ns, v);
		ring_store(&rows[i].generation, 2 * v);
	}
}

static void
a_row_is_shown_as_of_one_moment(void **state)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct ring_seat_info info[RING_SEATS];
	struct sigaction act = { .sa_handler = rewrite }, old;
	struct ringfix *fx = *state;
	unsigned torn = 0;

	rows = seat(fx);
	rewrite(SIGALRM);
	for (unsigned i = 0; i < RING_READERS; i++)
		ring_store(&rows[i].pid, 17);
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	while (rewritten < 500) {
		unsigned n = ring_reader_seats(fx->reader, info, RING_SEATS);

		for (unsigned i = 0; i < n; i++)
			torn += info[i].wakeups != info[i].position ||
				info[i].heartbeat_ns != info[i].position;
	}
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_int_equal(torn, 0);
}

static void
a_role_holds_nothing_that_a_terminal_would_obey(void **state)
{
	const char role[RING_ROLE] = "\33[2J~ \177x\x80"
				     "abcdefg";
	struct ring_seat_info info[1];
	struct ringfix *fx = *state;
	uint64_t words[RING_ROLE / 8];

	memcpy(words, role, sizeof(words));
	ring_store(&seat(fx)->pid, 17);
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		ring_store(&seat(fx)->role[i], words[i]);
	assert_int_equal(ring_reader_seats(fx->reader, info, 1), 1);
	/* And an end, though the row has none. */
	assert_string_equal(info[0].role, "?[2J~ ?x?abcdef");
}

static void
a_reader_beyond_the_tail_finds_out(void **state)
{
	struct ringfix *fx = *state;
	struct ring_backlog backlog;
	struct ring_event ev;

	ringfix_publish(fx, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ring_reader_backlog(fx->reader, &backlog), RING_EMPTY);
	/* Tails don't go back, or its owner lies. */
	ring_store(&ring_writer_map(fx->writer)->hot->tail_ord, 2);
	assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
	assert_int_equal(ring_reader_backlog(fx->reader, &backlog), -EPROTO);
	/* And nothing that it says later is believed. */
	ring_store(&ring_writer_map(fx->writer)->hot->tail_ord, 3);
	ringfix_publish(fx, 1);
	assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
	assert_int_equal(ring_reader_seek_tail(fx->reader), 0);
	assert_int_equal(ring_reader_seek_oldest(fx->reader), 0);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, ringfix_setup, ringfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_file_is_not_taken_away),
		TEST(a_ring_that_gets_no_name_leaves_no_file),
		TEST(without_descriptors_no_ring_is_made_and_none_is_left),
		TEST(a_ring_belongs_to_the_group_that_was_named_or_is_not_made),
		TEST(a_reader_knows_whether_its_ring_is_still_there),
		TEST(a_ring_is_left_where_nobody_listens_any_more),
		TEST(a_pass_may_take_an_eighth_of_the_ring),
		TEST(a_ring_beyond_the_address_space_is_refused_by_its_size),
		TEST(a_row_that_is_being_rewritten_is_not_shown),
		TEST(a_row_is_shown_as_of_one_moment),
		TEST(a_role_holds_nothing_that_a_terminal_would_obey),
		TEST(a_reader_beyond_the_tail_finds_out),
	};

	return cmocka_run_group_tests_name("ring_place", tests, NULL, NULL);
}
