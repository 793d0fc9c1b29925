/* SPDX-License-Identifier: BSD-2-Clause */

/* The bystander, and what the kernel says of the gateway; see the header. */

#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/bystander.h"
#include "tests/lib/live.h"

enum {
	SPARE_KIB = 32 * 1024, /* that an allocator may keep */
	PAUSE_MS = 20,
};

static struct client bystander;
static bool present;
static uint64_t upto; /* of its last batch */
static unsigned open_then;
static unsigned long kib_then;

static void
pause_ms(int ms)
{
	struct pollfd nothing = { .fd = -1 };

	(void)poll(&nothing, 1, ms);
}

/* Descriptors of the gateway; 0 when it is gone. */
static unsigned
descriptors(const char *pid)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Memory of its own, in KiB; sanitizers keep what was freed. */
static unsigned long
own_kib(const char *pid)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %lu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static bool
is_sanitized(const char *pid)
{
	char path[64], line[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "libasan") || strstr(line, "libtsan");
	if (f)
		fclose(f);
	return found;
}

static void
arrive(const char *pid)
{
	live_open(&bystander, live_token());
	live_answered(&bystander,
	    "{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"bystander.>\"],"
	    "\"from\":\"now\"}",
	    "subscribed");
	upto = client_uint(&bystander, "seq", 0);
	present = true;
	open_then = descriptors(pid);
	kib_then = own_kib(pid);
}

/* Batches follow one another up to the one with the event. */
static void
event_comes(void)
{
	bool came = false;

	while (!came) {
		enum client_kind kind =
		    client_next(&bystander, WIRE_DEADLINE_MS);

		if (kind != CLIENT_BATCH)
			fail_msg("the bystander saw '%s', %s (kind %d)",
			    bystander.op, bystander.wrong, (int)kind);
		if (bystander.span.after != upto)
			fail_msg("the bystander saw a gap: %" PRIu64
				 " after %" PRIu64,
			    bystander.span.after, upto);
		upto = bystander.span.upto;
		came = bystander.span.n > 0;
	}
}

static void
wait_for_rest(const char *pid)
{
	int64_t until = wire_now_ms() + WIRE_DEADLINE_MS;
	unsigned now;

	while ((now = descriptors(pid)) > open_then) {
		if (wire_now_ms() > until)
			fail_msg("the gateway has %u descriptors, not %u", now,
			    open_then);
		pause_ms(PAUSE_MS);
	}
	assert_true(now > 0);
	if (own_kib(pid) > kib_then + SPARE_KIB && !is_sanitized(pid))
		fail_msg("the gateway has %lu KiB of memory, not %lu",
		    own_kib(pid), kib_then);
}

void
bystander_saw_nothing(void)
{
	const char *pid = getenv("PEAL_GATEWAY");
	struct client other;

	if (!pid)
		return;
	if (!present)
		arrive(pid);
	live_open(&other, live_token());
	live_answered(&other,
	    "{\"op\":\"emit\",\"id\":1,\"topic\":\"bystander.tick\","
	    "\"type\":\"tick\",\"data\":1}",
	    "ok");
	client_close(&other);
	event_comes();
	wait_for_rest(pid);
}
