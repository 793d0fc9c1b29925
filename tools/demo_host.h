/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Facts about this machine, read from /proc and statvfs(): processors,
 * memory, load, disks and network interfaces.  What cannot be read is left
 * out; nothing here is an error but a lack of memory.
 */

#ifndef PEAL_TOOLS_DEMO_HOST_H
#define PEAL_TOOLS_DEMO_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct facts;
struct host;
struct reason;

/* proc is "/proc", or a directory of a test.  NULL: out of memory. */
struct host *host_new(const char *proc);
struct host *host_free(struct host *h);
CLEANUP_FN(struct host *, host_free)

/* Processors, memory and load; shares of time are those of a second. */
MUST_CHECK int host_fast(
    struct host *h, uint64_t now_ms, struct facts *f, struct reason *why);

/* What rates are told of, by name, as the last host_slow() found it. */
enum host_part {
	HOST_DISK,
	HOST_NET,
};

enum {
	HOST_PARTS = 64, /* of each at most */
	HOST_NAME = 64	 /* bytes of a name, NUL included */
};

/* Disks and interfaces; rates are those since the last call. */
MUST_CHECK int host_slow(
    struct host *h, uint64_t now_ms, struct facts *f, struct reason *why);
unsigned host_parts(const struct host *h, enum host_part part);
const char *host_part_name(
    const struct host *h, enum host_part part, unsigned i);

/* --- for those who read /proc besides --- */

/*
 * Read a small file whole into buf, NUL-ended; one that is longer is cut
 * behind its last whole line.  false: it cannot be read.
 */
bool host_read(const char *path, char *buf, size_t size);

/* Names of strangers as text: what is no UTF-8 or unprintable becomes '?'. */
void host_text(const char *name, char buf[HOST_NAME]);

/* A flat map under way. */
struct host_map {
	struct mp_buf *b;
	size_t at;
	uint32_t n;
};

struct host_map host_map_begin(struct mp_buf *b);
void host_map_uint(struct host_map *m, const char *name, uint64_t v);
void host_map_text(struct host_map *m, const char *name, const char *v);
struct slice host_map_end(struct host_map *m);

#endif
