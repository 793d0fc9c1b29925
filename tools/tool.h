/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What all subcommands of `peal` share: one table of options from which the
 * parser and the help are made, the house they work on, and output that
 * survives a reader who has gone.
 */

#ifndef PEAL_TOOLS_TOOL_H
#define PEAL_TOOLS_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/options.h"
#include "tools/house.h"

struct reason;

/* The exit codes of all programs, under a short name. */
enum tool_exit {
	TOOL_OK = OPTIONS_EXIT_OK,
	TOOL_ERROR = OPTIONS_EXIT_ERROR,
	TOOL_USAGE = OPTIONS_EXIT_USAGE,
	TOOL_DAMAGED = OPTIONS_EXIT_DAMAGED,
	TOOL_HELD = OPTIONS_EXIT_HELD,
	TOOL_STORAGE = OPTIONS_EXIT_STORAGE,
};

enum tool_kind {
	TOOL_FLAG, /* bool */
	TOOL_TEXT, /* const char * */
	TOOL_UINT, /* uint64_t within [min, max] */
	TOOL_LIST, /* struct tool_list; may be given several times */
};

enum {
	TOOL_LIST_MAX = 64
};

struct tool_list {
	const char *v[TOOL_LIST_MAX];
	unsigned n;
};

struct tool_option {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;	  /* short spelling, 0: none */
	enum tool_kind kind;
	void *value;
	const char *arg; /* what the help calls the argument */
	const char *help;
	uint64_t min, max;
};

/* Options that many subcommands have. */
enum tool_common {
	TOOL_HOUSE = 1,	 /* --data, -c, -o */
	TOOL_REMOTE = 2, /* --url, --token-file, --cafile */
	TOOL_JSON = 4,	 /* --json */
	TOOL_FOUND = 8,	 /* with the options of TOOL_HOUSE: finds it itself */
	TOOL_QUERY = 16, /* --min-seq, --timeout */
	TOOL_MAKES = 32, /* with TOOL_HOUSE: --data need not be there yet */
};

struct tool_usage {
	const char *name;     /* "append" */
	const char *operands; /* "TOPIC TYPE [JSON]" */
	const char *text;     /* what it does, one paragraph or more */
	unsigned common;
	const struct tool_option *options; /* or NULL */
	int min_operands;
	int max_operands; /* below zero: any number */
};

/* As min_seq: all that is stored when the tool asks. */
#define TOOL_HEAD UINT64_MAX

struct tool {
	const struct tool_usage *usage;
	struct house house;
	const char *url;
	const char *token_file;
	const char *cafile;
	uint64_t min_seq;   /* what an answer has to include; TOOL_HEAD */
	uint64_t timeout_s; /* without a word from the server */
	bool json;
	bool tty;  /* stdout is a terminal */
	bool made; /* --data was not there */
	int argc;  /* operands */
	char **argv;
	const char *data;
	const char *conf_file;
	struct tool_list assignments;
};

/*
 * Read the command line (argv[0] is the subcommand's name) and find the
 * house.  false: *status is what to exit with, help or error are printed.
 */
MUST_CHECK bool tool_begin(struct tool *t, const struct tool_usage *usage,
    int argc, char **argv, int *status);

/*
 * Flush what was printed and free.  Returns status, or TOOL_ERROR when the
 * output could not be written; a closed pipe is no error.
 */
int tool_end(struct tool *t, int status);

/* "peal SUB: sentence" on stderr; returns TOOL_ERROR. */
int tool_error(const struct tool *t, const char *fmt, ...) PRINTF(2, 3);
int tool_fail(const struct tool *t, const struct reason *why);
/* The same with a hint to --help; returns TOOL_USAGE. */
int tool_usage_error(const struct tool *t, const char *fmt, ...) PRINTF(2, 3);
/* A remark on stderr that is no error. */
void tool_note(const struct tool *t, const char *fmt, ...) PRINTF(2, 3);

/* In place: what would move a terminal's cursor becomes '?'. */
void tool_plain(char *text);

/* Push out what was printed; false when nobody reads it any more. */
bool tool_flush(struct tool *t);

/* Decimal digits only, within [min, max]. */
bool tool_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

enum {
	TOOL_TIME_BYTES = 40
};

/* "2026-11-21 05:57:10.123456" in the local zone. */
const char *tool_time(uint64_t time_us, char buf[TOOL_TIME_BYTES]);

/* Stop at SIGINT and SIGTERM: tool_stopped() turns true. */
void tool_catch_stop(void);
bool tool_stopped(void);

#endif
