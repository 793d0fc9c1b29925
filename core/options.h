/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The command line that all daemons share, and the exit codes that all
 * programs share.
 */

#ifndef PEAL_CORE_OPTIONS_H
#define PEAL_CORE_OPTIONS_H

#include "core/conf.h"
#include "core/macros.h"

struct reason;

enum options_exit {
	OPTIONS_EXIT_OK = 0,
	OPTIONS_EXIT_ERROR = 1,
	OPTIONS_EXIT_USAGE = 2,	   /* command line or configuration */
	OPTIONS_EXIT_DAMAGED = 3,  /* data on disk */
	OPTIONS_EXIT_HELD = 73,	   /* another writer holds the log */
	OPTIONS_EXIT_STORAGE = 75, /* a write or flush failed */
};

/* Read where -c is not given, if it is there. */
#define OPTIONS_CONF "/etc/peal/peal.conf"

enum {
	OPTIONS_RUN = -1,
	OPTIONS_CHECK = -2, /* judge the configuration, and do nothing else */
};

/*
 * Parse -c FILE, -o section.key=value, --check, --help and --version of a
 * daemon that does what purpose says in one line, and read its configuration.
 * SIGHUP is blocked from now on, until loop_signal_add() takes it.
 * OPTIONS_RUN or OPTIONS_CHECK: go on, *conf is the caller's.  Otherwise exit
 * with the result; what had to be said has been said.
 */
MUST_CHECK int options_daemon(
    int argc, char **argv, const char *purpose, struct conf **conf);

/* What a configuration is judged by; below zero: refused, and why. */
typedef int options_judge(const struct conf *conf, struct reason *why);

/*
 * --check: ask all n judges, and say what each that refuses has to say.
 * OPTIONS_EXIT_OK or OPTIONS_EXIT_USAGE.
 */
int options_check(
    const struct conf *conf, options_judge *const *judges, unsigned n);

/* A judge's part: where there is something of that name, is it a directory? */
MUST_CHECK int options_judge_directory(
    const struct conf *conf, enum conf_key key, struct reason *why);

#endif
