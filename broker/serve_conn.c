/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection.  It is read only as long as its unanswered requests and its
 * unread replies stay within bounds, and takes turns with the others: who
 * asks for more waits in its socket.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/presence.h"
#include "broker/serve_priv.h"
#include "broker/spool.h"
#include "core/diag.h"

void
serve_conn_free(struct serve_conn *p)
{
	struct serve *sv = p->sv;
	struct spool *spool;

	TAILQ_REMOVE(&sv->conns, p, all);
	(void)handles_take(&sv->ids, p->id);
	/* From here on nobody finds it: what comes back is dropped. */
	jobs_lane_deinit(&p->lane);
	serve_wait_forget(p);
	serve_state_forget(p);
	while ((spool = handles_take_any(&p->snapshots)))
		(void)spool_unref(spool);
	handles_deinit(&p->snapshots);
	(void)presence_group_free(p->present);
	sv->call_bytes -= p->call_bytes;
	loop_io_deinit(&p->io);
	frame_stream_deinit(&p->fs);
	free(p);
}

struct serve_conn *
serve_conn_find(struct serve *sv, uint64_t id)
{
	return handles_get(&sv->ids, id);
}

/* --- replies --- */

struct mp_buf *
serve_begin(struct serve_conn *p, size_t *mark)
{
	return frame_begin(&p->fs, mark);
}

void
serve_end(struct serve_conn *p, size_t mark)
{
	if (frame_end(&p->fs, mark) < 0)
		p->dead = true;
}

void
serve_refuse(struct serve_conn *p, struct proto_uint id, enum proto_code code,
    const char *message)
{
	bool passes = code == PROTO_UNAVAILABLE || code == PROTO_RATE_LIMITED;
	size_t mark;

	p->sv->counts.refused++;
	proto_pack_error(serve_begin(p, &mark), id, code, message,
	    passes ? SERVE_RETRY_MS : 0);
	serve_end(p, mark);
}

/* --- requests --- */

static bool
within_bounds(struct serve_conn *p)
{
	p->starved = p->sv->call_bytes >= SERVE_TOTAL_BYTES;
	p->sv->starving = p->sv->starving || p->starved;
	return !p->starved && p->calls < SERVE_CALLS &&
	       p->call_bytes < SERVE_CALL_BYTES &&
	       frame_unsent(&p->fs) < SERVE_UNSENT_BYTES;
}

static void
hang_up(struct serve_conn *p, const char *why)
{
	uid_t uid = 0;
	gid_t gid;
	long pid = 0;

	if (frame_peer(p->fs.fd, &uid, &gid, &pid) == 0)
		diag_limited("garbage",
		    "a peer was hung up on: %s uid=%u pid=%ld", why,
		    (unsigned)uid, pid);
	p->sv->counts.garbage++;
}

/* Take the requests that are in memory, as many as bounds and turn allow. */
static void
take_requests(struct serve_conn *p)
{
	struct slice value;
	int got;

	for (unsigned i = 0; i < SERVE_TURN; i++) {
		if (p->dead || p->refused || !within_bounds(p))
			break;
		got = frame_next(&p->fs, &value);
		if (got == FRAME_NONE) {
			p->more = false;
			return;
		}
		if (got == FRAME_TOO_LONG) {
			hang_up(p, "a frame of no or of too many bytes");
			p->dead = true;
			return;
		}
		p->sv->counts.requests++;
		serve_request(p, value);
		if (p->refused)
			hang_up(p, "what it sent is no MessagePack");
	}
	p->more = !p->refused;
}

static void
read_requests(struct serve_conn *p)
{
	int got = frame_fill(&p->fs);

	if (got < 0)
		p->dead = true;
	else if (got == FRAME_IO_CLOSED)
		p->ended = true; /* what was asked before is still answered */
	else
		p->more = true;
}

static unsigned
to_wait_for(struct serve_conn *p, int sent)
{
	bool room = within_bounds(p);
	unsigned want = 0;

	if (!p->ended && !p->refused && !p->more && room)
		want |= LOOP_READ;
	/* Whose turn is over comes again when the others had theirs. */
	if (sent == FRAME_IO_AGAIN || (p->more && room) ||
	    !TAILQ_EMPTY(&p->streams))
		want |= LOOP_WRITE;
	return want;
}

void
serve_conn_settle(struct serve_conn *p)
{
	bool more = p->more || (!p->ended && !p->refused);
	int sent = FRAME_IO_DONE;
	unsigned want;

	if (!p->dead)
		serve_state_pump(p);
	if (!p->dead && frame_unsent(&p->fs)) {
		sent = frame_flush(&p->fs);
		if (sent < 0 || sent == FRAME_IO_CLOSED)
			p->dead = true;
	}
	if (!more && !p->calls && !frame_unsent(&p->fs))
		p->dead = true;
	if (p->dead) {
		serve_conn_free(p);
		return;
	}
	/* Nothing more is made for who does not read what there is. */
	jobs_lane_pause(&p->lane, frame_unsent(&p->fs) >= SERVE_UNSENT_BYTES);
	want = to_wait_for(p, sent);
	if (want != p->wanted && loop_io_want(&p->io, want) < 0) {
		serve_conn_free(p);
		return;
	}
	p->wanted = want;
}

static void
on_io(void *arg, unsigned what)
{
	struct serve_conn *p = arg;
	struct serve *sv = p->sv;

	if ((what & LOOP_WRITE) && frame_flush(&p->fs) < 0)
		p->dead = true;
	if ((what & LOOP_READ) && !p->dead)
		read_requests(p);
	if (p->more && !p->dead)
		take_requests(p);
	serve_conn_settle(p);
	serve_conn_resume(sv);
}

void
serve_conn_resume(struct serve *sv)
{
	struct serve_conn *p, *next;

	if (!sv->starving || sv->call_bytes >= SERVE_TOTAL_BYTES)
		return;
	sv->starving = false;
	for (p = TAILQ_FIRST(&sv->conns); p; p = next) {
		next = TAILQ_NEXT(p, all);
		if (p->starved)
			serve_conn_settle(p);
	}
}

int
serve_add(struct serve *sv, int fd)
{
	struct serve_conn *p = calloc(1, sizeof(*p));
	int err;

	if (!p) {
		(void)close(fd);
		return -ENOMEM;
	}
	if (sv->ids.used < SERVE_CONNS)
		p->id = handles_put(&sv->ids, p);
	if (!p->id) {
		(void)close(fd);
		free(p);
		return -EMFILE;
	}
	p->sv = sv;
	frame_stream_init(&p->fs, fd, SERVE_FRAME_MAX);
	jobs_lane_init(&p->lane, sv->parts.jobs);
	TAILQ_INIT(&p->streams);
	TAILQ_INSERT_TAIL(&sv->conns, p, all);
	sv->counts.accepted++;
	p->wanted = LOOP_READ;
	err = loop_io_add(sv->parts.loop, &p->io, fd, LOOP_READ, on_io, p);
	if (err < 0)
		serve_conn_free(p);
	return err;
}
