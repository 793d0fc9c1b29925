/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Processes: all are looked at, a few are told of.  Two sorted lists, this
 * look's and the one before, are walked side by side, so that what each used
 * is known without a table.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "tools/demo_facts.h"
#include "tools/demo_process.h"

enum {
	PROCESSES_MAX = 8192, /* that are looked at */
	PROCESSES_BUSY = 10,  /* of those that do most */
	PROCESSES_BIG = 6,    /* of those that hold most memory */
	PROCESSES_TOLD = 32,
	PROCESSES_QUIET_MS = 10000,
	PROCESS_KERNEL = 0x00200000, /* the kernel's PF_KTHREAD */
};

struct processes {
	char proc[PATH_MAX];
	struct process *now, *before;
	unsigned n, n_before;
	uint64_t ms, ms_before;
	uint64_t boot_s;
	uint64_t ticks_s;
	struct process *told[PROCESSES_TOLD];
	unsigned n_told;
	struct mp_buf value;
	char text[4096];
};

struct processes *
processes_new(const char *proc)
{
	struct processes *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	snprintf(p->proc, sizeof(p->proc), "%s", proc);
	p->now = calloc(PROCESSES_MAX, sizeof(*p->now));
	p->before = calloc(PROCESSES_MAX, sizeof(*p->before));
	p->ticks_s = (uint64_t)sysconf(_SC_CLK_TCK);
	return p->now && p->before ? p : processes_free(p);
}

struct processes *
processes_free(struct processes *p)
{
	if (!p)
		return NULL;
	free(p->now);
	free(p->before);
	mp_buf_deinit(&p->value);
	free(p);
	return NULL;
}

/* --- looking --- */

/* "pid (name) state parent …": the name may hold anything, ')' too. */
static bool
process_parse(char *text, struct process *one)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t user, system;
	unsigned flags;
	int64_t rss;

	if (!open || !close || close < open)
		return false;
	*close = '\0';
	host_text(open + 1, one->name);
	if (sscanf(close + 1,
		" %*c %" SCNu32 " %*d %*d %*d %*d %u %*u %*u %*u %*u %" SCNu64
		"%" SCNu64 " %*d %*d %*d %*d %" SCNu64 " %*d %" SCNu64
		" %*u %" SCNd64,
		&one->parent, &flags, &user, &system, &one->threads,
		&one->started, &rss) != 7)
		return false;
	one->kernel = flags & PROCESS_KERNEL;
	one->ticks = user + system;
	one->rss_mib =
	    (uint64_t)MAX(rss, 0) * (uint64_t)sysconf(_SC_PAGESIZE) >> 20;
	return true;
}

static int
process_order(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void
processes_scan(struct processes *p)
{
	DIR *dir = opendir(p->proc);
	struct dirent *entry;
	char path[PATH_MAX];

	p->n = 0;
	while (dir && p->n < PROCESSES_MAX && (entry = readdir(dir))) {
		struct process one = { 0 };

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		one.pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
		snprintf(path, sizeof(path), "%.*s/%.20s/stat", PATH_MAX - 64,
		    p->proc, entry->d_name);
		/* It may have ended meanwhile. */
		if (host_read(path, p->text, sizeof(p->text)) &&
		    process_parse(p->text, &one))
			p->now[p->n++] = one;
	}
	if (dir)
		(void)closedir(dir);
	qsort(p->now, p->n, sizeof(*p->now), process_order);
}

/* What is known of each from the look before. */
static void
processes_compare(struct processes *p)
{
	unsigned b = 0;

	for (unsigned i = 0; i < p->n; i++) {
		struct process *one = &p->now[i];
		const struct process *was;

		/* Those of the first look were there before it. */
		one->looks = p->n_before ? 0 : PROCESSES_SETTLED;
		while (b < p->n_before && p->before[b].pid < one->pid)
			b++;
		was = b < p->n_before ? &p->before[b] : NULL;
		if (!was || was->pid != one->pid ||
		    was->started != one->started)
			continue;
		one->used =
		    one->ticks > was->ticks ? one->ticks - was->ticks : 0;
		one->told_ms = was->told_ms;
		one->looks = was->looks + 1;
	}
}

static void
processes_boot(struct processes *p)
{
	char path[PATH_MAX], text[64 << 10];
	const char *line;

	snprintf(path, sizeof(path), "%.*s/stat", PATH_MAX - 64, p->proc);
	if (!p->boot_s && host_read(path, text, sizeof(text)) &&
	    (line = strstr(text, "\nbtime ")))
		p->boot_s = strtoull(line + 7, NULL, 10);
}

const struct process *
processes_find(const struct processes *p, uint32_t pid)
{
	const struct process key = { .pid = pid };

	return bsearch(&key, p->now, p->n, sizeof(key), process_order);
}

const struct process *
processes_told(const struct processes *p, unsigned i)
{
	return i < p->n_told ? p->told[i] : NULL;
}

/* --- choosing --- */

/*
 * Who has just come may be gone before anybody has read of it; threads of the
 * kernel change their names with what they do.
 */
static uint64_t
process_rank(const struct process *one, bool busy)
{
	if (one->looks == 0 || one->kernel)
		return 0;
	return busy ? one->used : one->rss_mib;
}

/* Mark the first n of all, by what they use or by what they hold. */
static void
processes_mark(struct processes *p, unsigned n, bool busy)
{
	struct process *first[PROCESSES_BUSY + PROCESSES_BIG];
	unsigned have = 0, at;

	for (unsigned i = 0; i < p->n; i++) {
		struct process *one = &p->now[i];
		uint64_t rank = process_rank(one, busy);

		if (rank == 0 ||
		    (have == n && rank <= process_rank(first[n - 1], busy)))
			continue;
		at = have < n ? have++ : n - 1;
		for (; at && process_rank(first[at - 1], busy) < rank; at--)
			first[at] = first[at - 1];
		first[at] = one;
	}
	for (unsigned i = 0; i < have; i++)
		first[i]->told_ms = p->ms;
}

static void
processes_choose(struct processes *p)
{
	processes_mark(p, PROCESSES_BUSY, true);
	processes_mark(p, PROCESSES_BIG, false);
	p->n_told = 0;
	/* Those of now come before those that were there lately. */
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < p->n; i++) {
			struct process *one = &p->now[i];
			bool first = one->told_ms == p->ms;

			if (p->n_told < PROCESSES_TOLD && one->told_ms &&
			    first == (round == 0) &&
			    p->ms - one->told_ms < PROCESSES_QUIET_MS)
				p->told[p->n_told++] = one;
		}
}

/* --- saying --- */

static int
process_say(struct processes *p, const struct process *one, struct facts *f,
    struct reason *why)
{
	struct host_map m = host_map_begin(&p->value);
	uint64_t ms = p->ms - p->ms_before;
	struct slice value;
	char topic[40];

	snprintf(topic, sizeof(topic), "host.process.%" PRIu32, one->pid);
	host_map_text(&m, "name", one->name);
	host_map_uint(&m, "parent", one->parent);
	/* Seconds since 1970: whole, so that it stays the same. */
	host_map_uint(&m, "started", p->boot_s + one->started / p->ticks_s);
	/* Of one processor, so that it may be more than 100. */
	host_map_uint(&m, "cpu", ms ? one->used * 100000 / p->ticks_s / ms : 0);
	host_map_uint(&m, "rss_mib", one->rss_mib);
	host_map_uint(&m, "threads", one->threads);
	value = host_map_end(&m);
	if (p->value.failed)
		return reason_set(why, -ENOMEM, "cannot keep a fact");
	return facts_say(
	    f, FACTS_PROCESS, topic, "process", value, true, "started", why);
}

int
processes_look(
    struct processes *p, uint64_t now_ms, struct facts *f, struct reason *why)
{
	struct process *swap = p->before;
	int err = 0;

	p->before = p->now;
	p->now = swap;
	p->n_before = p->n;
	p->ms_before = p->ms;
	p->ms = now_ms;
	processes_boot(p);
	processes_scan(p);
	processes_compare(p);
	processes_choose(p);
	facts_begin(f, FACTS_PROCESS);
	for (unsigned i = 0; i < p->n_told && err >= 0; i++)
		err = process_say(p, p->told[i], f, why);
	return err < 0 ? err : facts_end(f, FACTS_PROCESS, why);
}
