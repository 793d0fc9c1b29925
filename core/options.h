/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The command line that all daemons share, and the exit codes that all
 * programs share.
 */

#ifndef PEAL_CORE_OPTIONS_H
#define PEAL_CORE_OPTIONS_H

#include "core/macros.h"

struct conf;

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
	OPTIONS_RUN = -1
};

/*
 * Parse -c FILE, -o section.key=value, --help and --version of a daemon that
 * does what purpose says in one line, and read its configuration.
 * OPTIONS_RUN: go on, *conf is the caller's.  Otherwise exit with the result;
 * what had to be said has been said.
 */
MUST_CHECK int options_daemon(
    int argc, char **argv, const char *purpose, struct conf **conf);

#endif
