/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Four parts, each taken whole or not at all: the file, the certificate, the
 * token keys, the files that are served.  A key of the file that takes a
 * restart keeps its value, so that what is in force is what the configuration
 * says.
 */

#include <string.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/reason.h"
#include "gateway/conn.h"
#include "gateway/counters.h"
#include "gateway/gateway_priv.h"
#include "gateway/reload.h"
#include "gateway/tls.h"
#include "gateway/token.h"

/*
 * Sockets and mappings are made once; the two intervals were promised to
 * clients in their welcome.
 */
static const enum conf_key fixed[] = {
	CONF_ring_directory,
	CONF_gateway_listen,
	CONF_gateway_listen_plain,
	CONF_gateway_trusted,
	CONF_gateway_mark_interval,
	CONF_gateway_ping_interval,
};

static void
keep_fixed(struct conf *conf, struct conf *before)
{
	struct conf_entry entry;

	for (unsigned i = 0; i < ARRAY_LEN(fixed); i++) {
		if (!strcmp(
			conf_text(conf, fixed[i]), conf_text(before, fixed[i])))
			continue;
		conf_describe(conf, fixed[i], &entry);
		diag_warn("%s = \"%s\" takes a restart: it stays as it was",
		    entry.name, entry.value);
		conf_swap(conf, before, fixed[i]);
	}
}

static void
refused(const char *what, const struct reason *why)
{
	COUNTERS_ADD(reloads_failed, 1);
	diag_error("%s: %s", what, why->text);
}

static void
reload_file(struct gateway *gw, struct conf *conf)
{
	CLEANUP(conf_freep) struct conf *before = conf_copy(conf);
	const char *path = conf_file(conf);
	struct reason why = { "out of memory" };

	if (path[0] == '\0')
		return; /* there was none, and the command line is as it was */
	if (!before || conf_read(conf, conf_file(before), &why) < 0) {
		refused("the configuration stays as it was", &why);
		return;
	}
	keep_fixed(conf, before);
	gateway_configure(gw);
	diag_note("the configuration was read again: file='%s'", path);
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
