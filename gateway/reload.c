/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Four parts, each taken whole or not at all: the file, the certificate, the
 * token keys, the files that are served.
 */

#include "core/reload.h"
#include "core/conf.h"
#include "core/diag.h"
#include "core/reason.h"
#include "gateway/conn.h"
#include "gateway/counters.h"
#include "gateway/gateway_priv.h"
#include "gateway/reload.h"
#include "gateway/tls.h"
#include "gateway/token.h"

static void
refused(const char *what, const struct reason *why)
{
	COUNTERS_ADD(reloads_failed, 1);
	diag_error("%s: %s", what, why->text);
}

static void
reload_file(struct gateway *gw, struct conf *conf)
{
	struct reason why = REASON_NO_MEMORY;

	if (reload_conf(conf, "gateway tls auth ring.directory", &why) < 0)
		refused("the configuration stays as it was", &why);
	else
		gateway_configure(gw);
}

static void
reload_certificate(struct gateway *gw, const struct conf *conf)
{
	struct reason why = { "" };

	if (tls_reload(gw->tls, conf_text(conf, CONF_tls_certificate),
		conf_text(conf, CONF_tls_key), &why) < 0) {
		refused("the certificate stays as it was", &why);
		return;
	}
	if (tls_note(gw->tls)[0])
		diag_warn("%s", tls_note(gw->tls));
	diag_note("the certificate was read again");
}

static void
reload_keys(struct gateway *gw, const struct conf *conf)
{
	CLEANUP(token_keys_freep) struct token_keys *keys = NULL;
	struct acl anonymous = { 0 };
	struct reason why = { "" };

	if (token_keys_open(conf, &keys, &why) < 0 ||
	    token_anonymous(conf, &anonymous, &why) < 0) {
		refused("the token keys stay as they were", &why);
		return;
	}
	(void)token_keys_free(gw->keys);
	gw->keys = TAKE(keys);
	acl_deinit(&gw->anonymous);
	gw->anonymous = anonymous;
	diag_note("the token keys were read again");
}

static void
reload_site(struct gateway *gw)
{
	struct reason why = { "" };

	if (gateway_read_site(gw, &why) < 0)
		refused("the files that are served stay as they were", &why);
}

void
reload_all(struct gateway *gw, struct conf *conf)
{
	reload_file(gw, conf);
	reload_certificate(gw, conf);
	reload_keys(gw, conf);
	reload_site(gw);
	COUNTERS_ADD(reloads, 1);
}
