/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ingest over a syncer without threads, and producers that speak to it: what
 * is done when is the test's to say.
 */

#ifndef PEAL_TESTS_LIB_INGESTFIX_H
#define PEAL_TESTS_LIB_INGESTFIX_H

#include "core/frame.h"
#include "core/loop.h"
#include "core/mp.h"
#include "tests/lib/syncfix.h"
#include "writer/ingest.h"
#include "writer/sequence.h"
#include "writer/state.h"

struct ingestfix {
	struct syncfix *f;
	struct loop *loop;
	struct state st;
	struct sequencer sq;
	struct space *space; /* NULL: there always is room */
	struct ingest_parts parts;
	struct ingest *in;
	const char *path; /* of the socket */
	int listen_fd;
};

/* cmocka's: *state is a struct ingestfix that serves. */
int ingestfix_setup(void **state);
int ingestfix_teardown(void **state);

#define INGESTFIX_TEST(test)             \
	cmocka_unit_test_setup_teardown( \
	    test, ingestfix_setup, ingestfix_teardown)

/* Ingest anew, with parts as they are now. */
void ingestfix_again(struct ingestfix *fx);

/* Room is promised by a space from now on, for which no spare is ready. */
void ingestfix_bound(struct ingestfix *fx);

/* Let it do what there is to be done at once. */
void ingestfix_turn(struct ingestfix *fx);
/* What has gathered is flushed and published; nobody is told yet. */
void ingestfix_flush(struct ingestfix *fx);
/* The same, and ingest is told. */
void ingestfix_done(struct ingestfix *fx);

/* A producer, connected as this user; accepted. */
void ingestfix_dial(struct ingestfix *fx, struct frame_stream *p, unsigned uid);

/* Send what was packed, all of it at once. */
void ingestfix_send(struct ingestfix *fx, struct frame_stream *p);

/* What it has counted until now. */
struct ingest_counts ingestfix_counts(const struct ingestfix *fx);

#define INGESTFIX_ANY UINT64_MAX /* no version is expected */

/* Pack a request; expect: the version of its topic. */
void ingestfix_append(struct frame_stream *p, uint64_t id, const char *topic,
    uint64_t expect, const char *key);
/* With data of that many bytes. */
void ingestfix_append_bytes(struct frame_stream *p, uint64_t id, size_t size);
/* An ephemeral event. */
void ingestfix_emit(struct frame_stream *p, uint64_t id, const char *topic);
/* One without fields but what hello must have, or with one more, a uint. */
void ingestfix_ask(struct frame_stream *p, uint64_t id, const char *op,
    const char *field, uint64_t value);

/* The next answer that has come; false: none has. */
bool ingestfix_next(struct frame_stream *p, struct slice *value);
/* The next answer came, to id (0: to none), and is this; its body. */
struct slice ingestfix_hear(
    struct frame_stream *p, uint64_t id, const char *op);
/* The same for an error with this code. */
struct slice ingestfix_hear_error(
    struct frame_stream *p, uint64_t id, const char *code);
/* The answer has this field, which is a uint, or a bool: its value. */
uint64_t ingestfix_uint(struct slice answer, const char *field);
bool ingestfix_bool(struct slice answer, const char *field);
/* Nothing has come, and the connection stands. */
void ingestfix_hear_nothing(struct frame_stream *p);
/* It was ended, and nothing came before. */
void ingestfix_hear_end(struct frame_stream *p);

#endif
