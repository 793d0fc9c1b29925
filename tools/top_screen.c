/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The screen: a line about the ring, topics, clients, a line of keys.  What
 * does not fit is cut; a terminal of one line shows one line.
 */

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "core/reason.h"
#include "tools/plain.h"
#include "tools/top.h"
#include "tools/top_screen.h"

enum {
	ROWS_MAX = 512, /* of a screen that are used */
	NAME_MAX_BYTES = 4 * TOPIC_MAX + 8,
};

enum view {
	VIEW_BOTH = 0,
	VIEW_TOPICS,
	VIEW_CLIENTS,
	VIEWS,
};

struct top_screen {
	SCREEN *curses;
	bool utf8; /* the terminal's characters */
	bool paused;
	bool ended;
	enum view view;
	enum busy_order order;
	unsigned client_order; /* of client_orders */
	unsigned topic_from, client_from;
	const struct busy_topic *topics[ROWS_MAX];
};

static const char *const client_orders[] = { "lag", "sent", "received",
	"queued", "opened" };

int
top_screen_open(struct top_screen **out, struct reason *why)
{
	const char *term = getenv("TERM");
	struct top_screen *s;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return reason_set(why, 0,
			   "this needs a terminal: for programs there are "
			   "'peal stat --json' and 'peal clients --json'"),
		       -ENOTTY;
	s = calloc(1, sizeof(*s));
	if (!s)
		return reason_set(why, -ENOMEM, "cannot draw");
	(void)setlocale(LC_CTYPE, "");
	s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	s->curses = term && *term ? newterm(term, stdout, stdin) : NULL;
	if (!s->curses) {
		free(s);
		return reason_set(why, 0,
			   "nobody knows what a terminal '%.40s' can do: "
			   "set TERM",
			   term ? term : ""),
		       -ENOTSUP;
	}
	(void)set_term(s->curses);
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)curs_set(0);
	*out = s;
	return 0;
}

struct top_screen *
top_screen_close(struct top_screen *s)
{
	if (!s)
		return NULL;
	(void)endwin();
	delscreen(s->curses);
	free(s);
	return NULL;
}

bool
top_screen_paused(const struct top_screen *s)
{
	return s->paused;
}

/* --- text --- */

/* As much of it as fits between x and the edge; returns the column behind. */
static int
put(const struct top_screen *s, int y, int x, const char *text)
{
	wchar_t wide[NAME_MAX_BYTES];
	int used = 0, n = 0, room = COLS - x;
	size_t len;

	if (y >= LINES || room <= 0)
		return x;
	if (!s->utf8) {
		for (; text[n] && n < room && n < NAME_MAX_BYTES; n++)
			wide[n] = (unsigned char)text[n] < 0x80
				      ? (wchar_t)text[n]
				      : L'?';
		(void)mvaddnwstr(y, x, wide, n);
		return x + n;
	}
	len = mbstowcs(wide, text, NAME_MAX_BYTES);
	if (len == (size_t)-1)
		return x;
	for (; n < (int)len; n++) {
		int width = MAX(wcwidth(wide[n]), 0);

		if (used + width > room)
			break;
		used += width;
	}
	(void)mvaddnwstr(y, x, wide, n);
	return x + used;
}

static int PRINTF(4, 5)
    say(const struct top_screen *s, int y, int x, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return put(s, y, x, text);
}

/* A number of at most seven characters: 0.3, 12.4, 431, 9999, 10.0k. */
static const char *
short_number(double v, char buf[16])
{
	static const char units[] = " kMGTPE";
	unsigned i = 0;

	while (v >= 9999.5 && i + 2 < sizeof(units)) {
		v /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(buf, 16, v >= 99.95 || v == 0 ? "%.0f" : "%.1f", v);
	else
		snprintf(buf, 16, "%.1f%c", v, units[i]);
	return buf;
}

/* A headline across the screen, which ends with what decides the order. */
static void
headline(const struct top_screen *s, int y, const char *text, const char *order)
{
	int x;

	if (y >= LINES)
		return;
	(void)attron(A_REVERSE);
	for (x = say(s, y, 0, "%s, by %s", text, order); x < COLS; x++)
		(void)mvaddch(y, x, ' ');
	(void)attroff(A_REVERSE);
}

/* --- what is drawn --- */

static const char *
state_name(enum ring_state state)
{
	static const char *const names[] = { "INIT", "RUNNING", "DRAINING",
		"CLOSED", "FAILED" };

	return state < ARRAY_LEN(names) ? names[state] : "?";
}

static void
draw_ring(const struct top_screen *s, const struct top *top)
{
	const struct busy_rates *all = busy_all(top->busy);
	char a[16], b[16], c[16];
	int x;

	if (!top->attached || top->ring_why.text[0]) {
		put(s, 0, 0,
		    top->ring_why.text[0] ? top->ring_why.text
					  : "there is no ring yet");
		return;
	}
	x = say(s, 0, 0,
	    "ring %s  seq %" PRIu64 "  %s events/s (%s)  %s "
	    "bytes/s",
	    state_name(top->status.state), top->status.tail_seq,
	    short_number(all->events, a), short_number(all->events_10, b),
	    short_number(all->bytes, c));
	if (top->missed > 0)
		x = say(s, 0, x, "  missed %" PRIu64, top->missed);
	if (s->paused)
		put(s, 0, x, "  paused");
}

static void
draw_topic(const struct top_screen *s, int y, const char *name,
    const struct busy_rates *r)
{
	char a[16], b[16], c[16], d[16];
	int x = say(s, y, 0, "%8s %8s %9s %9s  ", short_number(r->events, a),
	    short_number(r->events_10, b), short_number(r->bytes, c),
	    short_number(r->bytes_10, d));

	put(s, y, x, name);
}

static void
draw_topics(struct top_screen *s, struct top *top, int y, int end)
{
	static const char *const orders[] = { "events/s", "bytes/s", "name" };
	const struct busy_rates *others = busy_others(top->busy);
	char name[NAME_MAX_BYTES];
	unsigned n, rows = end > y + 1 ? (unsigned)(end - y - 1) : 0;

	headline(s, y++, "events/s     10 s   bytes/s      10 s  topic",
	    orders[s->order]);
	if (others->events > 0 && rows > 1) {
		draw_topic(
		    s, --end, "(topics beyond those remembered)", others);
		rows--;
	}
	n = busy_list(top->busy, s->order, s->topic_from, s->topics,
	    MIN(rows, (unsigned)ROWS_MAX));
	for (unsigned i = 0; i < n; i++) {
		const struct busy_topic *t = s->topics[i];

		draw_topic(s, y + (int)i,
		    plain_text(name, sizeof(name), slice_of(t->name, t->len)),
		    &t->rates);
	}
	if (n == 0 && rows > 0)
		put(s, y, 0, "no events since this began");
}

static void
draw_client(const struct top_screen *s, int y, const struct crowd_row *row)
{
	const struct client_info *info = &row->info;
	char name[CROWD_NAME], sent[16], received[16], queued[16];
	int x = say(s, y, 0, "%7s %9" PRIu64 " %8s %8s %8s %8" PRIu32 "  ",
	    crowd_state_name(info->state), info->lag,
	    short_number((double)info->sent, sent),
	    short_number((double)info->received, received),
	    short_number((double)info->queued, queued), row->pid);

	x = put(
	    s, y, x, info->user.n > 0 ? crowd_name(&info->user, name) : "-");
	if (info->client.n > 0)
		put(s, y, x + 2, crowd_name(&info->client, name));
}

static void
draw_clients(const struct top_screen *s, const struct top *top, int y, int end)
{
	const struct crowd *c = &top->crowd;
	unsigned rows, n;

	headline(s, y++,
	    "  state       lag     sent received   queued  gateway  user, client",
	    client_orders[s->client_order]);
	if (top->crowd_why.text[0]) {
		if (y < end)
			put(s, y, 0, top->crowd_why.text);
		return;
	}
	rows = end > y ? (unsigned)(end - y) : 0;
	n = s->client_from < c->n ? MIN(rows, c->n - s->client_from) : 0;
	for (unsigned i = 0; i < n; i++)
		draw_client(s, y + (int)i, &c->rows[s->client_from + i]);
	if (n == 0 && rows > 0)
		put(s, y, 0, "nobody is connected");
}

/* --- keys --- */

static void
by_events(struct top_screen *s, struct top *top)
{
	s->order = BUSY_BY_EVENTS;
}

static void
by_bytes(struct top_screen *s, struct top *top)
{
	s->order = BUSY_BY_BYTES;
}

static void
by_name(struct top_screen *s, struct top *top)
{
	s->order = BUSY_BY_NAME;
}

/* The next column of clients. */
static void
next_clients(struct top_screen *s, struct top *top)
{
	s->client_order = (s->client_order + 1) % ARRAY_LEN(client_orders);
	top->ask.by = (size_t)crowd_column(client_orders[s->client_order]);
	top_clients(top);
}

static void
by_lag(struct top_screen *s, struct top *top)
{
	s->client_order = ARRAY_LEN(client_orders) - 1;
	next_clients(s, top);
}

static void
next_view(struct top_screen *s, struct top *top)
{
	s->view = (s->view + 1) % VIEWS;
	s->topic_from = s->client_from = 0;
}

static void
pause_or_go(struct top_screen *s, struct top *top)
{
	s->paused = !s->paused;
}

static void
quit(struct top_screen *s, struct top *top)
{
	s->ended = true;
}

/* A list may have got shorter since it was scrolled. */
static unsigned
within(int64_t at, unsigned n)
{
	return (unsigned)MAX(MIN(at, (int64_t)n - 1), 0);
}

/* What scrolls: clients where they have the screen, else topics. */
static void
scroll_by(struct top_screen *s, const struct top *top, int by)
{
	bool clients = s->view == VIEW_CLIENTS;
	unsigned *from = clients ? &s->client_from : &s->topic_from;
	unsigned n = clients ? top->crowd.n : busy_count(top->busy);

	*from = within((int64_t)*from + by, n);
}

static void
down(struct top_screen *s, struct top *top)
{
	scroll_by(s, top, 1);
}

static void
up(struct top_screen *s, struct top *top)
{
	scroll_by(s, top, -1);
}

static void
page_down(struct top_screen *s, struct top *top)
{
	scroll_by(s, top, MAX(LINES - 3, 1));
}

static void
page_up(struct top_screen *s, struct top *top)
{
	scroll_by(s, top, -MAX(LINES - 3, 1));
}

/* The line of keys is made of those that have a text. */
static const struct {
	int key;
	void (*act)(struct top_screen *s, struct top *top);
	const char *text;
} keys[] = {
	{ 'q', quit, "q quit" },
	{ 'e', by_events, "e events" },
	{ 'b', by_bytes, "b bytes" },
	{ 'n', by_name, "n name" },
	{ 'l', by_lag, "l lag" },
	{ 'c', next_clients, "c clients by" },
	{ '\t', next_view, "tab view" },
	{ ' ', pause_or_go, "space pause" },
	{ KEY_DOWN, down, NULL },
	{ KEY_UP, up, NULL },
	{ KEY_NPAGE, page_down, NULL },
	{ KEY_PPAGE, page_up, NULL },
};

static void
draw_keys(const struct top_screen *s)
{
	int x = 0, y = LINES - 1;

	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].text)
			x = put(s, y, put(s, y, x, keys[i].text), "  ");
}

/* Where clients begin: they get what topics leave, a third at least. */
static int
split(const struct top_screen *s, const struct top *top)
{
	int rows = LINES - 2, topics = (int)busy_count(top->busy) + 2;

	if (s->view == VIEW_TOPICS)
		return LINES - 1;
	if (s->view == VIEW_CLIENTS)
		return 1;
	return 1 + MIN(MAX(topics, 3), rows - rows / 3);
}

void
top_screen_draw(struct top_screen *s, struct top *top)
{
	int middle = split(s, top);

	s->topic_from = within(s->topic_from, busy_count(top->busy));
	s->client_from = within(s->client_from, top->crowd.n);
	(void)erase();
	draw_ring(s, top);
	if (middle > 1)
		draw_topics(s, top, 1, middle);
	if (middle < LINES - 1)
		draw_clients(s, top, middle, LINES - 1);
	if (LINES > 1)
		draw_keys(s);
	(void)refresh();
}

bool
top_screen_keys(struct top_screen *s, struct top *top)
{
	int key;

	while (!s->ended && (key = getch()) != ERR)
		for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
			if (keys[i].key == key)
				keys[i].act(s, top);
	return !s->ended;
}
