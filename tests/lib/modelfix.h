/* SPDX-License-Identifier: BSD-2-Clause */

/* A log in the file model, and what may befall it. */

#ifndef PEAL_TESTS_LIB_MODELFIX_H
#define PEAL_TESTS_LIB_MODELFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/problem.h"
#include "log/segment.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/logfix.h"

struct modelfix {
	struct filemodel *fm;
	struct logfix fx;
};

/* cmocka's setup and teardown; *state is a struct modelfix. */
int modelfix_setup(void **state);
int modelfix_teardown(void **state);

/* The name of the segment that begins with first_seq; "" without one. */
const char *modelfix_named(struct modelfix *m, uint64_t first_seq);
/* The first seq of the nth segment, from 0 on. */
uint64_t modelfix_nth(struct modelfix *m, size_t n);
/* Descriptor of an empty directory beside the log's files. */
int modelfix_directory(struct modelfix *m, const char *name);
/* Where the nth frame (from 0 on) begins, when each flush has a page. */
uint64_t modelfix_page(unsigned n);

struct modelfix_edit {
	uint64_t at;
	size_t len;
	const uint8_t *bytes; /* NULL: invert those that are there */
};

/* For filemodel_edit(). */
void modelfix_apply_edit(void *arg, uint8_t *bytes, uint64_t size);

/* Invert bytes of a file; or make them zero. */
void modelfix_spoil(
    struct modelfix *m, const char *name, uint64_t at, size_t len);
void modelfix_wipe(
    struct modelfix *m, const char *name, uint64_t at, size_t len);

/* Recovery says what kind of damage it is, with text in its sentence. */
void modelfix_expect_damage(
    struct modelfix *m, enum log_problem_kind kind, const char *text);
/* Recovery finds events 1 to last, and they are read. */
void modelfix_expect_recovered(struct modelfix *m, uint64_t last);
/* How many problems verification finds; the last one's sentence, or "". */
uint64_t modelfix_problems(
    struct modelfix *m, char sentence[LOG_PROBLEM_SENTENCE]);
bool modelfix_in_quarantine(struct modelfix *m, const char *name);
void modelfix_store_witness(struct modelfix *m, uint64_t seq);

/* A segment's bytes; the copy is taken with filemodel_edit(). */
struct modelfix_copy {
	uint8_t bytes[32 << 10];
};

void modelfix_take_copy(void *arg, uint8_t *bytes, uint64_t size);
/* Make or overwrite a file, durably. */
void modelfix_put_file(
    struct modelfix *m, const char *name, const struct modelfix_copy *c);

/*
 * A segment without headers, whose second frame is damaged and has in its
 * bytes the first frame of another one of the log; *c: what it is now.
 */
void modelfix_put_inside(struct modelfix *m, uint64_t first_seq,
    uint64_t of_first_seq, struct modelfix_copy *c);

/*
 * The nth segment (from 0 on) of another log of the same events, in the place
 * of the log's own, which is *was then.
 */
void modelfix_put_foreign(
    struct modelfix *m, size_t n, struct modelfix_copy *was);

/*
 * Append an event whose bytes are those of the frame at `at` of a file: an
 * event may be a piece of any log.
 */
void modelfix_append_frame_of(
    struct modelfix *m, const char *name, uint64_t at);

/* name of tests/data/log-v1, at most a copy's size, into the log. */
void modelfix_put_old(struct modelfix *m, const char *name);

/* Events 1 to 60 in some full segments and an open one. */
void modelfix_fill_segments(struct modelfix *m);
/* Begin a segment and write no frame. */
void modelfix_begin_segment(struct modelfix *m);

#endif
