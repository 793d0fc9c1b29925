/* SPDX-License-Identifier: BSD-2-Clause */

/* Clocks, each with its unit in the name. */

#ifndef PEAL_CORE_TIME_H
#define PEAL_CORE_TIME_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define US_PER_S  UINT64_C(1000000)

static inline uint64_t
time_clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* For durations: never set back. */
static inline uint64_t
time_mono_ns(void)
{
	return time_clock_ns(CLOCK_MONOTONIC);
}

/* Microseconds since the Unix epoch, as in events. */
static inline uint64_t
time_wall_us(void)
{
	return time_clock_ns(CLOCK_REALTIME) / 1000;
}

#endif
