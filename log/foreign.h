/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Foreign: what lies under a name of the log and is no file.  A log that could
 * not be read is looked through for it, so that an operator is told what to
 * move away, and not of an error.
 */

#ifndef PEAL_LOG_FOREIGN_H
#define PEAL_LOG_FOREIGN_H

#include <stdbool.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/problem.h"

/*
 * Tell sink of each, as LOG_FOREIGN_FILE.  true: there is one.  What can't be
 * read for another reason is none.
 */
MUST_CHECK bool foreign_check(
    const struct sysio *io, int dirfd, struct log_problem_sink *sink);

#endif
