/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The subcommands of `peal`, one file cmd_NAME.c each.  argv[0] is the
 * subcommand's name; what is returned is the exit code.
 */

#ifndef PEAL_TOOLS_CMD_H
#define PEAL_TOOLS_CMD_H

int cmd_append(int argc, char **argv);
int cmd_at(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_clients(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_grant(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_hist(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_readers(int argc, char **argv);
int cmd_revert(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_ring(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_state(int argc, char **argv);
int cmd_tail(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_verify(int argc, char **argv);

#endif
