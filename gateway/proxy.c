/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * PROXY protocol, version 2 (HAProxy's doc/proxy-protocol.txt, section 2.2):
 *
 *	12 bytes signature | version, command | family, transport | u16 length
 *
 * then so many bytes: both addresses, then TLVs.  The first byte that is out
 * of place refuses the whole.
 */

#include <netinet/in.h>
#include <string.h>

#include "core/reason.h"
#include "gateway/proxy.h"

static const uint8_t signature[] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n',
	'Q', 'U', 'I', 'T', '\n' };

enum {
	COMMAND_AT = sizeof(signature),
	FAMILY_AT,
	LENGTH_AT,

	LOCAL = 0x20,
	PROXY = 0x21,

	UNSPEC = 0x00,
	TCP4 = 0x11,
	TCP6 = 0x21,
	STREAM = 0x31, /* a Unix socket */

	TCP4_BYTES = 12,
	TCP6_BYTES = 36,
	STREAM_BYTES = 216,
};

static size_t
refuse(struct reason *why, const char *text)
{
	reason_set(why, 0, "%s", text);
	return 0;
}

size_t
proxy_length(struct slice begun, struct reason *why)
{
	size_t n = MIN(begun.len, sizeof(signature));
	size_t length;

	if (n > 0 && begun.p[0] == 'P')
		return refuse(why,
		    "version 1 of the PROXY protocol is not spoken here, "
		    "version 2 is");
	if (n > 0 && memcmp(begun.p, signature, n) != 0)
		return refuse(why,
		    "the connection does not begin with a PROXY header of "
		    "version 2");
	if (begun.len > COMMAND_AT && begun.p[COMMAND_AT] != LOCAL &&
	    begun.p[COMMAND_AT] != PROXY)
		return refuse(
		    why, "version or command of the PROXY header is unknown");
	if (begun.len < PROXY_FIXED)
		return PROXY_FIXED;
	length = (size_t)begun.p[LENGTH_AT] << 8 | begun.p[LENGTH_AT + 1];
	if (PROXY_FIXED + length > PROXY_HEADER_MAX)
		return refuse(why, "the PROXY header is too long");
	return PROXY_FIXED + length;
}

static void
take_tcp4(const uint8_t *p, struct sockaddr_storage *ss)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	memcpy(&in.sin_addr, p, 4);
	memcpy(&in.sin_port, p + 8, 2);
	memcpy(ss, &in, sizeof(in));
}

static void
take_tcp6(const uint8_t *p, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memcpy(&in6.sin6_addr, p, 16);
	memcpy(&in6.sin6_port, p + 32, 2);
	memcpy(ss, &in6, sizeof(in6));
}

bool
proxy_parse(struct slice header, struct proxy_client *out, struct reason *why)
{
	const uint8_t *p = header.p + PROXY_FIXED;
	size_t len = header.len - PROXY_FIXED, need = 0;
	struct proxy_client client = { .known = true };

	if (header.p[COMMAND_AT] == LOCAL) {
		client.known = false;
		*out = client;
		return true;
	}
	switch (header.p[FAMILY_AT]) {
	case TCP4:
		need = TCP4_BYTES;
		if (len >= need)
			take_tcp4(p, &client.address);
		break;
	case TCP6:
		need = TCP6_BYTES;
		if (len >= need)
			take_tcp6(p, &client.address);
		break;
	case STREAM:
		need = STREAM_BYTES;
		client.known = false;
		break;
	case UNSPEC:
		client.known = false;
		break;
	default:
		return refuse(why,
		    "the PROXY header is of no stream over IPv4, IPv6 or a "
		    "Unix socket");
	}
	if (len < need)
		return refuse(
		    why, "the PROXY header is too short for its addresses");
	*out = client;
	return true;
}
