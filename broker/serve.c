/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The door: who comes in gets a number, by which what was begun for him finds
 * him again, or finds that he has gone.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/presence.h"
#include "broker/serve_priv.h"
#include "core/diag.h"
#include "core/reason.h"

static void
on_accept(void *arg, int fd)
{
	struct serve *sv = arg;

	if (serve_add(sv, fd) < 0)
		diag_limited("connections",
		    "a connection was refused: there are %u", sv->ids.used);
}

static int
init(struct serve *sv, struct reason *why)
{
	int err = serve_wait_init(sv);

	if (!err)
		err = serve_flush_init(sv);
	sv->presence = presence_new();
	if (!err && !sv->presence)
		err = -ENOMEM;
	return err ? reason_set(why, err, "cannot serve") : 0;
}

int
serve_new(
    const struct serve_parts *parts, struct serve **out, struct reason *why)
{
	CLEANUP(serve_freep) struct serve *sv = calloc(1, sizeof(*sv));
	int err;

	if (!sv)
		return reason_set(why, -ENOMEM, "cannot serve");
	sv->parts = *parts;
	sv->commit_fd = -1;
	TAILQ_INIT(&sv->conns);
	TAILQ_INIT(&sv->waiting);
	jobs_lane_init(&sv->flush_lane, parts->jobs);
	err = init(sv, why);
	if (err < 0)
		return err;
	*out = TAKE(sv);
	return 0;
}

int
serve_open(struct serve *sv, const struct folder *folder, struct reason *why)
{
	int err = 0;

	sv->folder = folder;
	if (sv->parts.listen_fd >= 0)
		err = acceptor_open(sv->parts.loop, &sv->door,
		    sv->parts.listen_fd, on_accept, sv);
	return err ? reason_set(why, err, "cannot watch the socket") : 0;
}

void
serve_close(struct serve *sv)
{
	acceptor_close(&sv->door);
}

struct serve *
serve_free(struct serve *sv)
{
	if (!sv)
		return NULL;
	serve_close(sv);
	while (!TAILQ_EMPTY(&sv->conns))
		serve_conn_free(TAILQ_FIRST(&sv->conns));
	serve_flush_deinit(sv);
	jobs_lane_deinit(&sv->flush_lane);
	serve_wait_deinit(sv);
	(void)presence_free(sv->presence);
	handles_deinit(&sv->ids);
	free(sv);
	return NULL;
}
