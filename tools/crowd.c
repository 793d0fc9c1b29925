/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A heap whose root is the lowest of the rows that are kept, so that a
 * hundred thousand clients cost one pass and no more memory than their best.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/crowd.h"
#include "tools/plain.h"

int
crowd_init(struct crowd *c, unsigned room)
{
	*c = (struct crowd){ .room = room };
	c->rows = malloc(room * sizeof(*c->rows));
	return c->rows ? 0 : -ENOMEM;
}

void
crowd_deinit(struct crowd *c)
{
	free(c->rows);
	*c = (struct crowd){ 0 };
}

static const struct {
	const char *name;
	size_t at;
} columns[] = {
#define CLIENT_NUMBER(name, unit, text) \
	{ #name, offsetof(struct client_info, name) },
#include "shm/client_columns.h"
};

int
crowd_column(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++)
		if (strcmp(columns[i].name, name) == 0)
			return (int)columns[i].at;
	return -1;
}

const char *
crowd_state_name(uint64_t state)
{
	static const char *const names[] = { "free", "new", "idle", "loads",
		"live", "behind", "gone" };

	return state < ARRAY_LEN(names) ? names[state] : "?";
}

const char *
crowd_form_name(uint64_t form)
{
	static const char *const names[] = { "?", "msgpack", "json", "http" };

	return form < ARRAY_LEN(names) ? names[form] : "?";
}

const char *
crowd_name(const struct client_text *text, char buf[CROWD_NAME])
{
	(void)plain_text(buf, CROWD_NAME - 3, slice_of(text->bytes, text->n));
	if (text->whole > text->n)
		strcat(buf, "...");
	return buf;
}

/* --- the highest --- */

static uint64_t
number(const struct crowd_row *row, size_t at)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)&row->info + at, sizeof(v));
	return v;
}

/* Equal ones in the order of their coming, which stays from look to look. */
static bool
is_above(const struct crowd_row *a, const struct crowd_row *b, size_t by)
{
	uint64_t x = number(a, by), y = number(b, by);

	if (x != y)
		return x > y;
	if (a->info.opened != b->info.opened)
		return a->info.opened < b->info.opened;
	return a->pid < b->pid;
}

static void
swap(struct crowd_row *a, struct crowd_row *b)
{
	struct crowd_row t = *a;

	*a = *b;
	*b = t;
}

/* Row i may be above its children, of the first n rows. */
static void
sift_down(struct crowd_row *rows, unsigned i, unsigned n, size_t by)
{
	for (;;) {
		unsigned child = 2 * i + 1, least = i;

		for (unsigned k = child; k < n && k <= child + 1; k++)
			if (is_above(&rows[least], &rows[k], by))
				least = k;
		if (least == i)
			return;
		swap(&rows[i], &rows[least]);
		i = least;
	}
}

static void
sift_up(struct crowd_row *rows, unsigned i, size_t by)
{
	while (i > 0 && is_above(&rows[(i - 1) / 2], &rows[i], by)) {
		swap(&rows[i], &rows[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static void
take(struct crowd *c, const struct crowd_row *row, size_t by)
{
	c->found++;
	if (c->n < c->room) {
		c->rows[c->n] = *row;
		sift_up(c->rows, c->n++, by);
	} else if (c->n > 0 && is_above(row, &c->rows[0], by)) {
		c->rows[0] = *row;
		sift_down(c->rows, 0, c->n, by);
	}
}

/* The heap's root goes to the end, again and again: the highest is first. */
static void
sort(struct crowd *c, size_t by)
{
	for (unsigned n = c->n; n > 1; n--) {
		swap(&c->rows[0], &c->rows[n - 1]);
		sift_down(c->rows, 0, n - 1, by);
	}
}

/* --- the pages --- */

static void
complain(struct crowd *c, const struct reason *why)
{
	if (c->bad_n < CROWD_BAD)
		c->bad[c->bad_n] = *why;
	c->bad_n++;
}

static bool
is_asked_for(
    struct crowd *c, const struct crowd_ask *ask, const struct crowd_row *row)
{
	const struct client_text *name = &row->info.user;
	char user[CLIENT_TEXT_MAX + 1];

	memcpy(user, name->bytes, name->n);
	user[name->n] = '\0';
	if (ask->user && fnmatch(ask->user, user, 0) != 0)
		return false;
	if (ask->gone)
		return true;
	if (row->info.state != CLIENT_GONE && !row->alive)
		c->orphans++;
	return row->info.state != CLIENT_GONE && row->alive;
}

static bool
pid_lives(uint32_t pid)
{
	return pid > 0 && pid <= INT_MAX &&
	       (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static void
look_at(
    struct crowd *c, int dirfd, const char *name, const struct crowd_ask *ask)
{
	CLEANUP(client_reader_freep) struct client_reader *rd = NULL;
	struct crowd_row row;
	struct reason why = REASON_NO_MEMORY;
	int rc = client_reader_open(dirfd, name, &rd, &why);

	/* It has ended since the directory was read. */
	if (rc == -ENOENT)
		return;
	if (rc < 0) {
		complain(c, &why);
		return;
	}
	row.pid = client_reader_head(rd)->pid;
	row.alive = pid_lives(row.pid);
	while ((rc = client_reader_next(rd, &row.info, &why)) == CLIENT_ROW)
		if (is_asked_for(c, ask, &row))
			take(c, &row, ask->by);
	if (rc < 0)
		complain(c, &why);
	c->unseated += row.alive ? client_reader_head(rd)->unseated : 0;
	c->torn += client_reader_torn(rd);
}

static void
too_many(struct crowd *c, const char *path, unsigned n)
{
	struct reason why = REASON_NO_MEMORY;

	if (n <= CROWD_PAGES)
		return;
	(void)reason_set(&why, 0, "'%s' has %u files: %u were not looked at",
	    path, n, n - CROWD_PAGES);
	complain(c, &why);
}

int
crowd_look(struct crowd *c, const char *run, const struct crowd_ask *ask,
    struct reason *why)
{
	struct dirent *entry;
	char path[PATH_MAX];
	unsigned n = 0;
	DIR *dir;

	*c = (struct crowd){ .rows = c->rows, .room = c->room };
	snprintf(path, sizeof(path), "%s/stat/" CLIENT_DIRECTORY, run);
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return reason_say(why, -ENOENT,
		    "no gateway tells of its clients in '%s'", run);
	if (!dir)
		return reason_set(why, -errno, "cannot read '%s'", path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && n++ < CROWD_PAGES)
			look_at(c, dirfd(dir), entry->d_name, ask);
	(void)closedir(dir);
	too_many(c, path, n);
	sort(c, ask->by);
	return 0;
}
