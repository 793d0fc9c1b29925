/* SPDX-License-Identifier: BSD-2-Clause */

/* The development certificate, as a client's OpenSSL sees it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "core/reason.h"
#include "tests/lib/tmpdir.h"
#include "tools/selfsigned.h"

/* Write one for listen and read it back; the caller frees it. */
static X509 *
made_for(struct tmpdir *dir, const char *listen)
{
	const char *cert_path = tmpdir_path(dir, "cert.pem");
	struct reason why = { "" };
	X509 *cert;
	FILE *f;

	if (selfsigned_write(
		cert_path, tmpdir_path(dir, "key.pem"), listen, &why) != 0)
		fail_msg("%s", why.text);
	f = fopen(cert_path, "r");
	assert_non_null(f);
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	(void)fclose(f);
	assert_non_null(cert);
	return cert;
}

static void
key_and_certificate_belong_together(void **state)
{
	const char *key_path = tmpdir_path(*state, "key.pem");
	X509 *cert = made_for(*state, "127.0.0.1:8443");
	EVP_PKEY *key;
	struct stat st;
	FILE *f;

	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	f = fopen(key_path, "r");
	assert_non_null(f);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get_base_id(key), EVP_PKEY_EC);
	assert_int_equal(EVP_PKEY_get_bits(key), 256);
	assert_int_equal(X509_check_private_key(cert, key), 1);
	EVP_PKEY_free(key);
	X509_free(cert);
}

static void
local_names_are_always_in_it(void **state)
{
	static const char *const listens[] = { "127.0.0.1:8443", "0.0.0.0:1",
		"[::]:8443", "[::1]:8443", "localhost", "10.1.2.3:8443" };

	for (size_t i = 0; i < ARRAY_LEN(listens); i++) {
		X509 *cert = made_for(*state, listens[i]);

		assert_int_equal(
		    X509_check_host(cert, "localhost", 0, 0, NULL), 1);
		assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
		assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
		assert_int_equal(X509_check_ip_asc(cert, "0.0.0.0", 0), 0);
		assert_int_equal(
		    X509_check_ip_asc(cert, "10.1.2.3", 0), i == 5);
		X509_free(cert);
	}
}

static void
the_address_that_is_listened_on_is_in_it(void **state)
{
	static const struct {
		const char *listen, *ip, *host;
	} cases[] = {
		{ "192.0.2.7", "192.0.2.7", NULL },
		{ "192.0.2.7:443", "192.0.2.7", NULL },
		{ "[2001:db8::7]:443", "2001:db8::7", NULL },
		{ "[2001:db8::7]", "2001:db8::7", NULL },
		{ "2001:db8::7", "2001:db8::7", NULL },
		{ "board.example.org:8443", NULL, "board.example.org" },
		{ "board", NULL, "board" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		X509 *cert = made_for(*state, cases[i].listen);

		if (cases[i].ip)
			assert_int_equal(
			    X509_check_ip_asc(cert, cases[i].ip, 0), 1);
		if (cases[i].host)
			assert_int_equal(
			    X509_check_host(cert, cases[i].host, 0, 0, NULL),
			    1);
		X509_free(cert);
	}
}

static void
what_is_neither_address_nor_name_is_refused(void **state)
{
	static const char *const odd[] = { "", ":8443", "a,DNS:b", "a b", "a\n",
		"*", "[]:1", "[::1", "unix:/run/x", "a:1,b:2" };
	char long_name[300];
	struct reason why;

	for (size_t i = 0; i <= ARRAY_LEN(odd); i++) {
		const char *listen = long_name;

		memset(long_name, 'a', sizeof(long_name));
		long_name[254] = '\0';
		if (i < ARRAY_LEN(odd))
			listen = odd[i];
		why.text[0] = '\0';
		assert_int_equal(
		    selfsigned_write(tmpdir_path(*state, "cert.pem"),
			tmpdir_path(*state, "key.pem"), listen, &why),
		    -EINVAL);
		assert_non_null(
		    strstr(why.text, "neither an address nor a host name"));
	}
	assert_int_equal(tmpdir_count(*state), 0);
}

static void
who_trusts_it_can_verify_it_for_ten_years(void **state)
{
	X509 *cert = made_for(*state, "127.0.0.1:8443");
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	assert_int_equal(X509_STORE_add_cert(store, cert), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
	param = X509_STORE_CTX_get0_param(ctx);
	(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	(void)X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_time(
	    param, time(NULL) + (time_t)3650 * 24 * 3600);
	if (X509_verify_cert(ctx) != 1)
		fail_msg("%s", X509_verify_cert_error_string(
				   X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(cert);
}

static void
it_is_no_authority_and_each_has_its_own_serial(void **state)
{
	X509 *cert = made_for(*state, "127.0.0.1:8443");
	X509 *other = made_for(*state, "127.0.0.1:8443");

	assert_int_equal(X509_check_ca(cert), 0);
	assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert),
				 X509_get0_serialNumber(other)),
	    0);
	X509_free(cert);
	X509_free(other);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(key_and_certificate_belong_together),
		IN_DIRECTORY(local_names_are_always_in_it),
		IN_DIRECTORY(the_address_that_is_listened_on_is_in_it),
		IN_DIRECTORY(what_is_neither_address_nor_name_is_refused),
		IN_DIRECTORY(who_trusts_it_can_verify_it_for_ten_years),
		IN_DIRECTORY(it_is_no_authority_and_each_has_its_own_serial),
	};

	return cmocka_run_group_tests_name("selfsigned", tests, NULL, NULL);
}
