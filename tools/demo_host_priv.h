/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files on the machine share: what was counted last, so that rates
 * can be told.
 */

#ifndef PEAL_TOOLS_DEMO_HOST_PRIV_H
#define PEAL_TOOLS_DEMO_HOST_PRIV_H

#include <limits.h>
#include <stdbool.h>

#include "tools/demo_host.h"

enum {
	HOST_TEXT = 256 << 10, /* of a file of /proc that is read */
	HOST_CPUS = 257,       /* processors, and all of them */
	HOST_MOMENTS = 12,
	HOST_COUNTS = 6
};

enum host_cpu_time {
	HOST_CPU_USER,
	HOST_CPU_SYSTEM,
	HOST_CPU_IOWAIT,
	HOST_CPU_STEAL,
	HOST_CPU_IDLE,
	HOST_CPU_TIMES
};

struct host_cpu {
	bool there;
	uint64_t time[HOST_CPU_TIMES];
};

struct host_moment {
	uint64_t ms;
	struct host_cpu cpu[HOST_CPUS];
};

/* A disk or an interface, and what it has counted so far. */
struct host_item {
	char name[HOST_NAME];
	uint64_t count[HOST_COUNTS];
	unsigned major, minor;
	bool counted; /* rates can be told from the next time on */
	/* Of a disk that holds a file system: */
	char mount[HOST_NAME];
	uint64_t total_mib, free_mib;
};

struct host_list {
	struct host_item item[HOST_PARTS];
	unsigned n;
	uint64_t ms; /* when they were counted */
};

struct host {
	char proc[PATH_MAX];
	char text[HOST_TEXT];
	struct mp_buf value;
	struct host_moment moments[HOST_MOMENTS];
	unsigned n_moments; /* so far */
	struct host_list disks, nets;
	struct host_list last; /* while the next is made */
};

bool host_read_proc(struct host *h, const char *name);

#endif
