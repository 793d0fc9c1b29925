/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The owner's side of a page of clients.  The file is filled up front, so that
 * no page is missing when a client comes, and a slot is written as relaxed
 * words between an odd and an even generation.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/client_page_priv.h"
#include "shm/stats.h"

struct client_page {
	uint8_t *area;
	size_t size;
	int dirfd; /* -1: there is no file yet */
	char name[80];
	struct client_page_head *head;
	uint8_t *slots;
	uint32_t n; /* slots */
	uint64_t unseated;
	/* Free ones, a ring: who left first is first to be taken. */
	uint32_t *free;
	uint32_t free_first, free_n;
};

#define FIELD_BYTES(name) (sizeof(((struct client_slot *)0)->name))
#define COLUMN(name_, kind_, unit_, text_)                                     \
	{                                                                      \
		.name = #name_, .unit = unit_, .text = text_, .kind = (kind_), \
		.at = offsetof(struct client_slot, name_),                     \
		.bytes = FIELD_BYTES(name_)                                    \
	}

static const struct client_column columns[] = {
#define CLIENT_NUMBER(name, unit, text) \
	COLUMN(name, CLIENT_COLUMN_NUMBER, unit, text),
#define CLIENT_TEXT(name, text) COLUMN(name, CLIENT_COLUMN_TEXT, "", text),
#include "shm/client_columns.h"
};

_Static_assert(ARRAY_LEN(columns) <= CLIENT_COLUMNS_MAX, "as readers allow");

enum {
	SLOTS_AT =
	    ALIGN_UP(sizeof(struct client_page_head) + sizeof(columns), 4096UL)
};

struct client_page *
client_page_free(struct client_page *page)
{
	if (!page)
		return NULL;
	if (page->dirfd >= 0)
		(void)unlinkat(page->dirfd, page->name, 0);
	if (page->area)
		(void)munmap(page->area, page->size);
	free(page->free);
	free(page);
	return NULL;
}

/* --- making one --- */

static int
page_new(uint32_t slots, struct client_page **out)
{
	CLEANUP(client_page_freep)
	struct client_page *page = calloc(1, sizeof(*page));

	if (!page)
		return -ENOMEM;
	page->dirfd = -1;
	page->free = malloc(slots * sizeof(*page->free));
	if (!page->free)
		return -ENOMEM;
	for (uint32_t i = 0; i < slots; i++)
		page->free[i] = i + 1;
	page->n = page->free_n = slots;
	*out = TAKE(page);
	return 0;
}

static int
page_map(struct client_page *page, int fd)
{
	void *area;

	if (fallocate(fd, 0, 0, (off_t)page->size) < 0)
		return -errno;
	area =
	    mmap(NULL, page->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		return -errno;
	page->area = area;
	return 0;
}

static void
page_begin(struct client_page *page, const char *process)
{
	struct client_page_head *head = (void *)page->area;

	page->head = head;
	page->slots = page->area + SLOTS_AT;
	head->version = CLIENT_VERSION;
	head->columns = ARRAY_LEN(columns);
	head->column_bytes = sizeof(columns[0]);
	head->slot_bytes = CLIENT_SLOT_BYTES;
	head->slots = page->n;
	head->slots_at = SLOTS_AT;
	head->pid = (uint32_t)getpid();
	head->started_us = time_wall_us();
	snprintf(head->process, sizeof(head->process), "%s", process);
	memcpy(head + 1, columns, sizeof(columns));
	client_page_beat(page, 0);
	/* The magic comes last: who sees it sees the rest. */
	atomic_store_explicit((_Atomic uint64_t *)&head->magic, CLIENT_MAGIC,
	    memory_order_release);
}

/* Each is as large as ours: a gateway that crashes for ever must not fill up. */
static void
tidy(int dirfd, const char *process)
{
	CLEANUP(closep)
	int fd =
	    openat(dirfd, CLIENT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		stats_page_tidy(fd, process, CLIENT_PAGES_LEFT);
}

int
client_page_create(int dirfd, const char *process, uint32_t slots,
    struct client_page **out, struct reason *why)
{
	CLEANUP(client_page_freep) struct client_page *page = NULL;
	CLEANUP(closep) int fd = -1;
	int err = page_new(slots, &page);

	if (err < 0)
		return reason_set(why, err, "cannot make a page of clients");
	snprintf(page->name, sizeof(page->name), CLIENT_DIRECTORY "/%s.%ld",
	    process, (long)getpid());
	page->size = SLOTS_AT + (size_t)slots * CLIENT_SLOT_BYTES;
	if (mkdirat(dirfd, CLIENT_DIRECTORY, 0750) < 0 && errno != EEXIST)
		return reason_set(
		    why, -errno, "cannot make '" CLIENT_DIRECTORY "'");
	/* One with our pid is of a process that is gone. */
	(void)unlinkat(dirfd, page->name, 0);
	tidy(dirfd, process);
	fd = openat(
	    dirfd, page->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return reason_set(
		    why, -errno, "cannot create '%s'", page->name);
	page->dirfd = dirfd;
	err = page_map(page, fd);
	if (err < 0)
		return reason_set(
		    why, err, "cannot fill and map '%s'", page->name);
	page_begin(page, process);
	*out = TAKE(page);
	return 0;
}

/* --- slots --- */

static _Atomic uint32_t *
generation(const struct client_page *page, uint32_t slot)
{
	return (void *)(page->slots + (size_t)(slot - 1) * CLIENT_SLOT_BYTES);
}

/* The generation's word has the last two numbers as its other half. */
static void
write_words(const struct client_page *page, uint32_t slot, unsigned from,
    unsigned end, const struct client_slot *what)
{
	_Atomic uint32_t *gen = generation(page, slot);
	_Atomic uint64_t *words = (void *)gen;
	uint32_t before = atomic_load_explicit(gen, memory_order_relaxed);
	uint64_t copy[CLIENT_SLOT_WORDS];
	uint32_t half;

	memcpy(copy, what, sizeof(copy));
	memcpy(&half, (const uint8_t *)what + 4, sizeof(half));
	atomic_store_explicit(gen, before + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	if (from == 0)
		atomic_store_explicit(gen + 1, half, memory_order_relaxed);
	for (unsigned i = MAX(from, 1u); i < end; i++)
		atomic_store_explicit(&words[i], copy[i], memory_order_relaxed);
	atomic_store_explicit(gen, before + 2, memory_order_release);
}

static void
pack_numbers(struct client_slot *slot, const struct client_info *info)
{
	*slot = (struct client_slot){
		.close_code = (uint16_t)info->close_code,
		.subscriptions =
		    (uint16_t)MIN(info->subscriptions, (uint64_t)UINT16_MAX),
		.opened = info->opened,
		.seen = info->seen,
		.position = info->position,
		.lag = info->lag,
		.sent = info->sent,
		.received = info->received,
		.queued = (uint32_t)MIN(info->queued, (uint64_t)UINT32_MAX),
		.state = (uint8_t)info->state,
		.form = (uint8_t)info->form,
	};
}

/* Cut between characters, where they are UTF-8. */
static void
pack_text(uint8_t *to, size_t room, struct slice text)
{
	size_t n = MIN(text.len, room - 1);

	if (n < text.len)
		for (unsigned i = 0; i < 3 && n > 0; i++, n--)
			if ((text.p[n] & 0xc0) != 0x80)
				break;
	to[0] = (uint8_t)MIN(text.len, (size_t)UINT8_MAX);
	if (n > 0)
		memcpy(to + 1, text.p, n);
}

static void
set_unseated(struct client_page *page, uint64_t n)
{
	page->unseated = n;
	atomic_store_explicit(&page->head->unseated, n, memory_order_relaxed);
}

uint32_t
client_page_take(struct client_page *page, const struct client_info *info)
{
	struct client_slot what;
	uint32_t slot;

	if (page->free_n == 0) {
		set_unseated(page, page->unseated + 1);
		return 0;
	}
	slot = page->free[page->free_first];
	page->free_first = (page->free_first + 1) % page->n;
	page->free_n--;
	pack_numbers(&what, info);
	write_words(page, slot, 0, CLIENT_SLOT_WORDS, &what);
	return slot;
}

void
client_page_put(
    struct client_page *page, uint32_t slot, const struct client_info *info)
{
	struct client_slot what;

	pack_numbers(&what, info);
	write_words(page, slot, 0, CLIENT_NUMBER_WORDS, &what);
}

void
client_page_name(struct client_page *page, uint32_t slot, struct slice user,
    struct slice client)
{
	struct client_slot what = { 0 };

	pack_text(what.user, sizeof(what.user), user);
	pack_text(what.client, sizeof(what.client), client);
	write_words(page, slot, CLIENT_NUMBER_WORDS, CLIENT_SLOT_WORDS, &what);
}

void
client_page_leave(
    struct client_page *page, uint32_t slot, const struct client_info *info)
{
	client_page_put(page, slot, info);
	page->free[(page->free_first + page->free_n++) % page->n] = slot;
}

void
client_page_leave_none(struct client_page *page)
{
	set_unseated(page, page->unseated - 1);
}

void
client_page_beat(struct client_page *page, uint64_t head)
{
	atomic_store_explicit(&page->head->head, head, memory_order_relaxed);
	atomic_store_explicit(
	    &page->head->beat_us, time_wall_us(), memory_order_relaxed);
}
