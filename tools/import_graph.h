/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A line of a memory graph as an event: {"type":"entity",…} and
 * {"type":"relation",…}.  All its members but "type" are the event's data,
 * as they are; who and when are the import's.
 */

#ifndef PEAL_TOOLS_IMPORT_GRAPH_H
#define PEAL_TOOLS_IMPORT_GRAPH_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"
#include "tools/writer_client.h"

struct reason;

/* Is this map such a line: no "topic", and one of the two types? */
bool import_graph_is(struct slice map);

/*
 * Fill in topic, type and data from the whole of scratch, which holds one
 * map; what they point to is behind it.  0, -EPROTO with a sentence, or
 * -ENOMEM.
 */
MUST_CHECK int import_graph_read(
    struct mp_buf *scratch, struct writer_append *append, struct reason *why);

#endif
