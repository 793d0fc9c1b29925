/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading again what may change while clients are served: limits, certificate
 * and token keys.  What is no good changes nothing, and nobody is dropped.
 */

#ifndef PEAL_GATEWAY_RELOAD_H
#define PEAL_GATEWAY_RELOAD_H

struct conf;
struct gateway;

/*
 * Read conf's file, then what it names.  conf is the one that gw works by.
 * Each part that is refused stays as it was, and is told why.
 */
void reload_all(struct gateway *gw, struct conf *conf);

#endif
