/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal token`: sign a token for somebody.  Only the token goes to stdout,
 * so that it can be put into a file or a variable as it is.
 */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/conf.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tools/cmd.h"
#include "tools/token_sign.h"
#include "tools/tool.h"

enum {
	TOKEN_TTL_DEFAULT_S = 3600
};

static const char token_text[] =
    "Print a token for a user. --read and --write may be given several "
    "times; {sub} in a\npattern stands for the user. The key is "
    "DIR/auth/dev.key unless --key names another.";

struct token_options {
	const char *sub;
	const char *key;
	const char *kid;
	struct tool_list read;
	struct tool_list write;
	bool admin;
	uint64_t ttl_s;
};

static int
token_patterns(struct tool *t, const char *option, const struct tool_list *l)
{
	struct reason why = REASON_NO_MEMORY;

	for (unsigned i = 0; i < l->n; i++)
		if (!strstr(l->v[i], "{sub}") &&
		    !topic_pattern_valid(slice_cstr(l->v[i]), &why))
			return tool_usage_error(t, "%s: %s", option, why.text);
	return TOOL_OK;
}

/* The key's file name without its ending is the kid that gateways know. */
static const char *
token_kid(const struct token_options *opt, const char *key, char buf[NAME_MAX])
{
	const char *slash = strrchr(key, '/');

	if (opt->kid)
		return opt->kid;
	snprintf(buf, NAME_MAX, "%s", slash ? slash + 1 : key);
	buf[strcspn(buf, ".")] = '\0';
	return buf;
}

static int
token_print(struct tool *t, const struct token_options *opt)
{
	const char *aud = conf_text(t->house.conf, CONF_auth_audience);
	const char *iss = conf_text(t->house.conf, CONF_auth_issuer);
	struct token_sign_claims claims = {
		.sub = opt->sub,
		.read = opt->read.v,
		.n_read = opt->read.n,
		.write = opt->write.v,
		.n_write = opt->write.n,
		.admin = opt->admin,
		.ttl_s = opt->ttl_s,
		.aud = *aud ? aud : NULL,
		.iss = *iss ? iss : NULL,
	};
	CLEANUP(freep) char *jwt = NULL;
	char path[PATH_MAX], kid[NAME_MAX];
	const char *key = opt->key;
	struct reason why = REASON_NO_MEMORY;

	if (!key)
		key = house_path(&t->house, "auth/dev.key", path);
	if (!*key)
		return tool_usage_error(t,
		    "which key? --data DIR has one of its own, --key FILE "
		    "names any");
	claims.kid = token_kid(opt, key, kid);
	if (token_sign(key, &claims, &jwt, &why) < 0)
		return tool_fail(t, &why);
	printf("%s\n", jwt);
	if (!opt->read.n && !opt->write.n && !opt->admin)
		tool_note(t,
		    "it gives no rights, but those that 'peal grant' "
		    "gives '%s': see --read, --write",
		    opt->sub);
	return TOOL_OK;
}

int
cmd_token(int argc, char **argv)
{
	struct token_options opt = { .sub = "dev",
		.ttl_s = TOKEN_TTL_DEFAULT_S };
	const struct tool_option options[] = {
		{ .name = "sub",
		    .kind = TOOL_TEXT,
		    .value = &opt.sub,
		    .arg = "USER",
		    .help = "whose token (default: dev)" },
		{ .name = "read",
		    .kind = TOOL_LIST,
		    .value = &opt.read,
		    .arg = "PATTERN",
		    .help = "topics the user may read" },
		{ .name = "write",
		    .kind = TOOL_LIST,
		    .value = &opt.write,
		    .arg = "PATTERN",
		    .help = "topics the user may append to" },
		{ .name = "admin",
		    .kind = TOOL_FLAG,
		    .value = &opt.admin,
		    .help = "may read the system's topics" },
		{ .name = "ttl",
		    .kind = TOOL_UINT,
		    .value = &opt.ttl_s,
		    .arg = "SECONDS",
		    .help = "how long (default: 3600)",
		    .min = 1,
		    .max = UINT32_MAX },
		{ .name = "key",
		    .kind = TOOL_TEXT,
		    .value = &opt.key,
		    .arg = "FILE",
		    .help = "private key (PEM) or NAME.secret" },
		{ .name = "kid",
		    .kind = TOOL_TEXT,
		    .value = &opt.kid,
		    .arg = "NAME",
		    .help = "name of the key (default: that of its file)" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "token",
		.text = token_text,
		.common = TOOL_HOUSE,
		.options = options };
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	status = token_patterns(&t, "--read", &opt.read);
	if (status == TOOL_OK)
		status = token_patterns(&t, "--write", &opt.write);
	if (status == TOOL_OK)
		status = token_print(&t, &opt);
	return tool_end(&t, status);
}
