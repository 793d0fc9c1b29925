/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The header in front of a connection that a proxy passes on.  It is looked
 * at where it lies in the socket and taken when it is whole, so that nothing
 * is kept for it, and not a byte behind it is touched.
 */

#include <errno.h>

#include "core/diag.h"
#include "core/reason.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "gateway/proxy.h"

static void
refuse(struct conn *c, const struct reason *why)
{
	COUNTERS_ADD(bad_proxy, 1);
	diag_limited("proxy", "a connection of gateway.trusted: %s", why->text);
	conn_drop(c);
}

/* The client's address counts from now on; an unknown one is the proxy's. */
static void
enter(struct conn *c, const struct proxy_client *client)
{
	struct sockaddr_storage own = { .ss_family = AF_UNIX };
	const struct sockaddr_storage *ss =
	    client->known ? &client->address : &own;

	if (!conns_enter(c->cs, (const struct sockaddr *)ss, c)) {
		conn_drop(c);
		return;
	}
	conn_shaken(c);
	c->state = CONN_HTTP;
}

void
conn_take_proxy(struct conn *c)
{
	struct proxy_client client;
	struct reason why = { "" };
	uint8_t *p = c->cs->in;
	size_t length = 0;
	ssize_t n;

	do {
		n = recv(c->tls.fd, p, PROXY_HEADER_MAX, MSG_PEEK);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		length = proxy_length(slice_of(p, (size_t)n), &why);
	if (n <= 0) {
		conn_drop(c);
	} else if (length == 0) {
		refuse(c, &why);
	} else if ((size_t)n < length) {
		return;
	} else if (!proxy_parse(slice_of(p, length), &client, &why)) {
		refuse(c, &why);
	} else if (recv(c->tls.fd, p, length, 0) != (ssize_t)length) {
		conn_drop(c);
	} else {
		enter(c, &client);
	}
}
