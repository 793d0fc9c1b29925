/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A house to be measured.  Its processes are found by their name and by the
 * ring.directory on their command line: other houses on this machine count
 * for nothing.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "core/fs.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_house.h"
#include "tools/tool.h"

enum {
	BENCH_READY_MS = 60000,
	BENCH_FILE_MAX = 1 << 16
};

/* --- one of our own --- */

/*
 * What would be in the way of a benchmark; behind the first two, what is in
 * the way of many clients from one address.
 */
enum {
	BENCH_OPTIONS_ALWAYS = 2
};

static const char *const bench_house_options[] = {
	"gateway.drain_seconds=0",
	"gateway.append_rate=0",
	"gateway.handshakes=4096",
	"gateway.user_connections=0",
	"gateway.handshake_rate=0",
	"gateway.hello_seconds=300",
};

static void
bench_house_exec(const struct bench_house *own, int out)
{
	const char *argv[10 + 2 * ARRAY_LEN(bench_house_options)] = { "peal",
		"up", "--data", own->dir, "--listen", "127.0.0.1:0",
		"--gateways" };
	char number[12], self[PATH_MAX], log[PATH_MAX];
	unsigned k = 7;
	int fd;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		_exit(TOOL_ERROR);
	self[len] = '\0';
	snprintf(number, sizeof(number), "%u", own->gateways);
	argv[k++] = number;
	for (unsigned i = 0; !own->limits && i < ARRAY_LEN(bench_house_options);
	     i++) {
		argv[k++] = "-o";
		argv[k++] = bench_house_options[i];
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)setpgid(0, 0);
	(void)dup2(out, STDOUT_FILENO);
	/* What it says goes to a file beside its data. */
	snprintf(log, sizeof(log), "%.*s/up.err", PATH_MAX - 8, own->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0)
		(void)dup2(fd, STDERR_FILENO);
	execv(self, (char *const *)(uintptr_t)argv);
	_exit(TOOL_ERROR);
}

/* The line that says it is ready. */
static int
bench_house_await(int fd, struct reason *why)
{
	uint64_t deadline = time_mono_ns() + BENCH_READY_MS * NS_PER_MS;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char text[8192];
	size_t len = 0;
	ssize_t n;

	while (time_mono_ns() < deadline && len < sizeof(text) - 1) {
		if (poll(&pfd, 1, 1000) <= 0)
			continue;
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "peal: ready ") && strchr(text, '\n'))
			return 0;
	}
	return reason_say(why, -ETIMEDOUT, "'peal up' did not get ready");
}

int
bench_house_make(struct bench_house *own, struct reason *why)
{
	const char *tmp = getenv("TMPDIR");

	/* Not /tmp, which may be memory: flushes are what is measured. */
	snprintf(own->dir, sizeof(own->dir), "%s/peal-bench-XXXXXX",
	    tmp && *tmp ? tmp : "/var/tmp");
	if (!mkdtemp(own->dir)) {
		own->dir[0] = '\0';
		return reason_set(
		    why, -errno, "cannot make a temporary directory");
	}
	return 0;
}

int
bench_house_start(struct bench_house *own, struct tool *t, struct reason *why)
{
	int out[2], err = bench_house_make(own, why);

	if (err < 0)
		return err;
	if (pipe2(out, O_CLOEXEC) < 0)
		return reason_set(why, -errno, "cannot make a pipe");
	own->pid = fork();
	if (own->pid == 0)
		bench_house_exec(own, out[1]);
	(void)close(out[1]);
	err = own->pid < 0 ? -errno : bench_house_await(out[0], why);
	/* The pipe stays open: nothing more comes through it. */
	if (err >= 0)
		err = house_use_dir(&t->house, own->dir, why);
	if (err < 0) {
		(void)close(out[0]);
		bench_house_stop(own);
	}
	return err;
}

static void
bench_house_remove(const char *dir)
{
	char run[PATH_MAX], link[PATH_MAX];
	ssize_t len;
	pid_t pid;

	snprintf(link, sizeof(link), "%.*s/run", PATH_MAX - 5, dir);
	len = readlink(link, run, sizeof(run) - 1);
	run[MAX(len, 0)] = '\0';
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, len > 0 ? run : NULL,
		    (char *)NULL);
		_exit(TOOL_ERROR);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

void
bench_house_stop(struct bench_house *own)
{
	if (own->pid > 0) {
		(void)kill(own->pid, SIGTERM);
		(void)waitpid(own->pid, NULL, 0);
		own->pid = 0;
	}
	if (own->dir[0])
		bench_house_remove(own->dir);
	own->dir[0] = '\0';
}

/* --- what it uses --- */

static int
bench_house_proc(const char *pid, const char *name, char *buf, size_t *len)
{
	CLEANUP(closep) int fd = -1;
	char path[300];
	ssize_t n;

	*len = 0;
	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (*len < BENCH_FILE_MAX - 1) {
		n = read(fd, buf + *len, BENCH_FILE_MAX - 1 - *len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	buf[*len] = '\0';
	return 0;
}

static bool
bench_house_owns(
    const struct tool *t, const char *pid, const char *process, char *buf)
{
	char want[PATH_MAX + 32];
	const char *slash, *name;
	size_t len;

	if (bench_house_proc(pid, "cmdline", buf, &len) < 0 || len == 0)
		return false;
	slash = strrchr(buf, '/');
	name = slash ? slash + 1 : buf;
	if (strcmp(name, process) != 0)
		return false;
	snprintf(
	    want, sizeof(want), "ring.directory=%s", house_run_dir(&t->house));
	for (const char *p = buf; p < buf + len; p += strlen(p) + 1)
		if (!strcmp(p, want))
			return true;
	return false;
}

/* All threads', to the nanosecond: what is in stat counts in ticks. */
static void
bench_house_add_cpu(const char *pid, char *buf, struct bench_usage *usage)
{
	struct timespec ts;
	clockid_t id;

	if (clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &id) == 0 &&
	    clock_gettime(id, &ts) == 0)
		usage->cpu_ns +=
		    (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void
bench_house_add(const char *pid, char *buf, struct bench_usage *usage)
{
	const char *p;
	uint64_t kib;
	size_t len;

	bench_house_add_cpu(pid, buf, usage);
	if (bench_house_proc(pid, "smaps_rollup", buf, &len) == 0) {
		if ((p = strstr(buf, "\nRss:")) &&
		    sscanf(p, "\nRss: %" SCNu64, &kib) == 1)
			usage->rss_bytes += kib * 1024;
		if ((p = strstr(buf, "\nPss:")) &&
		    sscanf(p, "\nPss: %" SCNu64, &kib) == 1)
			usage->pss_bytes += kib * 1024;
		if ((p = strstr(buf, "\nPss_Anon:")) &&
		    sscanf(p, "\nPss_Anon: %" SCNu64, &kib) == 1)
			usage->anon_bytes += kib * 1024;
	}
	usage->processes++;
}

int
bench_house_pids(const struct tool *t, const char *process, pid_t *pids,
    unsigned max, struct reason *why)
{
	CLEANUP(freep) char *buf = malloc(BENCH_FILE_MAX);
	struct dirent *entry;
	unsigned n = 0;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc || !buf) {
		if (proc)
			(void)closedir(proc);
		return reason_set(why, -ENOMEM, "cannot read /proc");
	}
	while (n < max && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    bench_house_owns(t, entry->d_name, process, buf))
			pids[n++] = (pid_t)strtol(entry->d_name, NULL, 10);
	(void)closedir(proc);
	return (int)n;
}

int
bench_house_usage(const struct tool *t, const char *process,
    struct bench_usage *usage, struct reason *why)
{
	CLEANUP(freep) char *buf = malloc(BENCH_FILE_MAX);
	pid_t pids[BENCH_HOUSE_PIDS];
	char name[16];
	int n;

	if (!buf)
		return reason_set(why, -ENOMEM, "cannot read /proc");
	*usage = (struct bench_usage){ 0 };
	n = bench_house_pids(t, process, pids, BENCH_HOUSE_PIDS, why);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%ld", (long)pids[i]);
		bench_house_add(name, buf, usage);
	}
	return n < 0 ? n : 0;
}

static int
bench_house_look(pid_t pid,
    void (*add)(const char *pid, char *buf, struct bench_usage *usage),
    struct bench_usage *usage, struct reason *why)
{
	CLEANUP(freep) char *buf = malloc(BENCH_FILE_MAX);
	char name[16];

	*usage = (struct bench_usage){ 0 };
	if (!buf)
		return reason_set(why, -ENOMEM, "cannot read /proc");
	snprintf(name, sizeof(name), "%ld", (long)pid);
	add(name, buf, usage);
	return 0;
}

int
bench_house_usage_of(pid_t pid, struct bench_usage *usage, struct reason *why)
{
	return bench_house_look(pid, bench_house_add, usage, why);
}

int
bench_house_cpu_of(pid_t pid, uint64_t *cpu_ns, struct reason *why)
{
	struct bench_usage usage;
	int err = bench_house_look(pid, bench_house_add_cpu, &usage, why);

	*cpu_ns = usage.cpu_ns;
	return err;
}
