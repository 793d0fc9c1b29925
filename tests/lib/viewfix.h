/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the tests of the judge of connections share: a view over rows, shown
 * messages that are written as JSON.  Failing here fails the cmocka test.
 */

#ifndef PEAL_TESTS_LIB_VIEWFIX_H
#define PEAL_TESTS_LIB_VIEWFIX_H

#include "tests/lib/view.h"

struct viewfix {
	struct view *view;
};

int viewfix_setup(void **state);
int viewfix_teardown(void **state);

/* Show the view a message, written as JSON. */
bool viewfix_show(struct viewfix *w, const char *json);
/* Ask for a.>, as the heir of who had the id; live from seq on; asked for a snapshot, and subscribed. */
void viewfix_ask(
    struct viewfix *w, uint64_t id, enum view_from from, int64_t position);
void viewfix_live(struct viewfix *w, uint64_t id, unsigned seq);
void viewfix_snapshot(struct viewfix *w, uint64_t id, int64_t since);

#define ALLOWED(json)                                                  \
	do {                                                           \
		if (!viewfix_show(w, json))                            \
			fail_msg("%s: %s", json, view_fault(w->view)); \
	} while (0)

/* The message is refused with a sentence in which text stands. */
#define REFUSED(json, text)                                                   \
	do {                                                                  \
		if (viewfix_show(w, json))                                    \
			fail_msg("%s is not refused", json);                  \
		if (strstr(view_fault(w->view), text) == NULL)                \
			fail_msg("'%s' instead of '%s'", view_fault(w->view), \
			    text);                                            \
	} while (0)

/* Parts of messages; topic and type are JSON. */
#define EVENT(seq, topic, version, type)                         \
	"[" #seq ",1000," topic "," #version "," type ",\"me\"," \
	"{\"n\":" #seq "}]"
#define A(seq, version) EVENT(seq, "\"a.x\"", version, "\"t_set\"")
#define ROW(seq, topic, version)                                          \
	"[" topic "," #version "," #seq ",1000,\"me\",1000,\"me\",false," \
	"{\"n\":" #seq "}]"
#define RA(seq, version) ROW(seq, "\"a.x\"", version)
#define RB(seq, version) ROW(seq, "\"a.y\"", version)

#define PART(id, seq, full, rest, rows)                                        \
	"{\"op\":\"snapshot\",\"id\":" #id ",\"seq\":" #seq ",\"full\":" #full \
	"," rest ",\"rows\":[" rows "]}"
#define MORE   "\"last\":false"
#define LAST   "\"last\":true,\"scope\":\"s\""
#define BEHIND LAST ",\"live\":false"
#define REPLAY(id, after, upto, last, events)                 \
	"{\"op\":\"replay\",\"id\":" #id ",\"after\":" #after \
	",\"upto\":" #upto ",\"last\":" #last ",\"events\":[" events "]}"
#define LAGGED(position, rest)                                           \
	"{\"op\":\"lagged\",\"reason\":\"ring\",\"position\":" #position \
	",\"oldest\":1,\"head\":99" rest "}"

#define VIEWFIX_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, viewfix_setup, viewfix_teardown)

#endif
