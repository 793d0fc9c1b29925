/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Two stages on one timer: answers, and clients who are half way in, at most
 * two seconds; then the clients' slots.  Whoever was accepted is served, so
 * that a restart refuses nobody.  A client that does not go by itself is not
 * waited for.
 */

#include "gateway/drain.h"
#include "core/conf.h"
#include "core/diag.h"
#include "core/notify.h"
#include "core/time.h"
#include "gateway/conn.h"
#include "gateway/forward.h"
#include "gateway/gateway_priv.h"
#include "gateway/listen.h"
#include "gateway/session.h"

enum {
	STEP_US = 20 * 1000,
	ANSWERS_MS = 2000, /* for appends in hand */
	GOODBYE_MS = 2000, /* for the last close handshakes */
};

/* There is one process to stop. */
static struct {
	struct gateway *gw;
	struct loop_timer timer;
	uint64_t begun_ns;
	uint64_t slots_ns; /* 0: answers are still awaited */
} drain;

static uint64_t
spread_ms(void)
{
	return conf_uint(drain.gw->conf, CONF_gateway_drain_seconds) * 1000;
}

static void
step(void *arg)
{
	struct gateway *gw = drain.gw;
	uint64_t now = time_mono_ns(), elapsed_ms;

	if (drain.slots_ns == 0) {
		if ((forward_waiting(gw->forward) > 0 ||
			conns_arriving(gw->conns)) &&
		    now - drain.begun_ns < ANSWERS_MS * NS_PER_MS)
			return;
		gw->leaving = true;
		conns_refuse(gw->conns);
		forward_give_up(gw->forward);
		session_drain_all(gw, spread_ms());
		drain.slots_ns = now;
	}
	elapsed_ms = (now - drain.slots_ns) / NS_PER_MS;
	session_drained(gw, elapsed_ms);
	/* An answer over HTTP may be on its way when its session has ended. */
	if ((gw->n_sessions == 0 && !conns_sending(gw->conns)) ||
	    elapsed_ms > spread_ms() + GOODBYE_MS)
		loop_stop(gw->loop);
}

int
drain_begin(struct gateway *gw)
{
	int err;

	if (gw->draining)
		return 0;
	gw->draining = true;
	drain.gw = gw;
	drain.begun_ns = time_mono_ns();
	(void)notify_send("STOPPING=1\nSTATUS=draining");
	diag_note("draining: clients=%llu",
	    (unsigned long long)conns_count(gw->conns));
	if (gw->listen)
		listen_stop(gw->listen);
	err = loop_timer_init(gw->loop, &drain.timer, step, NULL);
	if (err == 0)
		err = loop_timer_set(&drain.timer, STEP_US, 1);
	return err;
}

void
drain_deinit(void)
{
	loop_timer_deinit(&drain.timer);
}
