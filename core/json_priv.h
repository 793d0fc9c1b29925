/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files of the JSON form share. */

#ifndef PEAL_CORE_JSON_PRIV_H
#define PEAL_CORE_JSON_PRIV_H

#include "core/mp.h"

/*
 * The map at offset at, the last value in out, was an object in which one key
 * alone, packed at key_at, begins with '$': put what that form stands for in
 * its place.  NULL, or a sentence about what is wrong with it; running out of
 * memory is out's.  What the object holds is walked once at most: forms may
 * be within forms, 32 levels deep.
 */
const char *json_form_resolve(struct mp_buf *out, size_t at, size_t key_at);

#endif
