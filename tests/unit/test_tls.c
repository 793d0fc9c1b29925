/* SPDX-License-Identifier: BSD-2-Clause */

/* TLS as the gateway speaks it: versions, keys, certificates, reloading. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "core/reason.h"
#include "gateway/block.h"
#include "gateway/counters.h"
#include "gateway/tls.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static void
the_best_of_tls_1_3_is_chosen(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = edge_open(fx);
	assert_string_equal(SSL_get_version(c->ssl), "TLSv1.3");
	assert_string_equal(
	    SSL_get_cipher_name(c->ssl), "TLS_AES_128_GCM_SHA256");
	assert_int_equal(SSL_get_negotiated_group(c->ssl) & 0xffff, NID_X25519);
	assert_false(SSL_session_reused(c->ssl));
	edge_free(c);
}

static void
no_older_version_is_spoken(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	c = edge_connect(fx);
	SSL_set_max_proto_version(c->ssl, TLS1_2_VERSION);
	assert_false(edge_handshake(c));
	edge_free(c);
	EDGE_UNTIL(fx, conns_count(fx->conns) == 0);
	assert_int_equal(COUNTERS_GET(tls_failed), 1);
}

static int tickets;

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	tickets++;
	return 0;
}

static void
no_ticket_is_given_out(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	SSL_CTX_set_session_cache_mode(fx->client_ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(fx->client_ctx, on_ticket);
	tickets = 0;
	c = edge_open(fx);
	edge_request(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n"
			"Connection: close\r\n\r\n");
	assert_memory_equal(c->in, "HTTP/1.1 200 ", 13);
	assert_int_equal(tickets, 0);
	edge_free(c);
}

static void
offer(struct edge_client *c, const char *protocols)
{
	assert_int_equal(
	    SSL_set_alpn_protos(c->ssl, (const unsigned char *)protocols,
		(unsigned)strlen(protocols)),
	    0);
}

static void
http_1_1_is_the_protocol_that_is_agreed_on(void **state)
{
	struct edgefix *fx = *state;
	const unsigned char *chosen;
	struct edge_client *c;
	unsigned len;

	edgefix_start(fx, NULL);
	c = edge_connect(fx);
	offer(c, "\x02h2\x08http/1.1");
	assert_true(edge_handshake(c));
	SSL_get0_alpn_selected(c->ssl, &chosen, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(chosen, "http/1.1", 8);
	edge_free(c);

	c = edge_connect(fx);
	offer(c, "\x02h2");
	assert_false(edge_handshake(c));
	edge_free(c);
}

static void
keys_are_renewed_while_data_flows_both_ways(void **state)
{
	static uint8_t bytes[1000];
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	tls_set_rekey(fx->tls, 5);
	fx->echo = true;
	c = edge_websocket(fx);
	for (unsigned i = 0; i < 100; i++) {
		bytes[0] = (uint8_t)i;
		if (i % 10 == 3)
			assert_int_equal(
			    SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED),
			    1);
		edge_send(c, 0x82, bytes, sizeof(bytes));
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, sizeof(bytes));
		assert_int_equal(f.payload.p[0], i);
		edge_consume(c, f.whole);
	}
	edge_free(c);
}

static void
keys_are_renewed_while_the_peer_reads_slowly(void **state)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];
	struct block *b = block_message(slice_of(bytes, sizeof(bytes)));
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;
	unsigned sent = 0, got = 0;

	edgefix_start(fx, NULL);
	tls_set_rekey(fx->tls, 1);
	c = edge_websocket(fx);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	while (got < 500) {
		while (sent < 500 && conn_is_ready(fx->conn)) {
			assert_int_not_equal(conn_send(fx->conn, b), CONN_DEAD);
			sent++;
		}
		assert_true(edge_next(c, &f));
		assert_int_equal(f.payload.len, sizeof(bytes));
		edge_consume(c, f.whole);
		got++;
	}
	edge_free(c);
	EDGE_UNTIL(fx, fx->closed == 1);
	assert_int_equal(b->refs, 1);
	block_unref(b);
}

/* A flood of key updates costs the peer as much as us, and it ends. */
static void
key_updates_alone_do_not_hold_up_others(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *flood, *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	fx->echo = true;
	flood = edge_websocket(fx);
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(
		    SSL_key_update(flood->ssl, SSL_KEY_UPDATE_NOT_REQUESTED),
		    1);
		if (SSL_do_handshake(flood->ssl) != 1)
			break;
	}
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\xc0", 1);
	assert_true(edge_next(c, &f));
	edge_free(c);
	edge_send(flood, 0x82, "\xc0", 1);
	assert_true(edge_next(flood, &f));
	edge_free(flood);
}

static X509 *
served(struct edgefix *fx)
{
	struct edge_client *c = edge_open(fx);
	X509 *x = SSL_get1_peer_certificate(c->ssl);

	assert_non_null(x);
	edge_free(c);
	return x;
}

static void
new_connections_get_the_certificate_that_was_reloaded(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *old;
	struct edge_frame f;
	struct reason why;
	X509 *first, *second;

	edgefix_start(fx, NULL);
	fx->echo = true;
	first = served(fx);
	old = edge_websocket(fx);
	edgefix_certificate("EC", fx->cert, fx->key);
	assert_int_equal(tls_reload(fx->tls, fx->cert, fx->key, &why), 0);
	second = served(fx);
	assert_int_not_equal(X509_cmp(first, second), 0);
	edge_send(old, 0x82, "\xc0", 1);
	assert_true(edge_next(old, &f));
	edge_free(old);
	X509_free(first);
	X509_free(second);
}

static void
files_that_do_not_belong_together_are_refused(void **state)
{
	struct edgefix *fx = *state;
	struct reason why = { "" };
	char other[128];
	X509 *first, *second;

	edgefix_start(fx, NULL);
	first = served(fx);
	snprintf(other, sizeof(other), "%s/other.pem", fx->dir);
	edgefix_certificate("EC", other, fx->key);
	assert_true(tls_reload(fx->tls, fx->cert, fx->key, &why) < 0);
	assert_non_null(strstr(why.text, fx->key));
	second = served(fx);
	assert_int_equal(X509_cmp(first, second), 0);
	X509_free(first);
	X509_free(second);
	unlink(other);
}

static void
a_file_that_is_none_is_named(void **state)
{
	struct edgefix *fx = *state;
	struct reason why = { "" };
	struct tls *tls = NULL;
	FILE *f;

	assert_true(tls_open("/nonexistent/cert.pem", fx->key, &tls, &why) < 0);
	assert_non_null(strstr(why.text, "'/nonexistent/cert.pem'"));
	assert_true(tls_open(fx->cert, "/nonexistent/key.pem", &tls, &why) < 0);
	assert_non_null(strstr(why.text, "'/nonexistent/key.pem'"));
	f = fopen(fx->key, "w");
	fputs("no key\n", f);
	fclose(f);
	assert_true(tls_open(fx->cert, fx->key, &tls, &why) < 0);
	assert_non_null(strstr(why.text, fx->key));
	assert_null(tls);
}

static void
a_certificate_that_is_not_ecdsa_is_served_with_a_note(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_certificate("RSA", fx->cert, fx->key);
	edgefix_start(fx, NULL);
	assert_non_null(strstr(tls_note(fx->tls), "ECDSA"));
	c = edge_open(fx);
	edge_free(c);
	edgefix_reset(fx);
	edgefix_certificate("EC", fx->cert, fx->key);
	edgefix_start(fx, NULL);
	assert_string_equal(tls_note(fx->tls), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_best_of_tls_1_3_is_chosen),
		TEST(no_older_version_is_spoken),
		TEST(no_ticket_is_given_out),
		TEST(http_1_1_is_the_protocol_that_is_agreed_on),
		TEST(keys_are_renewed_while_data_flows_both_ways),
		TEST(keys_are_renewed_while_the_peer_reads_slowly),
		TEST(key_updates_alone_do_not_hold_up_others),
		TEST(new_connections_get_the_certificate_that_was_reloaded),
		TEST(files_that_do_not_belong_together_are_refused),
		TEST(a_file_that_is_none_is_named),
		TEST(a_certificate_that_is_not_ecdsa_is_served_with_a_note),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
