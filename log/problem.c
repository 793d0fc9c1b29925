/* SPDX-License-Identifier: BSD-2-Clause */

/* Problems of a log, as sentences that name file, place and events. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log/problem.h"

const char *
log_problem_sentence(
    const struct log_problem *problem, char buf[LOG_PROBLEM_SENTENCE])
{
	const char *dot = strrchr(problem->segment, '.');
	const char *what = dot && !strncmp(dot, ".seg", 4) ? "segment " : "";
	char where[40] = "", events[80] = "";

	if (problem->offset != 0)
		snprintf(
		    where, sizeof(where), ", offset %" PRIu64, problem->offset);
	if (problem->first_seq != 0 && problem->last_seq == UINT64_MAX)
		snprintf(events, sizeof(events),
		    "; events from %" PRIu64 " on are damaged or missing",
		    problem->first_seq);
	else if (problem->first_seq != 0)
		snprintf(events, sizeof(events),
		    "; events %" PRIu64 " to %" PRIu64
		    " are damaged or missing",
		    problem->first_seq, problem->last_seq);
	snprintf(buf, LOG_PROBLEM_SENTENCE, "%s'%s'%s: %s%s", what,
	    problem->segment, where, problem->text, events);
	return buf;
}

void
log_problem_tell(struct log_problem_sink *sink, const struct log_problem *where,
    const char *fmt, ...)
{
	struct log_problem problem = *where;
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem.text = text;
	sink->told++;
	if (sink->fn)
		sink->fn(sink->arg, &problem);
}
