/* SPDX-License-Identifier: BSD-2-Clause */

/* The parts of `peal log` that have files of their own. */

#ifndef PEAL_TOOLS_CMD_LOG_H
#define PEAL_TOOLS_CMD_LOG_H

#include <stdint.h>

struct house;
struct log_witness;
struct tool;

/*
 * Notes of log/ come without an argument: from here on they are remarks of t,
 * which outlives them.
 */
void cmd_log_notes_to(const struct tool *t);
void cmd_log_note(const char *sentence);

/* How far it is, on a terminal; arg is not looked at. */
void cmd_log_progress(void *arg, uint64_t done, uint64_t segments);

/*
 * What the broker remembers, where its directory is there: 1, or 0 where it
 * says nothing.  note hears of a witness that can't be read.
 */
unsigned cmd_log_ask_broker(const struct house *h, struct log_witness *w,
    void (*note)(const char *sentence));

int cmd_log_backup(int argc, char **argv);
int cmd_log_repair(int argc, char **argv);
int cmd_log_restore(int argc, char **argv);
int cmd_log_verify(int argc, char **argv);

#endif
