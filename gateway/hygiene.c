/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A list of what a serving gateway calls, and a filter in the kernel made
 * from it.  The list was chosen over one of what is forbidden, which would
 * have to know every call that a later kernel brings; a call that is not on
 * it fails, it does not end the process.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/reason.h"
#include "gateway/hygiene.h"

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
	ANY = -1,
	OWN_PID = -2, /* in place of a value */
	DIRFD = -3,
};

/* May be called when (argument & mask) is value; ANY argument: always. */
struct rule {
	long nr;
	int argument;
	uint32_t mask;
	int64_t value;
};

#define ALWAYS(name)                  \
	{                             \
		SYS_##name, ANY, 0, 0 \
	}
#define WHEN(name, argument, mask, value)               \
	{                                               \
		SYS_##name, (argument), (mask), (value) \
	}

static const struct rule rules[] = {
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
	WHEN(ioctl, 1, UINT32_MAX, SIOCOUTQNSD),
	WHEN(ioctl, 1, UINT32_MAX, SIOCOUTQ),
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
	WHEN(unlinkat, 0, UINT32_MAX, DIRFD),

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
	WHEN(prlimit64, 2, UINT32_MAX, 0), /* look, set nothing */
	WHEN(tgkill, 0, UINT32_MAX, OWN_PID),
	ALWAYS(exit),
	ALWAYS(exit_group),
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

/* The lower half of an argument: ints have no more, flags mean no more. */
static size_t
argument_at(int i)
{
	return offsetof(struct seccomp_data, args) +
	       sizeof(uint64_t) * (size_t)i;
}

/* With the number loaded; falls through with it when the rule is not met. */
static void
add_rule(struct program *p, const struct rule *rule, uint32_t value)
{
	if (rule->argument == ANY) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->nr, 0, 1);
		answer(p, SECCOMP_RET_ALLOW);
		return;
	}
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->nr, 0, 5);
	load(p, argument_at(rule->argument));
	emit(p, BPF_ALU | BPF_AND | BPF_K, rule->mask, 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	answer(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

static void
write_program(struct program *p, int unlink_dirfd)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
	load(p, offsetof(struct seccomp_data, nr));
	emit(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
		int64_t value = rules[i].value;

		if (value == OWN_PID)
			value = getpid();
		else if (value == DIRFD && unlink_dirfd < 0)
			continue;
		else if (value == DIRFD)
			value = unlink_dirfd;
		add_rule(p, &rules[i], (uint32_t)value);
	}
	answer(p, SECCOMP_RET_ERRNO | EPERM);
}

int
hygiene_close(int unlink_dirfd, struct reason *why)
{
	static struct program program;
	struct sock_fprog whole = { 0, program.code };

	if (ARCH == 0)
		return HYGIENE_SKIPPED;
	program.n = 0;
	write_program(&program, unlink_dirfd);
	whole.len = program.n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return reason_set(why, -errno, "cannot give up privileges");
	/* Without the flag, older kernels make all that follows slower. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_SPEC_ALLOW, &whole) < 0)
		return reason_set(why, -errno, "cannot filter system calls");
	return HYGIENE_CLOSED;
}
