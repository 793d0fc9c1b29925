/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal metrics`: what shared memory says, for Prometheus; once on stdout, or
 * over HTTP for as long as it runs.  A house that is not there, or broken, is
 * something to be told and no reason to end.
 */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/diag.h"
#include "core/hygiene.h"
#include "core/loop.h"
#include "core/mp.h"
#include "core/notify.h"
#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/metrics_gather.h"
#include "tools/metrics_http.h"
#include "tools/metrics_listen.h"
#include "tools/metrics_text.h"
#include "tools/tool.h"
#include "tools/watch.h"

#define METRICS_PATH "/metrics"

enum {
	FRESH_US = 200 * 1000,
	STAY_US = 10 * 1000 * 1000,
	NAME_BYTES = 160
};

struct metrics_command {
	struct tool t;
	struct watch *watch;
	const char *listen;
	int fds[METRICS_HTTP_SOCKETS];
	unsigned n; /* sockets */
	struct loop *loop;
	struct metrics_http *http;
	struct loop_io stops[2];
	struct loop_timer dog;
};

/* What of the house could not be looked at. */
static void
metrics_complain(const struct metrics_command *c, int err,
    const struct reason *why,
    void (*say)(const struct metrics_command *c, const char *sentence))
{
	unsigned n = MIN(c->watch->bad_n, (unsigned)WATCH_BAD);

	for (unsigned i = 0; i < n; i++)
		say(c, c->watch->bad[i].text);
	if (err < 0)
		say(c, why->text);
}

static void
metrics_to_journal(const struct metrics_command *c, const char *sentence)
{
	diag_limited("house", "%s", sentence);
}

static void
metrics_to_terminal(const struct metrics_command *c, const char *sentence)
{
	tool_note(&c->t, "%s", sentence);
}

/* The text, as it is now: how many metrics it lacks. */
static int
metrics_text(struct metrics_command *c, struct mp_buf *out, bool *whole,
    void (*say)(const struct metrics_command *c, const char *sentence),
    struct reason *why)
{
	CLEANUP(metrics_freep) struct metrics *m = metrics_new();
	int err;

	if (!m)
		return reason_set(why, -ENOMEM, "nothing can be told");
	err = metrics_gather(c->watch, m, why);
	*whole = err == 0 && c->watch->bad_n == 0;
	metrics_complain(c, err, why, say);
	err = metrics_write(m, out);
	return err < 0 ? reason_set(why, err, "nothing can be told") : err;
}

static int
metrics_make(void *arg, struct mp_buf *out, struct reason *why)
{
	bool whole;
	int n = metrics_text(arg, out, &whole, metrics_to_journal, why);

	if (n > 0)
		diag_limited("metrics",
		    "names twice, or too many: left out metrics=%d", n);
	return MIN(n, 0);
}

static int
metrics_once(struct metrics_command *c)
{
	struct mp_buf out = { 0 };
	struct reason why = REASON_NO_MEMORY;
	bool whole;
	int n = metrics_text(c, &out, &whole, metrics_to_terminal, &why);

	if (n >= 0)
		(void)fwrite(out.p, 1, out.len, stdout);
	mp_buf_deinit(&out);
	if (n < 0)
		return tool_fail(&c->t, &why);
	if (n > 0)
		tool_note(&c->t, "names twice, or too many: %d left out", n);
	return whole && n == 0 ? TOOL_OK : TOOL_ERROR;
}

/* --- serving --- */

/* Beyond what all do: whether a process is there, and holds its counters. */
static const struct hygiene_rule metrics_rules[] = {
	HYGIENE_ALWAYS(flock),
	HYGIENE_WHEN(kill, 1, UINT32_MAX, 0),
};

static const struct hygiene_list metrics_calls = { metrics_rules,
	ARRAY_LEN(metrics_rules) };

static void
on_stop(void *arg, unsigned signo)
{
	struct metrics_command *c = arg;

	(void)notify_send("STOPPING=1");
	loop_stop(c->loop);
}

static void
on_dog(void *arg)
{
	(void)notify_send("WATCHDOG=1");
}

static int
metrics_start(struct metrics_command *c,
    const struct metrics_http_options *options, struct reason *why)
{
	uint64_t dog_us = notify_watchdog_us();
	int err;

	c->loop = loop_new();
	if (!c->loop)
		return reason_set(why, -ENOMEM, "cannot make a loop");
	err = metrics_http_new(c->loop, options, &c->http);
	for (unsigned i = 0; err == 0 && i < c->n; i++)
		err = metrics_http_listen(c->http, c->fds[i]);
	if (err == 0)
		err =
		    loop_signal_add(c->loop, &c->stops[0], SIGTERM, on_stop, c);
	if (err == 0)
		err =
		    loop_signal_add(c->loop, &c->stops[1], SIGINT, on_stop, c);
	if (err == 0)
		err = loop_timer_init(c->loop, &c->dog, on_dog, c);
	if (err == 0 && dog_us)
		err = loop_timer_set(&c->dog, dog_us, 1);
	return err < 0 ? reason_set(why, err, "cannot serve") : 0;
}

static void
metrics_stop(struct metrics_command *c)
{
	loop_timer_deinit(&c->dog);
	for (unsigned i = 0; i < ARRAY_LEN(c->stops); i++)
		loop_io_deinit(&c->stops[i]);
	c->http = metrics_http_free(c->http);
	c->loop = loop_free(c->loop);
	for (unsigned i = 0; i < c->n; i++)
		(void)close(c->fds[i]);
}

static bool
metrics_say_where(struct metrics_command *c)
{
	char name[NAME_BYTES];

	for (unsigned i = 0; i < c->n; i++) {
		/* A local one was bound under another name. */
		if (c->listen && !strncmp(c->listen, "unix:", 5))
			snprintf(name, sizeof(name), "%s", c->listen);
		else
			metrics_listen_name(c->fds[i], name, sizeof(name));
		printf("peal: metrics at %s%s\n", name,
		    strncmp(name, "unix:", 5) ? METRICS_PATH : "");
	}
	return tool_flush(&c->t);
}

static int
metrics_serve(struct metrics_command *c)
{
	const struct metrics_http_options options = {
		.path = METRICS_PATH,
		.type = METRICS_CONTENT_TYPE,
		.make = metrics_make,
		.arg = c,
		.fresh_us = FRESH_US,
		.stay_us = STAY_US,
	};
	struct reason why = REASON_NO_MEMORY;
	int err = metrics_start(c, &options, &why);

	if (err == 0 && metrics_say_where(c)) {
		hygiene_close_or_say(&metrics_calls, -1);
		(void)notify_send("READY=1\nSTATUS=serving");
		err = loop_run(c->loop);
		if (err < 0)
			(void)reason_set(&why, err, "the loop failed");
	}
	metrics_stop(c);
	return err < 0 ? tool_fail(&c->t, &why) : TOOL_OK;
}

/* Sockets that were handed over, else the one that --listen names. */
static int
metrics_sockets(struct metrics_command *c, struct reason *why)
{
	int n = metrics_listen_given(c->fds, METRICS_HTTP_SOCKETS, why);

	if (n == 0 && c->listen) {
		n = metrics_listen(c->listen, &c->fds[0], why);
		n = n < 0 ? n : 1;
	}
	if (n > 0)
		c->n = (unsigned)n;
	return MIN(n, 0);
}

static int
metrics_run(struct metrics_command *c)
{
	struct reason why = REASON_NO_MEMORY;
	int err = metrics_sockets(c, &why);

	if (err == -EINVAL)
		return tool_usage_error(&c->t, "%s", why.text);
	if (err == 0)
		err = watch_new(&c->t.house, &c->watch, &why);
	if (err < 0)
		return tool_fail(&c->t, &why);
	return c->n > 0 ? metrics_serve(c) : metrics_once(c);
}

int
cmd_metrics(int argc, char **argv)
{
	struct metrics_command c = { .n = 0 };
	const struct tool_option options[] = {
		{ .name = "listen",
		    .kind = TOOL_TEXT,
		    .value = &c.listen,
		    .arg = "WHERE",
		    .help = "serve them at ADDRESS:PORT of loopback, or at "
			    "unix:PATH" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "metrics",
		.text = "Print what is counted in Prometheus' text format, or "
			"serve it over HTTP at\n" METRICS_PATH
			". Asks no process: what has died is told of, too.",
		.common = TOOL_HOUSE,
		.options = options,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	diag_init("peal metrics");
	status = metrics_run(&c);
	c.watch = watch_free(c.watch);
	return tool_end(&c.t, status);
}
