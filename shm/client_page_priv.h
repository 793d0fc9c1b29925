/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The layout of a page of clients, as doc/formats.md tells it.
 *
 *	0      128        128 + 128 n     a multiple of 4096       the end
 *	| head | column … |               | slot | slot | slot …   |
 */

#ifndef PEAL_SHM_CLIENT_PAGE_PRIV_H
#define PEAL_SHM_CLIENT_PAGE_PRIV_H

#include <stdatomic.h>
#include <stddef.h>

#include "shm/client_page.h"

/* "PEALCLNT" */
#define CLIENT_MAGIC UINT64_C(0x544e4c434c414550)

enum {
	CLIENT_VERSION = 1,
	CLIENT_SLOT_BYTES = 128,
	CLIENT_SLOT_WORDS = CLIENT_SLOT_BYTES / 8,
	CLIENT_NUMBER_WORDS = 8, /* of those, before the names */
	CLIENT_COLUMNS_MAX = 64,
	CLIENT_COLUMN_NUMBER = 1,
	CLIENT_COLUMN_TEXT = 2,
};

struct client_page_head {
	uint64_t magic;
	uint32_t version;
	uint32_t columns;
	uint32_t column_bytes;
	uint32_t slot_bytes;
	uint32_t slots;
	uint32_t slots_at;
	uint32_t pid;
	uint32_t zero;
	uint64_t started_us;
	_Atomic uint64_t beat_us;
	_Atomic uint64_t head;
	_Atomic uint64_t unseated;
	char process[32];
	uint8_t zeros[24];
};

struct client_column {
	char name[32];
	char unit[16];
	char text[64];
	uint32_t kind;
	uint32_t at;	/* in a slot */
	uint32_t bytes; /* a text: one that says how long it is, and those */
	uint32_t zero;
};

/* The generation is odd while the rest is written. */
struct client_slot {
	uint32_t generation;
	uint16_t close_code;
	uint16_t subscriptions;
	uint64_t opened;
	uint64_t seen;
	uint64_t position;
	uint64_t lag;
	uint64_t sent;
	uint64_t received;
	uint32_t queued;
	uint8_t state;
	uint8_t form;
	uint16_t zero;
	uint8_t user[40];
	uint8_t client[24];
};

_Static_assert(sizeof(struct client_page_head) == 128, "head as documented");
_Static_assert(sizeof(struct client_column) == 128, "column as documented");
_Static_assert(
    sizeof(struct client_slot) == CLIENT_SLOT_BYTES, "slot as documented");
_Static_assert(offsetof(struct client_slot, user) == 8 * CLIENT_NUMBER_WORDS,
    "numbers before names");

#endif
