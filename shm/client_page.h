/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The clients of one process, a slot of 128 bytes for each, in a file that
 * tools read: RUN/stat/clients/NAME.PID.  The process alone writes and never waits;
 * readers copy, and use only what was the same before and after.
 */

#ifndef PEAL_SHM_CLIENT_PAGE_H
#define PEAL_SHM_CLIENT_PAGE_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum client_state {
	CLIENT_FREE = 0, /* nobody was here yet */
	CLIENT_NEW,	 /* has not said who it is */
	CLIENT_IDLE,	 /* subscribes to nothing */
	CLIENT_LOADS,	 /* gets rows or past events before it is live */
	CLIENT_LIVE,	 /* has all there is, or gets it with the next block */
	CLIENT_BEHIND,
	CLIENT_GONE, /* until somebody else needs the slot */
};

enum client_form {
	CLIENT_MSGPACK = 1,
	CLIENT_JSON,
	CLIENT_HTTP,
};

/* Below the directory of the counters. */
#define CLIENT_DIRECTORY "clients"

enum {
	CLIENT_TEXT_MAX = 64,
	CLIENT_SLOTS_MAX = 1 << 18,
	CLIENT_PAGES_LEFT = 4, /* of processes that crashed, kept for tools */
};

/* A name, or as much of it as there was room for. */
struct client_text {
	uint8_t whole; /* bytes that it really has */
	uint8_t n;     /* bytes that are here; bytes of strangers */
	char bytes[CLIENT_TEXT_MAX];
};

/* One client; see shm/client_columns.h. */
struct client_info {
#define CLIENT_NUMBER(name, unit, text) uint64_t name;
#define CLIENT_TEXT(name, text)		struct client_text name;
#include "shm/client_columns.h"
};

/* --- the owner's side --- */

struct client_page;

/*
 * Make dirfd/clients/PROCESS.PID (0640) with so many slots, 1 or more; on
 * success the caller owns *out.  Of pages that dead processes of that name have
 * left, the newest stay.  client_page_free() removes the file by way of dirfd,
 * which is the caller's and open until then.
 */
MUST_CHECK int client_page_create(int dirfd, const char *process,
    uint32_t slots, struct client_page **out, struct reason *why);
struct client_page *client_page_free(struct client_page *page);
CLEANUP_FN(struct client_page *, client_page_free)

/*
 * A slot for a client, the one whose last client left longest ago; 0: all are
 * taken, which the page says.  The numbers of info count, not its names.
 */
uint32_t client_page_take(
    struct client_page *page, const struct client_info *info);
/* Write the numbers again. */
void client_page_put(
    struct client_page *page, uint32_t slot, const struct client_info *info);
/* Who it is, any bytes; what is too long is cut. */
void client_page_name(struct client_page *page, uint32_t slot,
    struct slice user, struct slice client);
/* It has gone: its last numbers, which stay until the slot is taken again. */
void client_page_leave(
    struct client_page *page, uint32_t slot, const struct client_info *info);
/* One without a slot has gone. */
void client_page_leave_none(struct client_page *page);
/* Once a second: the process lives, and has handed out events up to head. */
void client_page_beat(struct client_page *page, uint64_t head);

/* --- the tools' side --- */

/* As it was when the page was opened. */
struct client_head {
	char process[32];  /* printable */
	uint32_t pid;	   /* what it says of itself */
	uint32_t slots;	   /* how many there can be */
	uint64_t unseated; /* clients that have no slot now */
};

struct client_reader;

enum client_next {
	CLIENT_END = 0,
	CLIENT_ROW,
};

/*
 * Read dirfd/name from its beginning.  -EPROTO with a reason when it is no
 * page, one of another version, or at odds with itself.  Nothing is mapped:
 * whoever cuts the file short cannot make the reader stumble.
 */
MUST_CHECK int client_reader_open(int dirfd, const char *name,
    struct client_reader **out, struct reason *why);
struct client_reader *client_reader_free(struct client_reader *rd);
CLEANUP_FN(struct client_reader *, client_reader_free)

const struct client_head *client_reader_head(const struct client_reader *rd);
/*
 * The next slot that has, or had, a client.  What the page has no column for
 * is 0.  -EPROTO when the file has been cut short meanwhile.
 */
MUST_CHECK int client_reader_next(
    struct client_reader *rd, struct client_info *info, struct reason *why);
/* Slots that were being written whenever they were looked at. */
uint32_t client_reader_torn(const struct client_reader *rd);

#endif
