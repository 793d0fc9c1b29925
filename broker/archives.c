/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The archives in the broker's directory.  The list is made once, from what
 * the files say of themselves, and kept up by whoever writes or removes one;
 * files are opened anew for each use, so that removing one disturbs nobody.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "broker/archives_priv.h"
#include "broker/query.h"
#include "broker/snapshot.h"
#include "broker/spool.h"
#include "core/diag.h"
#include "core/fs.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "log/base.h"

/* --- the list --- */

static size_t
archives_place(const struct archives *ar, uint64_t seq)
{
	size_t i = 0;

	while (i < ar->n && ar->v[i].id.seq < seq)
		i++;
	return i;
}

/* Under the lock: put it into the list, in place of one of the same seq. */
static int
archives_note(struct archives *ar, const struct known_archive *known)
{
	size_t i = archives_place(ar, known->id.seq);

	if (i < ar->n && ar->v[i].id.seq == known->id.seq) {
		ar->v[i] = *known;
		return 0;
	}
	if (ar->n == ar->cap) {
		size_t cap = MAX(ar->cap * 2, 16);
		struct known_archive *v = realloc(ar->v, cap * sizeof(*ar->v));

		if (!v)
			return -ENOMEM;
		ar->v = v;
		ar->cap = cap;
	}
	memmove(&ar->v[i + 1], &ar->v[i], (ar->n - i) * sizeof(*ar->v));
	ar->v[i] = *known;
	ar->n++;
	return 0;
}

static void
archives_forget(struct archives *ar, size_t i)
{
	ar->n--;
	memmove(&ar->v[i], &ar->v[i + 1], (ar->n - i) * sizeof(*ar->v));
}

static void
archives_say_damaged(struct archives *ar, const struct reason *what)
{
	ar->counts.damaged++;
	diag_limited(
	    "archive damaged", "%s; an older one takes its place", what->text);
}

static int
archives_take_in(struct archives *ar, uint64_t seq)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct known_archive known = { .id.seq = seq };
	struct reason why = { "" };
	int got = archive_open(&sysio_posix, ar->dirfd, seq, &a, &why);

	if (got == -ENOMEM)
		return got;
	if (got == ARCHIVE_ROW) {
		known.id = *archive_id(a);
		known.bytes = archive_bytes(a);
	} else {
		known.damaged = true;
		archives_say_damaged(ar, &why);
	}
	return archives_note(ar, &known);
}

static int
archives_list_one(void *arg, const char *name)
{
	struct archives *ar = arg;
	char want[ARCHIVE_NAME_SIZE];
	unsigned long long seq;

	if (strcmp(name, ARCHIVE_TMP) == 0 || strcmp(name, BASE_TMP) == 0) {
		(void)sysio_unlink(&sysio_posix, ar->dirfd, name);
		return 0;
	}
	if (sscanf(name, "archive-%20llu.zst", &seq) != 1)
		return 0;
	archive_name(want, seq);
	return strcmp(name, want) == 0 ? archives_take_in(ar, seq) : 0;
}

int
archives_new(const struct archives_options *opt, struct archives **out,
    struct reason *why)
{
	CLEANUP(archives_freep) struct archives *ar = calloc(1, sizeof(*ar));
	int err;

	if (!ar)
		return -ENOMEM;
	pthread_mutex_init(&ar->lock, NULL);
	ar->dirfd = ar->log_dirfd = -1;
	ar->max_bytes = opt->max_bytes;
	ar->every = opt->every;
	err = fs_mkdirs(opt->dir, 0750, why);
	if (err < 0)
		return err;
	err = spools_new(opt->dir, UINT64_MAX, &ar->spools);
	if (err < 0)
		return reason_set(why, err, "cannot use '%s'", opt->dir);
	ar->dirfd = open(opt->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ar->dirfd < 0)
		return reason_set(why, -errno, "cannot open '%s'", opt->dir);
	if (opt->log_dir)
		ar->log_dirfd =
		    open(opt->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (opt->log_dir && ar->log_dirfd < 0)
		return reason_set(
		    why, -errno, "cannot open '%s'", opt->log_dir);
	err = sysio_list(&sysio_posix, ar->dirfd, archives_list_one, ar);
	if (err < 0)
		return reason_set(why, err, "cannot list '%s'", opt->dir);
	*out = TAKE(ar);
	return 0;
}

struct archives *
archives_free(struct archives *ar)
{
	if (!ar)
		return NULL;
	(void)spools_free(ar->spools);
	closep(&ar->dirfd);
	closep(&ar->log_dirfd);
	pthread_mutex_destroy(&ar->lock);
	free(ar->v);
	free(ar);
	return NULL;
}

void
archives_status(struct archives *ar, struct archives_status *out)
{
	pthread_mutex_lock(&ar->lock);
	*out = ar->counts;
	for (size_t i = 0; i < ar->n; i++) {
		out->bytes += ar->v[i].bytes;
		if (ar->v[i].damaged)
			continue;
		out->archives++;
		out->newest = ar->v[i].id.seq;
	}
	pthread_mutex_unlock(&ar->lock);
}

/* --- which fit --- */

/* Is it of this log?  log is a name as proto_log_name() makes it. */
static bool
known_is_of(const struct known_archive *known, const char *log)
{
	char name[PROTO_LOG_NAME];

	proto_log_name(known->id.log_id, known->id.epoch, name);
	return !known->damaged && strcmp(name, log) == 0;
}

bool
archives_parse_log(const char *log, struct archive_id *id)
{
	char name[PROTO_LOG_NAME];
	unsigned long long epoch;

	for (unsigned i = 0; i < sizeof(id->log_id); i++) {
		unsigned byte;

		if (sscanf(log + 2 * (size_t)i, "%2x", &byte) != 1)
			return false;
		id->log_id[i] = (uint8_t)byte;
	}
	if (sscanf(log + 32, "-%llu", &epoch) != 1)
		return false;
	id->epoch = epoch;
	proto_log_name(id->log_id, id->epoch, name);
	return strcmp(name, log) == 0;
}

void
archives_configure(struct archives *ar, uint64_t max_bytes, uint64_t every)
{
	pthread_mutex_lock(&ar->lock);
	ar->max_bytes = max_bytes;
	ar->every = every;
	pthread_mutex_unlock(&ar->lock);
}

bool
archives_due(struct archives *ar, const char *log, uint64_t seq)
{
	uint64_t newest;
	bool due;

	pthread_mutex_lock(&ar->lock);
	newest = ar->last_try <= seq ? ar->last_try : 0;
	for (size_t i = 0; i < ar->n; i++)
		if (known_is_of(&ar->v[i], log))
			newest = MAX(newest, ar->v[i].id.seq);
	due = ar->max_bytes > 0 && !ar->writing && seq >= ar->every &&
	      seq - ar->every >= newest;
	pthread_mutex_unlock(&ar->lock);
	return due;
}

/*
 * Under the lock: the newest that fits, behind the base; ar->n: none.  What is
 * before it leads nowhere.
 */
static size_t
archives_newest(const struct archives *ar, const char *log,
    uint64_t rules_version, uint64_t seq, uint64_t base)
{
	for (size_t i = ar->n; i > 0 && ar->v[i - 1].id.seq > base; i--) {
		const struct known_archive *known = &ar->v[i - 1];

		if (known->id.seq <= seq && known_is_of(known, log) &&
		    known->id.rules_version == rules_version)
			return i - 1;
	}
	return ar->n;
}

/* Is the open file what the list says of it? */
static bool
archives_same(const struct archive_id *a, const struct archive_id *b)
{
	return a->seq == b->seq && a->epoch == b->epoch &&
	       a->rules_version == b->rules_version &&
	       memcmp(a->log_id, b->log_id, sizeof(a->log_id)) == 0;
}

int
archives_find(struct archives *ar, const char *log, uint64_t rules_version,
    uint64_t seq, struct archive **out)
{
	for (;;) {
		CLEANUP(archive_freep) struct archive *a = NULL;
		uint64_t base = archives_base(ar, log);
		struct known_archive known;
		struct reason why = { "" };
		size_t i;
		int got;

		pthread_mutex_lock(&ar->lock);
		i = archives_newest(ar, log, rules_version, seq, base);
		if (i < ar->n)
			known = ar->v[i];
		else
			known.id.seq = 0;
		pthread_mutex_unlock(&ar->lock);
		*out = NULL;
		if (known.id.seq == 0 && base > 0 && base <= seq)
			return archives_open_base(ar, log, base, out);
		if (known.id.seq == 0)
			return 0;
		got = archive_open(
		    &sysio_posix, ar->dirfd, known.id.seq, &a, &why);
		/* That says nothing of the file. */
		if (got == -ENOMEM || got == -EMFILE || got == -ENFILE)
			return got;
		if (got == ARCHIVE_ROW &&
		    archives_same(archive_id(a), &known.id)) {
			*out = TAKE(a);
			return 0;
		}
		if (got == ARCHIVE_ROW)
			reason_set(&why, 0, "the archive of seq %llu changed",
			    (unsigned long long)known.id.seq);
		archives_condemn(ar, known.id.seq, &why);
	}
}

uint64_t
archives_oldest(struct archives *ar, const char *log, uint64_t rules_version)
{
	uint64_t seq = archives_base(ar, log);

	pthread_mutex_lock(&ar->lock);
	for (size_t i = 0; i < ar->n && seq == 0; i++)
		if (known_is_of(&ar->v[i], log) &&
		    ar->v[i].id.rules_version == rules_version)
			seq = ar->v[i].id.seq;
	pthread_mutex_unlock(&ar->lock);
	return seq;
}

void
archives_condemn(struct archives *ar, uint64_t seq, const struct reason *what)
{
	/* What is neither was removed while it was looked at. */
	bool is_base = archives_is_base(ar, seq);
	size_t i;

	pthread_mutex_lock(&ar->lock);
	i = archives_place(ar, seq);
	if (is_base) {
		ar->bad_base = seq;
		ar->counts.damaged++;
		diag_error("the log's base can't be used, and what it holds "
			   "is nowhere else: %s",
		    what->text);
	} else if (i < ar->n && ar->v[i].id.seq == seq && !ar->v[i].damaged) {
		ar->v[i].damaged = true;
		archives_say_damaged(ar, what);
	}
	pthread_mutex_unlock(&ar->lock);
}

/* --- restoring --- */

/* All rows; ARCHIVE_END, ARCHIVE_DAMAGED or below zero. */
static int
archives_feed(
    struct archive *a, store_add_row *add, void *ctx, struct reason *why)
{
	struct archive_row row;
	uint64_t rows = 0;
	int got, err;

	while ((got = archive_next(a, &row, why)) == ARCHIVE_ROW) {
		err = add(ctx, row.row, row.dropped);
		if (err < 0)
			return err;
		rows++;
	}
	if (got == ARCHIVE_END && rows != archive_rows(a)) {
		reason_set(why, 0,
		    "the archive of seq %llu has not as many rows as it says",
		    (unsigned long long)archive_id(a)->seq);
		return ARCHIVE_DAMAGED;
	}
	return got;
}

int
archives_restore(void *arg, struct store_archive *want, store_add_row *add,
    void *ctx, struct reason *why)
{
	struct archives *ar = arg;
	int got;

	for (;;) {
		CLEANUP(archive_freep) struct archive *a = NULL;

		got = archives_find(
		    ar, want->log, want->rules_version, want->upto, &a);
		if (got < 0)
			return got;
		if (!a)
			return STORE_NO_ARCHIVE;
		want->seq = archive_id(a)->seq;
		want->floor = archive_id(a)->floor;
		got = archive_verify(a, why);
		if (got == -ENOMEM)
			return got;
		if (got != ARCHIVE_ROW) {
			archives_condemn(ar, want->seq, why);
			continue;
		}
		got = archives_feed(a, add, ctx, why);
		if (got == ARCHIVE_END)
			return STORE_RESTORED;
		if (got != ARCHIVE_DAMAGED)
			return got;
		archives_condemn(ar, want->seq, why);
		return STORE_BAD_ARCHIVE;
	}
}

/* --- room --- */

/* Under the lock: one at or before the base; ar->n: there is none. */
static size_t
archives_passed(const struct archives *ar, const char *log, uint64_t base)
{
	size_t i = 0;

	while (i < ar->n &&
	       (ar->v[i].id.seq > base || !known_is_of(&ar->v[i], log)))
		i++;
	return i;
}

/* Under the lock: which has to go?  ar->n: none may. */
static size_t
archives_victim(const struct archives *ar, const char *log)
{
	uint64_t least = UINT64_MAX;
	size_t victim = ar->n;

	for (size_t i = 0; i < ar->n; i++)
		if (!known_is_of(&ar->v[i], log))
			return i;
	/*
	 * The one whose absence leaves the smallest gap, of equals the oldest:
	 * gaps double from the oldest end.  First and last stay until then.
	 */
	for (size_t i = 1; i + 1 < ar->n; i++) {
		uint64_t gap = ar->v[i + 1].id.seq - ar->v[i - 1].id.seq;

		/* Gaps differ by what a busy writer was late. */
		if (gap < least && least - gap > least / 8) {
			least = gap;
			victim = i;
		}
	}
	return victim < ar->n || ar->n == 0 ? victim : 0;
}

static void
archives_make_room(struct archives *ar, const char *log)
{
	uint64_t bytes = 0, base = archives_base(ar, log);
	char name[ARCHIVE_NAME_SIZE];

	pthread_mutex_lock(&ar->lock);
	for (size_t i = 0; i < ar->n; i++)
		bytes += ar->v[i].bytes;
	while (ar->n > 0) {
		size_t i = archives_passed(ar, log, base);
		int err;

		if (i == ar->n && bytes <= ar->max_bytes)
			break;
		if (i == ar->n)
			i = archives_victim(ar, log);
		archive_name(name, ar->v[i].id.seq);
		bytes -= ar->v[i].bytes;
		archives_forget(ar, i);
		/* The loop asks for the lock, and the disk takes its time. */
		pthread_mutex_unlock(&ar->lock);
		err = sysio_unlink(&sysio_posix, ar->dirfd, name);
		if (err < 0 && err != -ENOENT)
			diag_limited("archive left", "cannot remove '%s': %s",
			    name, strerror(-err));
		pthread_mutex_lock(&ar->lock);
	}
	pthread_mutex_unlock(&ar->lock);
}

/* --- writing --- */

static int
archives_rules_version(struct query *q, uint64_t *version)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct proto_uint v;
	int err = store_pack_rules(q->store, &b);

	if (err < 0)
		return err;
	v = proto_get_uint(slice_of(b.p, b.len), "version");
	*version = v.v;
	return v.set && !b.failed ? 0 : -ENOMEM;
}

/* Whose rows the store holds at present. */
static int
archives_identify(struct query *q, struct archive_id *id,
    char log[PROTO_LOG_NAME], struct reason *why)
{
	struct store_status st;
	int err;

	store_status(q->store, &st);
	memcpy(log, st.log, PROTO_LOG_NAME);
	if (!archives_parse_log(log, id))
		return reason_say(why, -EINVAL, "the log has no name yet");
	err = archives_rules_version(q, &id->rules_version);
	return err < 0 ? reason_set(why, err, "the rules cannot be read") : 0;
}

/* The rows of a part, each behind its mark. */
static int
archives_put_part(struct archive_writer *w, struct slice part, uint32_t rows,
    struct reason *why)
{
	struct mp_walk walk = mp_walk(part);
	struct mp_item mark;
	int err = 0;

	while (err == 0 && rows-- > 0) {
		const uint8_t *begin = walk.p;

		if (!mp_next(&walk, &mark) || mark.type != MP_UINT ||
		    mark.u >> 1 > (size_t)(walk.end - walk.p))
			return -EPROTO;
		walk.p += mark.u >> 1;
		err = archive_put(
		    w, slice_of(begin, (size_t)(walk.p - begin)), why);
	}
	return err;
}

int
archives_fill(struct archives *ar, struct spool *s, const char *tmp,
    const struct archive_id *id, struct archive_writer **out,
    struct reason *why)
{
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	CLEANUP(mp_buf_deinit) struct mp_buf part = { 0 };
	uint32_t rows;
	int got = archive_create(&sysio_posix, ar->dirfd, tmp, id, &w, why);

	for (uint64_t n = 0; got == 0 && n < spool_parts(s); n++) {
		part.len = 0;
		got = spool_read_part(s, n, &part, &rows);
		if (got == SPOOL_PART)
			got = archives_put_part(
			    w, slice_of(part.p, part.len), rows, why);
	}
	if (got == 0)
		*out = TAKE(w);
	return got;
}

static int
archives_pack(struct archives *ar, struct spool *s, const struct archive_id *id,
    uint64_t *bytes, struct reason *why)
{
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	int got = archives_fill(ar, s, ARCHIVE_TMP, id, &w, why);

	return got == 0 ? archive_finish(w, bytes, why) : got;
}

/* The state at one seq, on its way; s is finished or abandoned here. */
static int
archives_write_state(struct archives *ar, struct query *q, struct spool *s,
    struct known_archive *known, struct reason *why)
{
	struct snapshot_want want = { .dropped = true, .marked = true };
	char log[PROTO_LOG_NAME], log_after[PROTO_LOG_NAME];
	struct snapshot_made made;
	struct archive_id after;
	int got = archives_identify(q, &known->id, log, why);

	if (got == 0)
		got = snapshot_build(q, &want, s, &made, why);
	if (got == 0)
		got = archives_identify(q, &after, log_after, why);
	if (got == 0 && (strcmp(log, log_after) != 0 ||
			    after.rules_version != known->id.rules_version))
		got = reason_say(why, -EAGAIN, "the rows are another log's");
	if (got == 0 && made.seq > 0) {
		known->id.seq = made.seq;
		known->id.floor = made.floor;
		got = archives_pack(ar, s, &known->id, &known->bytes, why);
	}
	spool_abandon(s);
	if (got != 0)
		return got < 0 ? got : reason_say(why, -EIO, "no room");
	if (known->id.seq == 0)
		return 0;
	pthread_mutex_lock(&ar->lock);
	got = archives_note(ar, known);
	pthread_mutex_unlock(&ar->lock);
	archives_make_room(ar, log);
	return got;
}

static bool
archives_begin_writing(struct archives *ar)
{
	bool begun;

	pthread_mutex_lock(&ar->lock);
	begun = !ar->writing && ar->max_bytes > 0;
	ar->writing = ar->writing || begun;
	pthread_mutex_unlock(&ar->lock);
	return begun;
}

int
archives_write(struct query *q, struct reason *why)
{
	struct archives *ar = q->archives;
	struct spool_want like = { .key = SLICE_STR("archive"),
		.generation = 1,
		.seq_now = UINT64_MAX };
	struct known_archive known = { 0 };
	struct store_status st;
	struct spool *s;
	int got;

	if (!archives_begin_writing(ar))
		return 0;
	why->text[0] = '\0';
	store_status(q->store, &st);
	got = spools_find(ar->spools, &like, &s, why);
	/* Only this thread makes spools here, and finishes none. */
	assert(got < 0 || got == SPOOLS_BUILD);
	if (got >= 0)
		got = archives_write_state(ar, q, s, &known, why);
	pthread_mutex_lock(&ar->lock);
	ar->writing = false;
	ar->last_try = MAX(st.seq, known.id.seq);
	if (got < 0)
		ar->counts.failed++;
	else if (known.id.seq > 0)
		ar->counts.written++;
	pthread_mutex_unlock(&ar->lock);
	if (got < 0 && !why->text[0])
		reason_set(why, got, "an archive cannot be written");
	return got;
}
