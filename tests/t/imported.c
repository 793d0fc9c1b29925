/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Compare a log with the file that was imported into it: each line is one
 * event, in the order of the file, with its topic, type, actor, data and time,
 * and no event is there twice.  Events of topics beyond repo.> are passed over.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/json.h"
#include "core/reason.h"
#include "tests/lib/truth.h"

struct imported {
	FILE *file;
	uint64_t line;
	uint64_t last_time;
	bool wrong;
};

static bool
imported_blame(struct imported *im, uint64_t seq, const char *what)
{
	printf(
	    "# line %" PRIu64 ", event %" PRIu64 ": %s\n", im->line, seq, what);
	im->wrong = true;
	return false;
}

static bool
imported_text(
    const json_t *object, const char *member, const char *p, size_t len)
{
	const json_t *v = json_object_get(object, member);

	return json_is_string(v) && json_string_length(v) == len &&
	       !memcmp(json_string_value(v), p, len);
}

static bool
imported_data(const json_t *object, const struct truth_text *data)
{
	char *text = json_dumps(
	    json_object_get(object, "data"), JSON_ENCODE_ANY | JSON_COMPACT);
	struct mp_buf want = { 0 };
	struct reason why;
	bool same;

	same = text != NULL && json_to_mp(slice_cstr(text), &want, &why) == 0 &&
	       want.len == data->len && !memcmp(want.p, data->p, want.len);
	mp_buf_deinit(&want);
	free(text);
	return same;
}

/* Stored with the newest time where its own is older, which is kept beside. */
static bool
imported_time(
    struct imported *im, const json_t *object, const struct truth_event *ev)
{
	uint64_t time =
	    (uint64_t)json_integer_value(json_object_get(object, "time"));

	if (ev->meta_time != 0)
		return ev->meta_time == time && time < ev->event.time;
	if (time < im->last_time)
		return false;
	im->last_time = time;
	return ev->event.time == time;
}

static bool
imported_event(void *arg, const struct truth_event *ev)
{
	struct imported *im = arg;
	char *line = NULL;
	size_t cap = 0;
	json_t *object;
	bool ok;

	if (!checker_match("repo.>", ev->event.topic, ev->event.topic_len))
		return true;
	if (getline(&line, &cap, im->file) < 0) {
		free(line);
		return imported_blame(im, ev->event.seq, "beyond the file");
	}
	im->line++;
	object = json_loads(line, 0, NULL);
	free(line);
	ok = imported_text(
		 object, "topic", ev->event.topic, ev->event.topic_len) &&
	     imported_text(object, "type", ev->type.p, ev->type.len) &&
	     imported_text(object, "actor", ev->actor.p, ev->actor.len) &&
	     imported_data(object, &ev->data);
	if (!ok)
		(void)imported_blame(im, ev->event.seq, "not the same event");
	else if (!imported_time(im, object, ev))
		ok = imported_blame(im, ev->event.seq, "not the same time");
	json_decref(object);
	return ok;
}

int
main(int argc, char **argv)
{
	struct imported im = { 0 };
	bool readable;

	if (argc != 3 || (im.file = fopen(argv[2], "re")) == NULL) {
		fprintf(stderr, "usage: imported LOGDIR FILE\n");
		return 2;
	}
	readable = truth_each(argv[1], imported_event, &im);
	if (readable && !im.wrong && fgetc(im.file) != EOF)
		(void)imported_blame(&im, 0, "the lines behind it are missing");
	printf("lines=%" PRIu64 "\n", im.line);
	fclose(im.file);
	return readable && !im.wrong ? 0 : 1;
}
