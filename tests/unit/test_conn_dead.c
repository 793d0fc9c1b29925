/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Peers whose host has gone, without a word: everything is in a network of
 * its own, whose only link is switched off.
 */

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gateway/block.h"
#include "gateway/conn_priv.h"
#include "gateway/counters.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static int
link_set(bool up)
{
	struct ifreq req = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = ioctl(fd, SIOCGIFFLAGS, &req);

	if (up)
		req.ifr_flags |= IFF_UP;
	else
		req.ifr_flags &= (short)~IFF_UP;
	if (r == 0)
		r = ioctl(fd, SIOCSIFFLAGS, &req);
	close(fd);
	return r;
}

static struct block *
big_block(void)
{
	static uint8_t bytes[BLOCK_BYTES - BLOCK_HEADROOM];

	return block_message(slice_of(bytes, sizeof(bytes)));
}

/* A client that has said hello. */
static struct edge_client *
client(struct edgefix *fx)
{
	struct edge_client *c;

	fx->hello = true;
	c = edge_websocket(fx);
	edge_send(c, 0x82, "\xc0", 1);
	EDGE_UNTIL(fx, fx->messages == 1);
	EDGE_UNTIL(fx, conn_is_ready(fx->conn));
	return c;
}

static void
who_acknowledges_nothing_is_dropped(void **state)
{
	struct block *b = big_block();
	struct edgefix *fx = *state;
	struct edge_client *c;

	edgefix_start(fx, NULL);
	fx->conns->ack_ticks = 2;
	c = client(fx);
	assert_int_equal(link_set(false), 0);
	assert_int_equal(conn_send(fx->conn, b), CONN_SENT);
	EDGE_UNTIL(fx, fx->closed == 1);
	assert_int_equal(COUNTERS_GET(dead_ack), 1);
	assert_int_equal(COUNTERS_GET(stalled), 0);
	assert_int_equal(link_set(true), 0);
	edge_free(c);
	block_unref(b);
}

/*
 * A closed window is asked about at growing intervals: as long as it is
 * answered, the peer is slow, and afterwards it is dead.
 */
static void
behind_a_closed_window_it_takes_longer(void **state)
{
	struct block *b = big_block();
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct conn *conn;
	uint32_t from;

	edgefix_start(fx, NULL);
	fx->conns->ack_ticks = 0;
	fx->conns->silence_ticks = 24;
	c = client(fx);
	conn = fx->conn;
	while (conn_send(conn, b) == CONN_SENT)
		;
	/* Its kernel answers meanwhile, if nobody else does. */
	from = conns_ticks();
	EDGE_UNTIL(fx, conns_ticks() - from > 4);
	assert_int_equal(fx->closed, 0);
	assert_int_equal(link_set(false), 0);
	EDGE_UNTIL(fx, fx->closed == 1);
	assert_int_equal(COUNTERS_GET(dead_ack), 1);
	assert_int_equal(link_set(true), 0);
	edge_free(c);
	block_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_acknowledges_nothing_is_dropped),
		TEST(behind_a_closed_window_it_takes_longer),
	};

	if ((unshare(CLONE_NEWNET) < 0 &&
		unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) ||
	    link_set(true) < 0) {
		printf("1..0 # SKIP no network of one's own can be made\n");
		return 0;
	}
	return cmocka_run_group_tests_name("conn_dead", tests, NULL, NULL);
}
