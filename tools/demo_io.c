/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Disks and network interfaces: what they have counted since the last look,
 * by the second, and how full the disks' file systems are.  Only file systems
 * of this machine are asked: one of another could make us wait.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/reason.h"
#include "core/topic.h"
#include "tools/demo_facts.h"
#include "tools/demo_host_priv.h"

static struct host_item *
io_add(struct host_list *list, const char *name)
{
	struct host_item *item;

	if (list->n == HOST_PARTS)
		return NULL;
	item = &list->item[list->n++];
	*item = (struct host_item){ 0 };
	host_text(name, item->name);
	return item;
}

static const struct host_item *
io_find(const struct host_list *list, const char *name)
{
	for (unsigned i = 0; i < list->n; i++)
		if (!strcmp(list->item[i].name, name))
			return &list->item[i];
	return NULL;
}

/* What counter i went up by, each second. */
static uint64_t
io_rate(const struct host *h, const struct host_list *now,
    const struct host_item *item, unsigned i)
{
	const struct host_item *was = io_find(&h->last, item->name);
	uint64_t ms = now->ms - h->last.ms;

	if (!was || !was->counted || ms == 0 || item->count[i] < was->count[i])
		return 0;
	return (item->count[i] - was->count[i]) * 1000 / ms;
}

static int
io_say(struct host *h, struct host_map *m, struct facts *f, const char *noun,
    const char *name, struct reason *why)
{
	struct slice value = host_map_end(m);
	char token[TOPIC_ESCAPED_MAX + 1], topic[TOPIC_MAX + 1];

	if (h->value.failed)
		return reason_set(why, -ENOMEM, "cannot keep a fact");
	topic_escape(slice_cstr(name), token);
	snprintf(topic, sizeof(topic), "host.%s.%s", noun, token);
	return facts_say(f, FACTS_SLOW, topic, noun, value, false, NULL, why);
}

/* --- network interfaces --- */

enum {
	NET_RX,
	NET_TX,
	NET_RX_PACKETS,
	NET_TX_PACKETS,
	NET_ERRORS,
	NET_DROPPED
};

/* "  NAME: bytes packets errs drop … (8 of them) bytes packets errs drop" */
static void
net_line(struct host_list *list, char *line)
{
	char *colon = strrchr(line, ':'), *name = line + strspn(line, " ");
	struct host_item *item;
	uint64_t v[12] = { 0 };

	if (!colon || colon == name)
		return;
	*colon = '\0';
	if (sscanf(colon + 1,
		"%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
		" %*u %*u %*u %*u %" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64,
		&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) != 8)
		return;
	item = io_add(list, name);
	if (!item)
		return;
	item->counted = true;
	item->count[NET_RX] = v[0];
	item->count[NET_TX] = v[4];
	item->count[NET_RX_PACKETS] = v[1];
	item->count[NET_TX_PACKETS] = v[5];
	item->count[NET_ERRORS] = v[2] + v[6];
	item->count[NET_DROPPED] = v[3] + v[7];
}

static int
net_say(struct host *h, const struct host_item *item, struct facts *f,
    struct reason *why)
{
	static const char *const rates[] = { "rx_bytes_s", "tx_bytes_s",
		"rx_packets_s", "tx_packets_s" };
	struct host_map m = host_map_begin(&h->value);

	for (unsigned i = 0; i < ARRAY_LEN(rates); i++)
		host_map_uint(&m, rates[i], io_rate(h, &h->nets, item, i));
	host_map_uint(&m, "errors", item->count[NET_ERRORS]);
	host_map_uint(&m, "dropped", item->count[NET_DROPPED]);
	return io_say(h, &m, f, "net", item->name, why);
}

static int
io_nets(struct host *h, uint64_t now_ms, struct facts *f, struct reason *why)
{
	char *rest = h->text, *line;
	int err = 0;

	h->last = h->nets;
	h->nets = (struct host_list){ .ms = now_ms };
	if (host_read_proc(h, "net/dev"))
		while ((line = strsep(&rest, "\n")))
			net_line(&h->nets, line);
	for (unsigned i = 0; i < h->nets.n && err >= 0; i++)
		err = net_say(h, &h->nets.item[i], f, why);
	return err;
}

/* --- disks --- */

enum {
	DISK_READS,
	DISK_READ_BYTES,
	DISK_WRITES,
	DISK_WRITTEN_BYTES,
	DISK_BUSY_MS
};

/* "major minor name reads merged sectors ms writes merged sectors ms n ms" */
static void
disk_line(struct host_list *list, const char *line)
{
	uint64_t reads, read, writes, written, ms;
	unsigned major, minor;
	struct host_item *item;
	char name[HOST_NAME];

	if (sscanf(line,
		"%u %u %63s %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64
		" %*u %" SCNu64 " %*u %*u %" SCNu64,
		&major, &minor, name, &reads, &read, &writes, &written,
		&ms) != 8)
		return;
	/* Nothing was ever done with it, or it is none. */
	if ((!reads && !writes) || !strncmp(name, "loop", 4) ||
	    !strncmp(name, "ram", 3))
		return;
	item = io_add(list, name);
	if (!item)
		return;
	item->major = major;
	item->minor = minor;
	item->counted = true;
	item->count[DISK_READS] = reads;
	item->count[DISK_READ_BYTES] = read * 512;
	item->count[DISK_WRITES] = writes;
	item->count[DISK_WRITTEN_BYTES] = written * 512;
	item->count[DISK_BUSY_MS] = ms;
}

/* "\040" and its like are a byte each. */
static void
mount_unescape(char *s)
{
	char *to = s;
	unsigned byte;

	for (; *s; s++) {
		if (*s == '\\' && sscanf(s + 1, "%3o", &byte) == 1 &&
		    strlen(s) >= 4) {
			*to++ = (char)byte;
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/*
 * Is it a file system of this machine's own disks?  Those without a device
 * are not, but for what containers have as their root.
 */
static bool
mount_is_ours(const char *type, const char *source, const char *path)
{
	if (!strcmp(type, "overlay"))
		return !strcmp(path, "/");
	return !strcmp(type, "zfs") ||
	       (source[0] == '/' && strncmp(source, "/dev/loop", 9) != 0 &&
		   strncmp(type, "fuse", 4) != 0);
}

/* The disk of that device, or one more that goes by where it is mounted. */
static struct host_item *
mount_disk(
    struct host_list *list, unsigned major, unsigned minor, const char *path)
{
	struct host_item *item;

	for (unsigned i = 0; i < list->n; i++) {
		item = &list->item[i];
		if (item->counted && item->major == major &&
		    item->minor == minor)
			return item->mount[0] ? NULL : item;
		/* Mounted twice, or below another directory. */
		if (!item->counted && item->major == major &&
		    item->minor == minor)
			return NULL;
	}
	item = io_add(list, path);
	if (item) {
		item->major = major;
		item->minor = minor;
	}
	return item;
}

/* "id parent major:minor root path options [tag…] - type source options" */
static void
mount_line(struct host_list *list, char *line)
{
	char path[PATH_MAX], type[64], source[PATH_MAX];
	char *rest = strstr(line, " - ");
	struct host_item *item;
	unsigned major, minor;
	struct statvfs fs;

	if (!rest || sscanf(rest + 3, "%63s %4095s", type, source) != 2 ||
	    sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, path) != 3)
		return;
	mount_unescape(path);
	if (!mount_is_ours(type, source, path) || statvfs(path, &fs) < 0 ||
	    fs.f_blocks == 0)
		return;
	item = mount_disk(list, major, minor, path);
	if (!item)
		return;
	host_text(path, item->mount);
	item->total_mib = (uint64_t)fs.f_blocks * fs.f_frsize >> 20;
	item->free_mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
}

static int
disk_say(struct host *h, const struct host_item *item, struct facts *f,
    struct reason *why)
{
	static const char *const rates[] = { "reads_s", "read_bytes_s",
		"writes_s", "written_bytes_s" };
	struct host_map m = host_map_begin(&h->value);

	for (unsigned i = 0; item->counted && i < ARRAY_LEN(rates); i++)
		host_map_uint(&m, rates[i], io_rate(h, &h->disks, item, i));
	if (item->counted)
		/* Milliseconds a second are tenths of a percent. */
		host_map_uint(&m, "busy",
		    MIN(io_rate(h, &h->disks, item, DISK_BUSY_MS) / 10, 100));
	if (item->mount[0]) {
		host_map_text(&m, "mount", item->mount);
		host_map_uint(&m, "total_mib", item->total_mib);
		host_map_uint(&m, "free_mib", item->free_mib);
	}
	return io_say(h, &m, f, "disk", item->name, why);
}

static int
io_disks(struct host *h, uint64_t now_ms, struct facts *f, struct reason *why)
{
	char *rest = h->text, *line;
	int err = 0;

	h->last = h->disks;
	h->disks = (struct host_list){ .ms = now_ms };
	if (host_read_proc(h, "diskstats"))
		while ((line = strsep(&rest, "\n")))
			disk_line(&h->disks, line);
	rest = h->text;
	if (host_read_proc(h, "self/mountinfo"))
		while ((line = strsep(&rest, "\n")))
			mount_line(&h->disks, line);
	for (unsigned i = 0; i < h->disks.n && err >= 0; i++)
		err = disk_say(h, &h->disks.item[i], f, why);
	return err;
}

int
host_slow(struct host *h, uint64_t now_ms, struct facts *f, struct reason *why)
{
	int err;

	facts_begin(f, FACTS_SLOW);
	err = io_disks(h, now_ms, f, why);
	if (err >= 0)
		err = io_nets(h, now_ms, f, why);
	return err < 0 ? err : facts_end(f, FACTS_SLOW, why);
}

static const struct host_list *
io_list(const struct host *h, enum host_part part)
{
	return part == HOST_DISK ? &h->disks : &h->nets;
}

unsigned
host_parts(const struct host *h, enum host_part part)
{
	return io_list(h, part)->n;
}

const char *
host_part_name(const struct host *h, enum host_part part, unsigned i)
{
	return io_list(h, part)->item[i].name;
}
