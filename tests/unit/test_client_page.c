/* SPDX-License-Identifier: BSD-2-Clause */

/* A page of clients, as its owner writes it and as tools read it. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "shm/client_page_priv.h"
#include "tests/lib/tmpdir.h"

enum {
	SLOTS_AT = 4096,
	CLIENT_COLUMNS = 0
#define CLIENT_NUMBER(name, unit, text) +1
#define CLIENT_TEXT(name, text)		+1
#include "shm/client_columns.h"
};

static const struct client_info someone = {
	.opened = 1,
	.seen = 2,
	.position = 3,
	.lag = 4,
	.sent = UINT64_MAX,
	.received = 6,
	.queued = 7,
	.subscriptions = 8,
	.state = CLIENT_LIVE,
	.form = CLIENT_JSON,
};

static const char *
page_name(void)
{
	static char name[64];

	snprintf(
	    name, sizeof(name), CLIENT_DIRECTORY "/forest.%ld", (long)getpid());
	return name;
}

static struct client_page *
make(struct tmpdir *dir, uint32_t slots)
{
	struct client_page *page = NULL;

	assert_int_equal(
	    client_page_create(dir->fd, "forest", slots, &page, NULL), 0);
	return page;
}

static struct client_reader *
look(struct tmpdir *dir)
{
	struct client_reader *rd = NULL;

	assert_int_equal(
	    client_reader_open(dir->fd, page_name(), &rd, NULL), 0);
	return rd;
}

/* Seqs of position, in the order of slots: what the page tells altogether. */
static const char *
positions(struct tmpdir *dir)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = look(dir);
	static char text[200];
	struct client_info info;
	int n = 0, rc;

	text[0] = '\0';
	while ((rc = client_reader_next(rd, &info, NULL)) == CLIENT_ROW)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%d%s",
		    n > 0 ? " " : "", (int)info.position,
		    info.state == CLIENT_GONE ? "-" : "");
	assert_int_equal(rc, CLIENT_END);
	return text;
}

static uint32_t
take(struct client_page *page, uint64_t position)
{
	struct client_info info = someone;

	info.position = position;
	return client_page_take(page, &info);
}

static void
leave(struct client_page *page, uint32_t slot, uint64_t position)
{
	struct client_info info = someone;

	info.position = position;
	info.state = CLIENT_GONE;
	info.close_code = 4409;
	client_page_leave(page, slot, &info);
}

static void
poke(struct tmpdir *dir, size_t at, const void *p, size_t len)
{
	int fd = openat(dir->fd, page_name(), O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, len, (off_t)at), len);
	close(fd);
}

static void
a_client_can_be_seen_from_when_it_comes_until_its_slot_is_needed(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 2);
	struct client_reader *rd = look(dir);
	const struct client_head *head = client_reader_head(rd);
	struct client_info info;
	uint32_t slot;
	struct stat st;

	assert_int_equal(fstatat(dir->fd, page_name(), &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_string_equal(head->process, "forest");
	assert_int_equal(head->pid, getpid());
	assert_int_equal(head->slots, 2);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_END);
	client_reader_free(rd);

	slot = client_page_take(page, &someone);
	assert_int_not_equal(slot, 0);
	client_page_name(page, slot, SLICE_STR("jo"), SLICE_STR("tab"));
	rd = look(dir);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_ROW);
	assert_int_equal(info.opened, 1);
	assert_int_equal(info.seen, 2);
	assert_int_equal(info.position, 3);
	assert_int_equal(info.lag, 4);
	assert_true(info.sent == UINT64_MAX);
	assert_int_equal(info.received, 6);
	assert_int_equal(info.queued, 7);
	assert_int_equal(info.subscriptions, 8);
	assert_int_equal(info.state, CLIENT_LIVE);
	assert_int_equal(info.form, CLIENT_JSON);
	assert_int_equal(info.close_code, 0);
	assert_int_equal(info.user.whole, 2);
	assert_memory_equal(info.user.bytes, "jo", 2);
	assert_int_equal(info.client.n, 3);
	assert_memory_equal(info.client.bytes, "tab", 3);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_END);
	client_reader_free(rd);

	/* Numbers are written anew, names stay. */
	leave(page, slot, 9);
	rd = look(dir);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_ROW);
	assert_int_equal(info.position, 9);
	assert_int_equal(info.close_code, 4409);
	assert_int_equal(info.state, CLIENT_GONE);
	assert_memory_equal(info.user.bytes, "jo", 2);
	client_reader_free(rd);
	client_page_free(page);
	assert_false(tmpdir_has(dir, page_name()));
}

static void
the_slot_of_who_left_first_is_taken_first(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 3);
	struct client_reader *rd;
	uint32_t a = take(page, 1), b = take(page, 2), c = take(page, 3);

	assert_string_equal(positions(dir), "1 2 3");
	assert_int_equal(take(page, 4), 0);
	rd = look(dir);
	assert_int_equal(client_reader_head(rd)->unseated, 1);
	client_reader_free(rd);
	leave(page, b, 20);
	leave(page, a, 10);
	assert_string_equal(positions(dir), "10- 20- 3");
	client_page_leave_none(page);
	assert_int_equal(take(page, 5), b);
	assert_string_equal(positions(dir), "10- 5 3");
	leave(page, c, 30);
	assert_int_equal(take(page, 6), a);
	assert_int_equal(take(page, 7), c);
	assert_string_equal(positions(dir), "6 5 7");
	rd = look(dir);
	assert_int_equal(client_reader_head(rd)->unseated, 0);
	client_reader_free(rd);
	client_page_free(page);
}

/* The user as it comes back, and how long it was. */
static void
named(struct tmpdir *dir, struct client_page *page, uint32_t slot,
    const char *user, const char *seen)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = NULL;
	struct client_info info;

	client_page_name(page, slot, slice_cstr(user), SLICE_STR(""));
	rd = look(dir);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_ROW);
	assert_int_equal(info.user.whole, MIN(strlen(user), (size_t)255));
	assert_int_equal(info.user.n, strlen(seen));
	assert_memory_equal(info.user.bytes, seen, info.user.n);
}

#define TEN "0123456789"

static void
names_are_cut_between_characters(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1);
	uint32_t slot = take(page, 1);
	char longest[300];

	/* There is room for 39 bytes. */
	named(dir, page, slot, TEN TEN TEN "12345678", TEN TEN TEN "12345678");
	named(
	    dir, page, slot, TEN TEN TEN "123456789", TEN TEN TEN "123456789");
	named(dir, page, slot, TEN TEN TEN TEN, TEN TEN TEN "012345678");
	named(dir, page, slot, TEN TEN TEN "1234567\xc3\xa9",
	    TEN TEN TEN "1234567\xc3\xa9");
	named(dir, page, slot, TEN TEN TEN "12345678\xc3\xa9",
	    TEN TEN TEN "12345678");
	named(dir, page, slot, TEN TEN TEN "123456\xf0\x9f\x90\xa6",
	    TEN TEN TEN "123456");
	named(dir, page, slot, "", "");
	/* Bytes that are no characters at all. */
	memset(longest, 0xbf, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	client_page_name(page, slot, slice_cstr(longest), slice_cstr(longest));
	assert_string_equal(positions(dir), "1");
	client_page_free(page);
}

static void
what_has_no_room_is_shown_as_the_most_that_has(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1);
	struct client_info info = someone;
	uint8_t name[300] = { 0 };
	struct client_reader *rd;
	uint32_t slot;

	info.subscriptions = UINT16_MAX + 3;
	info.queued = UINT64_C(5) << 32;
	slot = client_page_take(page, &info);
	memset(name, 'x', sizeof(name));
	client_page_name(page, slot, slice_of(name, 300), slice_of(name, 300));
	rd = look(dir);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_ROW);
	assert_int_equal(info.subscriptions, UINT16_MAX);
	assert_int_equal(info.queued, UINT32_MAX);
	assert_int_equal(info.user.whole, UINT8_MAX);
	assert_int_equal(info.client.whole, UINT8_MAX);
	client_reader_free(rd);
	client_page_free(page);
}

static void
a_page_says_how_far_its_process_is(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1);
	struct client_page_head head;
	int fd = openat(dir->fd, page_name(), O_RDONLY);

	client_page_beat(page, 4711);
	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(head.head, 4711);
	assert_true(head.beat_us >= head.started_us);
	(void)close(fd);
	client_page_free(page);
}

static void
assert_not_made(struct tmpdir *dir, int dirfd, int err, const char *text)
{
	struct client_page *page = NULL;
	struct reason why = { "" };

	assert_int_equal(
	    client_page_create(dirfd, "forest", 100, &page, &why), err);
	assert_null(page);
	if (!strstr(why.text, text))
		fail_msg("'%s' lacks '%s'", why.text, text);
	assert_false(tmpdir_has(dir, page_name()));
}

static void
where_no_page_can_be_none_is_left(void **state)
{
	struct rlimit small = { 64, 64 }, old;
	struct tmpdir *dir = *state;

	assert_not_made(dir, -1, -EBADF, "cannot make 'clients'");
	tmpdir_text(dir, CLIENT_DIRECTORY, "a file");
	assert_not_made(dir, dir->fd, -ENOTDIR, "cannot create 'clients/");
	assert_int_equal(unlinkat(dir->fd, CLIENT_DIRECTORY, 0), 0);
	/* No room for its slots. */
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_not_made(dir, dir->fd, -EFBIG, "cannot fill and map 'clients/");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void
a_file_that_is_no_page_is_refused(void **state)
{
	struct tmpdir *dir = *state;
	struct client_reader *rd = NULL;
	uint8_t zeros[8192] = { 0 };
	struct reason why;

	assert_int_equal(
	    client_reader_open(dir->fd, "none", &rd, &why), -ENOENT);
	(void)tmpdir_text(dir, "empty", "");
	assert_int_equal(
	    client_reader_open(dir->fd, "empty", &rd, &why), -EPROTO);
	(void)tmpdir_text(dir, "short", "PEALCLNT");
	assert_int_equal(
	    client_reader_open(dir->fd, "short", &rd, &why), -EPROTO);
	assert_non_null(strstr(why.text, "'short'"));
	(void)tmpdir_put(dir, "zeros", slice_of(zeros, sizeof(zeros)));
	assert_int_equal(
	    client_reader_open(dir->fd, "zeros", &rd, &why), -EPROTO);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0600), 0);
	assert_int_equal(
	    client_reader_open(dir->fd, "fifo", &rd, &why), -EPROTO);
	assert_int_equal(symlinkat("zeros", dir->fd, "link"), 0);
	assert_int_equal(
	    client_reader_open(dir->fd, "link", &rd, &why), -ELOOP);
	assert_int_equal(client_reader_open(dir->fd, ".", &rd, &why), -EPROTO);
	assert_null(rd);
}

/* A page that is good but for one number: is it opened? */
static int
bent(struct tmpdir *dir, size_t at, uint32_t v)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = NULL;
	CLEANUP(client_page_freep) struct client_page *page = make(dir, 3);
	struct client_info info;
	int rc;

	(void)take(page, 1);
	poke(dir, at, &v, sizeof(v));
	rc = client_reader_open(dir->fd, page_name(), &rd, NULL);
	while (rc == 0 && client_reader_next(rd, &info, NULL) == CLIENT_ROW)
		assert_true(info.user.n <= CLIENT_TEXT_MAX);
	return rc;
}

static void
a_page_that_points_outside_is_refused(void **state)
{
	struct tmpdir *dir = *state;
	const size_t column = 128;

	assert_int_equal(bent(dir, 36, 0), 0);
	/* Magic; version; columns and their size. */
	assert_int_equal(bent(dir, 0, 0), -EPROTO);
	assert_int_equal(bent(dir, 8, 2), -EPROTO);
	assert_int_equal(bent(dir, 12, 65), -EPROTO);
	assert_int_equal(bent(dir, 12, 0), 0);
	assert_int_equal(bent(dir, 16, 127), -EPROTO);
	/* Bytes of a slot; slots; where they begin. */
	assert_int_equal(bent(dir, 20, 0), -EPROTO);
	assert_int_equal(bent(dir, 20, 4), -EPROTO);
	assert_int_equal(bent(dir, 20, 132), -EPROTO);
	assert_int_equal(bent(dir, 20, 136), -EPROTO);
	assert_int_equal(bent(dir, 20, 0x80000000), -EPROTO);
	assert_int_equal(bent(dir, 24, 0), -EPROTO);
	assert_int_equal(bent(dir, 24, 4), -EPROTO);
	assert_int_equal(bent(dir, 24, 2), 0);
	assert_int_equal(bent(dir, 24, UINT32_MAX), -EPROTO);
	assert_int_equal(bent(dir, 28, 0), -EPROTO);
	assert_int_equal(bent(dir, 28, 4095), -EPROTO);
	assert_int_equal(bent(dir, 28, 4104), -EPROTO);
	assert_int_equal(bent(dir, 28, UINT32_MAX - 7), -EPROTO);
	/* Of a column: name, kind, place, bytes. */
	assert_int_equal(bent(dir, column, 0x1b5b1b5b), -EPROTO);
	assert_int_equal(bent(dir, column + 112, 77), 0);
	assert_int_equal(bent(dir, column + 112, 2), 0);
	assert_int_equal(bent(dir, column + 116, 126), 0);
	assert_int_equal(bent(dir, column + 116, 127), -EPROTO);
	assert_int_equal(bent(dir, column + 116, UINT32_MAX), -EPROTO);
	assert_int_equal(bent(dir, column + 120, 0), -EPROTO);
	assert_int_equal(bent(dir, column + 120, 8), 0);
	assert_int_equal(bent(dir, column + 120, 9), -EPROTO);
	assert_int_equal(bent(dir, column + 120, UINT32_MAX), -EPROTO);
}

/* Slots, and texts in them, that are larger than whoever reads has room. */
static void
a_page_of_larger_parts_than_there_can_be_is_refused(void **state)
{
	const struct {
		uint32_t slot, text;
		int err;
	} parts[] = { { 1024, 65, 0 }, { 1032, 40, -EPROTO },
		{ 16392, 40, -EPROTO }, { 1024, 66, -EPROTO },
		{ 1024, 512, -EPROTO } };
	const size_t user = 128 + 128 * (CLIENT_COLUMNS - 2);
	struct tmpdir *dir = *state;

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		CLEANUP(client_reader_freep) struct client_reader *rd = NULL;
		CLEANUP(client_page_freep)
		struct client_page *page = make(dir, 1);
		int fd = openat(dir->fd, page_name(), O_RDWR);
		char name[32] = "";

		assert_int_equal(pread(fd, name, 32, (off_t)user), 32);
		assert_string_equal(name, "user");
		assert_int_equal(ftruncate(fd, 1 << 16), 0);
		(void)close(fd);
		poke(dir, 20, &parts[i].slot, sizeof(parts[i].slot));
		poke(dir, user + 120, &parts[i].text, sizeof(parts[i].text));
		assert_int_equal(
		    client_reader_open(dir->fd, page_name(), &rd, NULL),
		    parts[i].err);
	}
}

static void
columns_of_another_build_are_passed_over(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1);
	struct client_reader *rd;
	struct client_info info;
	struct client_column c;

	(void)client_page_take(page, &someone);
	for (unsigned i = 0;; i++) {
		size_t at = 128 + i * sizeof(c);
		int fd = openat(dir->fd, page_name(), O_RDONLY);

		assert_int_equal(
		    pread(fd, &c, sizeof(c), (off_t)at), sizeof(c));
		close(fd);
		assert_true(c.name[0]);
		if (strcmp(c.name, "lag") != 0)
			continue;
		poke(dir, at, "leg", 3);
		break;
	}
	rd = look(dir);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_ROW);
	assert_int_equal(info.lag, 0);
	assert_int_equal(info.position, 3);
	assert_int_equal(info.queued, 7);
	client_reader_free(rd);
	client_page_free(page);
}

static void
a_slot_that_a_crash_left_half_written_is_left_out(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 3);
	struct client_reader *rd;
	struct client_info info;
	uint32_t odd = 7;

	for (unsigned i = 1; i <= 3; i++)
		(void)take(page, i);
	poke(dir, SLOTS_AT + 128, &odd, sizeof(odd));
	assert_string_equal(positions(dir), "1 3");
	rd = look(dir);
	while (client_reader_next(rd, &info, NULL) == CLIENT_ROW)
		;
	assert_int_equal(client_reader_torn(rd), 1);
	client_reader_free(rd);
	client_page_free(page);
}

static void
a_page_that_is_cut_short_meanwhile_is_an_error(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1000);
	struct client_reader *rd;
	struct client_info info;
	struct reason why;
	int fd;

	for (unsigned i = 1; i <= 1000; i++)
		(void)take(page, i);
	rd = look(dir);
	assert_int_equal(client_reader_next(rd, &info, NULL), CLIENT_ROW);
	fd = openat(dir->fd, page_name(), O_WRONLY);
	assert_int_equal(ftruncate(fd, SLOTS_AT + 200), 0);
	close(fd);
	for (unsigned i = 1; i < 128; i++)
		assert_int_equal(
		    client_reader_next(rd, &info, NULL), CLIENT_ROW);
	assert_int_equal(client_reader_next(rd, &info, &why), -EPROTO);
	assert_non_null(strstr(why.text, "slot 128"));
	client_reader_free(rd);
	client_page_free(page);
}

/* A pid that nobody has any more. */
static long
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void
of_what_crashes_left_the_newest_stay(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1);
	char names[7][64], alive[64];
	struct stat st;

	for (unsigned i = 0; i < 7; i++) {
		struct timespec times[2] = { { .tv_sec = (time_t)(7 - i) },
			{ .tv_sec = (time_t)(7 - i) } };
		const char *process = i == 6 ? "forestry" : "forest";

		snprintf(names[i], sizeof(names[i]), CLIENT_DIRECTORY "/%s.%ld",
		    process, dead_pid());
		(void)tmpdir_text(dir, names[i], "what a crash left");
		assert_int_equal(utimensat(dir->fd, names[i], times, 0), 0);
	}
	snprintf(alive, sizeof(alive), CLIENT_DIRECTORY "/forest.%ld",
	    (long)getppid());
	(void)tmpdir_text(dir, alive, "somebody's");
	client_page_free(page);
	page = make(dir, 1);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(fstatat(dir->fd, names[i], &st, 0) == 0,
		    i < CLIENT_PAGES_LEFT || i == 6);
	assert_int_equal(fstatat(dir->fd, alive, &st, 0), 0);
	client_page_free(page);
}

/* All numbers of a slot are one number, or it is torn. */
static bool
is_of_one_piece(const struct client_info *info)
{
	return info->opened == info->position && info->lag == info->position &&
	       info->sent == info->position && info->received == info->position;
}

static struct client_info
all_are(uint64_t v)
{
	return (struct client_info){ .opened = v,
		.position = v,
		.lag = v,
		.sent = v,
		.received = v,
		.state = CLIENT_LIVE };
}

/* Write again and again, with pauses of any length, until killed. */
static pid_t
scribble(struct client_page *page, uint32_t slot)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t v = 1;; v++) {
		struct client_info info = all_are(v);

		client_page_put(page, slot, &info);
		for (volatile uint64_t i = 0; i < v % 8192;)
			i = i + 1;
	}
}

static void
nobody_sees_a_slot_half_written(void **state)
{
	struct tmpdir *dir = *state;
	struct client_page *page = make(dir, 1);
	struct client_info info = all_are(0);
	uint32_t slot = client_page_take(page, &info);
	uint64_t last = 0;
	unsigned changes = 0;
	pid_t pid;

	/* The judge knows what a torn one looks like. */
	info.received = 1;
	assert_false(is_of_one_piece(&info));
	pid = scribble(page, slot);
	while (changes < 2000) {
		struct client_reader *rd = look(dir);

		if (client_reader_next(rd, &info, NULL) == CLIENT_ROW) {
			assert_true(is_of_one_piece(&info));
			assert_true(info.position >= last);
			changes += info.position != last;
			last = info.position;
		}
		client_reader_free(rd);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	client_page_free(page);
}

#define IN_DIRECTORY(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(
		    a_client_can_be_seen_from_when_it_comes_until_its_slot_is_needed),
		IN_DIRECTORY(the_slot_of_who_left_first_is_taken_first),
		IN_DIRECTORY(names_are_cut_between_characters),
		IN_DIRECTORY(what_has_no_room_is_shown_as_the_most_that_has),
		IN_DIRECTORY(a_page_says_how_far_its_process_is),
		IN_DIRECTORY(where_no_page_can_be_none_is_left),
		IN_DIRECTORY(a_file_that_is_no_page_is_refused),
		IN_DIRECTORY(a_page_that_points_outside_is_refused),
		IN_DIRECTORY(
		    a_page_of_larger_parts_than_there_can_be_is_refused),
		IN_DIRECTORY(columns_of_another_build_are_passed_over),
		IN_DIRECTORY(a_slot_that_a_crash_left_half_written_is_left_out),
		IN_DIRECTORY(a_page_that_is_cut_short_meanwhile_is_an_error),
		IN_DIRECTORY(of_what_crashes_left_the_newest_stay),
		IN_DIRECTORY(nobody_sees_a_slot_half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
