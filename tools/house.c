/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The house: one directory stands for log, run directory, the broker's,
 * certificate and keys.  What the configuration file says about certificate
 * and keys wins over DIR; the directories are always DIR's.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conf.h"
#include "core/fs.h"
#include "core/options.h"
#include "core/reason.h"
#include "tools/house.h"

#define HOUSE_DEFAULT_DIR "peal-data"

static int
house_set(
    struct house *h, enum conf_key key, const char *value, struct reason *why)
{
	char assignment[PATH_MAX + 64];
	struct conf_entry entry;

	conf_describe(h->conf, key, &entry);
	snprintf(assignment, sizeof(assignment), "%s=%s", entry.name, value);
	return conf_set(h->conf, assignment, why);
}

/* Only where nobody has said anything about it. */
static int
house_suggest(
    struct house *h, enum conf_key key, const char *name, struct reason *why)
{
	struct conf_entry entry;
	char path[PATH_MAX];

	conf_describe(h->conf, key, &entry);
	if (strcmp(entry.source, "default") != 0)
		return 0;
	return house_set(h, key, house_path(h, name, path), why);
}

int
house_use_dir(struct house *h, const char *dir, struct reason *why)
{
	char path[PATH_MAX], target[PATH_MAX];
	int err;

	snprintf(h->dir, sizeof(h->dir), "%s", dir);
	err = house_set(h, CONF_log_directory, house_path(h, "log", path), why);
	if (err < 0)
		return err;
	err = house_set(
	    h, CONF_broker_directory, house_path(h, "broker", path), why);
	if (err < 0)
		return err;
	/* The link's target is short enough for the address of a socket. */
	house_path(h, "run", path);
	if (!realpath(path, target))
		snprintf(target, sizeof(target), "%s", path);
	err = house_set(h, CONF_ring_directory, target, why);
	if (err < 0)
		return err;
	err = house_suggest(h, CONF_tls_certificate, "tls/cert.pem", why);
	if (err < 0)
		return err;
	err = house_suggest(h, CONF_tls_key, "tls/key.pem", why);
	if (err < 0)
		return err;
	return house_suggest(h, CONF_auth_keys, "auth/dev.pem", why);
}

static bool
house_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
house_find(struct house *h, const char *file, const char *dir,
    const char *const *assignments, unsigned n, struct reason *why)
{
	char absolute[PATH_MAX];
	int err = 0;

	h->dir[0] = '\0';
	h->conf = conf_new();
	if (!h->conf)
		return reason_set(why, -ENOMEM, "cannot start");
	if (!file && !dir && house_is_dir(HOUSE_DEFAULT_DIR "/log"))
		dir = HOUSE_DEFAULT_DIR;
	if (!file && !dir && access(OPTIONS_CONF, R_OK) == 0)
		file = OPTIONS_CONF;
	if (file)
		err = conf_read(h->conf, file, why);
	if (err >= 0 && dir) {
		if (!realpath(dir, absolute))
			err = reason_set(
			    why, -errno, "cannot use directory '%s'", dir);
		else
			err = house_use_dir(h, absolute, why);
	}
	for (unsigned i = 0; err >= 0 && i < n; i++)
		err = conf_set(h->conf, assignments[i], why);
	if (err < 0)
		house_deinit(h);
	return err < 0 ? err : 0;
}

void
house_deinit(struct house *h)
{
	h->conf = conf_free(h->conf);
}

const char *
house_log_dir(const struct house *h)
{
	return conf_text(h->conf, CONF_log_directory);
}

const char *
house_run_dir(const struct house *h)
{
	return conf_text(h->conf, CONF_ring_directory);
}

const char *
house_path(const struct house *h, const char *name, char buf[PATH_MAX])
{
	buf[0] = '\0';
	if (h->dir[0])
		snprintf(buf, PATH_MAX, "%.*s/%s",
		    (int)(PATH_MAX - strlen(name) - 2), h->dir, name);
	return buf;
}

const char *
house_url(const struct house *h, char buf[PATH_MAX])
{
	CLEANUP(freep) uint8_t *text = NULL;
	char path[PATH_MAX];
	size_t len;

	snprintf(path, sizeof(path), "%s/url", house_run_dir(h));
	if (fs_read(&sysio_posix, AT_FDCWD, path, 300, &text, &len, NULL) == 0)
		snprintf(buf, PATH_MAX, "%.*s",
		    (int)strcspn((const char *)text, "\n"), (char *)text);
	else
		snprintf(buf, PATH_MAX, "https://%s",
		    conf_text(h->conf, CONF_gateway_listen));
	return buf;
}
