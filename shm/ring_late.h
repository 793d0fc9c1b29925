/* SPDX-License-Identifier: BSD-2-Clause */

/* How late a reader is: from an event's pass until its run was read. */

#ifndef PEAL_SHM_RING_LATE_H
#define PEAL_SHM_RING_LATE_H

#include <stdint.h>

struct ring_event;
struct stats;

/*
 * Put n events that were read at now_ns (monotonic) into a histogram.  What
 * began before since_ns, when the reader came, is nobody's delay: left out.
 */
void ring_late_record(const struct stats *st, unsigned hist,
    const struct ring_event *ev, uint32_t n, uint64_t since_ns,
    uint64_t now_ns);

#endif
