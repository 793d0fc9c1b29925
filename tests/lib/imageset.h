/* SPDX-License-Identifier: BSD-2-Clause */

/* Image set: which disks were met already, by their hash. */

#ifndef PEAL_TESTS_LIB_IMAGESET_H
#define PEAL_TESTS_LIB_IMAGESET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct imageset;

struct imageset *imageset_new(void);
struct imageset *imageset_free(struct imageset *is);
CLEANUP_FN(struct imageset *, imageset_free)

/* false: it was there before. */
bool imageset_add(struct imageset *is, uint64_t image);
uint64_t imageset_count(const struct imageset *is);

#endif
