/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Compares what was in force with what the file says now, key by key; the
 * column LIVE or START of conf_keys.h decides.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/diag.h"
#include "core/fs.h"
#include "core/reason.h"
#include "core/reload.h"

/* Is the key, or its section, one of the words? */
static bool
is_used(const char *uses, const struct conf_entry *entry)
{
	while (*uses) {
		size_t len = strcspn(uses, " ");

		if ((len == strlen(entry->name) &&
			!memcmp(uses, entry->name, len)) ||
		    (len == strlen(entry->section) &&
			!memcmp(uses, entry->section, len)))
			return true;
		uses += len + strspn(uses + len, " ");
	}
	return false;
}

/* A value may be long, and hold anything that can be printed. */
static void
say(const struct conf_entry *entry, const char *what)
{
	char quoted[200];

	diag_quote(quoted, sizeof(quoted), entry->value, strlen(entry->value));
	if (entry->live)
		diag_note("%s = \"%s\" %s", entry->name, quoted, what);
	else
		diag_warn("%s = \"%s\" %s", entry->name, quoted, what);
}

/*
 * Others keep pointers to values that take a restart, so that only what
 * counts now changes hands.
 */
static int
apply(struct conf *conf, struct conf *fresh, const char *uses)
{
	struct conf_entry entry;
	int n = 0;

	for (unsigned i = 0; i < CONF_KEYS; i++) {
		enum conf_key key = (enum conf_key)i;

		if (!strcmp(conf_text(conf, key), conf_text(fresh, key)))
			continue;
		conf_describe(fresh, key, &entry);
		if (!is_used(uses, &entry))
			continue;
		say(&entry, entry.live ? "counts from now on"
				       : "takes a restart: it stays as it was");
		if (!entry.live)
			continue;
		conf_swap(conf, fresh, key);
		n++;
	}
	return n;
}

int
reload_conf(struct conf *conf, const char *uses, struct reason *why)
{
	CLEANUP(conf_freep) struct conf *fresh = NULL;
	const char *path = conf_file(conf);
	int err, n;

	if (path[0] == '\0')
		return 0; /* there was none, and the command line is as it was */
	err = fs_refuse_pipe(path, why);
	if (err < 0)
		return err;
	fresh = conf_copy(conf);
	if (!fresh)
		return reason_set(why, -ENOMEM, "cannot read '%s'", path);
	err = conf_read(fresh, path, why);
	if (err < 0)
		return err;
	n = apply(conf, fresh, uses);
	diag_note(
	    "the configuration was read again: file='%s' changed=%d", path, n);
	return n;
}
