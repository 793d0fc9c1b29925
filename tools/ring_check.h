/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What holds of every ring at every moment, whoever writes to it meanwhile;
 * looked at without reading events.
 */

#ifndef PEAL_TOOLS_RING_CHECK_H
#define PEAL_TOOLS_RING_CHECK_H

#include "core/macros.h"
#include "core/reason.h"

struct ring_reader;

enum {
	RING_CHECKS = 8
};

/*
 * Returns how many of the RING_CHECKS do not hold; broken[] has a sentence
 * for each of them.
 */
MUST_CHECK unsigned ring_check(
    struct ring_reader *rd, struct reason broken[RING_CHECKS]);

#endif
