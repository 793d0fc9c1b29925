/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of a connection share: conn.c (life and death), conn_in.c
 * (what comes), conn_http.c (requests), conn_send.c (what goes), conn_time.c
 * (deadlines), conn_alive.c (is the peer there), conn_proxy.c (whose connection
 * it is, behind a proxy).
 *
 *	TLS or PROXY -> HTTP -> OPEN -> CLOSING -> LINGER -> DEAD
 *	                 ^ `-----' while a door has the request, then the next
 *
 * A connection may die anywhere, in the middle of a pass over all of them.
 * So it is only marked, and freed by conns_sweep(), which alone frees.
 */

#ifndef PEAL_GATEWAY_CONN_PRIV_H
#define PEAL_GATEWAY_CONN_PRIV_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "gateway/block.h"
#include "gateway/conn.h"
#include "gateway/form.h"
#include "gateway/tls.h"
#include "gateway/ws.h"

enum conn_state {
	CONN_TLS,     /* shaking hands */
	CONN_PROXY,   /* plain: the proxy's header is awaited */
	CONN_HTTP,    /* its request is awaited */
	CONN_OPEN,    /* a WebSocket, or a request that a door serves */
	CONN_CLOSING, /* a close frame goes out, then the peer's is awaited */
	CONN_LINGER,  /* all is said: until the peer closes too */
	CONN_GONE,    /* for conns_sweep() to free */
};

enum {
	READ_BYTES = 16384, /* of one read: a TLS record */
	TURN_BYTES = 65536, /* taken from one connection in a row */
	WRITE_BYTES = BLOCK_BYTES,
	LANE_BYTES = 256 * 1024,    /* control messages not yet sent */
	ASSEMBLY_BYTES = 128 << 20, /* messages under way, of all */
	HANDSHAKES_A_PASS = 8,	    /* steps of TLS handshakes */
	SWEEPS_A_PASS = 64,	    /* connections freed */
	PONGS_QUEUED = 4,

	TICK_MS = 250,
	TICKS_S = 1000 / TICK_MS,
	WHEEL_SLOTS = 512, /* 128 s ahead */
	NEVER_TICKS = 1 << 30,
	LINGER_TICKS = 2 * TICKS_S,
	PONG_TICKS = 20 * TICKS_S, /* for what a peer has to do by itself */
	HTTP_STALL_TICKS = 60 * TICKS_S, /* an answer that does not move */
};

/* Messages that wait to be sent, as the bytes of their frames. */
struct lane {
	uint32_t len;
	uint32_t sent;
	uint32_t cap;
	uint32_t trying; /* bytes of a write that has to be repeated */
	uint8_t bytes[];
};

/* A place in a doubly linked ring; pointing at itself: in none. */
struct link {
	struct link *prev, *next;
};

struct conn {
	struct event ev;
	struct conns *cs;
	void *session;
	struct limits_entry *address;
	struct tls_conn tls; /* its fd also where there is no TLS */
	struct ws_state ws;
	struct door *door; /* of the request that is served, or NULL */
	uint8_t *head;	   /* of HTTP, when it comes in pieces */
	uint8_t *rest;	   /* came behind a request that is not served yet */
	struct block *pin; /* data being written */
	struct lane *lane; /* NULL: empty */

	struct link due_at;	/* in a slot of the wheel */
	struct link shaking;	/* in conns.shaking */
	struct conn *next_more; /* in conns.more */
	struct conn *next_dirty;
	struct conn *next_dying;

	uint32_t due;	     /* ticks: when something has to happen */
	uint32_t heard;	     /* ticks: when the last byte came */
	uint32_t plain_done; /* of a write without TLS that was begun */
	uint32_t max_message;
	uint32_t pin_at;    /* bytes of it that have gone */
	uint32_t asked;	    /* ticks: its pong is awaited since then */
	uint32_t owed_from; /* ticks: an acknowledgement, the same */
	uint32_t moved;	    /* ticks: when it took bytes, or had all */
	uint64_t acked;	    /* bytes it had taken then */
	uint64_t sent;	    /* bytes that the kernel took, ... */
	uint64_t received;  /* ... and that came, both before TLS */
	uint16_t head_len;
	uint16_t head_seen;
	uint16_t rest_len;
	uint16_t code;	/* why a session was closed; 0: it was not */
	uint8_t state;	/* enum conn_state */
	uint8_t form;	/* enum form: what the peer speaks */
	uint8_t pongs;	/* in the lane */
	bool plain : 1; /* no TLS */
	bool in_more : 1;
	bool in_dirty : 1;
	bool in_dying : 1;
	bool in_turn : 1;     /* its input is being taken: flushed after it */
	bool blocked : 1;     /* the socket takes no more at present */
	bool want_ready : 1;  /* the session waits for ready() */
	bool established : 1; /* hello was accepted */
	bool pinged : 1;      /* and has not been heard since */
	bool wrote : 1;	      /* perhaps not all of it is acknowledged */
	bool owed : 1;	      /* owed_from counts */
	bool last_words : 1;  /* nothing comes after what is in the lane */
	bool peer_done : 1;   /* its close frame came, or can't any more */
	bool surplus : 1;     /* over a limit: answered with 503 */
	bool raw : 1;	      /* the pin is no message: it goes in pieces */
	bool behind : 1;      /* the pin waits for the lane */
	bool kept : 1;	      /* a request was answered before */
};

struct door;
struct http_request;

struct conns {
	struct event_base *base;
	struct tls *tls;
	struct ws_pool *pool;
	struct limits *limits;
	struct trust *trusted; /* NULL: no proxy is */
	struct conn_handler handler;
	const char *origins;
	const struct site *site; /* NULL: no files are served */
	void (*room)(void *arg); /* handshakes are below their limit again */
	void *room_arg;

	struct event *more_ev; /* turns that were cut short go on */
	struct event *tick_ev;
	struct conn *more, **more_end;
	struct conn *dirty;
	struct conn *dying;
	struct link shaking; /* oldest first */
	struct link wheel[WHEEL_SLOTS];

	uint64_t n;
	uint32_t max_message;
	uint32_t hello_bytes; /* the same before hello */
	uint64_t max_conns;
	uint32_t n_shaking;
	uint32_t max_shaking;
	uint32_t hello_ticks;
	uint32_t quiet_ticks;
	uint32_t pong_ticks;
	uint32_t idle_ticks; /* between requests; 0: each ends it */
	uint32_t ack_ticks;
	uint32_t silence_ticks;
	uint32_t stall_ticks;
	uint32_t tick;	     /* the wheel stands here */
	unsigned steps_left; /* of handshakes in this pass */
	bool steps_awaited;  /* somebody in more waits for one */
	bool in_more;	     /* those of more have their turn */
	bool refusing;
	bool relaxed; /* see conns_relax() */
	bool starved; /* somebody waits for room() */
	bool held;    /* there is none, whatever is free */
	uint8_t in[READ_BYTES];
};

/* conn.c */
/* Not usable any more; freed by the next sweep. */
void conn_drop(struct conn *c);
/* All was said: goodbye to TLS and TCP, and wait for the peer's. */
void conn_linger(struct conn *c);
/* Take another turn in the next pass. */
void conn_more(struct conn *c);
/* Its handshake begins: it keeps its place before those who say nothing. */
void conn_spoke(struct conn *c);
/* The TLS handshake is over, one way or the other. */
void conn_shaken(struct conn *c);
void conns_tell_room(struct conns *cs);
/* For the sweep to look at: it, its session or its door has ended. */
void conn_dying(struct conn *c);
/* What waits to be sent is the last; what the peer says is ignored. */
void conn_last(struct conn *c);
/* Count c for its client's address; false: its rate is too high. */
bool conns_enter(struct conns *cs, const struct sockaddr *sa, struct conn *c);

/* conn_proxy.c */
void conn_take_proxy(struct conn *c);

/* conn_in.c */
void conn_turn(struct conn *c, short what);

/* conn_http.c */
/* Does the connection end behind the answer to this request? */
bool conn_http_is_last(const struct conn *c, const struct http_request *req);
/* Take bytes that are no WebSocket's. */
void conn_http_take(struct conn *c, struct slice in);
/* Those that had to wait, if they need not any more. */
void conn_http_rest(struct conn *c);
/* A request was answered: the next one may come. */
void conn_http_next(struct conn *c);

/* conn_send.c */
/* Send what waits; ready() when all has left. */
void conn_flush(struct conn *c);
/* Flush at the end of the pass, or of the connection's own turn. */
void conn_dirty(struct conn *c);
bool conn_unsent(const struct conn *c);
/* Bytes that are no message: an HTTP answer.  Nothing follows if last. */
void conn_raw(struct conn *c, const void *p, size_t len, bool last);
/* The same, without a copy; takes the reference. */
void conn_put(struct conn *c, struct block *b);
void conn_ping(struct conn *c);
void conn_pong(struct conn *c, struct slice payload);
/* The close frame, behind what the lane holds. */
void conn_say_close(struct conn *c, unsigned code, const char *text);
void conn_send_deinit(struct conn *c);

/* conn_alive.c */
/* Look whether an open WebSocket's peer is there; sets the next deadline. */
void conn_alive(struct conn *c);
/* It was heard, and has everything: looks begin. */
void conn_alive_from_now(struct conn *c);

/* conn_time.c */
uint32_t conns_ticks(void);
void conn_due_in(struct conn *c, uint32_t ticks);
int conns_time_init(struct conns *cs);
int conns_time_start(struct conns *cs);

/* For a handshake, a head, a hello, or the beginning of a body. */
static inline uint32_t
conns_hello_ticks(const struct conns *cs)
{
	return cs->hello_ticks > 0 ? cs->hello_ticks : NEVER_TICKS;
}

static inline void
link_init(struct link *l)
{
	l->prev = l->next = l;
}

static inline void
link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

/* At the end of the ring that head stands for. */
static inline void
link_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline bool
link_empty(const struct link *l)
{
	return l->next == l;
}

#endif
