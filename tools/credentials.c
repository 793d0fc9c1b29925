/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens and certificates of a tool.  A token never stands on a command line
 * and is never repeated in a sentence.
 */

#include <stdio.h>
#include <string.h>

#include "core/fs.h"
#include "core/reason.h"
#include "tools/credentials.h"
#include "tools/tool.h"

int
credentials_token(
    const struct tool *t, char token[CREDENTIALS_TOKEN_MAX], struct reason *why)
{
	CLEANUP(freep) uint8_t *text = NULL;
	char path[PATH_MAX];
	const char *file = t->token_file;
	size_t len;
	int err;

	token[0] = '\0';
	if (!file)
		file = house_path(&t->house, "dev.token", path);
	if (!*file)
		return 0;
	err = fs_read_path(file, CREDENTIALS_TOKEN_MAX - 1, &text, &len, why);
	if (err < 0)
		return err;
	snprintf(token, CREDENTIALS_TOKEN_MAX, "%.*s",
	    (int)strcspn((const char *)text, " \t\r\n"), (char *)text);
	return 0;
}

const char *
credentials_cafile(const struct tool *t, char buf[PATH_MAX])
{
	if (t->cafile)
		return t->cafile;
	return t->house.dir[0] ? house_path(&t->house, "tls/cert.pem", buf)
			       : NULL;
}
