/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a process can still do after it has given up the rest: each attempt
 * in a child that did, since there is no way back.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "gateway/hygiene.h"
#include "tests/lib/tmpdir.h"

#define IN_DIRECTORY(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

/* errno of an attempt, 0 when it worked; runs in the child. */
typedef int attempt(const struct tmpdir *dir);

static int
tried(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
open_new(const struct tmpdir *dir)
{
	return tried(openat(dir->fd, "new", O_RDWR | O_CREAT, 0600));
}

static int
open_for_writing(const struct tmpdir *dir)
{
	return tried(openat(dir->fd, "there", O_WRONLY));
}

static int
open_both_ways(const struct tmpdir *dir)
{
	return tried(openat(dir->fd, "there", O_RDWR));
}

static int
truncate_by_opening(const struct tmpdir *dir)
{
	return tried(openat(dir->fd, "there", O_RDONLY | O_TRUNC));
}

static int
open_the_old_way(const struct tmpdir *dir)
{
#ifdef SYS_open
	return tried(syscall(SYS_open, "/dev/null", O_WRONLY));
#else
	return EPERM;
#endif
}

static int
open_the_new_way(const struct tmpdir *dir)
{
	uint64_t how[3] = { O_WRONLY, 0, 0 };

	return tried(syscall(SYS_openat2, dir->fd, "there", how, sizeof(how)));
}

static int
rename_a_file(const struct tmpdir *dir)
{
	return tried(renameat(dir->fd, "there", dir->fd, "elsewhere"));
}

static int
link_a_file(const struct tmpdir *dir)
{
	return tried(linkat(dir->fd, "there", dir->fd, "elsewhere", 0));
}

static int
make_a_directory(const struct tmpdir *dir)
{
	return tried(mkdirat(dir->fd, "elsewhere", 0700));
}

static int
remove_from_elsewhere(const struct tmpdir *dir)
{
	return tried(unlinkat(AT_FDCWD, "/tmp/none", 0));
}

static int
run_a_program(const struct tmpdir *dir)
{
	char *const none[] = { NULL };

	return tried(execve("/bin/true", none, none));
}

static int
run_a_descriptor(const struct tmpdir *dir)
{
	char *const none[] = { NULL };

	return tried(syscall(SYS_execveat, dir->fd, "there", none, none, 0));
}

static int
fork_a_child(const struct tmpdir *dir)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return tried(pid);
}

static int
call_another_host(const struct tmpdir *dir)
{
	return tried(socket(AF_INET, SOCK_STREAM, 0));
}

static int
run_written_memory(const struct tmpdir *dir)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	return tried(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int
map_memory_to_run(const struct tmpdir *dir)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
trace_another(const struct tmpdir *dir)
{
	return tried(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
signal_another(const struct tmpdir *dir)
{
	return tried(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int
raise_a_limit(const struct tmpdir *dir)
{
	const struct rlimit lim = { 16, 16 };

	return tried(setrlimit(RLIMIT_NOFILE, &lim));
}

static int
read_a_file(const struct tmpdir *dir)
{
	char byte;
	int fd = openat(dir->fd, "there", O_RDONLY | O_CLOEXEC);

	return tried(fd < 0 ? fd : read(fd, &byte, 1));
}

static int
remove_ones_own(const struct tmpdir *dir)
{
	return tried(unlinkat(dir->fd, "there", 0));
}

static int
call_this_host(const struct tmpdir *dir)
{
	return tried(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
take_memory(const struct tmpdir *dir)
{
	void *p = malloc(64 << 20);

	if (!p)
		return ENOMEM;
	memset(p, 1, 64 << 20);
	free(p);
	return 0;
}

static int
look_at_limits(const struct tmpdir *dir)
{
	struct rlimit lim;

	return tried(getrlimit(RLIMIT_NOFILE, &lim));
}

/* The attempt in a child that gave up the rest. */
static int
attempted(const struct tmpdir *dir, attempt *what)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct reason why = { "" };

		if (hygiene_close(dir->fd, &why) != HYGIENE_CLOSED)
			_exit(255);
		_exit(what(dir));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
make_file(const struct tmpdir *dir)
{
	int fd = openat(dir->fd, "there", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

#define ROW(name)           \
	{                   \
#name, name \
	}

static void
what_it_needs_no_more_is_refused(void **state)
{
	static const struct {
		const char *name;
		attempt *what;
	} rows[] = {
		ROW(open_new),
		ROW(open_for_writing),
		ROW(open_both_ways),
		ROW(truncate_by_opening),
		ROW(open_the_old_way),
		ROW(open_the_new_way),
		ROW(rename_a_file),
		ROW(link_a_file),
		ROW(make_a_directory),
		ROW(remove_from_elsewhere),
		ROW(run_a_program),
		ROW(run_a_descriptor),
		ROW(fork_a_child),
		ROW(call_another_host),
		ROW(run_written_memory),
		ROW(map_memory_to_run),
		ROW(trace_another),
		ROW(signal_another),
		ROW(raise_a_limit),
	};
	struct tmpdir *dir = *state;
	struct stat st;

	make_file(dir);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (attempted(dir, rows[i].what) != EPERM)
			fail_msg("%s was not refused", rows[i].name);
	assert_int_equal(fstatat(dir->fd, "there", &st, 0), 0);
	assert_int_equal(st.st_size, 1);
}

static void
what_it_needs_goes_on(void **state)
{
	static const struct {
		const char *name;
		attempt *what;
	} rows[] = {
		ROW(read_a_file),
		ROW(call_this_host),
		ROW(take_memory),
		ROW(look_at_limits),
		ROW(remove_ones_own),
	};
	struct tmpdir *dir = *state;

	make_file(dir);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		int err = attempted(dir, rows[i].what);

		if (err != 0)
			fail_msg("%s: %s", rows[i].name, strerror(err));
	}
}

/* Does this build filter at all?  In a child: there is no way back. */
static int
outcome_here(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int rc = hygiene_close(-1, NULL);

		_exit(rc < 0 ? 255 : rc);
	}
	(void)waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(what_it_needs_no_more_is_refused),
		IN_DIRECTORY(what_it_needs_goes_on),
	};

	if (outcome_here() != HYGIENE_CLOSED) {
		printf("1..0 # SKIP this build or kernel has no filter\n");
		return 0;
	}
	return cmocka_run_group_tests_name("hygiene", tests, NULL, NULL);
}
