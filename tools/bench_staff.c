/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Processes for a benchmark.  Each has its stderr in DIR/NAME.err, gets all
 * configuration on its command line as under `peal up`, and dies with the
 * benchmark.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/conf.h"
#include "core/notify.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_staff.h"
#include "tools/query.h"
#include "tools/tool.h"
#include "tools/writer_client.h"

enum {
	STAFF_READY_MS = 600000, /* a broker that drops its state takes long */
	STAFF_PAUSE_MS = 1,	 /* between questions ... */
	STAFF_PAUSE_MAX_MS = 50, /* ... and after a hundred times as long */
	STAFF_FDS = 16,
};

static const char *const staff_names[BENCH_ROLES] = {
	[BENCH_WRITER] = "peal-writer",
	[BENCH_BROKER] = "peal-broker",
	[BENCH_GATEWAY] = "peal-gateway",
};

/* --- the house --- */

/* What would be in the way of a benchmark: limits for strangers. */
static int
staff_options(struct bench_staff *s, struct reason *why)
{
	static const char *const more[] = {
		"gateway.drain_seconds=0",
		"gateway.append_rate=0",
		"gateway.user_connections=0",
		"gateway.handshake_rate=0",
	};
	int err = up_house_options(s->t, &s->options, why);

	for (unsigned i = 0; i < ARRAY_LEN(more) && err >= 0; i++)
		err = up_house_option(&s->options, why, "%s", more[i]);
	return err;
}

int
bench_staff_open(struct bench_staff *s, struct tool *t, struct reason *why)
{
	struct up_address address = { "127.0.0.1", "0" };
	int err;

	*s = (struct bench_staff){ .t = t, .lock = -1, .listen_fd = -1 };
	err = bench_house_make(&s->house, why);
	if (err < 0)
		return err;
	if (up_house_make(t, s->house.dir, address.host, &s->lock) != TOOL_OK)
		return reason_set(why, -EIO, "cannot make a house");
	err = up_listen_open(&address, &s->listen_fd, why);
	if (err >= 0)
		err = up_house_token(t, &s->token, why);
	if (err < 0)
		return err;
	snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%s", address.port);
	return staff_options(s, why);
}

void
bench_staff_close(struct bench_staff *s)
{
	for (int role = BENCH_ROLES; role-- > 0;)
		bench_staff_stop(s, (enum bench_role)role, SIGTERM);
	bench_house_stop(&s->house);
	up_house_options_free(&s->options);
	free(s->token);
	closep(&s->lock);
	closep(&s->listen_fd);
}

/* --- processes --- */

static void
staff_redirect(const struct bench_staff *s, enum bench_role role)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%.*s/%s.err", PATH_MAX - 20, s->house.dir,
	    staff_names[role]);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		(void)dup2(fd, STDERR_FILENO);
		(void)dup2(fd, STDOUT_FILENO);
	}
}

static void
staff_hand_socket(const struct bench_staff *s)
{
	char pid[24];

	/* dup2() onto itself would leave it close-on-exec. */
	if (s->listen_fd == NOTIFY_FDS_START
		? fcntl(s->listen_fd, F_SETFD, 0) < 0
		: dup2(s->listen_fd, NOTIFY_FDS_START) < 0)
		_exit(TOOL_ERROR);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
}

static void
staff_exec(const struct bench_staff *s, enum bench_role role, pid_t parent,
    const char *const *options, unsigned n)
{
	char path[PATH_MAX];
	const char **argv;
	unsigned k = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(TOOL_ERROR);
	(void)setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	staff_redirect(s, role);
	if (role == BENCH_GATEWAY)
		staff_hand_socket(s);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	argv = calloc(3 + 2 * (s->options.n + (size_t)n), sizeof(*argv));
	if (!argv)
		_exit(TOOL_ERROR);
	up_find_program(staff_names[role], path);
	argv[k++] = path;
	argv[k++] = "-c/dev/null";
	for (unsigned i = 0; i < s->options.n + n; i++) {
		const char *option = i < s->options.n
					 ? s->options.v[i]
					 : options[i - s->options.n];

		if (!option)
			continue;
		argv[k++] = "-o";
		argv[k++] = option;
	}
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(TOOL_ERROR);
}

/* Does it answer by now?  Below zero: not yet. */
static int
staff_answers(struct bench_staff *s, enum bench_role role, struct reason *why)
{
	char log[PROTO_LOG_NAME];
	struct bench_welcome welcome;
	struct writer_client wc;
	uint64_t head;
	int err;

	switch (role) {
	case BENCH_WRITER:
		err = writer_client_open(&wc, house_run_dir(&s->t->house), why);
		if (err >= 0)
			err = writer_client_hello(&wc, log, &head, why);
		writer_client_close(&wc);
		return err;
	case BENCH_BROKER:
		return bench_staff_welcome(s, &welcome, why);
	default:
		return 0; /* its socket listens, who connects is waited for */
	}
}

static int
staff_alive(struct bench_staff *s, enum bench_role role, struct reason *why)
{
	int status;

	if (tool_stopped())
		return reason_say(why, -EINTR, "stopped");
	if (s->pid[role] &&
	    waitpid(s->pid[role], &status, WNOHANG) == s->pid[role])
		s->pid[role] = 0;
	return s->pid[role]
		   ? 0
		   : reason_say(why, -ESRCH, "%s has ended", staff_names[role]);
}

/* Questions must cost little of what is measured, and end it in time. */
static void
staff_pause(uint64_t since_ns)
{
	uint64_t ms = (time_mono_ns() - since_ns) / NS_PER_MS / 100;

	ms = MIN(
	    MAX(ms, (uint64_t)STAFF_PAUSE_MS), (uint64_t)STAFF_PAUSE_MAX_MS);
	(void)poll(NULL, 0, (int)ms);
}

static int
staff_await(struct bench_staff *s, enum bench_role role, struct reason *why)
{
	uint64_t begin = time_mono_ns();
	int err;

	while ((err = staff_alive(s, role, why)) >= 0) {
		if (staff_answers(s, role, why) >= 0)
			return 0;
		if (time_mono_ns() - begin > STAFF_READY_MS * NS_PER_MS)
			return -ETIMEDOUT;
		staff_pause(begin);
	}
	return err;
}

int
bench_staff_start(struct bench_staff *s, enum bench_role role,
    const char *const *options, unsigned n, struct reason *why)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return reason_set(
		    why, -errno, "cannot start %s", staff_names[role]);
	if (pid == 0)
		staff_exec(s, role, parent, options, n);
	s->pid[role] = pid;
	return staff_await(s, role, why);
}

void
bench_staff_stop(struct bench_staff *s, enum bench_role role, int signo)
{
	if (!s->pid[role])
		return;
	(void)kill(s->pid[role], signo);
	(void)waitpid(s->pid[role], NULL, 0);
	s->pid[role] = 0;
}

int
bench_staff_usage(const struct bench_staff *s, enum bench_role role,
    struct bench_usage *usage, struct reason *why)
{
	return bench_house_usage_of(s->pid[role], usage, why);
}

int
bench_staff_cpu(const struct bench_staff *s, enum bench_role role,
    uint64_t *cpu_ns, struct reason *why)
{
	return bench_house_cpu_of(s->pid[role], cpu_ns, why);
}

/* --- the broker --- */

int
bench_staff_welcome(
    struct bench_staff *s, struct bench_welcome *welcome, struct reason *why)
{
	CLEANUP(query_freep) struct query *q = NULL;
	struct slice body, counts;
	int err = query_open(s->t, &q, why);

	if (err < 0)
		return err;
	body = query_welcome(q);
	counts = proto_get(body, "counts");
	*welcome = (struct bench_welcome){
		.seq = proto_get_uint(body, "seq").v,
		.timeline =
		    proto_get_uint(proto_get(body, "projections"), "timeline")
			.v,
		.rows = proto_get_uint(counts, "rows").v,
		.archives = proto_get_uint(counts, "archives").v,
		.archive_bytes = proto_get_uint(counts, "archive_bytes").v,
		.archive_newest = proto_get_uint(counts, "archive_newest").v,
		.jobs_waiting = proto_get_uint(counts, "jobs_waiting").v,
	};
	return 0;
}

int
bench_staff_folded(
    struct bench_staff *s, uint64_t seq, bool indexes, struct reason *why)
{
	uint64_t begin = time_mono_ns();
	struct bench_welcome w;
	int err;

	while ((err = staff_alive(s, BENCH_BROKER, why)) >= 0) {
		err = bench_staff_welcome(s, &w, why);
		if (err >= 0 && w.seq >= seq && (!indexes || w.timeline >= seq))
			return 0;
		staff_pause(begin);
	}
	return err;
}

/* --- the disk --- */

static uint64_t staff_bytes;

static int
staff_count(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	if (kind == FTW_F)
		staff_bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

static int
staff_unlink(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static void
staff_walk(const struct bench_staff *s, const char *name, __nftw_func_t fn)
{
	char path[PATH_MAX];

	(void)nftw(house_path(&s->t->house, name, path), fn, STAFF_FDS,
	    FTW_DEPTH | FTW_PHYS);
}

uint64_t
bench_staff_disk(const struct bench_staff *s, const char *name)
{
	staff_bytes = 0;
	staff_walk(s, name, staff_count);
	return staff_bytes;
}

void
bench_staff_remove(const struct bench_staff *s, const char *name)
{
	staff_walk(s, name, staff_unlink);
}
