/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The process as a whole: its parts opened in order, and the turn that moves
 * events from the ring to the clients and then waits for more.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/rules.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/ask.h"
#include "gateway/attach.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/counters.h"
#include "gateway/feed.h"
#include "gateway/fetch.h"
#include "gateway/forward.h"
#include "gateway/gateway_priv.h"
#include "gateway/grants.h"
#include "gateway/listen.h"
#include "gateway/prime.h"
#include "gateway/session.h"
#include "gateway/site.h"
#include "gateway/tls.h"
#include "gateway/token.h"
#include "gateway/written.h"
#include "shm/client_page.h"
#include "shm/ring_reader.h"

enum {
	DRINK_PASSES = 16,
	SHED_MS = 10000, /* over which all clients are sent away */
	LOOK_US = US_PER_S / 8,
};

/* The name of the log that this ring carries. */
static void
log_name(const struct ring_reader *ring, char name[PROTO_LOG_NAME])
{
	const struct ring_info *info = ring_reader_info(ring);

	proto_log_name(info->log_id, info->epoch, name);
}

/* Nothing that was said of the old log is true of this one. */
static void
change_log(struct gateway *gw, const char *name)
{
	if (gw->log[0]) {
		diag_warn("the log changed from '%s' to '%s'", gw->log, name);
		session_close_all(gw, PROTO_CLOSE_RESTART, "the log changed");
		feed_restart(gw->feed);
		catchup_forget(gw->catchup);
		fetch_forget(gw->fetch);
	}
	memcpy(gw->log, name, PROTO_LOG_NAME);
}

/*
 * What was not read may have been about permissions: nobody is served until
 * they are known again.
 */
static void
learn_grants(struct gateway *gw, struct ring_reader *ring, bool other_log)
{
	struct ring_status status;

	ring_reader_status(ring, &status);
	session_hold_all(gw);
	conns_hold(gw->conns, true);
	prime_begin(gw->prime, status.tail_seq, other_log);
}

static void
on_grants(void *arg)
{
	struct gateway *gw = arg;

	conns_hold(gw->conns, false);
	session_resume_all(gw);
}

static bool
on_ring(void *arg, struct ring_reader *ring)
{
	struct gateway *gw = arg;
	char name[PROTO_LOG_NAME];
	bool other_log;
	int rc;

	log_name(ring, name);
	other_log = strcmp(name, gw->log) != 0;
	if (other_log)
		change_log(gw, name);
	rc = feed_ring(gw->feed, ring);
	if (rc == FEED_FOREIGN || rc < 0) {
		diag_limited("ring", "the ring does not continue the log");
		return false;
	}
	if (catchup_ring(gw->catchup, ring) < 0)
		return false;
	if (rc == FEED_LAPPED)
		send_hub_lagged(&gw->hub);
	if (rc == FEED_LAPPED || other_log)
		learn_grants(gw, ring, other_log);
	diag_limited_note("attached",
	    "attached to the ring: log=%s incarnation=%u", name,
	    ring_reader_info(ring)->incarnation);
	return true;
}

/* One pass of the feed: enum feed_found, or below zero: a damaged ring. */
static int
feed_once(struct gateway *gw)
{
	int rc;

	if (!attach_ring_of(gw->attach))
		return FEED_IDLE;
	rc = feed_pass(gw->feed, time_mono_ns());
	if (rc == FEED_LAPPED) {
		diag_limited(
		    "lapped", "lapped: the writer came past this gateway");
		send_hub_lagged(&gw->hub);
		learn_grants(gw, attach_ring_of(gw->attach), false);
		return FEED_MORE;
	}
	return rc;
}

void
gateway_drink(struct gateway *gw, uint64_t seq)
{
	struct ring_reader *ring = attach_ring_of(gw->attach);
	struct ring_status status = { 0 };

	if (ring)
		ring_reader_status(ring, &status);
	seq = MIN(seq, status.tail_seq);
	for (unsigned i = 0; i < DRINK_PASSES || gw->groups.done < seq; i++)
		if (feed_once(gw) != FEED_MORE)
			return;
}

/* Its only purpose is to end a wait. */
static void
on_due(void *arg)
{
}

static void
on_mark(void *arg)
{
	struct gateway *gw = arg;

	gw->groups.now_ns = time_mono_ns();
	group_table_tick(&gw->groups, gw->mark_tick_ns);
}

/* What tools see of this reader: three stores. */
static void
report(struct gateway *gw)
{
	struct doorbell_report now = {
		.position = gw->groups.done,
		.clients = conns_count(gw->conns),
		.lapped = gw->hub.lagged,
	};

	attach_report(gw->attach, &now);
}

/* The fan-out counts for itself. */
static void
report_fanout(const struct gateway *gw)
{
	const struct group_counts *counts = &gw->groups.counts;

	COUNTERS_SET(events, feed_events(gw->feed));
	COUNTERS_SET(groups, counts->groups);
	COUNTERS_SET(visits, counts->visits);
	COUNTERS_SET(blocks, counts->blocks);
	COUNTERS_SET(private_blocks, counts->private);
	COUNTERS_SET(deliveries, counts->deliveries);
}

static void
on_second(void *arg)
{
	struct gateway *gw = arg;

	report(gw);
	report_fanout(gw);
	diag_tick();
	forward_hello(gw->forward);
	ask_tick(gw->ask);
	session_tick_all(gw);
	catchup_tick(gw->catchup, time_mono_ns());
	quota_tick(&gw->quotas, time_mono_ns());
}

static int
open_timers(struct gateway *gw)
{
	uint64_t tick_ns = MIN(gw->groups.mark_ns, gw->groups.ping_ns) / 8;
	int err = loop_timer_init(gw->loop, &gw->due_timer, on_due, gw);

	gw->mark_tick_ns = tick_ns;
	if (err == 0)
		err = loop_timer_init(gw->loop, &gw->mark_timer, on_mark, gw);
	if (err == 0)
		err = loop_timer_set(&gw->mark_timer, tick_ns / 1000, 1);
	if (err == 0)
		err =
		    loop_timer_init(gw->loop, &gw->second_timer, on_second, gw);
	if (err == 0)
		err = loop_timer_set(&gw->second_timer, US_PER_S, 1);
	if (err == 0)
		err = loop_timer_init(
		    gw->loop, &gw->greet_timer, session_greet_due, gw);
	if (err == 0)
		err = loop_timer_init(
		    gw->loop, &gw->shed_timer, session_shed_due, gw);
	if (err == 0)
		err = loop_timer_init(
		    gw->loop, &gw->look_timer, session_look_some, gw);
	if (err == 0)
		err = loop_timer_set(&gw->look_timer, LOOK_US, 1);
	return err;
}

void
gateway_configure(struct gateway *gw)
{
	const struct conf *conf = gw->conf;

	gw->groups.batch_ns =
	    conf_uint(conf, CONF_gateway_batch_ms) * NS_PER_MS;
	gw->quotas.max_bytes = conf_uint(conf, CONF_gateway_append_bytes);
	gw->quotas.rate = conf_uint(conf, CONF_gateway_append_rate);
	gw->quotas.max_conns = conf_uint(conf, CONF_gateway_user_connections);
	gw->quotas.turns.max_running = conf_uint(conf, CONF_gateway_queries);
	gw->quotas.turns.max_waiting =
	    conf_uint(conf, CONF_gateway_queries_waiting);
	if (gw->conns)
		conns_configure(gw->conns, conf);
}

static void
open_fanout(struct gateway *gw)
{
	const struct conf *conf = gw->conf;

	group_table_init(&gw->groups);
	gw->groups.mark_ns =
	    conf_uint(conf, CONF_gateway_mark_interval) * NS_PER_MS;
	gw->groups.ping_ns =
	    conf_uint(conf, CONF_gateway_ping_interval) * NS_PER_MS;
	gw->catchup = catchup_new();
	gw->grants = grants_new(session_granted, gw);
	gw->feed = feed_new(&gw->groups);
	feed_follow(gw->feed, gw->grants);
	send_hub_init(&gw->hub, &gw->groups, gw->catchup);
	quota_table_init(&gw->quotas);
	gw->quotas.turns.go = session_query_go;
	gateway_configure(gw);
	LIST_INIT(&gw->sessions);
	TAILQ_INIT(&gw->greetings);
}

/* Fold rules are the broker's word: its state is folded by them. */
static void
take_rules(struct gateway *gw, struct slice welcome)
{
	struct slice fold = proto_get(welcome, "fold");
	struct rules *rules = NULL;
	struct reason why = { "" };

	if (rules_unpack(fold, &rules, &why) < 0) {
		diag_limited("rules", "the broker's fold rules: %s", why.text);
		return;
	}
	if (rules_version(rules) == rules_version(gw->rules)) {
		(void)rules_free(rules);
		return;
	}
	diag_note("the fold rules have changed");
	(void)rules_free(gw->rules);
	gw->rules = rules;
	gw->hub.fold_version = rules_version(rules);
	if (session_shed_all(gw, SHED_MS) < 0)
		session_close_all(
		    gw, PROTO_CLOSE_RESTART, "the fold rules have changed");
}

static void
on_broker_news(void *arg, struct slice welcome)
{
	struct gateway *gw = arg;
	struct slice counts = proto_get(welcome, "counts");

	gw->stalled = counts.len > 0 && proto_get_uint(counts, "stalled").v > 0;
	take_rules(gw, welcome);
}

static void
on_broker(void *arg, struct slice welcome)
{
	struct gateway *gw = arg;

	diag_limited_note("broker", "reached the broker");
	fetch_forget(gw->fetch);
	on_broker_news(gw, welcome);
	session_broker_up(gw);
}

static int
open_broker(struct gateway *gw, const char *dir)
{
	const struct ask_handler handler = { on_broker, on_broker_news, gw };
	int err = ask_new(gw->loop, dir, &handler, &gw->ask);

	if (err < 0)
		return err;
	gw->prime =
	    prime_new(gw->loop, gw->ask, gw->grants, gw->log, on_grants, gw);
	gw->fetch = fetch_new(gw->ask);
	gw->hub.fetch = gw->fetch;
	gw->hub.fold_version = rules_version(gw->rules);
	gw->hub.absent = session_absent;
	gw->hub.answered = session_answered;
	gw->hub.arg = gw;
	return 0;
}

int
gateway_read_site(struct gateway *gw, struct reason *why)
{
	const char *dir = conf_text(gw->conf, CONF_gateway_static);
	struct site *site = NULL;
	size_t bytes, n;
	int err = dir[0] ? site_open(dir, &site, why) : 0;

	if (err < 0) {
		(void)reason_set(why, 0, "gateway.static: %s", why->text);
		return err;
	}
	conns_serve(gw->conns, site);
	(void)site_free(gw->site);
	gw->site = site;
	if (site) {
		n = site_count(site, &bytes);
		diag_note("serving files: directory='%s' files=%zu bytes=%zu",
		    dir, n, bytes);
	}
	return 0;
}

/* Who may come in: keys, certificate, connections. */
static int
open_door(struct gateway *gw, struct reason *why)
{
	const struct conf *conf = gw->conf;
	struct conn_handler handler;
	int err = listen_check(conf, why);

	if (err == 0)
		err = token_keys_open(conf, &gw->keys, why);
	if (err == 0)
		err = token_anonymous(conf, &gw->anonymous, why);
	if (err == 0)
		err = tls_open(conf_text(conf, CONF_tls_certificate),
		    conf_text(conf, CONF_tls_key), &gw->tls, why);
	if (err < 0)
		return err;
	if (tls_note(gw->tls)[0])
		diag_warn("%s", tls_note(gw->tls));
	session_handler(gw, &handler);
	err = conns_new(gw->loop, conf, gw->tls, &handler, &gw->conns, why);
	return err < 0 ? err : gateway_read_site(gw, why);
}

/*
 * Counters for tools.  Without them clients are served all the same, so that
 * nothing here ends the process.
 */
static void
open_counters(struct gateway *gw, const char *dir)
{
	struct reason why = { "" };

	if (stats_page_create_in(dir, &stats_gateway_table, &gw->page, &why) <
	    0)
		diag_warn("tools do not see our counters: %s", why.text);
	else
		counters_use(stats_page_stats(gw->page));
}

/*
 * The same of who is here.  It is removed by way of the counters' directory,
 * the only one in which this process may remove anything.
 */
static void
open_clients(struct gateway *gw)
{
	uint32_t slots =
	    (uint32_t)conf_uint(gw->conf, CONF_gateway_client_slots);
	struct reason why = { "" };

	if (slots > 0 && gw->page &&
	    client_page_create(stats_page_dirfd(gw->page), "gateway", slots,
		&gw->clients, &why) < 0)
		diag_warn("tools do not see our clients: %s", why.text);
}

int
gateway_open(struct gateway *gw, const struct conf *conf, struct reason *why)
{
	const char *dir = conf_text(conf, CONF_ring_directory);
	int err;

	*gw = (struct gateway){ .conf = conf, .loop = loop_new() };
	if (!gw->loop)
		return reason_set(why, -ENOMEM, "cannot make the event loop");
	err = rules_parse(conf_text(conf, CONF_fold_rules), &gw->rules, why);
	if (err < 0)
		return err;
	if (gethostname(gw->node, sizeof(gw->node) - 1) < 0)
		return reason_set(why, -errno, "this host has no name");
	open_counters(gw, dir);
	open_clients(gw);
	open_fanout(gw);
	err = open_door(gw, why);
	if (err < 0)
		return err;
	err = open_timers(gw);
	if (err == 0)
		err = open_broker(gw, dir);
	if (err == 0)
		err = attach_new(gw->loop, dir, on_ring, gw, &gw->attach);
	if (err == 0)
		err = forward_new(gw->loop, dir, session_answer, &gw->forward);
	if (err < 0)
		return reason_set(why, err, "cannot use directory '%s'", dir);
	return 0;
}

bool
gateway_ready(const struct gateway *gw, const char **why)
{
	*why = prime_waits_for(gw->prime);
	return grants_known(gw->grants);
}

int
gateway_listen(struct gateway *gw, struct reason *why)
{
	return listen_open(gw->loop, gw->conf, gw->conns, &gw->listen, why);
}

void
gateway_close(struct gateway *gw)
{
	gw->listen = listen_free(gw->listen);
	gw->conns = conns_free(gw->conns);
	gw->forward = forward_free(gw->forward);
	quota_table_deinit(&gw->quotas);
	gw->fetch = fetch_free(gw->fetch);
	gw->prime = prime_free(gw->prime);
	gw->ask = ask_free(gw->ask);
	gw->attach = attach_free(gw->attach);
	gw->site = site_free(gw->site);
	gw->tls = tls_free(gw->tls);
	gw->keys = token_keys_free(gw->keys);
	acl_deinit(&gw->anonymous);
	gw->rules = rules_free(gw->rules);
	gw->feed = feed_free(gw->feed);
	gw->grants = grants_free(gw->grants);
	gw->catchup = catchup_free(gw->catchup);
	group_table_deinit(&gw->groups);
	loop_timer_deinit(&gw->due_timer);
	loop_timer_deinit(&gw->mark_timer);
	loop_timer_deinit(&gw->second_timer);
	loop_timer_deinit(&gw->greet_timer);
	loop_timer_deinit(&gw->shed_timer);
	loop_timer_deinit(&gw->look_timer);
	counters_reset();
	gw->clients = client_page_free(gw->clients);
	gw->page = stats_page_free(gw->page);
	gw->loop = loop_free(gw->loop);
}

/* The next block that has to wait for its time ends the wait. */
static int
set_due(struct gateway *gw)
{
	uint64_t due = feed_due(gw->feed), now;

	if (due == 0)
		return 0;
	now = time_mono_ns();
	return loop_timer_set(
	    &gw->due_timer, due > now ? (due - now) / 1000 + 1 : 1, 0);
}

int
gateway_turn(struct gateway *gw)
{
	int found = feed_once(gw);
	bool more;
	int err;

	if (found < 0) {
		diag_error("the ring contradicts itself");
		return found;
	}
	turns_run(&gw->quotas.turns);
	more = send_hub_run(&gw->hub) || turns_due(&gw->quotas.turns);
	conns_sweep(gw->conns);
	forward_flush(gw->forward);
	ask_flush(gw->ask);
	written_flush();
	if (found == FEED_MORE || more)
		return loop_once(gw->loop, 0);
	err = set_due(gw);
	if (err < 0)
		return err;
	report(gw);
	err = loop_once(gw->loop, attach_park(gw->attach));
	attach_awake(gw->attach);
	written_flush();
	return err;
}
