/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal config`: every key with its value and where that came from.  It
 * prints an INI file that, read back, gives the same values.
 */

#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/json.h"
#include "core/mp.h"
#include "tools/cmd.h"
#include "tools/tool.h"

static const struct tool_usage usage = {
	.name = "config",
	.text = "Print every configuration key with the value in force and, "
		"as a comment,\nwhere it came from.  What is printed is a "
		"configuration file itself.",
	.common = TOOL_HOUSE | TOOL_JSON,
};

static void
config_print_ini(const struct conf *conf)
{
	const char *section = "";
	struct conf_entry entry;

	for (unsigned key = 0; key < CONF_KEYS; key++) {
		conf_describe(conf, (enum conf_key)key, &entry);
		if (strcmp(section, entry.section) != 0)
			printf("%s[%s]\n", key ? "\n" : "", entry.section);
		section = entry.section;
		printf("# %s (%s)\n%s = %s\n", entry.text, entry.source,
		    entry.key, entry.value);
	}
}

static void
config_print_json(const struct conf *conf)
{
	struct mp_buf map = { 0 }, text = { 0 };
	struct conf_entry entry;

	mp_pack_map(&map, CONF_KEYS);
	for (unsigned key = 0; key < CONF_KEYS; key++) {
		conf_describe(conf, (enum conf_key)key, &entry);
		mp_pack_cstr(&map, entry.name);
		mp_pack_map(&map, 3);
		mp_pack_cstr(&map, "value");
		mp_pack_cstr(&map, entry.value);
		mp_pack_cstr(&map, "source");
		mp_pack_cstr(&map, entry.source);
		mp_pack_cstr(&map, "default");
		mp_pack_cstr(&map, entry.fallback);
	}
	if (json_from_mp(slice_of(map.p, map.len), &text) == 0)
		printf("%.*s\n", (int)text.len, (const char *)text.p);
	mp_buf_deinit(&map);
	mp_buf_deinit(&text);
}

int
cmd_config(int argc, char **argv)
{
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	if (t.json)
		config_print_json(t.house.conf);
	else
		config_print_ini(t.house.conf);
	return tool_end(&t, TOOL_OK);
}
