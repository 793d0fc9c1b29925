/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A running peal as the hostile tests see it: where it is, who may do what,
 * and whether it still serves.  Failing here fails the cmocka test.
 */

#ifndef PEAL_TESTS_LIB_LIVE_H
#define PEAL_TESTS_LIB_LIVE_H

#include "tests/lib/client.h"

/*
 * Read PEAL_PORT, PEAL_CAFILE, PEAL_TOKEN (a file), PEAL_KEY and PEAL_PUBLIC
 * (the files of the token key) from the environment; false says on stderr what
 * is missing.
 */
bool live_init(void);

const struct wire_to *live_to(void);
const char *live_token(void);
/* The text of the file that an environment variable names. */
const char *live_file(const char *variable);

/* A client that has said hello; end it with client_close(). */
void live_open(struct client *c, const char *token);
/* A WebSocket on which nothing was said. */
struct wire *live_wire(void);
/* Still serves: a new client gets its welcome and a pong. */
void live_serves(void);
/* For cmocka: before all tests of a group, whoever else is there comes. */
int live_setup(void **state);
/* The same after each test, and whoever else is there saw nothing. */
int live_teardown(void **state);

/* The connection ends with this close code. */
void live_ends(struct wire *w, unsigned code);
/* It ends with one of two. */
void live_ends_either(struct wire *w, unsigned code, unsigned other);

/* Send the JSON text as a binary message of MessagePack. */
void live_say(struct wire *w, const char *json);
/* The same; an error with this code comes, and the connection stays. */
void live_refused(struct client *c, const char *json, const char *code);
/* The same; a control message op comes. */
void live_answered(struct client *c, const char *json, const char *op);

/* A JWT of these JSON texts, signed with PEAL_KEY; free() it. */
char *live_sign(const char *header, const char *claims);
/*
 * Claims of sub, from iat to exp, which are seconds from now, and with these
 * permissions in JSON; free() them.
 */
char *live_claims(const char *sub, long iat, long exp, const char *permissions);
/* A JWT of them, signed with PEAL_KEY; free() it. */
char *live_token_for(
    const char *sub, long iat, long exp, const char *permissions);
#define LIVE_ES256 "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"
/* base64url without padding; free() it. */
char *live_base64url(const void *p, size_t len);

/* The first bytes that a TLS client sends; returns how many. */
size_t live_client_hello(uint8_t *bytes, size_t size);

#endif
