/* SPDX-License-Identifier: BSD-2-Clause */

/* Problems of a log, as sentences that name file, place and events. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log/problem.h"

/* Also in peal-writer(8), word by word but for what is quoted there. */
static const struct {
	const char *name, *next;
} kinds[] = {
	[LOG_DAMAGED_SEGMENT] = { "damaged segment",
	    "copy the log's directory, look at the disk, and put the segment "
	    "back from a backup; 'peal log cat' reads what is whole" },
	[LOG_DAMAGED_FRAME] = { "damaged frame",
	    "copy the log's directory, look at the disk, and put the segment "
	    "back from a backup; 'peal log cat' reads what is whole" },
	[LOG_LOST_TAIL] = { "lost tail",
	    "find out whether an older copy of the log was put here or a "
	    "segment was removed, and put the newest back; an old ring still "
	    "has the last events: see 'peal ring'" },
	[LOG_MISSING_SEGMENT] = { "missing segment",
	    "put the segment back, from quarantine/ or a backup" },
	[LOG_FOREIGN_SEGMENT] = { "foreign segment",
	    "move the file out of the log's directory, and put back the one "
	    "that belongs there" },
	[LOG_DAMAGED_BASE] = { "damaged base",
	    "put the file back from a backup: what was removed below the "
	    "floor is nowhere else" },
};

const char *
log_problem_name(enum log_problem_kind kind)
{
	return kinds[kind].name;
}

const char *
log_problem_next(const char *sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t len = strlen(kinds[i].name);

		if (!strncmp(sentence, kinds[i].name, len) &&
		    sentence[len] == ':')
			return kinds[i].next;
	}
	return kinds[LOG_DAMAGED_SEGMENT].next;
}

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
	snprintf(buf, LOG_PROBLEM_SENTENCE, "%s: %s'%s'%s: %s%s",
	    kinds[problem->kind].name, what, problem->segment, where,
	    problem->text, events);
	return buf;
}

void
log_problem_tell(struct log_problem_sink *sink, const struct log_problem *where,
    const char *fmt, ...)
{
	struct log_problem problem = *where;
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem.text = text;
	sink->told++;
	if (sink->fn)
		sink->fn(sink->arg, &problem);
}
