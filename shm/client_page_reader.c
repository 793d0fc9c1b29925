/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tools' side of a page of clients: slots are copied with read(), some at
 * a time, and believed when their generation was even and the same before and
 * after.  Where things are in a slot, the page's own columns say.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "shm/client_page_priv.h"

enum {
	AT_ONCE = 16384,  /* bytes of slots */
	SLOT_MAX = 1024,  /* bytes of one, of whatever version */
	LOOKS = 10000,	  /* again, at slots that were being written, in all */
	HEAD_MAX = 65536, /* where slots may begin */
};

/* Of a column that we know: where it is there, and where it goes. */
struct found {
	uint32_t kind;
	uint32_t at;
	uint32_t bytes;
	size_t to;
};

struct client_reader {
	int fd;
	struct client_head head;
	uint32_t slots_at, slot_bytes;
	uint32_t next; /* slot, from 0 */
	uint32_t torn;
	uint32_t looks;		    /* that are left */
	uint32_t held_from, held_n; /* slots in slots[] */
	struct found found[CLIENT_COLUMNS_MAX];
	unsigned n_found;
	/* What was there before, what counts, and what was there after. */
	uint8_t before[AT_ONCE];
	uint8_t slots[AT_ONCE];
	uint8_t after[AT_ONCE];
};

static const struct known {
	const char *name;
	uint32_t kind;
	size_t to;
} known[] = {
#define CLIENT_NUMBER(name, unit, text) \
	{ #name, CLIENT_COLUMN_NUMBER, offsetof(struct client_info, name) },
#define CLIENT_TEXT(name, text) \
	{ #name, CLIENT_COLUMN_TEXT, offsetof(struct client_info, name) },
#include "shm/client_columns.h"
};

struct client_reader *
client_reader_free(struct client_reader *rd)
{
	if (!rd)
		return NULL;
	if (rd->fd >= 0)
		(void)close(rd->fd);
	free(rd);
	return NULL;
}

const struct client_head *
client_reader_head(const struct client_reader *rd)
{
	return &rd->head;
}

uint32_t
client_reader_torn(const struct client_reader *rd)
{
	return rd->torn;
}

/* All of it, or -EPROTO where the file ends before. */
static int
read_at(int fd, void *to, size_t len, off_t at)
{
	uint8_t *p = to;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPROTO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool
is_text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++)
		if (!isascii(s[i]) || !isprint(s[i]))
			return false;
	return n < size;
}

static bool
column_valid(const struct client_column *c, uint32_t slot_bytes)
{
	if (!is_text(c->name, sizeof(c->name)) ||
	    !is_text(c->unit, sizeof(c->unit)) ||
	    !is_text(c->text, sizeof(c->text)) || c->bytes == 0 ||
	    c->bytes > slot_bytes || c->at > slot_bytes - c->bytes)
		return false;
	if (c->kind == CLIENT_COLUMN_NUMBER)
		return c->bytes <= 8;
	return c->kind != CLIENT_COLUMN_TEXT || c->bytes <= CLIENT_TEXT_MAX + 1;
}

/* A column that we do not know is passed over. */
static void
take_column(struct client_reader *rd, const struct client_column *c)
{
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].kind == c->kind &&
		    strcmp(known[i].name, c->name) == 0)
			rd->found[rd->n_found++] = (struct found){ c->kind,
				c->at, c->bytes, known[i].to };
}

static int
take_columns(struct client_reader *rd, uint32_t n, struct reason *why)
{
	struct client_column c;
	int err;

	for (uint32_t i = 0; i < n; i++) {
		err = read_at(rd->fd, &c, sizeof(c),
		    (off_t)(sizeof(struct client_page_head) + i * sizeof(c)));
		if (err < 0)
			return reason_set(why, err, "it ends in column %u", i);
		if (!column_valid(&c, rd->slot_bytes))
			return reason_say(why, -EPROTO, "column %u is bad", i);
		take_column(rd, &c);
	}
	return 0;
}

static bool
head_valid(const struct client_page_head *h, off_t size)
{
	uint64_t slots_end = h->slots_at + (uint64_t)h->slots * h->slot_bytes;

	return h->columns <= CLIENT_COLUMNS_MAX && h->slots > 0 &&
	       h->slots <= CLIENT_SLOTS_MAX && h->slot_bytes >= 8 &&
	       h->slot_bytes <= SLOT_MAX && h->slot_bytes % 8 == 0 &&
	       h->slots_at <= HEAD_MAX && h->slots_at % 8 == 0 &&
	       h->slots_at >=
		   sizeof(*h) + h->columns * sizeof(struct client_column) &&
	       slots_end <= (uint64_t)size &&
	       is_text(h->process, sizeof(h->process));
}

static int
take_head(struct client_reader *rd, off_t size, struct reason *why)
{
	struct client_page_head h;

	if (size < (off_t)sizeof(h) || read_at(rd->fd, &h, sizeof(h), 0) < 0)
		return reason_say(why, -EPROTO,
		    "%lld bytes are less than a head", (long long)size);
	if (h.magic != CLIENT_MAGIC)
		return reason_say(why, -EPROTO, "wrong magic");
	if (h.version != CLIENT_VERSION ||
	    h.column_bytes != sizeof(struct client_column))
		return reason_say(why, -EPROTO, "it is of version %u, not %d",
		    h.version, CLIENT_VERSION);
	if (!head_valid(&h, size))
		return reason_say(why, -EPROTO,
		    "its head does not fit its %lld bytes", (long long)size);
	rd->slots_at = h.slots_at;
	rd->slot_bytes = h.slot_bytes;
	rd->head = (struct client_head){
		.pid = h.pid,
		.slots = h.slots,
		.unseated = h.unseated,
	};
	memcpy(rd->head.process, h.process, sizeof(rd->head.process));
	return take_columns(rd, h.columns, why);
}

int
client_reader_open(
    int dirfd, const char *name, struct client_reader **out, struct reason *why)
{
	CLEANUP(client_reader_freep)
	struct client_reader *rd = calloc(1, sizeof(*rd));
	struct reason inner = { "" };
	struct stat st;
	int err;

	if (!rd)
		return reason_set(why, -ENOMEM, "cannot read '%s'", name);
	rd->looks = LOOKS;
	rd->fd = openat(dirfd, name,
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (rd->fd < 0 || fstat(rd->fd, &st) < 0)
		return reason_set(why, -errno, "cannot open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return reason_say(
		    why, -EPROTO, "'%s' is no page of clients", name);
	err = take_head(rd, st.st_size, &inner);
	if (err < 0)
		return reason_set(why, 0, "'%s' is no page of clients: %s",
			   name, inner.text),
		       err;
	*out = TAKE(rd);
	return 0;
}

/* --- slots --- */

static uint32_t
generation_of(const uint8_t *slot)
{
	uint32_t gen;

	memcpy(&gen, slot, sizeof(gen));
	return gen;
}

/* n slots from the first on, three times, one after the other. */
static int
load(struct client_reader *rd, uint32_t first, uint32_t n)
{
	uint8_t *const to[] = { rd->before, rd->slots, rd->after };
	size_t len = (size_t)n * rd->slot_bytes;
	off_t at = rd->slots_at + (off_t)first * rd->slot_bytes;
	int err;

	rd->held_n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(to); i++) {
		err = read_at(rd->fd, to[i], len, at);
		if (err < 0)
			return err;
		atomic_thread_fence(memory_order_seq_cst);
	}
	rd->held_from = first;
	rd->held_n = n;
	return 0;
}

static bool
is_whole(const struct client_reader *rd, uint32_t i)
{
	size_t at = (size_t)i * rd->slot_bytes;
	uint32_t gen = generation_of(rd->slots + at);

	return gen % 2 == 0 && generation_of(rd->before + at) == gen &&
	       generation_of(rd->after + at) == gen;
}

static bool
is_held(const struct client_reader *rd, uint32_t slot)
{
	return slot >= rd->held_from && slot < rd->held_from + rd->held_n;
}

/* Where the slot lies whole, or NULL: it never was. */
static int
find_slot(struct client_reader *rd, uint32_t slot, const uint8_t **out)
{
	uint32_t n = AT_ONCE / rd->slot_bytes;
	int err = 0;

	*out = NULL;
	if (!is_held(rd, slot))
		err = load(rd, slot, MIN(n, rd->head.slots - slot));
	while (err == 0 && !is_whole(rd, slot - rd->held_from)) {
		if (rd->looks == 0) {
			rd->torn++;
			return 0;
		}
		rd->looks--;
		err = load(rd, slot, 1);
	}
	if (err == 0)
		*out =
		    rd->slots + (size_t)(slot - rd->held_from) * rd->slot_bytes;
	return err;
}

static void
take_text(struct client_text *to, const uint8_t *p, uint32_t bytes)
{
	to->whole = p[0];
	to->n = (uint8_t)MIN((uint32_t)p[0], bytes - 1);
	/* Where it was cut in front of a character, zeros are left. */
	while (to->n < to->whole && to->n > 0 && p[to->n] == 0)
		to->n--;
	memcpy(to->bytes, p + 1, to->n);
}

static void
take_slot(const struct client_reader *rd, const uint8_t *slot,
    struct client_info *info)
{
	*info = (struct client_info){ 0 };
	for (unsigned i = 0; i < rd->n_found; i++) {
		const struct found *f = &rd->found[i];
		void *to = (uint8_t *)info + f->to;
		uint64_t v = 0;

		if (f->kind == CLIENT_COLUMN_TEXT) {
			take_text(to, slot + f->at, f->bytes);
			continue;
		}
		memcpy(&v, slot + f->at, f->bytes);
		memcpy(to, &v, sizeof(v));
	}
}

int
client_reader_next(
    struct client_reader *rd, struct client_info *info, struct reason *why)
{
	const uint8_t *slot;
	int err;

	while (rd->next < rd->head.slots) {
		err = find_slot(rd, rd->next, &slot);
		if (err < 0)
			return reason_set(why, err,
			    "a page of clients can't be read beyond slot %u",
			    rd->next);
		rd->next++;
		if (!slot)
			continue;
		take_slot(rd, slot, info);
		if (info->state != CLIENT_FREE)
			return CLIENT_ROW;
	}
	return CLIENT_END;
}
