/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The layer under the subcommands.  Errors are one sentence on stderr that
 * begins with the command; results go to stdout and nothing else does.
 */

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/fs.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/tool.h"
#include "tools/wrap.h"

enum {
	OPTIONS_MAX = 40,
	OPTION_BASE = 256,
	HELP_COLUMN = 28,
	HELP_WIDTH = 79
};

/* Something was refused for want of rights; tool_end() says whose it is. */
static bool tool_denied;

void
tool_plain(char *text)
{
	for (uint8_t *c = (uint8_t *)text; *c; c++) {
		/* C1 controls are U+0080 to U+009F. */
		if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[1] = *c = '?';
		else if (*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

static void PRINTF(2, 0)
    tool_say(const struct tool *t, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	tool_plain(line);
	fprintf(stderr, "peal %s: %s\n", t->usage->name, line);
	tool_denied = tool_denied || strstr(line, strerror(EACCES));
}

int
tool_error(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tool_say(t, fmt, ap);
	va_end(ap);
	return TOOL_ERROR;
}

int
tool_fail(const struct tool *t, const struct reason *why)
{
	return tool_error(t, "%s", why->text);
}

int
tool_usage_error(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tool_say(t, fmt, ap);
	va_end(ap);
	fprintf(stderr, "try 'peal %s --help'\n", t->usage->name);
	return TOOL_USAGE;
}

void
tool_note(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tool_say(t, fmt, ap);
	va_end(ap);
}

bool
tool_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t v;

	if (!slice_uint(slice_cstr(text), &v) || v < min || v > max)
		return false;
	*value = v;
	return true;
}

const char *
tool_time(uint64_t time_us, char buf[TOOL_TIME_BYTES])
{
	time_t s = (time_t)(time_us / US_PER_S);
	struct tm tm;
	size_t len;

	if (!localtime_r(&s, &tm)) {
		snprintf(buf, TOOL_TIME_BYTES, "%llu us",
		    (unsigned long long)time_us);
		return buf;
	}
	len = strftime(buf, TOOL_TIME_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf + len, TOOL_TIME_BYTES - len, ".%06u",
	    (unsigned)(time_us % US_PER_S));
	return buf;
}

/* --- the table of options --- */

/* All options of a call: the subcommand's, then the common ones. */
struct tool_options {
	struct tool_option v[OPTIONS_MAX];
	unsigned n;
	bool help;
};

static void
tool_options_add(struct tool_options *all, struct tool_option option)
{
	if (all->n < OPTIONS_MAX)
		all->v[all->n++] = option;
}

static void
tool_options_gather(
    struct tool *t, const struct tool_usage *usage, struct tool_options *all)
{
	for (const struct tool_option *o = usage->options; o && o->name; o++)
		tool_options_add(all, *o);
	if (usage->common & TOOL_JSON)
		tool_options_add(all, (struct tool_option){ .name = "json",
					  .kind = TOOL_FLAG,
					  .value = &t->json,
					  .help = "print JSON, for programs" });
	if (usage->common & TOOL_QUERY) {
		tool_options_add(
		    all, (struct tool_option){ .name = "min-seq",
			     .kind = TOOL_UINT,
			     .value = &t->min_seq,
			     .arg = "SEQ",
			     .help = "what the answer includes (default: all; "
				     "0: anything)",
			     .max = PROTO_SEQ_MAX });
		tool_options_add(all,
		    (struct tool_option){ .name = "timeout",
			.kind = TOOL_UINT,
			.value = &t->timeout_s,
			.arg = "SECONDS",
			.help = "give up after such a silence (default: 30)",
			.min = 1,
			.max = 86400 });
	}
	if (usage->common & TOOL_REMOTE) {
		tool_options_add(
		    all, (struct tool_option){ .name = "url",
			     .kind = TOOL_TEXT,
			     .value = &t->url,
			     .arg = "URL",
			     .help = "a gateway, https://HOST:PORT" });
		tool_options_add(
		    all, (struct tool_option){ .name = "token-file",
			     .kind = TOOL_TEXT,
			     .value = &t->token_file,
			     .arg = "FILE",
			     .help = "file with the token (default "
				     "DIR/dev.token)" });
		tool_options_add(
		    all, (struct tool_option){ .name = "cafile",
			     .kind = TOOL_TEXT,
			     .value = &t->cafile,
			     .arg = "FILE",
			     .help = "certificates to trust (default "
				     "DIR/tls/cert.pem)" });
	}
	if (usage->common & (TOOL_HOUSE | TOOL_FOUND)) {
		tool_options_add(
		    all, (struct tool_option){ .name = "data",
			     .kind = TOOL_TEXT,
			     .value = &t->data,
			     .arg = "DIR",
			     .help = "directory that `peal up` was given" });
		tool_options_add(all, (struct tool_option){ .name = "config",
					  .letter = 'c',
					  .kind = TOOL_TEXT,
					  .value = &t->conf_file,
					  .arg = "FILE",
					  .help = "configuration file" });
		tool_options_add(
		    all, (struct tool_option){ .name = "option",
			     .letter = 'o',
			     .kind = TOOL_LIST,
			     .value = &t->assignments,
			     .arg = "SECTION.KEY=VALUE",
			     .help = "override a key of the configuration" });
	}
	tool_options_add(all, (struct tool_option){ .name = "help",
				  .letter = 'h',
				  .kind = TOOL_FLAG,
				  .value = &all->help,
				  .help = "print this" });
}

static void
tool_help(const struct tool_usage *usage, const struct tool_options *all)
{
	printf("usage: peal %s [OPTION...]%s%s\n\n", usage->name,
	    usage->operands ? " " : "", usage->operands ? usage->operands : "");
	wrap_text(usage->text, 0, 0, HELP_WIDTH);
	printf("\noptions:\n");
	for (unsigned i = 0; i < all->n; i++) {
		const struct tool_option *o = &all->v[i];
		char left[80];
		int len;

		len = o->letter
			  ? snprintf(left, sizeof(left), "  -%c, --%s",
				o->letter, o->name)
			  : snprintf(left, sizeof(left), "      --%s", o->name);
		if (o->arg)
			len += snprintf(left + len, sizeof(left) - (size_t)len,
			    " %s", o->arg);
		if (len >= HELP_COLUMN)
			printf("%s\n%*s  ", left, HELP_COLUMN, "");
		else
			printf("%-*s  ", HELP_COLUMN, left);
		wrap_text(
		    o->help, HELP_COLUMN + 2, HELP_COLUMN + 2, HELP_WIDTH);
	}
}

static int
tool_option_take(
    const struct tool *t, const struct tool_option *o, const char *arg)
{
	struct tool_list *list;

	switch (o->kind) {
	case TOOL_FLAG:
		*(bool *)o->value = true;
		return TOOL_OK;
	case TOOL_TEXT:
		*(const char **)o->value = arg;
		return TOOL_OK;
	case TOOL_UINT:
		if (tool_number(arg, o->min, o->max, o->value))
			return TOOL_OK;
		return tool_usage_error(t,
		    "--%s takes a whole number from %llu to %llu, not '%.60s'",
		    o->name, (unsigned long long)o->min,
		    (unsigned long long)o->max, arg);
	case TOOL_LIST:
		list = o->value;
		if (list->n == TOOL_LIST_MAX)
			return tool_usage_error(t,
			    "--%s may be given %d times at most", o->name,
			    TOOL_LIST_MAX);
		list->v[list->n++] = arg;
		return TOOL_OK;
	}
	return TOOL_ERROR;
}

static int
tool_options_parse(
    struct tool *t, const struct tool_options *all, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 1] = { 0 };
	char shorts[2 * OPTIONS_MAX + 3] = ":";
	size_t at = 1;
	int c, status;

	for (unsigned i = 0; i < all->n; i++) {
		int has_arg = all->v[i].kind != TOOL_FLAG;

		longs[i] = (struct option){ all->v[i].name, has_arg, NULL,
			OPTION_BASE + (int)i };
		if (all->v[i].letter)
			shorts[at++] = all->v[i].letter;
		if (all->v[i].letter && has_arg)
			shorts[at++] = ':';
	}
	shorts[at] = '\0';
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		unsigned i = 0;

		if (c == ':')
			return tool_usage_error(
			    t, "'%s' needs an argument", argv[optind - 1]);
		if (c == '?')
			return tool_usage_error(
			    t, "there is no option '%s'", argv[optind - 1]);
		while (i < all->n && c != OPTION_BASE + (int)i &&
		       c != all->v[i].letter)
			i++;
		status = tool_option_take(t, &all->v[i], optarg);
		if (status != TOOL_OK)
			return status;
	}
	t->argc = argc - optind;
	t->argv = argv + optind;
	return TOOL_OK;
}

static int
tool_check_operands(const struct tool *t)
{
	const struct tool_usage *usage = t->usage;

	if (t->argc < usage->min_operands)
		return tool_usage_error(t, "operands are missing: peal %s %s",
		    usage->name, usage->operands ? usage->operands : "");
	if (usage->max_operands >= 0 && t->argc > usage->max_operands)
		return tool_usage_error(t, "'%.60s' is one operand too many",
		    t->argv[usage->max_operands]);
	return TOOL_OK;
}

/* A directory to be made goes again where what it was made for fails. */
static void
tool_unmake(const struct tool *t)
{
	if (t->made)
		(void)rmdir(t->data);
}

static int
tool_find_house(struct tool *t, struct reason *why)
{
	struct stat st;
	int err = 0;

	if ((t->usage->common & TOOL_MAKES) && t->data &&
	    stat(t->data, &st) < 0 && errno == ENOENT) {
		err = fs_mkdirs(t->data, 0750, why);
		t->made = err >= 0;
	}
	if (err >= 0)
		err = house_find(&t->house, t->conf_file, t->data,
		    t->assignments.v, t->assignments.n, why);
	if (err < 0)
		tool_unmake(t);
	return err;
}

bool
tool_begin(struct tool *t, const struct tool_usage *usage, int argc,
    char **argv, int *status)
{
	struct tool_options all = { .n = 0 };
	struct reason why = REASON_NO_MEMORY;

	*t = (struct tool){ .usage = usage,
		.min_seq = TOOL_HEAD,
		.timeout_s = 30,
		.tty = isatty(STDOUT_FILENO) };
	signal(SIGPIPE, SIG_IGN);
	tool_options_gather(t, usage, &all);
	*status = tool_options_parse(t, &all, argc, argv);
	if (*status != TOOL_OK)
		return false;
	if (all.help) {
		tool_help(usage, &all);
		*status = tool_end(t, TOOL_OK);
		return false;
	}
	*status = tool_check_operands(t);
	if (*status != TOOL_OK)
		return false;
	if (!(usage->common & TOOL_HOUSE))
		return true;
	if (tool_find_house(t, &why) < 0) {
		(void)tool_fail(t, &why);
		*status = TOOL_USAGE;
		return false;
	}
	return true;
}

bool
tool_flush(struct tool *t)
{
	return fflush(stdout) == 0 && !ferror(stdout);
}

/* Whether the other end of the pipe on stdout is gone. */
static bool
tool_reader_left(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

/* A house is its group's: who is refused learns which one that is. */
static void
tool_tell_group(const struct tool *t)
{
	const struct group *gr;
	struct stat st;

	if (!tool_denied || geteuid() == 0 ||
	    stat(house_run_dir(&t->house), &st) < 0)
		return;
	gr = getgrgid(st.st_gid);
	if (gr)
		tool_note(t,
		    "root and group '%s' may: join it, and log in anew",
		    gr->gr_name);
}

int
tool_end(struct tool *t, int status)
{
	if (status != TOOL_OK && (t->usage->common & TOOL_HOUSE))
		tool_tell_group(t);
	if (status != TOOL_OK)
		tool_unmake(t);
	house_deinit(&t->house);
	errno = 0;
	if (tool_flush(t) || errno == EPIPE || status != TOOL_OK)
		return status;
	if (errno)
		return tool_error(
		    t, "cannot write the output: %s", strerror(errno));
	/* An earlier write failed, and its errno is gone. */
	return tool_reader_left() ? status
				  : tool_error(t, "cannot write the output");
}

/* --- being told to stop --- */

static volatile sig_atomic_t tool_stop_signal;

static void
tool_on_stop(int signo)
{
	tool_stop_signal = signo;
}

void
tool_catch_stop(void)
{
	/* Without SA_RESTART: a wait ends, and its loop looks here. */
	struct sigaction sa = { .sa_handler = tool_on_stop };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool
tool_stopped(void)
{
	return tool_stop_signal != 0;
}
