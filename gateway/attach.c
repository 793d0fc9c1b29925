/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attaching is tried every 50 ms while there is no writer, and never waited
 * for: a writer that is stopped must not stop the clients.  A doorbell that
 * hangs up says that the writer has gone; its ring is kept until the next one
 * is there, for it may hold what was not read yet.
 */

#include <errno.h>
#include <stdio.h>

#include "core/diag.h"
#include "core/loop.h"
#include "core/reason.h"
#include "gateway/alloc.h"
#include "gateway/attach.h"
#include "shm/ring_reader.h"

enum {
	RETRY_US = 50 * 1000,
	SAFETY_US = 100 * 1000,	 /* a lost wake-up costs no more */
	ANSWER_US = 2000 * 1000, /* a writer that is stopped gives none */
};

struct attach {
	struct loop *loop;
	attach_ring *on_ring;
	void *arg;
	char dir[100];
	struct doorbell *bell; /* NULL: detached */
	struct ring_reader *ring;
	struct doorbell *asking; /* its answer is yet to come, or NULL */
	struct loop_io answer;
	struct loop_timer patience;
	struct loop_io io;
	struct loop_timer retry;
	struct loop_timer safety;
	bool parked;
	bool rung;
};

static void
on_bell(void *arg, unsigned what)
{
	struct attach *a = arg;

	a->rung = true;
}

/* Its only purpose is to end a wait. */
static void
on_safety(void *arg)
{
}

static void
detach(struct attach *a)
{
	loop_io_deinit(&a->io);
	loop_timer_stop(&a->safety);
	a->bell = doorbell_free(a->bell);
	a->parked = false;
	a->rung = false;
}

static void
retry(struct attach *a)
{
	if (loop_timer_set(&a->retry, RETRY_US, 0) < 0)
		alloc_failed();
}

static void
stop_asking(struct attach *a)
{
	loop_io_deinit(&a->answer);
	loop_timer_stop(&a->patience);
	a->asking = doorbell_free(a->asking);
}

/* The writer has answered: with its ring, or not. */
static void
attached(struct attach *a, struct doorbell *bell, struct ring_reader *ring)
{
	(void)ring_reader_free(a->ring);
	a->ring = ring;
	a->bell = bell;
	if (loop_io_add(a->loop, &a->io, doorbell_fd(a->bell), LOOP_READ,
		on_bell, a) < 0 ||
	    loop_timer_set(&a->safety, SAFETY_US, 1) < 0)
		alloc_failed();
}

static void
on_answer(void *arg, unsigned what)
{
	struct attach *a = arg;
	struct ring_reader *ring CLEANUP(ring_reader_freep) = NULL;
	struct doorbell *bell;
	struct reason why = { "" };
	int err = doorbell_answer(a->asking, &ring, &why);

	if (err == -EAGAIN)
		return;
	if (err < 0 && err != -ECONNREFUSED)
		diag_limited("attach", "%s", why.text);
	if (err < 0 || !a->on_ring(a->arg, ring)) {
		stop_asking(a);
		retry(a);
		return;
	}
	bell = TAKE(a->asking);
	stop_asking(a);
	attached(a, bell, TAKE(ring));
}

static void
on_impatience(void *arg)
{
	struct attach *a = arg;

	diag_limited("attach", "no answer on 'ring.sock'");
	stop_asking(a);
	retry(a);
}

static void
try_attach(void *arg)
{
	struct attach *a = arg;
	struct reason why = { "" };
	int err = doorbell_ask(a->dir, "gateway", &a->asking, &why);

	if (err < 0) {
		if (err != -ENOENT && err != -ECONNREFUSED)
			diag_limited("attach", "%s", why.text);
		retry(a);
		return;
	}
	if (loop_io_add(a->loop, &a->answer, doorbell_sock(a->asking),
		LOOP_READ, on_answer, a) < 0 ||
	    loop_timer_set(&a->patience, ANSWER_US, 0) < 0)
		alloc_failed();
}

int
attach_new(struct loop *loop, const char *dir, attach_ring *on_ring, void *arg,
    struct attach **out)
{
	struct attach *a CLEANUP(attach_freep) = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->on_ring = on_ring;
	a->arg = arg;
	if (snprintf(a->dir, sizeof(a->dir), "%s", dir) >= (int)sizeof(a->dir))
		return -ENAMETOOLONG;
	err = loop_timer_init(loop, &a->retry, try_attach, a);
	if (err == 0)
		err = loop_timer_init(loop, &a->safety, on_safety, a);
	if (err == 0)
		err = loop_timer_init(loop, &a->patience, on_impatience, a);
	if (err < 0)
		return err;
	try_attach(a);
	*out = TAKE(a);
	return 0;
}

struct attach *
attach_free(struct attach *a)
{
	if (!a)
		return NULL;
	if (a->bell)
		detach(a);
	stop_asking(a);
	loop_timer_deinit(&a->patience);
	a->ring = ring_reader_free(a->ring);
	loop_timer_deinit(&a->retry);
	loop_timer_deinit(&a->safety);
	free(a);
	return NULL;
}

struct ring_reader *
attach_ring_of(const struct attach *a)
{
	return a->ring;
}

bool
attach_live(const struct attach *a)
{
	struct ring_status status;

	if (!a->bell)
		return false;
	ring_reader_status(a->ring, &status);
	return status.state == RING_RUNNING;
}

bool
attach_park(struct attach *a)
{
	if (!a->bell)
		return true;
	a->rung = false;
	a->parked = doorbell_park(a->bell, a->ring);
	return a->parked;
}

void
attach_awake(struct attach *a)
{
	if (!a->bell || !a->parked)
		return;
	a->parked = false;
	if (doorbell_awake(a->bell, a->ring, a->rung))
		return;
	detach(a);
	try_attach(a);
}

void
attach_report(struct attach *a, const struct doorbell_report *report)
{
	if (a->bell)
		doorbell_report(a->bell, report);
}
