/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a slot says of a client, column by column: names are what tools print,
 * and what stands in the page beside the bytes' places.  Included several
 * times, once for each table; has no include guard on purpose.
 */

#ifndef CLIENT_NUMBER
#define CLIENT_NUMBER(name, unit, text)
#endif
#ifndef CLIENT_TEXT
#define CLIENT_TEXT(name, text)
#endif

CLIENT_NUMBER(close_code, "", "why it ended, as WebSockets say it; 0: not yet")
CLIENT_NUMBER(subscriptions, "", "that it has")
CLIENT_NUMBER(opened, "us", "when it came, wall clock")
CLIENT_NUMBER(seen, "us", "when this was written, wall clock")
CLIENT_NUMBER(position, "seq", "it got all that it asked for up to here")
CLIENT_NUMBER(lag, "events", "of the log that it was not given yet")
CLIENT_NUMBER(sent, "bytes", "before TLS, as far as the kernel took them")
CLIENT_NUMBER(received, "bytes", "the same of what came")
CLIENT_NUMBER(queued, "bytes", "that wait in the process")
CLIENT_NUMBER(
    state, "", "0 free, 1 new, 2 idle, 3 loads, 4 live, 5 behind, 6 gone")
CLIENT_NUMBER(form, "", "1 MessagePack, 2 JSON, 3 HTTP")
CLIENT_TEXT(user, "as its token says")
CLIENT_TEXT(client, "the name that it gave itself")

#undef CLIENT_NUMBER
#undef CLIENT_TEXT
