/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The JSON form of doc/protocol.md, both ways.  Round trips lose nothing: see
 * the rules there.
 */

#ifndef PEAL_CORE_JSON_H
#define PEAL_CORE_JSON_H

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;

/*
 * Pack the JSON text as canonical MessagePack at the end of out.
 * 0, -ENOMEM, or -EPROTO with a reason that says where; duplicate keys are
 * refused.
 */
MUST_CHECK int json_to_mp(
    struct slice text, struct mp_buf *out, struct reason *why);

/*
 * Append the JSON form of the valid value to out (no NUL, no newline; not
 * MessagePack, out is used as a plain buffer).
 */
MUST_CHECK int json_from_mp(struct slice value, struct mp_buf *out);

#endif
