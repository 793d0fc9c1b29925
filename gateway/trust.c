/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Trusted peers.  All networks are of 16 bytes: IPv4 stands in IPv6 as mapped
 * (RFC 4291, 2.5.5.2), so that one comparison of bits serves both.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/reason.h"
#include "gateway/trust.h"

enum {
	ADDRESS_BYTES = 16,
	MAPPED_BITS = 96, /* in front of an IPv4 address */
	WORD_MAX = 64,
};

struct network {
	uint8_t address[ADDRESS_BYTES];
	unsigned bits;
};

struct trust {
	bool local; /* peers over Unix sockets */
	unsigned n;
	struct network networks[];
};

struct trust *
trust_free(struct trust *t)
{
	free(t);
	return NULL;
}

static void
map_ipv4(uint8_t address[ADDRESS_BYTES], const void *in)
{
	memset(address, 0, ADDRESS_BYTES);
	memset(address + 10, 0xff, 2);
	memcpy(address + 12, in, 4);
}

static bool
is_same_network(const struct network *n, const uint8_t address[ADDRESS_BYTES])
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->address, address, whole) != 0)
		return false;
	return rest == 0 ||
	       (n->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

/* ADDRESS or ADDRESS/BITS. */
static bool
parse_network(const char *word, struct network *n)
{
	const char *slash = strchr(word, '/');
	size_t len = slash ? (size_t)(slash - word) : strlen(word);
	char text[WORD_MAX], *end;
	unsigned long bits, most;
	struct in_addr in;

	memcpy(text, word, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &in) == 1) {
		map_ipv4(n->address, &in);
		most = 32;
	} else if (inet_pton(AF_INET6, text, n->address) == 1) {
		most = 128;
	} else {
		return false;
	}
	bits = most;
	if (slash) {
		bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' ||
		    bits > most)
			return false;
	}
	n->bits = (unsigned)(bits + (most == 32 ? MAPPED_BITS : 0));
	return true;
}

static bool
take_word(struct trust *t, const char *word)
{
	if (!strcmp(word, "unix")) {
		t->local = true;
		return true;
	}
	if (!parse_network(word, &t->networks[t->n]))
		return false;
	t->n++;
	return true;
}

int
trust_parse(const char *text, struct trust **out, struct reason *why)
{
	CLEANUP(trust_freep) struct trust *t = NULL;
	char word[WORD_MAX];
	size_t len;

	/* A word takes a character and a space. */
	t = calloc(
	    1, sizeof(*t) + (strlen(text) / 2 + 1) * sizeof(t->networks[0]));
	if (!t)
		return reason_set(why, -ENOMEM, "cannot read gateway.trusted");
	while (*(text += strspn(text, " ")) != '\0') {
		len = strcspn(text, " ");
		memcpy(word, text, MIN(len, sizeof(word) - 1));
		word[MIN(len, sizeof(word) - 1)] = '\0';
		if (len >= sizeof(word) || !take_word(t, word))
			return reason_say(why, -EINVAL,
			    "gateway.trusted: '%s' is neither an address, nor "
			    "a network such as 10.0.0.0/8, nor unix",
			    word);
		text += len;
	}
	*out = TAKE(t);
	return 0;
}

bool
trust_holds(const struct trust *t, const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	uint8_t address[ADDRESS_BYTES];

	if (!t)
		return false;
	if (sa->sa_family == AF_UNIX)
		return t->local;
	if (sa->sa_family == AF_INET)
		map_ipv4(address, &in->sin_addr);
	else if (sa->sa_family == AF_INET6)
		memcpy(address, &in6->sin6_addr, ADDRESS_BYTES);
	else
		return false;
	for (unsigned i = 0; i < t->n; i++)
		if (is_same_network(&t->networks[i], address))
			return true;
	return false;
}
