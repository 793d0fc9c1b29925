/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lists of what a serving process calls, and a filter in the kernel made from
 * them.  A list was chosen over one of what is forbidden, which would have to
 * know every call that a later kernel brings; a call that is not on it fails,
 * it does not end the process.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/diag.h"
#include "core/hygiene.h"
#include "core/reason.h"

/* Sanitizers trace and fork to find leaks, and write where they are told. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ARCH 0
#elif defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

enum {
	PROGRAM_MAX = 1024,
	WRITES = O_ACCMODE | O_CREAT | O_TRUNC,
	X32_BIT = 0x40000000,
};

#define ALWAYS HYGIENE_ALWAYS
#define WHEN   HYGIENE_WHEN

/* What all of them call: none opens a file for writing by these alone. */
static const struct hygiene_rule common[] = {
	/* Of every pass. */
	ALWAYS(sendto),
	ALWAYS(recvfrom),
	ALWAYS(read),
	ALWAYS(write),
	ALWAYS(epoll_pwait),
	ALWAYS(epoll_ctl),
	ALWAYS(accept4),
	ALWAYS(close),
	ALWAYS(getsockopt),
	ALWAYS(setsockopt),
	ALWAYS(getpeername),
	ALWAYS(getsockname),
	ALWAYS(shutdown),
	ALWAYS(sendmsg),
	ALWAYS(recvmsg),
	ALWAYS(writev),
	ALWAYS(readv),
	ALWAYS(clock_gettime),
	ALWAYS(gettimeofday),
	ALWAYS(getrandom),
	ALWAYS(timerfd_settime),
	ALWAYS(ppoll),
#ifdef SYS_epoll_wait
	ALWAYS(epoll_wait),
	ALWAYS(poll),
	ALWAYS(time),
#endif
	WHEN(ioctl, 1, UINT32_MAX, FIONREAD),
	WHEN(ioctl, 1, UINT32_MAX, FIONBIO),
	WHEN(ioctl, 1, UINT32_MAX, TCGETS),
	ALWAYS(fcntl),

	/* Memory, none of which may be run. */
	ALWAYS(brk),
	ALWAYS(munmap),
	ALWAYS(mremap),
	ALWAYS(madvise),
	WHEN(mmap, 2, PROT_EXEC, 0),
	WHEN(mprotect, 2, PROT_EXEC, 0),
	ALWAYS(futex),

	/* The processes of this host, come back. */
	WHEN(socket, 0, UINT32_MAX, AF_UNIX),
	ALWAYS(connect),

	/* Files, to be read again. */
	WHEN(openat, 2, WRITES, O_RDONLY),
#ifdef SYS_open
	WHEN(open, 1, WRITES, O_RDONLY),
	ALWAYS(stat),
	ALWAYS(lstat),
	ALWAYS(access),
	ALWAYS(readlink),
#endif
	ALWAYS(fstat),
	ALWAYS(newfstatat),
	ALWAYS(statx),
	ALWAYS(faccessat),
	ALWAYS(readlinkat),
	ALWAYS(pread64),
	ALWAYS(lseek),
	ALWAYS(getdents64),
	ALWAYS(fadvise64),

	/* A thread that has just been started still says these. */
	ALWAYS(set_robust_list),
	ALWAYS(rseq),

	/* Oneself. */
	ALWAYS(getpid),
	ALWAYS(gettid),
	ALWAYS(getuid),
	ALWAYS(geteuid),
	ALWAYS(getgid),
	ALWAYS(getegid),
	ALWAYS(uname),
	ALWAYS(sysinfo),
	ALWAYS(sched_yield),
	ALWAYS(sched_getaffinity),
	ALWAYS(clock_nanosleep),
	ALWAYS(nanosleep),
	ALWAYS(restart_syscall),
	ALWAYS(rt_sigaction),
	ALWAYS(rt_sigprocmask),
	ALWAYS(rt_sigreturn),
	ALWAYS(sigaltstack),
	WHEN(prlimit64, 2, UINT64_MAX, 0), /* look, set nothing */
	WHEN(tgkill, 0, UINT32_MAX, HYGIENE_OWN_PID),
	ALWAYS(exit),
	ALWAYS(exit_group),
};

/* Whoever makes, fills and removes files; which, is for their owners to say. */
static const struct hygiene_rule files[] = {
	ALWAYS(openat),
	ALWAYS(pwrite64),
	ALWAYS(pwritev),
	ALWAYS(preadv),
	ALWAYS(fdatasync),
	ALWAYS(fsync),
	ALWAYS(fallocate),
	ALWAYS(ftruncate),
	ALWAYS(fstatfs),
	ALWAYS(statfs),
	ALWAYS(flock),
	ALWAYS(fchmod),
	ALWAYS(mkdirat),
	ALWAYS(renameat),
	ALWAYS(renameat2),
	ALWAYS(unlinkat),
#ifdef SYS_open
	ALWAYS(open),
	ALWAYS(mkdir),
	ALWAYS(rename),
	ALWAYS(unlink),
#endif
};

/* A program in the making. */
struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short n;
};

static void
emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	p->code[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void
load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
answer(struct program *p, uint32_t what)
{
	emit(p, BPF_RET | BPF_K, what, 0, 0);
}

static size_t
argument_at(int i)
{
	return offsetof(struct seccomp_data, args) +
	       sizeof(uint64_t) * (size_t)i;
}

/* Three instructions; goes past so many more when it is another value. */
static void
compare(struct program *p, size_t offset, uint32_t mask, uint32_t value,
    uint8_t past)
{
	load(p, offset);
	emit(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, past);
}

/*
 * With the number loaded; falls through with it when the rule is not met.
 * Ints have a lower half alone, and flags mean no more, but pointers have two.
 */
static void
add_rule(struct program *p, const struct hygiene_rule *rule, uint32_t value)
{
	const uint32_t upper = (uint32_t)(rule->mask >> 32);
	size_t at;

	if (rule->argument == HYGIENE_ANY) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->nr, 0, 1);
		answer(p, SECCOMP_RET_ALLOW);
		return;
	}
	at = argument_at(rule->argument);
	emit(
	    p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->nr, 0, upper ? 8 : 5);
	compare(p, at, (uint32_t)rule->mask, value, upper ? 4 : 1);
	if (upper)
		compare(p, at + sizeof(uint32_t), upper, 0, 1);
	answer(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

static void
add_list(
    struct program *p, const struct hygiene_rule *rules, unsigned n, int dirfd)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t value = rules[i].value;

		if (value == HYGIENE_OWN_PID)
			value = getpid();
		else if (value == HYGIENE_DIRFD && dirfd < 0)
			continue;
		else if (value == HYGIENE_DIRFD)
			value = dirfd;
		add_rule(p, &rules[i], (uint32_t)value);
	}
}

static void
write_program(struct program *p, const struct hygiene_list *own, int dirfd)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
	load(p, offsetof(struct seccomp_data, nr));
	emit(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
	/* Its flags are in memory; the C library then takes clone(). */
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SYS_clone3, 0, 1);
	answer(p, SECCOMP_RET_ERRNO | ENOSYS);
	add_list(p, common, ARRAY_LEN(common), dirfd);
	if (own->files)
		add_list(p, files, ARRAY_LEN(files), dirfd);
	add_list(p, own->rules, own->n, dirfd);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
}

/* Without SPEC_ALLOW, older kernels make all that follows slower. */
static int
apply(const struct program *p, struct reason *why)
{
	const struct sock_fprog whole = { p->n, (struct sock_filter *)p->code };
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC, &whole);

	if (rc < 0)
		return reason_set(why, -errno, "cannot filter system calls");
	if (rc > 0)
		return reason_say(why, -EBUSY,
		    "cannot filter system calls: thread %ld has a filter of "
		    "its own",
		    rc);
	return HYGIENE_CLOSED;
}

int
hygiene_close(const struct hygiene_list *own, int dirfd, struct reason *why)
{
	static struct program program;

	if (ARCH == 0)
		return HYGIENE_SKIPPED;
	program.n = 0;
	write_program(&program, own, dirfd);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return reason_set(why, -errno, "cannot give up privileges");
	return apply(&program, why);
}

void
hygiene_close_or_say(const struct hygiene_list *own, int dirfd)
{
	struct reason why = { "" };
	int closed = hygiene_close(own, dirfd, &why);

	if (closed == HYGIENE_SKIPPED)
		diag_note("this build does not filter its system calls");
	else if (closed < 0)
		diag_warn("system calls are not filtered: %s", why.text);
}

void
hygiene_limit_core(uint64_t bytes)
{
	struct rlimit lim = { 0 };

	if (getrlimit(RLIMIT_CORE, &lim) == 0 && bytes > lim.rlim_max) {
		diag_warn("core dumps are limited to %llu bytes from outside, "
			  "%llu are configured",
		    (unsigned long long)lim.rlim_max,
		    (unsigned long long)bytes);
		bytes = lim.rlim_max;
	}
	lim = (struct rlimit){ bytes, bytes };
	if (setrlimit(RLIMIT_CORE, &lim) < 0)
		diag_warn("cannot limit core dumps");
}
