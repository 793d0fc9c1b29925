/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Is there something in the configuration that can't work?  What is judged
 * here is what the start would refuse, and all of it at once.
 */

#ifndef PEAL_GATEWAY_CHECK_H
#define PEAL_GATEWAY_CHECK_H

struct conf;

/* Says what is wrong; an exit code, as of options_check(). */
int check_conf(const struct conf *conf);

#endif
