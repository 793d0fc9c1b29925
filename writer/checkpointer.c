/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Checkpointer.  A fork gives a consistent picture of maps that would take
 * long to copy; the child only writes, it allocates nothing and takes no
 * lock, since other threads may have held them at the fork.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/diag.h"
#include "writer/checkpointer.h"
#include "writer/state.h"

static void
fail(struct checkpointer *cp, int err)
{
	cp->failed++;
	diag_limited("checkpoint", "a checkpoint could not be saved: %s",
	    strerror(-err));
}

static void
child(const struct checkpointer *cp)
{
	/* The log must not stay locked when the writer is killed. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(cp->lock_fd);
	_exit(-checkpoint_write(&sysio_posix, cp->dirfd, &cp->of, cp->state));
}

/*
 * At each seal, but never more bytes of checkpoints than of log: with
 * millions of keys a checkpoint is larger than a segment.
 */
static bool
is_due(const struct checkpointer *cp, uint64_t rolls)
{
	return rolls > cp->rolls && (rolls - cp->rolls) * cp->segment_bytes >=
					checkpoint_size(cp->state);
}

void
checkpointer_consider(struct checkpointer *cp, uint64_t rolls)
{
	pid_t pid;

	if (cp->child || !is_due(cp, rolls))
		return;
	cp->seq = cp->state->head_seq;
	pid = fork();
	if (pid == 0)
		child(cp);
	if (pid < 0) {
		fail(cp, -errno);
		return;
	}
	cp->rolls = rolls;
	cp->child = pid;
}

void
checkpointer_reap(struct checkpointer *cp, uint64_t durable_seq)
{
	int status, err;

	if (!cp->child || durable_seq < cp->seq)
		return;
	if (waitpid(cp->child, &status, WNOHANG) != cp->child)
		return;
	cp->child = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fail(cp, WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR);
		return;
	}
	err = checkpoint_install(&sysio_posix, cp->dirfd);
	if (err)
		fail(cp, err);
}

void
checkpointer_finish(struct checkpointer *cp)
{
	int err;

	if (cp->child) {
		(void)kill(cp->child, SIGKILL);
		(void)waitpid(cp->child, NULL, 0);
		cp->child = 0;
	}
	err = checkpoint_write(&sysio_posix, cp->dirfd, &cp->of, cp->state);
	if (!err)
		err = checkpoint_install(&sysio_posix, cp->dirfd);
	if (err)
		fail(cp, err);
}
