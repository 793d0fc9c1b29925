/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A JSON document to look things up in, for small texts that are JSON by
 * somebody else's standard (tokens).  The protocol's JSON form is core/json.
 */

#ifndef PEAL_CORE_JSONDOC_H
#define PEAL_CORE_JSONDOC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

/* The document, an object; and a value inside it, which lives as long. */
struct jsondoc;
struct jsondoc_value;

/*
 * Parse text as one JSON object: RFC 8259, no member twice at any depth, no
 * NUL in a string, integers within 63 bits.  0, -ENOMEM, or -EPROTO with a
 * reason that says where, but repeats nothing of the text.
 */
MUST_CHECK int jsondoc_parse(
    struct slice text, struct jsondoc **out, struct reason *why);
struct jsondoc *jsondoc_free(struct jsondoc *doc);
CLEANUP_FN(struct jsondoc *, jsondoc_free)

const struct jsondoc_value *jsondoc_root(const struct jsondoc *doc);
/* The member of an object; NULL when there is none, or v is no object. */
const struct jsondoc_value *jsondoc_get(
    const struct jsondoc_value *v, const char *name);

/* Each false when v is NULL or of another type; out is then untouched. */
bool jsondoc_is_object(const struct jsondoc_value *v);
bool jsondoc_string(const struct jsondoc_value *v, struct slice *out);
/* An integer of zero or more; 1.0 and 1e3 are none. */
bool jsondoc_uint(const struct jsondoc_value *v, uint64_t *out);
bool jsondoc_bool(const struct jsondoc_value *v, bool *out);
bool jsondoc_array(const struct jsondoc_value *v, size_t *n);
/* Element i of an array that has more. */
const struct jsondoc_value *jsondoc_at(const struct jsondoc_value *v, size_t i);

#endif
