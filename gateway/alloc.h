/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Memory of the fan-out.  A process that runs out of it in the middle of a
 * pass could not keep the chain of its clients, so it ends: a gateway holds
 * no truth, and its clients resume at another one.
 */

#ifndef PEAL_GATEWAY_ALLOC_H
#define PEAL_GATEWAY_ALLOC_H

#include <stdint.h>

#include "core/macros.h"
#include "gateway/block.h"

/* Like malloc, calloc and realloc of an array; never NULL. */
void *alloc_bytes(size_t size);
void *alloc_zero(size_t n, size_t size);
void *alloc_array(void *old, size_t n, size_t size);
/* block_new() and block_message() that never fail. */
struct block *alloc_block(uint32_t payload);
struct block *alloc_message(struct slice value);

/* Say that memory is used up, and end the process. */
void alloc_failed(void) __attribute__((noreturn));

#endif
