/* SPDX-License-Identifier: BSD-2-Clause */

/* Problems of a log, as sentences that name file, place and events. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/problem.h"

/* A backup's own files are cut behind the last frame. */
#define LOG_FROM_BACKUP "what 'peal log restore BACKUP --data ELSEWHERE' makes"

/* Also in peal-writer(8), word by word but for what is quoted there. */
static const struct {
	const char *name, *next;
} kinds[] = {
	[LOG_DAMAGED_SEGMENT] = { "damaged segment",
	    "copy the log's directory, look at the disk, and put the segment "
	    "back from " LOG_FROM_BACKUP "; where no backup has it, 'peal log "
	    "repair' says what is whole, and goes on without the rest" },
	[LOG_DAMAGED_FRAME] = { "damaged frame",
	    "copy the log's directory, look at the disk, and put the segment "
	    "back from " LOG_FROM_BACKUP "; where no backup has it, 'peal log "
	    "repair' says what is whole, and goes on without the rest" },
	[LOG_LOST_TAIL] = { "lost tail",
	    "find out whether an older copy of the log was put here or a "
	    "segment was removed, and put the newest back; an old ring still "
	    "has the last events: see 'peal ring'; where they are nowhere, "
	    "'peal log repair' goes on without them" },
	[LOG_MISSING_SEGMENT] = { "missing segment",
	    "put the segment back, from quarantine/ or " LOG_FROM_BACKUP
	    "; where none has it, 'peal log repair' goes on without it" },
	[LOG_FOREIGN_SEGMENT] = { "foreign segment",
	    "move the file out of the log's directory, and put back the one "
	    "that belongs there" },
	[LOG_FOREIGN_FILE] = { "foreign file",
	    "move it out of the log's directory; where a file of the log had "
	    "its name, put that back from " LOG_FROM_BACKUP },
	[LOG_DAMAGED_BASE] = { "damaged base",
	    "put the file back from " LOG_FROM_BACKUP
	    ": what was removed below the floor is nowhere else" },
	[LOG_EDITED] = { "edited history",
	    "copy the log's directory, find out who wrote to it, and put the "
	    "segment back from " LOG_FROM_BACKUP "; 'peal log cat' reads what "
	    "is there now" },
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

/* Which events it touches, as the end of a sentence. */
static void
log_problem_events(const struct log_problem *p, char *buf, size_t size)
{
	bool edited = p->kind == LOG_EDITED;

	buf[0] = '\0';
	if (p->first_seq == 0)
		return;
	if (p->last_seq == UINT64_MAX)
		snprintf(buf, size, "; events from %" PRIu64 " on are %s",
		    p->first_seq, edited ? "edited" : "damaged or missing");
	else if (edited && p->first_seq == p->last_seq)
		snprintf(buf, size, "; the first edited event is %" PRIu64,
		    p->first_seq);
	else
		snprintf(buf, size, "; %s %" PRIu64 " to %" PRIu64 "%s",
		    edited ? "the first edited event is one of" : "events",
		    p->first_seq, p->last_seq,
		    edited ? "" : " are damaged or missing");
}

const char *
log_problem_sentence(
    const struct log_problem *problem, char buf[LOG_PROBLEM_SENTENCE])
{
	const char *dot = strrchr(problem->segment, '.');
	const char *what = dot && !strncmp(dot, ".seg", 4) ? "segment " : "";
	char where[40] = "", events[110] = "";

	if (problem->offset != 0)
		snprintf(
		    where, sizeof(where), ", offset %" PRIu64, problem->offset);
	log_problem_events(problem, events, sizeof(events));
	snprintf(buf, LOG_PROBLEM_SENTENCE, "%s: %s'%s'%s: %s%s",
	    kinds[problem->kind].name, what, problem->segment, where,
	    problem->text, events);
	return buf;
}

void
log_note(void (*notes)(const char *sentence), const char *fmt, ...)
{
	char sentence[LOG_PROBLEM_SENTENCE];
	va_list ap;

	if (!notes)
		return;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	notes(sentence);
}

void
log_problem_keep(void *arg, const struct log_problem *problem)
{
	char sentence[LOG_PROBLEM_SENTENCE];

	reason_set(arg, 0, "%s", log_problem_sentence(problem, sentence));
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
