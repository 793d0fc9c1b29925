/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A supervisor that is no help: starts writer, broker and gateways as `peal up`
 * does, kills, stops and ends them at random, and starts them again late and
 * in any order.  Whoever ends by himself, or finds damage, is told of.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/macros.h"
#include "tests/lib/wire.h"

enum {
	HAVOC_GATEWAYS = 4,
	HAVOC_PROCESSES = 2 + HAVOC_GATEWAYS,
	HAVOC_WRITER = 0,
	HAVOC_BROKER = 1,
	HAVOC_WORDS = 200,
	HAVOC_LISTEN_FD = 3, /* as sd_listen_fds(3) has it */
	HAVOC_TICK_MS = 5,
	HAVOC_LATE_MS = 10000, /* makes the pauses once as long again */
	HAVOC_GRACE_MS = 300000,
	HAVOC_STORAGE = 75, /* exit code: storage failed */
};

struct process {
	const char *name;
	char *words[HAVOC_WORDS];
	unsigned n_words;
	pid_t pid; /* 0: not running */
	bool hit;  /* its end is our doing */
	bool stopped;
	int64_t at_ms; /* when it is continued, or started */
	unsigned starts, kills, stops, terms, alone;
};

struct havoc {
	struct process p[HAVOC_PROCESSES];
	unsigned n;
	int listen_fd;
	uint64_t random;
	int64_t gap_ms, until_ms, next_ms;
	const char *go, *calm;
	const char *enough; /* without that file harm goes on; NULL: not so */
	bool harm, over;
	bool storage_fails; /* and ends the writer, as it should */
	unsigned all_at_once;
	char fault[200];
};

static volatile sig_atomic_t havoc_told;

static void
havoc_tell(int signo)
{
	havoc_told = 1;
}

static void __attribute__((noreturn)) havoc_die(const char *what)
{
	fprintf(stderr, "havoc: %s\n", what);
	exit(2);
}

static uint64_t
havoc_random(struct havoc *h, uint64_t below)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 7;
	h->random ^= h->random << 17;
	return (h->random >> 11) % below;
}

/* --- starting --- */

static void __attribute__((noreturn))
havoc_exec(const struct havoc *h, struct process *p)
{
	char pid[24];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	if (p >= &h->p[HAVOC_BROKER + 1]) {
		if (h->listen_fd == HAVOC_LISTEN_FD
			? fcntl(h->listen_fd, F_SETFD, 0) < 0
			: dup2(h->listen_fd, HAVOC_LISTEN_FD) < 0)
			_exit(2);
		snprintf(pid, sizeof(pid), "%ld", (long)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
	}
	execvp(p->words[0], p->words);
	perror(p->words[0]);
	_exit(2);
}

static void
havoc_start(struct havoc *h, struct process *p)
{
	p->hit = p->stopped = false;
	p->starts++;
	p->pid = fork();
	if (p->pid < 0)
		havoc_die("cannot fork");
	if (p->pid == 0)
		havoc_exec(h, p);
}

/* --- ending --- */

/* None may end alone, but who misses the others, or whose storage fails. */
static void
havoc_ended(struct havoc *h, struct process *p, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	bool mild = p != &h->p[HAVOC_WRITER]
			? code == 1
			: h->storage_fails && code == HAVOC_STORAGE;

	p->at_ms = wire_now_ms() + (int64_t)havoc_random(h, 1000);
	p->stopped = false;
	(void)kill(-p->pid, SIGKILL);
	p->pid = 0;
	if (p->hit ? code == 0 || WIFSIGNALED(status) : mild) {
		p->alone += !p->hit;
		return;
	}
	if (h->fault[0] != '\0')
		return;
	if (WIFSIGNALED(status))
		snprintf(h->fault, sizeof(h->fault),
		    "%s was ended by signal %d", p->name, WTERMSIG(status));
	else
		snprintf(h->fault, sizeof(h->fault), "%s ended with %d",
		    p->name, code);
}

static void
havoc_reap(struct havoc *h)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < h->n; i++)
			if (h->p[i].pid == pid)
				havoc_ended(h, &h->p[i], status);
}

/* --- harm --- */

static void
havoc_kill(struct process *p)
{
	if (p->pid == 0)
		return;
	p->hit = true;
	p->kills++;
	/* With who traces it, and may be about to. */
	(void)kill(-p->pid, SIGKILL);
	(void)kill(p->pid, SIGKILL);
}

static void
havoc_stop(struct havoc *h, struct process *p)
{
	p->stopped = true;
	p->stops++;
	p->at_ms = wire_now_ms() + 20 + (int64_t)havoc_random(h, 1500);
	(void)kill(p->pid, SIGSTOP);
}

static void
havoc_term(struct process *p)
{
	p->hit = true;
	p->terms++;
	(void)kill(p->pid, SIGTERM);
}

/* One in three times the writer, else anybody. */
static struct process *
havoc_victim(struct havoc *h)
{
	return &h->p[havoc_random(h, 3) == 0 ? HAVOC_WRITER
					     : havoc_random(h, h->n)];
}

/*
 * Between two blows.  Where its time was not enough, who is struck gets further
 * in between: a slow machine may take that long to start them.
 */
static uint64_t
havoc_gap(const struct havoc *h, int64_t now)
{
	int64_t late = MAX(now - h->until_ms, (int64_t)0);

	return (uint64_t)(h->gap_ms + h->gap_ms * late / HAVOC_LATE_MS);
}

static void
havoc_act(struct havoc *h)
{
	uint64_t dice = havoc_random(h, 20);
	struct process *p = havoc_victim(h);
	int64_t now = wire_now_ms();

	h->next_ms = now + 50 + (int64_t)havoc_random(h, 2 * havoc_gap(h, now));
	if (dice == 0) {
		h->all_at_once++;
		for (unsigned i = 0; i < h->n; i++)
			havoc_kill(&h->p[i]);
		return;
	}
	if (p->pid == 0 || p->stopped || p->hit)
		return;
	if (dice < 9)
		havoc_kill(p);
	else if (dice < 17)
		havoc_stop(h, p);
	else
		havoc_term(p);
}

/* What was put off until now: going on after a stop, or the next start. */
static void
havoc_due(struct havoc *h, struct process *p)
{
	if (wire_now_ms() < p->at_ms && !h->over)
		return;
	if (p->pid == 0) {
		havoc_start(h, p);
	} else if (p->stopped) {
		p->stopped = false;
		/* It dies as it stands, or finds the world changed. */
		if (!h->over && havoc_random(h, 3) == 0)
			havoc_kill(p);
		else
			(void)kill(p->pid, SIGCONT);
	}
}

static void
havoc_leave_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		havoc_die("cannot say that it is over");
	close(fd);
}

/* Has there been the harm that is judged?  Time alone says nothing of it. */
static bool
havoc_was_enough(const struct havoc *h)
{
	const struct process *writer = &h->p[HAVOC_WRITER];
	unsigned others = 0;

	for (unsigned i = HAVOC_BROKER; i < h->n; i++)
		others += h->p[i].kills;
	return writer->kills > 0 && others > 0 &&
	       (!h->storage_fails || writer->alone > 0) &&
	       (h->enough == NULL || access(h->enough, F_OK) == 0);
}

static void
havoc_loop(struct havoc *h)
{
	while (!havoc_told) {
		int64_t now = wire_now_ms();

		havoc_reap(h);
		for (unsigned i = 0; i < h->n; i++)
			havoc_due(h, &h->p[i]);
		if (!h->harm && !h->over && access(h->go, F_OK) == 0) {
			h->harm = true;
			h->until_ms += now;
		}
		if (h->harm && now > h->until_ms && havoc_was_enough(h)) {
			h->harm = false;
			h->over = true;
			havoc_leave_file(h->calm);
		}
		if (h->harm && now > h->next_ms)
			havoc_act(h);
		(void)poll(NULL, 0, HAVOC_TICK_MS);
	}
}

/* Gateways, broker, writer, each told to end, and ending with 0. */
static void
havoc_end(struct havoc *h)
{
	int64_t until = wire_now_ms() + HAVOC_GRACE_MS;
	int status;

	for (unsigned i = h->n; i-- > 0;) {
		struct process *p = &h->p[i];
		pid_t pid = p->pid;

		if (pid == 0)
			continue;
		p->hit = true;
		(void)kill(pid, SIGCONT);
		(void)kill(pid, SIGTERM);
		while (waitpid(pid, &status, WNOHANG) == 0) {
			if (wire_now_ms() > until)
				(void)kill(pid, SIGABRT);
			(void)poll(NULL, 0, HAVOC_TICK_MS);
		}
		if (status != 0 && h->fault[0] == '\0')
			snprintf(h->fault, sizeof(h->fault),
			    "told to end, %s does so with status %#x", p->name,
			    (unsigned)status);
	}
}

static void
havoc_free_words(struct havoc *h)
{
	for (unsigned i = 0; i < h->n; i++)
		for (unsigned k = 0; k < h->p[i].n_words; k++)
			free(h->p[i].words[k]);
}

static int
havoc_report(const struct havoc *h)
{
	for (unsigned i = 0; i < h->n; i++)
		printf("%s: starts=%u kills=%u stops=%u terms=%u alone=%u\n",
		    h->p[i].name, h->p[i].starts, h->p[i].kills, h->p[i].stops,
		    h->p[i].terms, h->p[i].alone);
	printf("all at once: %u\n", h->all_at_once);
	if (h->fault[0] != '\0')
		printf("# havoc: %s\n", h->fault);
	return h->fault[0] == '\0' ? 0 : 1;
}

/* --- the beginning --- */

/* Words as /proc/PID/cmdline has them. */
static void
havoc_command(struct process *p, const char *path)
{
	FILE *f = fopen(path, "re");
	char *word = NULL;
	size_t cap = 0;

	if (f == NULL)
		havoc_die("a command cannot be read");
	while (getdelim(&word, &cap, '\0', f) > 0) {
		if (p->n_words + 1 >= HAVOC_WORDS)
			havoc_die("a command has too many words");
		p->words[p->n_words++] = word;
		word = NULL;
		cap = 0;
	}
	free(word);
	fclose(f);
	if (p->n_words == 0)
		havoc_die("a command is empty");
}

/* At a port that is free; the file at path says which. */
static int
havoc_listen(const char *path)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sin);
	FILE *f;

	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		havoc_die("cannot listen");
	f = fopen(path, "we");
	if (f == NULL || fprintf(f, "%u\n", ntohs(sin.sin_port)) < 0 ||
	    fclose(f) != 0)
		havoc_die("cannot say at which port");
	return fd;
}

static void
havoc_options(struct havoc *h, int argc, char **argv)
{
	const char *gateway = NULL;
	unsigned gateways = 2;
	int o;

	while ((o = getopt(argc, argv, "W:B:G:n:p:S:s:e:g:u:c:f")) != -1) {
		uint64_t number = strtoull(optarg ? optarg : "", NULL, 10);

		switch (o) {
		case 'W':
			havoc_command(&h->p[HAVOC_WRITER], optarg);
			break;
		case 'B':
			havoc_command(&h->p[HAVOC_BROKER], optarg);
			break;
		case 'G':
			gateway = optarg;
			break;
		case 'n':
			gateways = (unsigned)number;
			break;
		case 'p':
			h->listen_fd = havoc_listen(optarg);
			break;
		case 'S':
			h->random = number * UINT64_C(0x9e3779b97f4a7c15) | 1;
			break;
		case 's':
			h->until_ms = 1000 * (int64_t)number;
			break;
		case 'e':
			h->gap_ms = (int64_t)number;
			break;
		case 'g':
			h->go = optarg;
			break;
		case 'u':
			h->enough = optarg;
			break;
		case 'f':
			h->storage_fails = true;
			break;
		case 'c':
			h->calm = optarg;
			break;
		default:
			exit(2);
		}
	}
	for (unsigned i = 0;
	     gateway != NULL && i < gateways && h->n < HAVOC_PROCESSES; i++) {
		havoc_command(&h->p[h->n], gateway);
		h->p[h->n++].name = "gateway";
	}
}

int
main(int argc, char **argv)
{
	struct havoc h = { .p = { { .name = "writer" }, { .name = "broker" } },
		.n = 2,
		.listen_fd = -1,
		.random = 1,
		.gap_ms = 500 };
	const struct sigaction tell = { .sa_handler = havoc_tell };

	havoc_options(&h, argc, argv);
	if (h.p[HAVOC_WRITER].n_words == 0 || h.p[HAVOC_BROKER].n_words == 0 ||
	    h.n == 2 || h.listen_fd < 0 || h.go == NULL || h.calm == NULL)
		havoc_die("usage: havoc -W WRITER -B BROKER -G GATEWAY "
			  "-p PORTFILE -g GOFILE -c CALMFILE -s SECONDS "
			  "[-n GATEWAYS] [-S SEED] [-e MILLISECONDS] "
			  "[-u ENOUGHFILE] [-f]");
	sigaction(SIGTERM, &tell, NULL);
	havoc_loop(&h);
	havoc_end(&h);
	havoc_free_words(&h);
	return havoc_report(&h);
}
