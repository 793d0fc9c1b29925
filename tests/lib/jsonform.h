/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Does a JSON text say the same as a MessagePack value?  Judged from the
 * page alone ("JSON form" of doc/protocol.md), on the trees of jansson and of
 * msgpack-c, without the code under test.
 */

#ifndef PEAL_TESTS_LIB_JSONFORM_H
#define PEAL_TESTS_LIB_JSONFORM_H

#include <stdbool.h>

#include <jansson.h>
#include <msgpack.h>

bool jsonform_same(const msgpack_object *value, json_t *text);

#endif
