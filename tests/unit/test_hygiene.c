/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What each process can still do after it has given up the rest: every
 * attempt in a child that did, since there is no way back.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
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

#include "broker/calls.h"
#include "core/hygiene.h"
#include "core/reason.h"
#include "gateway/calls.h"
#include "tests/lib/tmpdir.h"
#include "writer/calls.h"

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
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return tried(pid);
}

static int
fork_into_a_world_of_its_own(const struct tmpdir *dir)
{
	long pid = syscall(
	    SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);

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
signal_by_kill(const struct tmpdir *dir)
{
	return tried(kill(getppid(), SIGTERM));
}

static int
flush_a_file(const struct tmpdir *dir)
{
	return tried(fdatasync(dir->fd));
}

static int
map_a_file(const struct tmpdir *dir)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED,
	    openat(dir->fd, "there", O_RDONLY | O_CLOEXEC), 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
hand_out_memory(const struct tmpdir *dir)
{
	return tried(memfd_create("reader", MFD_CLOEXEC));
}

static int
hand_out_a_socket(const struct tmpdir *dir)
{
	int ends[2];

	return tried(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
}

static int
become_another_user(const struct tmpdir *dir)
{
	return tried(syscall(SYS_setuid, 1));
}

static int
change_an_owner(const struct tmpdir *dir)
{
	return tried(fchownat(dir->fd, "there", 1, 1, 0));
}

static int
mount_something(const struct tmpdir *dir)
{
	return tried(syscall(SYS_mount, "none", dir->path, "tmpfs", 0, NULL));
}

static int
load_a_program_into_the_kernel(const struct tmpdir *dir)
{
	return tried(syscall(SYS_bpf, 0, NULL, 0));
}

static int
queue_system_calls(const struct tmpdir *dir)
{
	return tried(syscall(SYS_io_uring_setup, 1, NULL));
}

static int
read_anothers_memory(const struct tmpdir *dir)
{
	return tried(syscall(
	    SYS_process_vm_readv, getppid(), NULL, 0UL, NULL, 0UL, 0UL));
}

static int
raise_a_limit(const struct tmpdir *dir)
{
	const struct rlimit lim = { 16, 16 };

	return tried(setrlimit(RLIMIT_NOFILE, &lim));
}

/* Half of such an address is that of none. */
static int
raise_a_limit_from_a_round_address(const struct tmpdir *dir)
{
	struct rlimit *lim = mmap((void *)(UINT64_C(1) << 40), sizeof(*lim),
	    PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (lim == MAP_FAILED)
		return 0;
	*lim = (struct rlimit){ 16, 16 };
	return tried(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, lim, NULL));
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
attempted(
    const struct tmpdir *dir, const struct hygiene_list *own, attempt *what)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct reason why = { "" };

		if (hygiene_close(own, dir->fd, &why) != HYGIENE_CLOSED)
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
	int fd = openat(dir->fd, "there", O_RDWR | O_CREAT | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	close(fd);
}

/* Who may: writer, broker, gateway. */
enum {
	W = 1,
	B = 2,
	G = 4,
	NONE = 0,
	ALL = W | B | G
};

static const struct hygiene_list *const lists[] = {
	&calls_writer,
	&calls_broker,
	&calls_gateway,
};

#define ROW(may, name)             \
	{                          \
#name, name, (may) \
	}

static const struct row {
	const char *name;
	attempt *what;
	unsigned may;
} rows[] = {
	ROW(ALL, read_a_file),
	ROW(ALL, map_a_file),
	ROW(ALL, call_this_host),
	ROW(ALL, take_memory),
	ROW(ALL, look_at_limits),
	ROW(ALL, remove_ones_own),
	ROW(W | B, open_new),
	ROW(W | B, open_for_writing),
	ROW(W | B, open_both_ways),
	ROW(W | B, truncate_by_opening),
	ROW(W | B, open_the_old_way),
	ROW(W | B, rename_a_file),
	ROW(W | B, make_a_directory),
	ROW(W | B, flush_a_file),
	ROW(W, fork_a_child),
	ROW(W, hand_out_memory),
	ROW(W, hand_out_a_socket),
	ROW(NONE, open_the_new_way),
	ROW(NONE, link_a_file),
	ROW(NONE, change_an_owner),
	ROW(NONE, run_a_program),
	ROW(NONE, run_a_descriptor),
	ROW(NONE, fork_into_a_world_of_its_own),
	ROW(NONE, call_another_host),
	ROW(NONE, run_written_memory),
	ROW(NONE, map_memory_to_run),
	ROW(NONE, trace_another),
	ROW(NONE, signal_another),
	ROW(NONE, signal_by_kill),
	ROW(NONE, read_anothers_memory),
	ROW(NONE, become_another_user),
	ROW(NONE, mount_something),
	ROW(NONE, load_a_program_into_the_kernel),
	ROW(NONE, queue_system_calls),
	ROW(NONE, raise_a_limit),
	ROW(NONE, raise_a_limit_from_a_round_address),
};

/* Each row under one list: may it what the table says? */
static void
judge(struct tmpdir *dir, unsigned which)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		int want = rows[i].may & 1U << which ? 0 : EPERM;
		int got;

		(void)unlinkat(dir->fd, "elsewhere", AT_REMOVEDIR);
		(void)unlinkat(dir->fd, "elsewhere", 0);
		make_file(dir);
		got = attempted(dir, lists[which], rows[i].what);
		if (got != want)
			fail_msg("%s: %s, not %s", rows[i].name, strerror(got),
			    strerror(want));
	}
}

static void
a_writer_can_do_its_work_and_nothing_else(void **state)
{
	judge(*state, 0);
}

static void
a_broker_can_do_its_work_and_nothing_else(void **state)
{
	judge(*state, 1);
}

static void
a_gateway_opens_nothing_for_writing_and_removes_its_own(void **state)
{
	struct tmpdir *dir = *state;
	struct stat st;

	judge(dir, 2);
	assert_int_equal(
	    attempted(dir, &calls_gateway, remove_from_elsewhere), EPERM);
	assert_int_equal(fstatat(dir->fd, "there", &st, 0), 0);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(fstatat(dir->fd, "new", &st, 0), -1);
}

/* Two threads, one of which closes for both. */
struct other {
	pthread_t thread;
	int go[2];
	int got;
};

static void *
wait_and_try(void *arg)
{
	struct other *o = arg;
	char byte;

	o->got = read(o->go[0], &byte, 1) == 1 ? call_another_host(NULL) : -1;
	return NULL;
}

static int
what_the_other_thread_got(void)
{
	struct other o = { .got = -1 };

	if (pipe(o.go) < 0 ||
	    pthread_create(&o.thread, NULL, wait_and_try, &o) != 0 ||
	    hygiene_close(&calls_writer, -1, NULL) != HYGIENE_CLOSED ||
	    write(o.go[1], "x", 1) != 1)
		return 255;
	(void)pthread_join(o.thread, NULL);
	return o.got;
}

static void
threads_that_run_already_give_up_as_much(void **state)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(what_the_other_thread_got());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

static void *
do_nothing(void *arg)
{
	return arg;
}

static int
start_a_thread(const struct tmpdir *dir)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, do_nothing, NULL);

	return err ? err : pthread_join(thread, NULL);
}

static void
a_writer_can_start_a_thread_without_clone3(void **state)
{
	struct tmpdir *dir = *state;

	assert_int_equal(attempted(dir, &calls_writer, start_a_thread), 0);
	assert_int_equal(attempted(dir, &calls_broker, start_a_thread), EPERM);
}

/* By exit(), so that a build which counts lines counts those of the child. */
static int
core_limit_after(uint64_t bytes)
{
	pid_t pid;
	int status = 0;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct rlimit lim;

		hygiene_limit_core(bytes);
		if (getrlimit(RLIMIT_CORE, &lim) < 0 ||
		    lim.rlim_cur != lim.rlim_max)
			exit(255);
		exit((int)(lim.rlim_cur / 4096));
	}
	(void)waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void
a_core_is_as_large_as_configured_where_the_limit_allows(void **state)
{
	const struct rlimit hard = { 0, 7 * 4096 };

	assert_int_equal(setrlimit(RLIMIT_CORE, &hard), 0);
	assert_int_equal(core_limit_after(0), 0);
	assert_int_equal(core_limit_after(3 * 4096), 3);
	assert_int_equal(core_limit_after(7 * 4096), 7);
	assert_int_equal(core_limit_after(8 * 4096), 7);
}

/* Does this build filter at all?  In a child: there is no way back. */
static int
outcome_here(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int rc = hygiene_close(&calls_gateway, -1, NULL);

		_exit(rc < 0 ? 255 : rc);
	}
	(void)waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(a_writer_can_do_its_work_and_nothing_else),
		IN_DIRECTORY(a_broker_can_do_its_work_and_nothing_else),
		IN_DIRECTORY(
		    a_gateway_opens_nothing_for_writing_and_removes_its_own),
		cmocka_unit_test(threads_that_run_already_give_up_as_much),
		IN_DIRECTORY(a_writer_can_start_a_thread_without_clone3),
		cmocka_unit_test(
		    a_core_is_as_large_as_configured_where_the_limit_allows),
	};

	if (outcome_here() != HYGIENE_CLOSED) {
		printf("1..0 # SKIP this build or kernel has no filter\n");
		return 0;
	}
	return cmocka_run_group_tests_name("hygiene", tests, NULL, NULL);
}
