/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Processes: started, watched, started again, stopped in order.  A child
 * that says by its exit code that a restart is no use (2, 3, 73) ends all.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "core/conf.h"
#include "core/notify.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/tool.h"
#include "tools/up.h"
#include "tools/vitals.h"

enum {
	UP_BACKOFF_MS = 50,
	UP_BACKOFF_SHIFT = 6, /* at most 3.2 s */
	UP_STABLE_MS = 10000, /* alive for so long: failures forgotten */
	UP_TRIES = 5,	      /* starts that never got ready */
	UP_STORAGE_TRIES = 3, /* exits 75 within UP_STORAGE_MS */
	UP_STORAGE_MS = 600000,
	UP_GRACE_MS = 20000, /* then SIGKILL */
};

/* What a child is, in the order in which they are stopped. */
enum up_role {
	UP_GATEWAY,
	UP_BROKER,
	UP_WRITER,
	UP_ROLES
};

/* The first children; gateways follow. */
enum {
	UP_CHILD_WRITER,
	UP_CHILD_BROKER,
	UP_CHILD_GATEWAYS
};

static const char *const up_programs[UP_ROLES] = {
	[UP_GATEWAY] = "peal-gateway",
	[UP_BROKER] = "peal-broker",
	[UP_WRITER] = "peal-writer",
};

struct up_child {
	enum up_role role;
	pid_t pid; /* 0: not running */
	bool ready;
	bool ever_ready;
	unsigned failures;
	uint64_t started_ms;
	uint64_t retry_ms; /* when to start it */
};

struct up {
	const struct up_plan *plan;
	struct up_child child[UP_CHILD_GATEWAYS + UP_GATEWAYS_MAX];
	unsigned n;
	bool stopping;
	enum up_role phase; /* while stopping: who is stopped */
	bool announced;
	uint64_t kill_ms; /* of the phase: when patience ends; 0: never */
	int exit_code;
	unsigned storage_failures;
	uint64_t storage_ms; /* of the first of them */
	char socket_path[PATH_MAX];
	int notify_fd;
	int signal_fd;
	pid_t pid;
};

static uint64_t
up_now_ms(void)
{
	return time_mono_ns() / NS_PER_MS;
}

/* --- starting --- */

void
up_find_program(const char *name, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		snprintf(
		    path, PATH_MAX, "%.*s/%s", (int)(slash - self), self, name);
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, PATH_MAX, "%s/%s", PKGLIBEXECDIR, name);
}

/* In the child: become the program.  Does not return. */
static void
up_exec(const struct up *up, const struct up_child *child)
{
	const struct up_plan *plan = up->plan;
	const char *argv[2 * CONF_KEYS + 4];
	char path[PATH_MAX], pid[24];
	unsigned n = 0;
	sigset_t none;

	/* A child never outlives its supervisor. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != up->pid)
		_exit(TOOL_ERROR);
	/* Ctrl-C reaches us alone: the order of stopping is ours. */
	(void)setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setenv("NOTIFY_SOCKET", up->socket_path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("LISTEN_FDNAMES");
	if (child->role == UP_GATEWAY) {
		/* dup2() onto itself would leave it close-on-exec. */
		if (plan->listen_fd == NOTIFY_FDS_START
			? fcntl(plan->listen_fd, F_SETFD, 0) < 0
			: dup2(plan->listen_fd, NOTIFY_FDS_START) < 0)
			_exit(TOOL_ERROR);
		snprintf(pid, sizeof(pid), "%ld", (long)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
	}
	up_find_program(up_programs[child->role], path);
	argv[n++] = path;
	/* What counts was read and checked here already. */
	argv[n++] = "-c/dev/null";
	for (unsigned i = 0; i < plan->n_options; i++) {
		argv[n++] = "-o";
		argv[n++] = plan->options[i];
	}
	argv[n] = NULL;
	execv(path, (char *const *)(uintptr_t)argv);
	fprintf(
	    stderr, "peal up: cannot start '%s': %s\n", path, strerror(errno));
	_exit(TOOL_USAGE);
}

static void
up_start(struct up *up, struct up_child *child)
{
	pid_t pid = fork();

	if (pid < 0) {
		tool_note(up->plan->t, "cannot start %s: %s",
		    up_programs[child->role], strerror(errno));
		child->retry_ms = up_now_ms() + 1000;
		return;
	}
	if (pid == 0)
		up_exec(up, child);
	child->pid = pid;
	child->ready = false;
	child->started_ms = up_now_ms();
}

/* Start what should run and is due; returns ms until the next one, or -1. */
static int
up_start_due(struct up *up)
{
	uint64_t now = up_now_ms(), wait = UINT64_MAX;

	if (up->stopping)
		return -1;
	for (unsigned i = 0; i < up->n; i++) {
		struct up_child *child = &up->child[i];

		if (child->pid || (child->role != UP_WRITER &&
				      !up->child[UP_CHILD_WRITER].ever_ready))
			continue;
		if (child->retry_ms <= now)
			up_start(up, child);
		if (!child->pid)
			wait = MIN(
			    wait, child->retry_ms - MIN(now, child->retry_ms));
	}
	return wait == UINT64_MAX ? -1 : (int)MIN(wait, 1000u) + 1;
}

/* --- stopping --- */

static void
up_signal(struct up *up, enum up_role role, int signo)
{
	for (unsigned i = 0; i < up->n; i++)
		if (up->child[i].pid && up->child[i].role == role)
			(void)kill(up->child[i].pid, signo);
}

static bool
up_any(const struct up *up, enum up_role role)
{
	for (unsigned i = 0; i < up->n; i++)
		if (up->child[i].pid && up->child[i].role == role)
			return true;
	return false;
}

static void
up_stop_role(struct up *up, enum up_role role)
{
	up->phase = role;
	up->kill_ms = up_now_ms() + UP_GRACE_MS;
	up_signal(up, role, SIGTERM);
}

/* Go on with stopping where nothing is left to wait for. */
static void
up_stop_further(struct up *up)
{
	while (up->phase != UP_WRITER && !up_any(up, up->phase))
		up_stop_role(up, up->phase + 1);
}

static void
up_stop(struct up *up, int exit_code)
{
	if (up->stopping) {
		/* Told twice: no more patience. */
		up_signal(up, up->phase, SIGKILL);
		return;
	}
	up->exit_code = exit_code;
	up->stopping = true;
	up_stop_role(up, UP_GATEWAY);
	up_stop_further(up);
}

static bool
up_done(const struct up *up)
{
	return up->stopping && up->phase == UP_WRITER && !up_any(up, UP_WRITER);
}

static void
up_out_of_patience(struct up *up)
{
	if (!up->kill_ms || up_now_ms() < up->kill_ms)
		return;
	tool_note(up->plan->t, "%s does not stop: killing it",
	    up_programs[up->phase]);
	up_signal(up, up->phase, SIGKILL);
	up->kill_ms = up_now_ms() + UP_GRACE_MS;
}

/* --- what happens to children --- */

static bool
up_is_final(int code)
{
	return code == TOOL_USAGE || code == TOOL_DAMAGED || code == TOOL_HELD;
}

/* Storage may recover, but not for ever. */
static bool
up_storage_gave_up(struct up *up)
{
	uint64_t now = up_now_ms();

	if (!up->storage_failures || now - up->storage_ms > UP_STORAGE_MS) {
		up->storage_failures = 0;
		up->storage_ms = now;
	}
	return ++up->storage_failures >= UP_STORAGE_TRIES;
}

static void
up_say_end(struct up *up, const struct up_child *child, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		tool_note(up->plan->t, "%s (pid %ld) was ended by signal %d",
		    up_programs[child->role], (long)pid, WTERMSIG(status));
	else
		tool_note(up->plan->t, "%s (pid %ld) ended with exit code %d",
		    up_programs[child->role], (long)pid, WEXITSTATUS(status));
}

static void
up_child_ended(struct up *up, struct up_child *child, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_ERROR;
	uint64_t now = up_now_ms();
	unsigned shift;

	if (up->stopping) {
		if (status != 0)
			up_say_end(up, child, child->pid, status);
		child->pid = 0;
		up_stop_further(up);
		return;
	}
	up_say_end(up, child, child->pid, status);
	child->pid = 0;
	if (child->ready && now - child->started_ms > UP_STABLE_MS)
		child->failures = 0;
	child->failures++;
	child->ready = false;
	if (up_is_final(code) ||
	    (code == TOOL_STORAGE && up_storage_gave_up(up)) ||
	    (!child->ever_ready && child->failures >= UP_TRIES)) {
		tool_note(up->plan->t, "a restart is no use: stopping");
		up_stop(up, code == TOOL_OK ? TOOL_ERROR : code);
		return;
	}
	shift = MIN(child->failures - 1, (unsigned)UP_BACKOFF_SHIFT);
	child->retry_ms = now + ((uint64_t)UP_BACKOFF_MS << shift);
}

static void
up_reap(struct up *up)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < up->n; i++)
			if (up->child[i].pid == pid) {
				up_child_ended(up, &up->child[i], status);
				break;
			}
}

static void
up_child_ready(struct up *up, pid_t pid)
{
	bool all = true;

	for (unsigned i = 0; i < up->n; i++) {
		struct up_child *child = &up->child[i];

		if (pid && child->pid == pid) {
			child->ready = true;
			child->ever_ready = true;
		}
		all = all && child->ready;
	}
	if (all && !up->announced && !up->stopping) {
		up->announced = true;
		up->plan->ready(up->plan->arg);
	}
}

/* One datagram; the kernel says who sent it. */
static bool
up_read_notice(struct up *up)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[512];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred who = { 0 };
	ssize_t len =
	    recvmsg(up->notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (len < 0)
		return false;
	text[len] = '\0';
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (!strcmp(line, "READY=1"))
			up_child_ready(up, who.pid);
	return true;
}

static void
up_read_signals(struct up *up)
{
	struct signalfd_siginfo info;

	while (read(up->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			up_reap(up);
		else if (info.ssi_signo == SIGHUP)
			up_signal(up, UP_GATEWAY, SIGHUP);
		else
			up_stop(up, TOOL_OK);
	}
}

/* --- the loop --- */

static int
up_open(struct up *up, struct reason *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	sigset_t mask;
	int one = 1;

	snprintf(up->socket_path, sizeof(up->socket_path), "%s/up.sock",
	    house_run_dir(&up->plan->t->house));
	if (strlen(up->socket_path) >= sizeof(sun.sun_path))
		return reason_set(
		    why, -ENAMETOOLONG, "socket '%.150s'", up->socket_path);
	memcpy(sun.sun_path, up->socket_path, strlen(up->socket_path) + 1);
	(void)unlink(up->socket_path);
	up->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (up->notify_fd < 0 ||
	    setsockopt(up->notify_fd, SOL_SOCKET, SO_PASSCRED, &one,
		sizeof(one)) < 0 ||
	    bind(up->notify_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return reason_set(
		    why, -errno, "cannot listen on '%.150s'", up->socket_path);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	up->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (up->signal_fd < 0)
		return reason_set(why, -errno, "cannot wait for signals");
	return 0;
}

/*
 * Vitals are a service: what keeps them from being told is no reason to stop.
 * Returns how long to wait, at most wait ms (below zero: for ever).
 */
static int
up_vitals(const struct up *up, int wait)
{
	struct vitals *v = up->plan->vitals;
	struct reason why = REASON_NO_MEMORY;
	int due;

	if (!v || up->stopping || !up->child[UP_CHILD_WRITER].ready)
		return wait;
	(void)!vitals_turn(v, &why);
	due = vitals_wait_ms(v);
	return wait < 0 ? due : MIN(wait, due);
}

static void
up_loop(struct up *up)
{
	struct pollfd pfd[2] = {
		{ .fd = up->signal_fd, .events = POLLIN },
		{ .fd = up->notify_fd, .events = POLLIN },
	};

	while (!up_done(up)) {
		int wait = up_start_due(up);

		if (up->stopping)
			wait = 200;
		wait = up_vitals(up, wait);
		if (poll(pfd, 2, wait) < 0 && errno != EINTR)
			break;
		/* Notices first: what a child said before it died counts. */
		while (up_read_notice(up))
			;
		up_read_signals(up);
		up_out_of_patience(up);
	}
}

int
up_run(const struct up_plan *plan)
{
	struct up up = { .plan = plan,
		.n = UP_CHILD_GATEWAYS + plan->gateways,
		.notify_fd = -1,
		.signal_fd = -1,
		.pid = getpid() };
	struct reason why = REASON_NO_MEMORY;

	up.child[UP_CHILD_WRITER].role = UP_WRITER;
	up.child[UP_CHILD_BROKER].role = UP_BROKER;
	if (up_open(&up, &why) < 0)
		up.exit_code = tool_fail(plan->t, &why);
	else
		up_loop(&up);
	(void)unlink(up.socket_path);
	closep(&up.notify_fd);
	closep(&up.signal_fd);
	return up.exit_code;
}
