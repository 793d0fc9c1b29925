/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The listening sockets: handed over by whoever started us and shared by all
 * gateways, or bound by ourselves, one for TLS and perhaps one without, for a
 * proxy of this host.  Accepted sockets go to struct conns.
 */

#ifndef PEAL_GATEWAY_LISTEN_H
#define PEAL_GATEWAY_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct conf;
struct conns;
struct listen;
struct loop;
struct reason;

/*
 * Is gateway.listen an address and port, and gateway.listen_plain something
 * that may be listened at: nothing, a loopback address or unix:PATH?  Else
 * -EINVAL and a sentence.
 */
MUST_CHECK int listen_check(const struct conf *conf, struct reason *why);

/*
 * Take the sockets that were handed to this process, those named "plain"
 * for listeners without TLS.  Bind gateway.listen where none came for TLS,
 * gateway.listen_plain where none came without, and accept from now on.  The
 * caller owns *out.
 */
MUST_CHECK int listen_open(struct loop *loop, const struct conf *conf,
    struct conns *cs, struct listen **out, struct reason *why);
/* Stop accepting (draining); a socket that others share goes on. */
void listen_stop(struct listen *ls);
struct listen *listen_free(struct listen *ls);
CLEANUP_FN(struct listen *, listen_free)

/*
 * The port of the first socket of that kind, for what was bound to port 0;
 * 0 where there is none, or it is a local one.
 */
unsigned listen_port(const struct listen *ls, bool plain);

/*
 * "ADDR:PORT" or "[ADDR6]:PORT" as a socket address; sa has room for any.
 * -EINVAL and a sentence that names the text.
 */
struct sockaddr_storage;
MUST_CHECK int listen_parse(const char *text, struct sockaddr_storage *sa,
    unsigned *len, struct reason *why);

#endif
