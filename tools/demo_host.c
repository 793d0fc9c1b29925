/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The machine's processors, memory and load, and what reading /proc takes.
 * Numbers are whole, and coarse enough that an idle machine has little to
 * say.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/mpvalid.h"
#include "core/reason.h"
#include "tools/demo_facts.h"
#include "tools/demo_host_priv.h"

enum {
	HOST_WINDOW_MS = 1000 /* that shares of time are taken over */
};

struct host *
host_new(const char *proc)
{
	struct host *h = calloc(1, sizeof(*h));

	if (h)
		snprintf(h->proc, sizeof(h->proc), "%s", proc);
	return h;
}

struct host *
host_free(struct host *h)
{
	if (h)
		mp_buf_deinit(&h->value);
	free(h);
	return NULL;
}

/* --- reading --- */

bool
host_read(const char *path, char *buf, size_t size)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	char *line;
	ssize_t n;

	if (fd < 0)
		return false;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	if (len == size - 1 && (line = strrchr(buf, '\n')))
		line[1] = '\0';
	return true;
}

bool
host_read_proc(struct host *h, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 64, h->proc, name);
	return host_read(path, h->text, sizeof(h->text));
}

void
host_text(const char *name, char buf[HOST_NAME])
{
	size_t len = strnlen(name, HOST_NAME - 1);
	bool utf8 = mpvalid_utf8((const uint8_t *)name, len);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		buf[i] = c < 0x20 || c == 0x7f || (c > 0x7f && !utf8) ? '?'
								      : name[i];
	}
	buf[len] = '\0';
}

/* --- maps --- */

struct host_map
host_map_begin(struct mp_buf *b)
{
	b->len = 0;
	return (struct host_map){ .b = b, .at = mp_begin(b) };
}

void
host_map_uint(struct host_map *m, const char *name, uint64_t v)
{
	mp_pair_uint(m->b, name, v);
	m->n++;
}

void
host_map_text(struct host_map *m, const char *name, const char *v)
{
	mp_pair_cstr(m->b, name, v);
	m->n++;
}

struct slice
host_map_end(struct host_map *m)
{
	mp_end_map(m->b, m->at, m->n);
	return slice_of(m->b->p, m->b->len);
}

/* Say what is in the map, as group FACTS_FAST. */
static int
host_say(struct host_map *m, struct facts *f, const char *topic,
    const char *noun, struct reason *why)
{
	struct slice value = host_map_end(m);

	if (m->b->failed)
		return reason_set(why, -ENOMEM, "cannot keep a fact");
	return facts_say(f, FACTS_FAST, topic, noun, value, false, NULL, why);
}

/* --- processors --- */

/* "cpu" or "cpuN" and its times, in ticks. */
static bool
host_cpu_line(const char *line, struct host_cpu *cpu, int *number)
{
	uint64_t t[8] = { 0 };
	int n;

	*number = -1;
	if (line[3] != ' ' && sscanf(line + 3, "%d", number) != 1)
		return false;
	line = strchr(line, ' ');
	if (!line)
		return false;
	n = sscanf(line,
	    "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
	    "%" SCNu64 "%" SCNu64,
	    &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
	if (n < 4)
		return false;
	cpu->time[HOST_CPU_USER] = t[0] + t[1];
	cpu->time[HOST_CPU_SYSTEM] = t[2] + t[5] + t[6];
	cpu->time[HOST_CPU_IOWAIT] = t[4];
	cpu->time[HOST_CPU_STEAL] = t[7];
	cpu->time[HOST_CPU_IDLE] = t[3];
	return true;
}

/* The lines of /proc/stat: [0] is all of them, [1 + N] processor N. */
static void
host_cpu_sample(struct host *h, uint64_t now_ms)
{
	struct host_moment *m = &h->moments[h->n_moments % HOST_MOMENTS];
	char *rest = h->text, *line;
	int number;

	*m = (struct host_moment){ .ms = now_ms };
	while ((line = strsep(&rest, "\n")) && !strncmp(line, "cpu", 3)) {
		struct host_cpu cpu;

		if (host_cpu_line(line, &cpu, &number) && number >= -1 &&
		    number < HOST_CPUS - 1) {
			cpu.there = true;
			m->cpu[number + 1] = cpu;
		}
	}
	h->n_moments++;
}

/* The newest moment that is a second old, or else the oldest kept. */
static const struct host_moment *
host_cpu_before(const struct host *h, uint64_t now_ms)
{
	unsigned kept = MIN(h->n_moments, (unsigned)HOST_MOMENTS), i;
	const struct host_moment *m = NULL;

	for (i = 1; i < kept; i++) {
		m = &h->moments[(h->n_moments - 1 - i) % HOST_MOMENTS];
		if (now_ms - m->ms >= HOST_WINDOW_MS)
			break;
	}
	return m;
}

static int
host_cpu_say(struct host *h, const struct host_cpu *was,
    const struct host_cpu *is, const char *topic, struct facts *f,
    struct reason *why)
{
	static const char *const names[] = { "user", "system", "iowait",
		"steal" };
	uint64_t by[HOST_CPU_TIMES], total = 0, busy;
	struct host_map m = host_map_begin(&h->value);

	for (unsigned i = 0; i < HOST_CPU_TIMES; i++) {
		by[i] =
		    is->time[i] > was->time[i] ? is->time[i] - was->time[i] : 0;
		total += by[i];
	}
	/* No tick has passed: what was said last is as good. */
	if (total == 0) {
		facts_same(f, FACTS_FAST, topic);
		return 0;
	}
	busy = total - by[HOST_CPU_IDLE] - by[HOST_CPU_IOWAIT];
	host_map_uint(&m, "busy", (busy * 100 + total / 2) / total);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		host_map_uint(&m, names[i], (by[i] * 100 + total / 2) / total);
	return host_say(&m, f, topic, "cpu", why);
}

static int
host_cpus(struct host *h, uint64_t now_ms, struct facts *f, struct reason *why)
{
	const struct host_moment *was, *is;
	char topic[40];
	int err = 0;

	if (!host_read_proc(h, "stat"))
		return 0;
	host_cpu_sample(h, now_ms);
	was = host_cpu_before(h, now_ms);
	is = &h->moments[(h->n_moments - 1) % HOST_MOMENTS];
	for (unsigned i = 0; was && i < HOST_CPUS && err >= 0; i++) {
		if (!was->cpu[i].there || !is->cpu[i].there)
			continue;
		snprintf(topic, sizeof(topic), i ? "host.cpu.%u" : "host.cpu",
		    i - 1);
		err = host_cpu_say(h, &was->cpu[i], &is->cpu[i], topic, f, why);
	}
	return err;
}

/* --- memory and load --- */

/* A line "NAME:   N kB" of /proc/meminfo, in MiB. */
static uint64_t
host_memory_line(const char *text, const char *name)
{
	char want[40];
	const char *p;
	uint64_t kib = 0;

	snprintf(want, sizeof(want), "\n%s:", name);
	p = !strncmp(text, want + 1, strlen(want + 1)) ? text
						       : strstr(text, want);
	p = p ? strchr(p, ':') : NULL;
	return p && sscanf(p + 1, "%" SCNu64, &kib) == 1 ? kib >> 10 : 0;
}

static int
host_memory(struct host *h, struct facts *f, struct reason *why)
{
	struct host_map m = host_map_begin(&h->value);
	uint64_t total, available, swap;

	if (!host_read_proc(h, "meminfo"))
		return 0;
	total = host_memory_line(h->text, "MemTotal");
	available = host_memory_line(h->text, "MemAvailable");
	swap = host_memory_line(h->text, "SwapTotal");
	host_map_uint(&m, "total_mib", total);
	host_map_uint(&m, "used_mib", total - MIN(available, total));
	host_map_uint(&m, "available_mib", available);
	host_map_uint(&m, "cached_mib",
	    host_memory_line(h->text, "Cached") +
		host_memory_line(h->text, "Buffers"));
	host_map_uint(&m, "swap_mib", swap);
	host_map_uint(&m, "swap_used_mib",
	    swap - MIN(swap, host_memory_line(h->text, "SwapFree")));
	return host_say(&m, f, "host.memory", "memory", why);
}

static int
host_load(struct host *h, struct facts *f, struct reason *why)
{
	static const char *const names[] = { "one", "five", "fifteen" };
	struct host_map m = host_map_begin(&h->value);
	uint64_t running, tasks;
	double load[3];

	if (!host_read_proc(h, "loadavg") ||
	    sscanf(h->text, "%lf %lf %lf %" SCNu64 "/%" SCNu64, &load[0],
		&load[1], &load[2], &running, &tasks) != 5)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		mp_pack_cstr(m.b, names[i]);
		mp_pack_double(m.b, load[i]);
		m.n++;
	}
	host_map_uint(&m, "running", running);
	host_map_uint(&m, "tasks", tasks);
	return host_say(&m, f, "host.load", "load", why);
}

/* What does not change as long as it runs. */
static int
host_system(struct host *h, struct facts *f, struct reason *why)
{
	struct host_map m = host_map_begin(&h->value);
	char text[HOST_NAME];
	struct utsname names;

	if (uname(&names) < 0)
		return 0;
	host_text(names.nodename, text);
	host_map_text(&m, "name", text);
	host_text(names.sysname, text);
	host_map_text(&m, "system", text);
	host_text(names.release, text);
	host_map_text(&m, "release", text);
	host_text(names.machine, text);
	host_map_text(&m, "machine", text);
	host_map_uint(
	    &m, "processors", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	return host_say(&m, f, "host.system", "system", why);
}

int
host_fast(struct host *h, uint64_t now_ms, struct facts *f, struct reason *why)
{
	int err;

	facts_begin(f, FACTS_FAST);
	err = host_system(h, f, why);
	if (err >= 0)
		err = host_cpus(h, now_ms, f, why);
	if (err >= 0)
		err = host_memory(h, f, why);
	if (err >= 0)
		err = host_load(h, f, why);
	/* Nothing is known of processors before the second look. */
	return err < 0 || h->n_moments < 2 ? err
					   : facts_end(f, FACTS_FAST, why);
}
