/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal clients`: who is connected, how far behind, and why others have gone.
 * Read from shared memory alone: it shows what a crash left behind, too.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/time.h"
#include "tools/cmd.h"
#include "tools/crowd.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/wrap.h"

enum {
	CLIENTS_WIDTH = 120,  /* of a line */
	CLIENTS_ROOM = 10000, /* shown, unless -n says otherwise */
	CLIENTS_MOST = 1 << 20,
};

struct clients_command {
	struct tool t;
	const char *by;
	bool gone;
	uint64_t n;
	bool narrow; /* each takes two lines */
};

static const char clients_text[] =
    "List the clients of all gateways, or of users whose name fits GLOB, those "
    "furthest\nbehind first. Lag is what its gateway has read from the ring "
    "and the client was not\ngiven; position is the seq up to which it has "
    "all that it asked for.";

static void
clients_text_json(
    struct mp_buf *b, const char *key, const struct client_text *text)
{
	char buf[CROWD_NAME];

	mp_pack_cstr(b, key);
	if (text->whole == text->n &&
	    mpvalid_utf8((const uint8_t *)text->bytes, text->n))
		mp_pack_str(b, slice_of(text->bytes, text->n));
	else
		mp_pack_cstr(b, crowd_name(text, buf));
}

static void
clients_json(struct mp_buf *b, const struct crowd_row *row)
{
	const struct client_info *info = &row->info;
	const struct {
		const char *name;
		uint64_t v;
	} numbers[] = {
		{ "position", info->position },
		{ "lag", info->lag },
		{ "sent", info->sent },
		{ "received", info->received },
		{ "queued", info->queued },
		{ "subscriptions", info->subscriptions },
		{ "opened", info->opened },
		{ "seen", info->seen },
		{ "close_code", info->close_code },
		{ "gateway", row->pid },
	};

	mp_pack_map(b, ARRAY_LEN(numbers) + 5);
	clients_text_json(b, "user", &info->user);
	clients_text_json(b, "client", &info->client);
	mp_pair_cstr(b, "state", crowd_state_name(info->state));
	mp_pair_cstr(b, "form", crowd_form_name(info->form));
	mp_pair_bool(b, "alive", row->alive);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		mp_pair_uint(b, numbers[i].name, numbers[i].v);
}

/* One by one, so that a long list takes no more memory than a short one. */
static int
clients_print_json(struct clients_command *c, const struct crowd *crowd)
{
	struct show show = { .json = true };
	int err = 0;

	printf("[");
	for (unsigned i = 0; err == 0 && i < crowd->n; i++) {
		struct mp_buf b = { 0 };

		printf(i > 0 ? "," : "");
		clients_json(&b, &crowd->rows[i]);
		err = b.failed ? -1 : show_value(&show, slice_of(b.p, b.len));
		mp_buf_deinit(&b);
	}
	printf("]\n");
	show_deinit(&show);
	return err < 0 ? tool_error(&c->t, "out of memory") : TOOL_OK;
}

/* 431 s, 17 min, 5 h, 12 d. */
static const char *
clients_age(uint64_t us, char buf[24])
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = { { 1, "s" }, { 60, "min" }, { 3600, "h" },
		{ 86400, "d" } };
	uint64_t s = us / US_PER_S;
	unsigned i = 0;

	while (i + 1 < ARRAY_LEN(units) && s >= 2 * units[i + 1].seconds)
		i++;
	snprintf(
	    buf, 24, "%" PRIu64 " %s", s / units[i].seconds, units[i].unit);
	return buf;
}

static void
clients_two_lines(
    const struct crowd_row *row, const char *age, const char *code)
{
	const struct client_info *info = &row->info;
	char user[CROWD_NAME], client[CROWD_NAME];

	printf("%7" PRIu32 "%c %-7s %-6s %10" PRIu64 " %12" PRIu64 " %7s %5s\n",
	    row->pid, row->alive ? ' ' : '!', crowd_form_name(info->form),
	    crowd_state_name(info->state), info->lag, info->position, age,
	    code);
	wrap_print("%s%s%s; sent %" PRIu64 ", queued %" PRIu64
		   ", subscriptions %" PRIu64,
	    info->user.n > 0 ? crowd_name(&info->user, user) : "-",
	    info->client.n > 0 ? ", " : "",
	    info->client.n > 0 ? crowd_name(&info->client, client) : "",
	    info->sent, info->queued, info->subscriptions);
}

/* Names stand last: nobody knows how wide they are. */
static void
clients_line(const struct clients_command *c, const struct crowd_row *row,
    uint64_t now_us)
{
	const struct client_info *info = &row->info;
	bool gone = info->state == CLIENT_GONE;
	uint64_t since = gone ? info->seen : info->opened;
	char age[24], code[24] = "-", name[CROWD_NAME];

	(void)clients_age(now_us > since ? now_us - since : 0, age);
	if (info->close_code > 0)
		snprintf(code, sizeof(code), "%" PRIu64, info->close_code);
	if (c->narrow) {
		clients_two_lines(row, age, code);
		return;
	}
	printf("%7" PRIu32 "%c %-7s %-6s %10" PRIu64 " %12" PRIu64 " %12" PRIu64
	       " %9" PRIu64 " %4" PRIu64 " %7s %5s  ",
	    row->pid, row->alive ? ' ' : '!', crowd_form_name(info->form),
	    crowd_state_name(info->state), info->lag, info->position,
	    info->sent, info->queued, info->subscriptions, age, code);
	fputs(info->user.n > 0 ? crowd_name(&info->user, name) : "-", stdout);
	if (info->client.n > 0)
		printf("  %s", crowd_name(&info->client, name));
	printf("\n");
}

static int
clients_print(struct clients_command *c, const struct crowd *crowd)
{
	uint64_t now_us = time_wall_us();
	bool dead = false;

	c->narrow = wrap_narrow(&c->t, CLIENTS_WIDTH);
	if (c->narrow)
		printf("%7s  %-7s %-6s %10s %12s %7s %5s\n", "gateway", "form",
		    "state", "lag", "position", "since", "code");
	else
		printf("%7s  %-7s %-6s %10s %12s %12s %9s %4s %7s %5s  %s\n",
		    "gateway", "form", "state", "lag", "position", "sent",
		    "queued", "subs", "since", "code", "user, client");
	for (unsigned i = 0; i < crowd->n && tool_flush(&c->t); i++) {
		clients_line(c, &crowd->rows[i], now_us);
		dead = dead || !crowd->rows[i].alive;
	}
	if (dead)
		printf("! this gateway has gone; that is what it left\n");
	return TOOL_OK;
}

/* What the list does not show. */
static void
clients_remarks(const struct clients_command *c, const struct crowd *crowd)
{
	unsigned kept = MIN(crowd->bad_n, (unsigned)CROWD_BAD);

	if (crowd->found > crowd->n)
		tool_note(&c->t,
		    "%" PRIu64 " more are not shown: -n N shows N of them",
		    crowd->found - crowd->n);
	if (crowd->orphans > 0)
		tool_note(&c->t,
		    "%" PRIu64 " had a gateway that has gone: --gone shows "
		    "them, too",
		    crowd->orphans);
	if (crowd->unseated > 0)
		tool_note(&c->t,
		    "%" PRIu64 " clients are connected and have no slot: see "
		    "gateway.client_slots",
		    crowd->unseated);
	if (crowd->torn > 0)
		tool_note(&c->t,
		    "%" PRIu64 " slots were being written and are left out",
		    crowd->torn);
	for (unsigned i = 0; i < kept; i++)
		tool_note(&c->t, "%s", crowd->bad[i].text);
	if (crowd->bad_n > kept)
		tool_note(&c->t, "%u more pages are bad", crowd->bad_n - kept);
}

static int
clients_show(struct clients_command *c, int by)
{
	struct crowd crowd CLEANUP(crowd_deinit) = { 0 };
	const struct crowd_ask ask = {
		.user = c->t.argc > 0 ? c->t.argv[0] : NULL,
		.gone = c->gone,
		.by = (size_t)by,
	};
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (crowd_init(&crowd, (unsigned)c->n) < 0)
		return tool_error(
		    &c->t, "no memory for %" PRIu64 " clients", c->n);
	if (crowd_look(&crowd, house_run_dir(&c->t.house), &ask, &why) < 0)
		return tool_fail(&c->t, &why);
	status = c->t.json ? clients_print_json(c, &crowd)
			   : clients_print(c, &crowd);
	clients_remarks(c, &crowd);
	if (crowd.bad_n > 0 && status == TOOL_OK)
		status = TOOL_ERROR;
	return status;
}

int
cmd_clients(int argc, char **argv)
{
	struct clients_command c = { .by = "lag", .n = CLIENTS_ROOM };
	const struct tool_option options[] = {
		{ .name = "gone",
		    .kind = TOOL_FLAG,
		    .value = &c.gone,
		    .help = "also those who have gone, and why" },
		{ .name = "by",
		    .kind = TOOL_TEXT,
		    .value = &c.by,
		    .arg = "COLUMN",
		    .help = "highest first by that number of --json, else "
			    "lag" },
		{ .name = "count",
		    .letter = 'n',
		    .kind = TOOL_UINT,
		    .value = &c.n,
		    .arg = "N",
		    .help = "at most N of them, else 10,000",
		    .min = 1,
		    .max = CLIENTS_MOST },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "clients",
		.operands = "[GLOB]",
		.text = clients_text,
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.max_operands = 1 };
	int status, by;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	by = crowd_column(c.by);
	if (by < 0)
		status =
		    tool_usage_error(&c.t, "there is no column '%.40s'", c.by);
	else
		status = clients_show(&c, by);
	return tool_end(&c.t, status);
}
