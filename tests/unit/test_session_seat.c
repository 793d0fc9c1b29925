/* SPDX-License-Identifier: BSD-2-Clause */

/* What tools are told of sessions: from the first byte to the close code. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/time.h"
#include "gateway/session_priv.h"
#include "shm/client_page.h"
#include "tests/lib/sessionfix.h"

#define ALL "me > > 3600"

static int dirfd = -1;

static int
setup(void **state)
{
	struct sessionfix *fx;

	if (sessionfix_setup(state) != 0)
		return -1;
	fx = *state;
	dirfd = open(fx->ring.dir, O_RDONLY | O_DIRECTORY);
	return dirfd < 0 ? -1
			 : client_page_create(
			       dirfd, "forest", 2, &fx->gw.clients, NULL);
}

static int
teardown(void **state)
{
	struct sessionfix *fx = *state;
	struct client_page *page = fx->gw.clients;
	int err = sessionfix_teardown(state);

	(void)client_page_free(page);
	close(dirfd);
	return err;
}

static struct client_reader *
open_page(void)
{
	struct client_reader *rd = NULL;
	char name[64];

	snprintf(
	    name, sizeof(name), CLIENT_DIRECTORY "/forest.%ld", (long)getpid());
	assert_int_equal(client_reader_open(dirfd, name, &rd, NULL), 0);
	return rd;
}

/* The nth client of the page. */
static struct client_info
seen(unsigned n)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = open_page();
	struct client_info info = { 0 };

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(
		    client_reader_next(rd, &info, NULL), CLIENT_ROW);
	return info;
}

static unsigned
count(void)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = open_page();
	struct client_info info;
	unsigned n = 0;

	while (client_reader_next(rd, &info, NULL) == CLIENT_ROW)
		n++;
	return n;
}

static uint64_t
unseated(void)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = open_page();

	return client_reader_head(rd)->unseated;
}

/* All of them: a second has passed. */
static void
look(struct sessionfix *fx)
{
	for (unsigned i = 0; i < 8; i++)
		session_look_some(&fx->gw);
}

static void
leave(struct sessionfix *fx, struct sessionfix_client *c)
{
	fx->handler.closed(c->session);
	c->session = NULL;
}

/* It is given what comes from now on. */
static void
follow(struct sessionfix_client *c)
{
	sessionfix_say(
	    c, "{'op':'subscribe','id':1,'topics':['a.>'],'from':'now'}");
	sessionfix_expect(c, "'op':'subscribed'", NULL);
	fakeconn_flush(&c->conn);
}

static void
a_client_is_seen_from_its_coming_to_its_going(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, NULL);
	struct client_info info = seen(1);

	assert_int_equal(info.state, CLIENT_NEW);
	assert_int_equal(info.form, CLIENT_MSGPACK);
	assert_true(info.opened > 0);
	assert_int_equal(info.user.whole, 0);
	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'" ALL "','client':'tab'}");
	sessionfix_expect(c, "'op':'welcome'", NULL);
	fakeconn_flush(&c->conn);
	look(fx);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_IDLE);
	assert_memory_equal(info.user.bytes, "me", 2);
	assert_memory_equal(info.client.bytes, "tab", 3);
	assert_true(info.sent > 0);

	follow(c);
	sessionfix_publish(fx, "a.b", 3);
	look(fx);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_LIVE);
	assert_int_equal(info.subscriptions, 1);
	assert_int_equal(info.position, 3);
	assert_int_equal(info.lag, 0);

	c->conn.closed = 4409;
	leave(fx, c);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_GONE);
	assert_int_equal(info.close_code, 4409);
	assert_int_equal(info.position, 3);
	assert_memory_equal(info.user.bytes, "me", 2);
}

static void
who_does_not_read_has_a_lag(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	struct client_info info;

	follow(c);
	c->conn.room = 0;
	sessionfix_publish(fx, "a.b", 3); /* pinned */
	sessionfix_publish(fx, "a.b", 4);
	look(fx);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_BEHIND);
	assert_int_equal(info.position, 3);
	assert_int_equal(info.lag, 4);
	c->conn.room = UINT32_MAX;
	fakeconn_flush(&c->conn);
	sessionfix_turn(fx);
	look(fx);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_LIVE);
	assert_int_equal(info.position, 7);
	assert_int_equal(info.lag, 0);
}

static void
who_has_nothing_to_get_has_no_lag(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	struct client_info info;

	follow(c);
	sessionfix_publish(fx, "other", 5);
	look(fx);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_LIVE);
	assert_int_equal(info.position, 0);
	assert_int_equal(info.lag, 0);
}

static void
who_replays_the_past_loads(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);
	struct client_info info;

	sessionfix_publish(fx, "a.b", 9);
	c->conn.room = 0;
	c->conn.pinned = true;
	sessionfix_say(c,
	    "{'op':'subscribe','id':1,'topics':['a.>'],'from':2,'log':'log-1'}");
	look(fx);
	info = seen(1);
	assert_int_equal(info.state, CLIENT_LOADS);
	assert_int_equal(info.position, 2);
	assert_int_equal(info.lag, 7);
}

static void
a_connection_that_breaks_off_has_the_code_for_that(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, ALL);

	leave(fx, c);
	assert_int_equal(seen(1).close_code, 1006);
}

static void
a_request_is_seen_when_it_lasts(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = &fx->clients[0];
	struct session *s;

	*c = (struct sessionfix_client){ .fx = fx,
		.conn = { .http = true, .room = UINT32_MAX } };
	c->session = fx->handler.open(
	    fx->handler.arg, fakeconn_conn(&c->conn), slice_of(NULL, 0));
	s = c->session;
	assert_int_equal(count(), 0);
	look(fx);
	/* Unless this machine took a second for it. */
	if (time_wall_us() - s->opened_us < US_PER_S)
		assert_int_equal(count(), 0);
	s->opened_us -= US_PER_S;
	look(fx);
	assert_int_equal(count(), 1);
	assert_int_equal(seen(1).form, CLIENT_HTTP);
	leave(fx, c);
	assert_int_equal(seen(1).state, CLIENT_GONE);
	assert_int_equal(seen(1).close_code, 0);
	/* One that is over before leaves no trace. */
	c->session = fx->handler.open(
	    fx->handler.arg, fakeconn_conn(&c->conn), slice_of(NULL, 0));
	leave(fx, c);
	assert_int_equal(count(), 1);
}

static void
who_has_no_slot_is_counted_and_gets_one_later(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *first = sessionfix_client(fx, 0, ALL);

	(void)sessionfix_client(fx, 1, ALL);
	(void)sessionfix_client(fx, 2, "you > > 3600");
	assert_int_equal(count(), 2);
	assert_int_equal(unseated(), 1);
	look(fx);
	assert_int_equal(unseated(), 1);
	leave(fx, first);
	look(fx);
	assert_int_equal(unseated(), 0);
	assert_memory_equal(seen(1).user.bytes, "you", 3);
	/* One that goes without ever having had one. */
	(void)sessionfix_client(fx, 0, ALL);
	assert_int_equal(unseated(), 1);
	leave(fx, &fx->clients[0]);
	assert_int_equal(unseated(), 0);
}

/* Is the text anywhere in the page? */
static bool
page_holds(const char *text)
{
	static uint8_t bytes[16384];
	char name[64];
	ssize_t n;
	int fd;

	snprintf(
	    name, sizeof(name), CLIENT_DIRECTORY "/forest.%ld", (long)getpid());
	fd = openat(dirfd, name, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(n > 4096);
	return memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
}

static void
no_token_is_in_the_page(void **state)
{
	struct sessionfix *fx = *state;
	struct sessionfix_client *c = sessionfix_client(fx, 0, NULL);

	sessionfix_say(
	    c, "{'op':'hello','v':1,'token':'user secret.> - 3600'}");
	sessionfix_expect(c, "'op':'welcome'", NULL);
	look(fx);
	assert_true(page_holds("user"));
	assert_false(page_holds("secret"));
	c = sessionfix_client(fx, 1, NULL);
	sessionfix_say(c, "{'op':'hello','v':1,'token':'refused'}");
	look(fx);
	assert_false(page_holds("refused"));
}

#define WITH_PAGE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAGE(a_client_is_seen_from_its_coming_to_its_going),
		WITH_PAGE(who_does_not_read_has_a_lag),
		WITH_PAGE(who_has_nothing_to_get_has_no_lag),
		WITH_PAGE(who_replays_the_past_loads),
		WITH_PAGE(a_connection_that_breaks_off_has_the_code_for_that),
		WITH_PAGE(a_request_is_seen_when_it_lasts),
		WITH_PAGE(who_has_no_slot_is_counted_and_gets_one_later),
		WITH_PAGE(no_token_is_in_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
