/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a serving gateway calls and others do not.  With its filter it opens no
 * file for writing.  It removes files by the directory of counters alone, but a
 * filter sees no paths: that they are in there is for the unit's sandbox.
 */

#ifndef PEAL_GATEWAY_CALLS_H
#define PEAL_GATEWAY_CALLS_H

struct hygiene_list;

extern const struct hygiene_list calls_gateway;

#endif
