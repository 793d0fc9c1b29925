/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal config`: every key with its value and where that came from.  It
 * prints an INI file that, read back, gives the same values.  `peal config
 * check` judges a file, and has the daemons judge what only they know.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/conf.h"
#include "core/json.h"
#include "core/mp.h"
#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/tool.h"
#include "tools/up.h"

static const struct tool_usage usage = {
	.name = "config",
	.text = "Print every configuration key with the value in force and, "
		"as a comment,\nwhere it came from.  What is printed is a "
		"configuration file itself.\n"
		"\n"
		"  check       judge a file, and what it names",
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
		mp_pack_map(&map, 4);
		mp_pair_cstr(&map, "value", entry.value);
		mp_pair_cstr(&map, "source", entry.source);
		mp_pair_cstr(&map, "default", entry.fallback);
		mp_pair_bool(&map, "live", entry.live);
	}
	if (json_from_mp(slice_of(map.p, map.len), &text) == 0)
		printf("%.*s\n", (int)text.len, (const char *)text.p);
	mp_buf_deinit(&map);
	mp_buf_deinit(&text);
}

/* --- check --- */

static const char *const config_daemons[] = {
	"peal-writer",
	"peal-broker",
	"peal-gateway",
};

/* In the child: become the daemon.  Does not return. */
static void
config_exec(const char *path, const char *file)
{
	const char *argv[] = { path, "-c", file, "--check", NULL };

	execv(path, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "peal config check: cannot start '%s': %s\n", path,
	    strerror(errno));
	_exit(TOOL_ERROR);
}

/* What the daemon thinks of the file, an exit code. */
static int
config_ask(struct tool *t, const char *name, const char *file)
{
	char path[PATH_MAX];
	int status;
	pid_t pid;

	up_find_program(name, path);
	if (access(path, X_OK) < 0) {
		tool_note(t, "%s is not here, and was not asked", name);
		return TOOL_OK;
	}
	pid = fork();
	if (pid == 0)
		config_exec(path, file);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return tool_error(
		    t, "cannot start %s: %s", name, strerror(errno));
	if (!WIFEXITED(status))
		return tool_error(
		    t, "%s was ended by signal %d", name, WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int
config_judge(struct tool *t, const char *file)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why = REASON_NO_MEMORY;
	int worst = TOOL_OK;

	if (!conf)
		return tool_fail(t, &why);
	if (conf_read(conf, file, &why) < 0) {
		(void)tool_fail(t, &why);
		return TOOL_USAGE;
	}
	for (unsigned i = 0; i < ARRAY_LEN(config_daemons); i++) {
		int code = config_ask(t, config_daemons[i], file);

		worst = MAX(worst, code);
	}
	if (worst == TOOL_OK)
		printf("%s: nothing is wrong\n", file);
	return worst;
}

static int
config_check(int argc, char **argv)
{
	static const struct tool_usage check_usage = {
		.name = "config check",
		.operands = "FILE",
		.text = "Say what is wrong with a configuration file: names, "
			"values, and what they name:\ncertificate, keys, "
			"addresses, rules, directories.  Nothing is changed.",
		.min_operands = 1,
		.max_operands = 1,
	};
	struct tool t;
	int status;

	if (!tool_begin(&t, &check_usage, argc, argv, &status))
		return status;
	return tool_end(&t, config_judge(&t, t.argv[0]));
}

int
cmd_config(int argc, char **argv)
{
	struct tool t;
	int status;

	if (argc > 1 && !strcmp(argv[1], "check"))
		return config_check(argc - 1, argv + 1);
	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	if (t.json)
		config_print_json(t.house.conf);
	else
		config_print_ini(t.house.conf);
	return tool_end(&t, TOOL_OK);
}
