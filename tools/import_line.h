/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One line of an import as an event.  What the writer would refuse is
 * refused here, with the same limits, so that a bad line is found before
 * those behind it are on their way.
 */

#ifndef PEAL_TOOLS_IMPORT_LINE_H
#define PEAL_TOOLS_IMPORT_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"
#include "tools/writer_client.h"

struct reason;

/* Nothing but white space: no event, and no error. */
bool import_line_is_blank(struct slice line);

/*
 * Read the JSON object in line: time, topic, type, actor, data, schema and
 * meta; other members are ignored.  A line of a memory graph is read as
 * tools/import_graph says.  scratch is emptied first and holds what the
 * slices of *append point to.  0, -EPROTO with a sentence when the line
 * is no event, or -ENOMEM.
 */
MUST_CHECK int import_line_parse(struct slice line, uint64_t now_us,
    struct mp_buf *scratch, struct writer_append *append, struct reason *why);

#endif
