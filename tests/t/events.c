/* SPDX-License-Identifier: BSD-2-Clause */

/* Print the events of a log directory, one a line, for shell tests. */

#include <inttypes.h>
#include <stdio.h>

#include "tests/lib/truth.h"

static bool
events_print(void *arg, const struct truth_event *ev)
{
	return printf("%" PRIu64 " %" PRIu64 " %.*s@%" PRIu64
		      " %.*s %.*s %.*s\n",
		   ev->event.seq, ev->event.time, (int)ev->event.topic_len,
		   ev->event.topic, ev->event.version, (int)ev->type.len,
		   ev->type.p, (int)ev->actor.len, ev->actor.p,
		   (int)ev->key.len, ev->key.len != 0 ? ev->key.p : "") > 0;
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: events LOGDIR\n");
		return 2;
	}
	return truth_each(argv[1], events_print, NULL) ? 0 : 1;
}
