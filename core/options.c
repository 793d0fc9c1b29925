/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Options of daemons.  -o stands above the file wherever it is on the line.
 */

#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/options.h"
#include "core/reason.h"

enum {
	OPTION_HELP = 256,
	OPTION_VERSION,
	OPTION_CHECK
};

static const struct option options_long[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "option", required_argument, NULL, 'o' },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static void
options_help(const char *name, const char *purpose)
{
	printf("usage: %s [-c FILE] [-o section.key=value]...\n"
	       "\n"
	       "%s\n"
	       "\n"
	       "  -c, --config FILE            read FILE, not " OPTIONS_CONF
	       "\n"
	       "  -o, --option section.key=value\n"
	       "                               set one key, above any file\n"
	       "      --check                  say what is wrong with the "
	       "configuration,\n"
	       "                               and do nothing else\n"
	       "      --help                   say this\n"
	       "      --version                say which version this is\n",
	    name, purpose);
}

static int
options_usage(const char *name)
{
	fprintf(stderr, "try '%s --help'\n", name);
	return OPTIONS_EXIT_USAGE;
}

/* A file that was not asked for by name need not be there. */
static int
options_read(struct conf *conf, const char *path)
{
	struct reason why = { "" };
	int err;

	if (!path && access(OPTIONS_CONF, F_OK) < 0 && errno == ENOENT)
		return OPTIONS_RUN;
	err = conf_read(conf, path ? path : OPTIONS_CONF, &why);
	if (err == 0)
		return OPTIONS_RUN;
	diag_error("%s", why.text);
	return OPTIONS_EXIT_USAGE;
}

static int
options_set(struct conf *conf, const char *assignment)
{
	struct reason why = { "" };

	if (conf_set(conf, assignment, &why) == 0)
		return OPTIONS_RUN;
	diag_error("%s", why.text);
	return OPTIONS_EXIT_USAGE;
}

/*
 * SIGHUP would end whoever is not listening yet, and a writer that looks
 * through its log is not: it waits until the loop takes it.
 */
static void
hold_reload(void)
{
	sigset_t hup;

	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, NULL);
}

int
options_daemon(int argc, char **argv, const char *purpose, struct conf **out)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "peal";
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	const char *path = NULL;
	int opt, code, what = OPTIONS_RUN;

	hold_reload();
	diag_init(name);
	if (!conf) {
		diag_error("out of memory");
		return OPTIONS_EXIT_ERROR;
	}
	optind = 0; /* glibc: begin anew */
	while (
	    (opt = getopt_long(argc, argv, "c:o:", options_long, NULL)) != -1) {
		code = OPTIONS_RUN;
		if (opt == 'c')
			path = optarg;
		else if (opt == 'o')
			code = options_set(conf, optarg);
		else if (opt == OPTION_CHECK)
			diag_plain(), what = OPTIONS_CHECK;
		else if (opt == OPTION_HELP)
			return options_help(name, purpose), OPTIONS_EXIT_OK;
		else if (opt == OPTION_VERSION)
			return printf("%s %s\n", name, PACKAGE_VERSION),
			       OPTIONS_EXIT_OK;
		else
			code = options_usage(name);
		if (code != OPTIONS_RUN)
			return code;
	}
	if (optind < argc) {
		diag_error("'%s' is one argument too many", argv[optind]);
		return options_usage(name);
	}
	code = options_read(conf, path);
	if (code != OPTIONS_RUN)
		return code;
	*out = TAKE(conf);
	return what;
}

int
options_check(const struct conf *conf, options_judge *const *judges, unsigned n)
{
	int code = OPTIONS_EXIT_OK;

	for (unsigned i = 0; i < n; i++) {
		struct reason why = REASON_NO_MEMORY;

		if (judges[i](conf, &why) == 0)
			continue;
		diag_error("%s", why.text);
		code = OPTIONS_EXIT_USAGE;
	}
	return code;
}

int
options_judge_directory(
    const struct conf *conf, enum conf_key key, struct reason *why)
{
	const char *path = conf_text(conf, key);
	struct conf_entry entry;
	struct stat st;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return 0; /* what is not there yet is made, or waited for */
	conf_describe(conf, key, &entry);
	return reason_set(
	    why, -ENOTDIR, "%s: '%s' can't be used", entry.name, path);
}
