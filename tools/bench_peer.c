/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Peers from start to stop.  What one writes stays in its directory, which
 * goes with it, and it dies with the benchmark.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_peer.h"
#include "tools/remote.h"

enum {
	PEER_READY_MS = 20000,
	PEER_CONF_MAX = 4096,
	PEER_ARGS_MAX = 8,
};

static const struct bench_peer_kind *const peers[] = { &bench_peer_nats,
	&bench_peer_nchan, &bench_peer_mosquitto };

const struct bench_peer_kind *
bench_peer_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(peers); i++)
		if (!strcmp(peers[i]->name, name))
			return peers[i];
	return NULL;
}

/* Servers are in directories that are not on everybody's PATH. */
static bool
peer_program(const struct bench_peer_kind *kind, char path[PATH_MAX])
{
	static const char *const dirs[] = { "/usr/sbin", "/usr/bin",
		"/usr/local/sbin", "/usr/local/bin" };

	for (unsigned i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, PATH_MAX, "%s/%s", dirs[i], kind->program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

bool
bench_peer_installed(const struct bench_peer_kind *kind)
{
	char path[PATH_MAX];

	return peer_program(kind, path);
}

/* A port that nobody has at the moment. */
static int
peer_free_port(unsigned *port, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		return reason_set(why, -errno, "cannot find a free port");
	*port = ntohs(sin.sin_port);
	return 0;
}

static bool
peer_listens(unsigned port)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 &&
	       connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
}

static int
peer_make(struct bench_peer *p, struct reason *why)
{
	CLEANUP(closep) int dirfd = -1;
	const char *tmp = getenv("TMPDIR");
	char conf[PEER_CONF_MAX];

	snprintf(p->dir, sizeof(p->dir), "%s/peal-bench-peer-XXXXXX",
	    tmp && *tmp ? tmp : "/var/tmp");
	if (!mkdtemp(p->dir)) {
		p->dir[0] = '\0';
		return reason_set(
		    why, -errno, "cannot make a temporary directory");
	}
	dirfd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return reason_set(why, -errno, "cannot use '%s'", p->dir);
	p->kind->configure(p, conf, sizeof(conf));
	return fs_replace(
	    &sysio_posix, dirfd, "conf", conf, strlen(conf), 0600, why);
}

static void
peer_exec(const struct bench_peer *p, pid_t parent)
{
	const char *argv[PEER_ARGS_MAX + 1] = { p->kind->program };
	char path[PATH_MAX], args[PEER_ARGS_MAX][PATH_MAX], log[PATH_MAX];
	unsigned n = 1;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !peer_program(p->kind, path))
		_exit(1);
	(void)setpgid(0, 0);
	snprintf(log, sizeof(log), "%.*s/output", PATH_MAX - 8, p->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0) {
		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
	}
	/* "%s" at an argument's head stands for the directory. */
	for (const char *const *a = p->kind->argv; *a && n < PEER_ARGS_MAX;
	     a++) {
		bool here = !strncmp(*a, "%s", 2);

		snprintf(args[n], PATH_MAX, "%.3000s%s", here ? p->dir : "",
		    *a + (here ? 2 : 0));
		argv[n] = args[n];
		n++;
	}
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(1);
}

/* The end of what it said. */
static void
peer_last_words(const struct bench_peer *p, char *text, size_t size)
{
	char path[PATH_MAX];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%.*s/output", PATH_MAX - 8, p->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && lseek(fd, -(off_t)(size - 1), SEEK_END) < 0)
		(void)lseek(fd, 0, SEEK_SET);
	if (fd >= 0)
		n = read(fd, text, size - 1);
	text[MAX(n, 0)] = '\0';
	closep(&fd);
}

static int
peer_await(struct bench_peer *p, struct reason *why)
{
	uint64_t deadline = time_mono_ns() + PEER_READY_MS * NS_PER_MS;
	char text[150];

	while (time_mono_ns() < deadline) {
		if (waitpid(p->pid, NULL, WNOHANG) == p->pid) {
			p->pid = 0;
			break;
		}
		if (peer_listens(p->port) && peer_listens(p->plain))
			return 0;
		(void)poll(NULL, 0, 10);
	}
	peer_last_words(p, text, sizeof(text));
	return reason_say(why, -ETIMEDOUT, "%s did not get ready: %s",
	    p->kind->program, text);
}

int
bench_peer_start(struct bench_peer *p, const struct bench_peer_kind *kind,
    const char *cert, const char *key, struct reason *why)
{
	pid_t parent = getpid();
	int err;

	*p = (struct bench_peer){ .kind = kind, .cert = cert, .key = key };
	err = peer_free_port(&p->port, why);
	if (err >= 0)
		err = peer_free_port(&p->plain, why);
	if (err >= 0)
		err = peer_make(p, why);
	if (err < 0)
		return err;
	p->pid = fork();
	if (p->pid == 0)
		peer_exec(p, parent);
	if (p->pid < 0) {
		p->pid = 0;
		return reason_set(
		    why, -errno, "cannot start %s", kind->program);
	}
	return peer_await(p, why);
}

void
bench_peer_stop(struct bench_peer *p)
{
	pid_t pid;

	if (p->pid > 0) {
		/* It has nothing to lose, and some take their time. */
		(void)kill(p->pid, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
	if (!p->dir[0])
		return;
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", p->dir, (char *)NULL);
		_exit(1);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	p->dir[0] = '\0';
}

unsigned
bench_peer_port(const struct bench_peer *p)
{
	return p->port;
}

void
bench_peer_dialect(const struct bench_peer *p, struct remote_dialect *dialect)
{
	*dialect = (struct remote_dialect){ p->kind->path, p->kind->subprotocol,
		p->kind->text };
}
