/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal up`: everything, here, now, in the foreground.  stdout gets one line,
 * once clients can connect; everything else is on stderr.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/fs.h"
#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/tool.h"
#include "tools/up.h"
#include "tools/vitals.h"

static const char up_text[] =
    "Run a writer, a broker and gateways on one directory until Ctrl-C, and\n"
    "start again what dies. The directory gets a self-signed certificate "
    "(tls/cert.pem) and a development\ntoken with all rights (dev.token). "
    "Prints one line once clients can connect:\n\n"
    "  peal: ready https://ADDRESS:PORT/#token=TOKEN\n\n"
    "The link carries that token. Exit codes: 0 stopped, 1 error, 2 usage "
    "or\nconfiguration, 3 damaged log, 73 the log is held by another, 75 "
    "storage failed.";

struct up_command {
	struct tool t;
	struct up_address address;
	struct up_options options;
	char *token;
	bool no_vitals;
};

/* https://ADDR:PORT, with brackets where they belong. */
static void
up_command_url(const struct up_command *up, char *buf, size_t size)
{
	bool v6 = strchr(up->address.host, ':') != NULL;

	snprintf(buf, size, "https://%s%s%s:%s", v6 ? "[" : "",
	    up->address.host, v6 ? "]" : "", up->address.port);
}

static int
up_command_options(struct up_command *up, struct reason *why)
{
	int err = up_house_options(&up->t, &up->options, why);

	if (err >= 0)
		err = up_house_site(&up->t, &up->options, why);
	if (err < 0)
		return err;
	return up_house_option(&up->options, why,
	    strchr(up->address.host, ':') ? "gateway.listen=[%s]:%s"
					  : "gateway.listen=%s:%s",
	    up->address.host, up->address.port);
}

/* For tools that have only DIR: where this house listens. */
static int
up_command_leave_url(const struct up_command *up, struct reason *why)
{
	CLEANUP(closep) int dirfd = -1;
	char text[300];

	up_command_url(up, text, sizeof(text) - 1);
	strcat(text, "\n");
	dirfd = open(
	    house_run_dir(&up->t.house), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return reason_set(why, -errno, "cannot use '%s'",
		    house_run_dir(&up->t.house));
	return fs_replace(
	    &sysio_posix, dirfd, "url", text, strlen(text), 0644, why);
}

static void
up_command_forget_url(const struct up_command *up)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/url", house_run_dir(&up->t.house));
	(void)unlink(path);
}

static void
up_command_ready(void *arg)
{
	struct up_command *up = arg;
	char url[300];
	struct conf_entry entry;

	up_command_url(up, url, sizeof(url));
	conf_describe(up->t.house.conf, CONF_tls_certificate, &entry);
	tool_note(&up->t, "certificate %s (give it to clients: --cafile)",
	    entry.value);
	tool_note(&up->t, "token %s/dev.token", up->t.house.dir);
	tool_note(&up->t,
	    "a browser warns of a self-signed certificate: accept it once, "
	    "or import the file among its authorities");
	printf("peal: ready %s/#token=%s\n", url, up->token);
	(void)tool_flush(&up->t);
}

static int
up_command_run(struct up_command *up, const char *listen, const char *dir,
    unsigned gateways)
{
	CLEANUP(closep) int lock = -1;
	CLEANUP(closep) int fd = -1;
	struct up_plan plan = { .t = &up->t,
		.gateways = gateways,
		.ready = up_command_ready,
		.arg = up };
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (listen && !up_listen_parse(listen, &up->address, &why))
		return tool_usage_error(&up->t, "%s", why.text);
	status = up_house_make(
	    &up->t, dir, listen ? up->address.host : "127.0.0.1", &lock);
	if (status != TOOL_OK)
		return status;
	if (!listen &&
	    !up_listen_parse(conf_text(up->t.house.conf, CONF_gateway_listen),
		&up->address, &why)) {
		(void)tool_fail(&up->t, &why);
		return TOOL_USAGE;
	}
	if (up_listen_open(&up->address, &fd, &why) < 0 ||
	    up_house_token(&up->t, &up->token, &why) < 0 ||
	    up_command_leave_url(up, &why) < 0)
		return tool_fail(&up->t, &why);
	if (up_command_options(up, &why) < 0)
		return tool_fail(&up->t, &why);
	plan.listen_fd = fd;
	plan.options = (const char *const *)up->options.v;
	plan.n_options = up->options.n;
	if (!up->no_vitals)
		plan.vitals = vitals_new(house_run_dir(&up->t.house));
	status = up_run(&plan);
	(void)vitals_free(plan.vitals);
	up_command_forget_url(up);
	return status;
}

int
cmd_up(int argc, char **argv)
{
	struct up_command up = { 0 };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t gateways = cores > 1 ? 2 : 1;
	const char *listen = NULL;
	const struct tool_option options[] = {
		{ .name = "listen",
		    .kind = TOOL_TEXT,
		    .value = &listen,
		    .arg = "ADDR:PORT",
		    .help = "where clients connect (default "
			    "127.0.0.1:8443); port 0: any free one" },
		{ .name = "gateways",
		    .kind = TOOL_UINT,
		    .value = &gateways,
		    .arg = "N",
		    .help = "gateway processes (default: one per core, at "
			    "most 2)",
		    .min = 1,
		    .max = UP_GATEWAYS_MAX },
		{ .name = "no-vitals",
		    .kind = TOOL_FLAG,
		    .value = &up.no_vitals,
		    .help = "do not tell counters and lag once a second on "
			    "$stat.*" },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "up",
		.text = up_text,
		.common = TOOL_FOUND,
		.options = options };
	int status;

	if (!tool_begin(&up.t, &usage, argc, argv, &status))
		return status;
	status = up_command_run(&up, listen,
	    up.t.data ? up.t.data : "peal-data", (unsigned)gateways);
	up_house_options_free(&up.options);
	free(up.token);
	return tool_end(&up.t, status);
}
