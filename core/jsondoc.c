/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A JSON document.  Jansson parses; its own messages quote the text, which
 * may be a secret, so that only the position is told.
 */

#include <errno.h>

#include <jansson.h>

#include "core/jsondoc.h"
#include "core/reason.h"

/* Both are jansson's json_t under a name of our own. */
static const json_t *
jsondoc_json(const struct jsondoc_value *v)
{
	return (const json_t *)(const void *)v;
}

static const struct jsondoc_value *
jsondoc_value(const json_t *json)
{
	return (const struct jsondoc_value *)(const void *)json;
}

int
jsondoc_parse(struct slice text, struct jsondoc **out, struct reason *why)
{
	json_error_t error;
	json_t *json = json_loadb(
	    (const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &error);

	if (json_is_object(json)) {
		*out = (struct jsondoc *)(void *)json;
		return 0;
	}
	if (json) {
		json_decref(json);
		(void)reason_set(why, 0, "not a JSON object");
		return -EPROTO;
	}
	if (json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (json_error_code(&error) == json_error_duplicate_key)
		(void)reason_set(why, 0,
		    "ambiguous: a member of an object is given twice, at "
		    "byte %d",
		    error.position);
	else
		(void)reason_set(
		    why, 0, "not valid JSON at byte %d", error.position);
	return -EPROTO;
}

struct jsondoc *
jsondoc_free(struct jsondoc *doc)
{
	json_decref((json_t *)(void *)doc);
	return NULL;
}

const struct jsondoc_value *
jsondoc_root(const struct jsondoc *doc)
{
	return (const struct jsondoc_value *)(const void *)doc;
}

const struct jsondoc_value *
jsondoc_get(const struct jsondoc_value *v, const char *name)
{
	return jsondoc_value(json_object_get(jsondoc_json(v), name));
}

bool
jsondoc_is_object(const struct jsondoc_value *v)
{
	return json_is_object(jsondoc_json(v));
}

bool
jsondoc_string(const struct jsondoc_value *v, struct slice *out)
{
	const json_t *json = jsondoc_json(v);

	if (!json_is_string(json))
		return false;
	*out = slice_of(json_string_value(json), json_string_length(json));
	return true;
}

bool
jsondoc_uint(const struct jsondoc_value *v, uint64_t *out)
{
	const json_t *json = jsondoc_json(v);

	if (!json_is_integer(json) || json_integer_value(json) < 0)
		return false;
	*out = (uint64_t)json_integer_value(json);
	return true;
}

bool
jsondoc_bool(const struct jsondoc_value *v, bool *out)
{
	const json_t *json = jsondoc_json(v);

	if (!json_is_boolean(json))
		return false;
	*out = json_is_true(json);
	return true;
}

bool
jsondoc_array(const struct jsondoc_value *v, size_t *n)
{
	const json_t *json = jsondoc_json(v);

	if (!json_is_array(json))
		return false;
	*n = json_array_size(json);
	return true;
}

const struct jsondoc_value *
jsondoc_at(const struct jsondoc_value *v, size_t i)
{
	return jsondoc_value(json_array_get(jsondoc_json(v), i));
}
