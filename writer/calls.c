/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer's calls.  Which files it may open is decided by their owners and
 * the unit's sandbox: a filter sees no paths.
 */

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "core/hygiene.h"
#include "writer/calls.h"

/* A thread or a copy of oneself, in no world of its own. */
#define CLONE_NEW_ANY                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct hygiene_rule rules[] = {
	/* What a reader of the ring gets at its attachment. */
	HYGIENE_ALWAYS(memfd_create),
	HYGIENE_WHEN(socketpair, 0, UINT32_MAX, AF_UNIX),

	/* A thread that has time, and the child that writes a checkpoint. */
	HYGIENE_ALWAYS(ioprio_set),
	HYGIENE_ALWAYS(sched_setscheduler),
	HYGIENE_ALWAYS(setpriority),
	HYGIENE_WHEN(clone, 0, CLONE_NEW_ANY, 0),
	HYGIENE_ALWAYS(wait4),
	HYGIENE_WHEN(kill, 1, UINT32_MAX, SIGKILL),
	HYGIENE_WHEN(prctl, 0, UINT32_MAX, PR_SET_PDEATHSIG),
	HYGIENE_WHEN(prctl, 0, UINT32_MAX, PR_SET_NAME),
};

const struct hygiene_list calls_writer = {
	.rules = rules,
	.n = ARRAY_LEN(rules),
	.files = true,
};
