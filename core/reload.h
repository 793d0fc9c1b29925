/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SIGHUP: the configuration is read again.  What counts at once is said, and
 * what takes a restart is said and keeps its value, so that what is in force
 * is what the configuration says.
 */

#ifndef PEAL_CORE_RELOAD_H
#define PEAL_CORE_RELOAD_H

#include "core/macros.h"

struct conf;
struct reason;

/*
 * Read conf's file again, where there was one.  uses names what this process
 * goes by, sections and section.key, separated by spaces; of the rest nothing
 * is said.  How many keys it uses have changed and count now, or below zero
 * with a sentence, and conf as it was.
 */
MUST_CHECK int reload_conf(
    struct conf *conf, const char *uses, struct reason *why);

#endif
