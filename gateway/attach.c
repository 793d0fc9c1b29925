/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attaching is tried every 50 ms while there is no writer.  A doorbell that
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
	SAFETY_US = 100 * 1000, /* a lost wake-up costs no more */
};

struct attach {
	struct loop *loop;
	attach_ring *on_ring;
	void *arg;
	char dir[100];
	struct doorbell *bell; /* NULL: detached */
	struct ring_reader *ring;
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
try_attach(void *arg)
{
	struct attach *a = arg;
	struct doorbell *bell CLEANUP(doorbell_freep) = NULL;
	struct ring_reader *ring CLEANUP(ring_reader_freep) = NULL;
	struct reason why = { "" };
	int err = doorbell_attach(a->dir, "gateway", &bell, &ring, &why);

	if (err < 0) {
		if (err != -ENOENT && err != -ECONNREFUSED)
			diag_limited("attach", "%s", why.text);
		retry(a);
		return;
	}
	if (!a->on_ring(a->arg, ring)) {
		retry(a);
		return;
	}
	(void)ring_reader_free(a->ring);
	a->ring = TAKE(ring);
	a->bell = TAKE(bell);
	if (loop_io_add(a->loop, &a->io, doorbell_fd(a->bell), LOOP_READ,
		on_bell, a) < 0 ||
	    loop_timer_set(&a->safety, SAFETY_US, 1) < 0)
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
