/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The listening socket: handed over by whoever started us and shared by all
 * gateways, or bound by ourselves.  Accepted sockets go to struct conns.
 */

#ifndef PEAL_GATEWAY_LISTEN_H
#define PEAL_GATEWAY_LISTEN_H

#include <stdint.h>

#include "core/macros.h"

struct conf;
struct conns;
struct listen;
struct loop;
struct reason;

/*
 * Take the sockets that were handed to this process, else bind
 * gateway.listen, and accept from now on.  The caller owns *out.
 */
MUST_CHECK int listen_open(struct loop *loop, const struct conf *conf,
    struct conns *cs, struct listen **out, struct reason *why);
/* Stop accepting (draining); a socket that others share goes on. */
void listen_stop(struct listen *ls);
struct listen *listen_free(struct listen *ls);
CLEANUP_FN(struct listen *, listen_free)

/* The port of the first socket, for what was bound to port 0. */
unsigned listen_port(const struct listen *ls);

/*
 * "ADDR:PORT" or "[ADDR6]:PORT" as a socket address; sa has room for any.
 * -EINVAL and a sentence that names the text.
 */
struct sockaddr_storage;
MUST_CHECK int listen_parse(const char *text, struct sockaddr_storage *sa,
    unsigned *len, struct reason *why);

#endif
