/* SPDX-License-Identifier: BSD-2-Clause */

/* Seed; see the header. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/time.h"
#include "tests/lib/seed.h"

uint64_t
seed_draw(void)
{
	const char *text = getenv("PEAL_TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : time_wall_us();

	printf("# PEAL_TEST_SEED=%" PRIu64 "\n", seed);
	/* A crash must not take the seed with it. */
	fflush(stdout);
	return seed;
}
