/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal log repair`: where acknowledged events are damaged or missing and no
 * backup has them, the log goes on without them. Nothing is done before
 * exactly that loss was accepted, and what was there is kept.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/repair.h"
#include "shm/ring_reader.h"
#include "tools/cmd_log.h"
#include "tools/guard.h"
#include "tools/log_place.h"
#include "tools/show.h"
#include "tools/tool.h"

enum {
	SHOWN_MAX = 20, /* ranges that are printed one by one */
};

struct repair_command {
	struct tool t;
	const char *accept; /* or NULL: what would be done is printed */
	struct log_repair r;
	struct log_witness known[2];
	struct log_place place;
};

static void
repair_problem(void *arg, const struct log_problem *problem)
{
	char sentence[LOG_PROBLEM_SENTENCE];

	(void)arg;
	cmd_log_note(log_problem_sentence(problem, sentence));
}

/* --- what was acknowledged, as others remember it --- */

static unsigned
repair_ask_ring(const struct house *h, struct log_witness *w)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct ring_status status;
	long replaced;

	guard_begin();
	replaced = guard_replaced();
	if (ring_reader_open_left(house_run_dir(h), &rd) < 0)
		return 0;
	ring_reader_status(rd, &status);
	if (guard_replaced() != replaced)
		return 0;
	*w = (struct log_witness){ .name = "the old ring",
		.epoch = ring_reader_info(rd)->epoch,
		.seq = status.tail_seq };
	memcpy(w->log_id, ring_reader_info(rd)->log_id, sizeof(w->log_id));
	return 1;
}

/* --- the ranges, as they are typed --- */

/* "A..B,C..D"; "none". */
static char *
repair_ranges(const struct log_repair *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < r->n_lost; i++) {
		fprintf(f, "%s%" PRIu64 "..", i ? "," : "", r->lost[i].first);
		if (!r->open || i + 1 < r->n_lost)
			fprintf(f, "%" PRIu64, r->lost[i].last);
	}
	if (f && r->n_lost == 0)
		fprintf(f, "none");
	if (f)
		(void)fclose(f);
	return text;
}

/* Does the argument look like ranges at all? */
static bool
repair_accept_valid(const char *text)
{
	return strcmp(text, "none") == 0 ||
	       (strspn(text, "0123456789.,") == strlen(text) &&
		   text[0] >= '0' && text[0] <= '9' && strstr(text, ".."));
}

/* --- output --- */

static void
repair_print_lost(const struct log_repair *r)
{
	size_t n = r->n_lost > SHOWN_MAX ? SHOWN_MAX : r->n_lost;

	for (size_t i = 0; i < n; i++) {
		const struct log_range *lost = &r->lost[i];

		if (r->open && i + 1 == r->n_lost)
			printf("lost: events from %" PRIu64
			       " on, nobody knows how many\n",
			    lost->first);
		else if (lost->first == lost->last)
			printf("lost: event %" PRIu64 "\n", lost->first);
		else
			printf("lost: events %" PRIu64 " to %" PRIu64 "\n",
			    lost->first, lost->last);
	}
	if (n < r->n_lost)
		printf("lost: %zu more ranges\n", r->n_lost - n);
	if (r->n_lost == 0)
		printf("lost: no event\n");
}

/* As a shell takes it for what it is. */
static void
repair_print_option(const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	printf(" %s ", name);
	show_shell_word(value);
}

static void
repair_print_plan(const struct repair_command *c, const char *ranges)
{
	const struct log_repair *r = &c->r;

	if (c->t.json) {
		printf("{\"lost\":%" PRIu64 ",\"accept\":\"%s\",\"kept\":"
		       "%" PRIu64 ",\"segments\":%" PRIu64
		       ",\"linked\":%" PRIu64 ",\"last_seq\":%" PRIu64 "}\n",
		    r->events_lost, ranges, r->events_kept, r->segments,
		    r->linked, r->last_seq);
		return;
	}
	repair_print_lost(r);
	printf("kept: the first %" PRIu64 " of %" PRIu64
	       " segments as they are, and %" PRIu64
	       " events that would be written anew\n",
	    r->linked, r->segments, r->events_kept);
	printf("nothing was changed; where no backup has what is lost, accept "
	       "it:\npeal log repair --accept-loss %s",
	    ranges);
	repair_print_option("-c", c->t.conf_file);
	repair_print_option("--data", c->t.house.dir);
	for (unsigned i = 0; i < c->t.assignments.n; i++)
		repair_print_option("-o", c->t.assignments.v[i]);
	printf("\n");
}

/* A directory's name is any bytes: binary data where it is no text. */
static void
repair_pack_path(struct mp_buf *b, const char *path)
{
	size_t n = strlen(path);

	if (mpvalid_utf8((const uint8_t *)path, n))
		mp_pack_str(b, slice_of(path, n));
	else
		mp_pack_bin(b, slice_of(path, n));
}

static int
repair_print_done_json(const struct repair_command *c, const char *ranges)
{
	const struct log_repair *r = &c->r;
	struct show show = { .json = true };
	struct mp_buf b = { 0 };
	int err;

	mp_pack_map(&b, 6);
	mp_pair_uint(&b, "lost", r->events_lost);
	mp_pair_cstr(&b, "accept", ranges);
	mp_pair_uint(&b, "seq", r->last_seq);
	mp_pair_uint(&b, "epoch", r->epoch);
	mp_pair_uint(&b, "epoch_seq", r->epoch_seq);
	mp_pack_cstr(&b, "kept_in");
	repair_pack_path(&b, c->place.kept);
	err = b.failed ? -ENOMEM : show_value(&show, slice_of(b.p, b.len));
	show_deinit(&show);
	mp_buf_deinit(&b);
	return err;
}

static void
repair_print_done(const struct repair_command *c, const char *ranges)
{
	const struct log_repair *r = &c->r;

	repair_print_lost(r);
	printf("'%s' is whole up to seq %" PRIu64 ", epoch %" PRIu64
	       "; event %" PRIu64 " says what was lost\n"
	       "what was there before is in '%s'\n",
	    c->place.path, r->last_seq, r->epoch, r->epoch_seq, c->place.kept);
}

/* --- doing it --- */

static int
repair_make(struct repair_command *c, const char *ranges, struct reason *why)
{
	int err = log_place_make(&c->place, why);

	if (err < 0)
		return err;
	if (c->place.found[0])
		tool_note(&c->t, "what an attempt before left is in '%s'",
		    c->place.found);
	err = log_repair_make(
	    &sysio_posix, c->place.old, c->place.fd, &c->r, why);
	if (err == 0)
		err = log_place_swap(&c->place, why);
	if (err == 0 && c->t.json && repair_print_done_json(c, ranges) < 0)
		return reason_set(why, -ENOMEM,
		    "the log is repaired, but that cannot be printed");
	if (err == 0 && !c->t.json)
		repair_print_done(c, ranges);
	return err;
}

static int
repair_planned(struct repair_command *c)
{
	CLEANUP(freep) char *ranges = repair_ranges(&c->r);
	struct reason why = REASON_NO_MEMORY;

	if (!ranges)
		return tool_error(&c->t, "out of memory");
	if (!c->accept) {
		repair_print_plan(c, ranges);
		return TOOL_DAMAGED;
	}
	if (strcmp(c->accept, ranges) != 0)
		return tool_error(&c->t,
		    "what would be lost is %s, not %s: nothing was changed",
		    ranges, c->accept);
	return repair_make(c, ranges, &why) == 0 ? TOOL_OK
						 : tool_fail(&c->t, &why);
}

static int
repair_locked(struct repair_command *c)
{
	struct log_repair *r = &c->r;
	struct reason why = REASON_NO_MEMORY;

	r->n_witnesses = repair_ask_ring(&c->t.house, &c->known[0]);
	r->n_witnesses +=
	    cmd_log_ask_broker(&c->t.house, &c->known[r->n_witnesses], r->note);
	r->witnesses = c->known;
	r->segment_bytes = conf_uint(c->t.house.conf, CONF_log_segment_bytes);
	switch (log_repair_plan(&sysio_posix, c->place.old, r, &why)) {
	case LOG_REPAIR_NONE:
		if (c->t.json)
			printf("{\"lost\":0,\"last_seq\":%" PRIu64 "}\n",
			    r->last_seq);
		else
			printf("the log is whole up to seq %" PRIu64
			       ": there is nothing to repair\n",
			    r->last_seq);
		return TOOL_OK;
	case LOG_REPAIR_PLANNED:
		return repair_planned(c);
	case LOG_REPAIR_REFUSED:
		(void)tool_fail(&c->t, &why);
		return TOOL_DAMAGED;
	default:
		return tool_fail(&c->t, &why);
	}
}

static int
repair_run(struct repair_command *c)
{
	char suffix[40];
	struct reason why = REASON_NO_MEMORY;
	int status;

	c->r.now_us = time_wall_us();
	snprintf(suffix, sizeof(suffix), ".damaged-%" PRIu64,
	    c->r.now_us / US_PER_S);
	switch (log_place_begin(&c->place, &c->t.house, suffix, &why)) {
	case LOG_PLACE_READY:
		status = c->place.old < 0
			     ? tool_error(&c->t, "there is no log in '%s'",
				   c->place.path)
			     : repair_locked(c);
		break;
	case LOG_PLACE_HELD:
		(void)tool_fail(&c->t, &why);
		status = TOOL_HELD;
		break;
	default:
		status = tool_fail(&c->t, &why);
	}
	log_repair_deinit(&c->r);
	log_place_end(&c->place);
	return status;
}

int
cmd_log_repair(int argc, char **argv)
{
	struct repair_command c = { .r = { .problem = repair_problem,
					.note = cmd_log_note,
					.progress = cmd_log_progress } };
	const struct tool_option options[] = {
		{ .name = "accept-loss",
		    .kind = TOOL_TEXT,
		    .value = &c.accept,
		    .arg = "A..B",
		    .help = "what was printed without it: these events are "
			    "given up" },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "log repair",
		.text = "Say what of a damaged log is whole and what is lost, "
			"and with --accept-loss go on\nwithout it: a new log "
			"is made beside the old one, with an event in the "
			"place of each\nthat is lost, and a new epoch. What "
			"was there is kept. No writer may have the log\nopen. "
			"Exit code 3 where it is damaged and nothing was done, "
			"73 where a writer runs.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	cmd_log_notes_to(&c.t);
	if (c.accept && !repair_accept_valid(c.accept))
		status = tool_usage_error(&c.t,
		    "'%.60s' is no loss: give A..B as it was printed, or none",
		    c.accept);
	else
		status = repair_run(&c);
	return tool_end(&c.t, status);
}
