/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Who a producer is decides what he may: "$" topics, rows for retention, and
 * which keys are his.
 */

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/proto.h"
#include "tests/lib/ingestfix.h"
#include "writer/ingest_priv.h"
#include "writer/retainer.h"

enum {
	STRANGER = 65534, /* nobody's account, of no group of ours */
	ADMINS = 54321,
};

#define NAMELESS 3999999999U

/* The group of administrators, which this machine may lack. */
struct group *__wrap_getgrnam(const char *name);

struct group *
__wrap_getgrnam(const char *name)
{
	static struct group admins = { .gr_gid = ADMINS };

	assert_string_equal(name, "peal-admin");
	return &admins;
}

static void
who_has_no_name_is_called_by_number(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, NAMELESS);
	assert_string_equal(
	    TAILQ_FIRST(&fx->in->all)->account, "uid:3999999999");
	frame_stream_deinit(&p);
}

static void
a_member_of_the_group_is_an_administrator(void **state)
{
	struct ingestfix *fx = *state;
	const gid_t admins = ADMINS;
	struct frame_stream p;
	gid_t before[64];
	int n = getgroups(ARRAY_LEN(before), before);

	assert_true(n >= 0);
	assert_int_equal(setgroups(1, &admins), 0);
	ingestfix_dial(fx, &p, STRANGER);
	assert_int_equal(setgroups((size_t)n, before), 0);
	ingestfix_append(&p, 1, "$a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	frame_stream_deinit(&p);
}

/* "$" topics are for root, our own account and a group, emits too. */
static void
a_stranger_writes_no_system_topic(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream own, p;

	ingestfix_dial(fx, &own, geteuid());
	ingestfix_append(&own, 1, "$a", INGESTFIX_ANY, NULL);
	ingestfix_emit(&own, 2, "$a");
	ingestfix_send(fx, &own);
	ingestfix_dial(fx, &p, STRANGER);
	ingestfix_append(&p, 1, "$a", INGESTFIX_ANY, NULL);
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	ingestfix_emit(&p, 3, "$a");
	ingestfix_emit(&p, 4, "a");
	ingestfix_send(fx, &p);
	ingestfix_hear_error(&p, 3, "forbidden");
	ingestfix_done(fx);
	ingestfix_hear_error(&p, 1, "forbidden");
	(void)ingestfix_hear(&p, 2, "appended");
	(void)ingestfix_hear(&p, 4, "ok");
	(void)ingestfix_hear(&own, 1, "appended");
	(void)ingestfix_hear(&own, 2, "ok");
	assert_int_equal(ingestfix_counts(fx).emits, 2);
	frame_stream_deinit(&own);
	frame_stream_deinit(&p);
}

/* The same request under the same key, of another account. */
static void
keys_are_each_account_s_own(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream own, p;
	struct slice answer;

	ingestfix_dial(fx, &own, geteuid());
	ingestfix_dial(fx, &p, STRANGER);
	ingestfix_append(&own, 1, "a", INGESTFIX_ANY, "k");
	ingestfix_send(fx, &own);
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, "k");
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	answer = ingestfix_hear(&own, 1, "appended");
	assert_false(ingestfix_bool(answer, "duplicate"));
	answer = ingestfix_hear(&p, 1, "appended");
	assert_false(ingestfix_bool(answer, "duplicate"));
	assert_int_equal(ingestfix_uint(answer, "seq"), 2);
	frame_stream_deinit(&own);
	frame_stream_deinit(&p);
}

/* What comes of `retain` from uid. */
static void
expect_retain(struct ingestfix *fx, unsigned uid, const char *code)
{
	struct frame_stream p;

	ingestfix_dial(fx, &p, uid);
	ingestfix_ask(&p, 1, "retain", NULL, 0);
	ingestfix_ask(&p, 2, "base", "seq", 1);
	ingestfix_send(fx, &p);
	ingestfix_hear_error(&p, 1, code);
	ingestfix_hear_error(&p, 2, code);
	frame_stream_deinit(&p);
	ingestfix_turn(fx);
}

/* Rows decide what is given up: not everybody may bring them. */
static void
only_the_broker_and_administrators_hand_over(void **state)
{
	struct ingestfix *fx = *state;
	const char *dir = tmpdir_path(fx->f->dir, "broker");

	expect_retain(fx, geteuid(), "unavailable");
	expect_retain(fx, STRANGER, "forbidden");
	/* As long as there is no directory nobody owns it. */
	fx->parts.broker_directory = dir;
	ingestfix_again(fx);
	expect_retain(fx, STRANGER, "forbidden");
	assert_int_equal(mkdir(dir, 0700), 0);
	expect_retain(fx, STRANGER, "forbidden");
	assert_int_equal(chown(dir, STRANGER, STRANGER), 0);
	expect_retain(fx, STRANGER, "unavailable");
	expect_retain(fx, STRANGER - 1, "forbidden");
	assert_int_equal(rmdir(dir), 0);
}

/* Send what was packed, with a descriptor. */
static void
send_with(struct ingestfix *fx, struct frame_stream *p, int fd)
{
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
			  .cmsg_level = SOL_SOCKET,
			  .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { p->out.p, p->out.len };
	const struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	assert_int_equal(sendmsg(p->fd, &msg, 0), iov.iov_len);
	p->out.len = 0;
	ingestfix_turn(fx);
}

static void
rows_come_with_a_descriptor_and_a_seq(void **state)
{
	struct ingestfix *fx = *state;
	/* The log is empty: nothing is ever wanted of it. */
	const struct retainer_options opt = { .dirfd = fx->f->dir->fd,
		.oldest = 42,
		.keep_bytes = UINT64_MAX,
		.log = fx->f->lw,
		.max_keys = 10 };
	struct frame_stream p;

	assert_int_equal(
	    retainer_start(&opt, &fx->parts.retainer, &fx->f->why), 0);
	ingestfix_again(fx);
	ingestfix_dial(fx, &p, geteuid());
	ingestfix_ask(&p, 1, "hello", "v", 1);
	ingestfix_ask(&p, 2, "retain", NULL, 0);
	ingestfix_ask(&p, 3, "base", "seq", 5);
	ingestfix_send(fx, &p);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 1, "welcome"), "oldest"), 42);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 2, "retain"), "seq"), 0);
	ingestfix_hear_error(&p, 3, "bad_request");
	ingestfix_ask(&p, 4, "base", "seq", 5);
	send_with(fx, &p, fx->f->dir->fd);
	ingestfix_hear_error(&p, 4, "not_found");
	ingestfix_ask(&p, 5, "base", NULL, 0);
	send_with(fx, &p, fx->f->dir->fd);
	ingestfix_hear_error(&p, 5, "bad_request");
	frame_stream_deinit(&p);
	fx->in = ingest_free(fx->in);
	fx->parts.retainer = retainer_stop(fx->parts.retainer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INGESTFIX_TEST(a_stranger_writes_no_system_topic),
		INGESTFIX_TEST(who_has_no_name_is_called_by_number),
		INGESTFIX_TEST(a_member_of_the_group_is_an_administrator),
		INGESTFIX_TEST(keys_are_each_account_s_own),
		INGESTFIX_TEST(only_the_broker_and_administrators_hand_over),
		INGESTFIX_TEST(rows_come_with_a_descriptor_and_a_seq),
	};

	if (geteuid() != 0) {
		print_message("1..0 # SKIP only root connects as others\n");
		return 0;
	}
	return cmocka_run_group_tests_name("ingest_rights", tests, NULL, NULL);
}
