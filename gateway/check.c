/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reads whatever the configuration names, by the same functions as the start,
 * and keeps nothing of it.
 */

#include <errno.h>
#include <string.h>

#include "core/acl.h"
#include "core/conf.h"
#include "core/diag.h"
#include "core/options.h"
#include "core/reason.h"
#include "gateway/check.h"
#include "gateway/listen.h"
#include "gateway/site.h"
#include "gateway/tls.h"
#include "gateway/token.h"
#include "gateway/trust.h"

static int
judge_trusted(const struct conf *conf, struct reason *why)
{
	CLEANUP(trust_freep) struct trust *trust = NULL;

	return trust_parse(conf_text(conf, CONF_gateway_trusted), &trust, why);
}

static int
judge_static(const struct conf *conf, struct reason *why)
{
	CLEANUP(site_freep) struct site *site = NULL;
	const char *dir = conf_text(conf, CONF_gateway_static);

	int err = dir[0] ? site_open(dir, &site, why) : 0;

	if (err < 0)
		(void)reason_set(why, 0, "gateway.static: %s", why->text);
	return err;
}

static int
judge_certificate(const struct conf *conf, struct reason *why)
{
	CLEANUP(tls_freep) struct tls *tls = NULL;

	return tls_open(conf_text(conf, CONF_tls_certificate),
	    conf_text(conf, CONF_tls_key), &tls, why);
}

/*
 * The assignment of those keys that are paths: what systemd hands to the
 * service is not there for whoever checks.
 */
static char *
without_credentials(const char *words)
{
	char *out = malloc(strlen(words) + sizeof("auth.keys= "));
	char *to = out ? stpcpy(out, "auth.keys=") : NULL;

	while (out && *words) {
		size_t n = strcspn(words, " \t");

		if (memchr(words, '/', n)) {
			to = mempcpy(to, words, n);
			*to++ = ' ';
		} else if (n > 0) {
			diag_note("auth.keys: '%.*s' is one of systemd's "
				  "credentials, and was not looked at",
			    (int)n, words);
		}
		words += n + strspn(words + n, " \t");
	}
	if (to)
		*to = '\0';
	return out;
}

static int
judge_keys(const struct conf *conf, struct reason *why)
{
	CLEANUP(token_keys_freep) struct token_keys *keys = NULL;
	CLEANUP(conf_freep) struct conf *here = conf_copy(conf);
	CLEANUP(freep) char *paths = NULL;

	if (!here)
		return -ENOMEM;
	if (!getenv("CREDENTIALS_DIRECTORY")) {
		paths = without_credentials(conf_text(conf, CONF_auth_keys));
		if (!paths || conf_set(here, paths, why) < 0)
			return -ENOMEM;
	}
	return token_keys_open(here, &keys, why);
}

static int
judge_anonymous(const struct conf *conf, struct reason *why)
{
	struct acl acl = { 0 };
	int err = token_anonymous(conf, &acl, why);

	acl_deinit(&acl);
	return err;
}

int
check_conf(const struct conf *conf)
{
	static options_judge *const judges[] = {
		listen_check,
		judge_trusted,
		judge_static,
		judge_certificate,
		judge_keys,
		judge_anonymous,
	};

	return options_check(conf, judges, ARRAY_LEN(judges));
}
