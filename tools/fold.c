/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Folding.  A character counts as one column; a word that is wider than the
 * terminal stays whole, and the terminal breaks it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/fold.h"
#include "tools/tool.h"

enum {
	FOLD_COLUMNS = 80, /* of a terminal that does not say */
	FOLD_INDENT = 4,
	FOLD_LINE = 1024
};

static unsigned
fold_columns(void)
{
	struct winsize size = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return size.ws_col ? size.ws_col : FOLD_COLUMNS;
}

bool
fold_narrow(const struct tool *t, unsigned columns)
{
	return t->tty && !t->json && fold_columns() < columns;
}

static unsigned
fold_width(const char *word, size_t n)
{
	unsigned width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)word[i] & 0xc0) != 0x80;
	return width;
}

void
fold_print(const char *fmt, ...)
{
	char line[FOLD_LINE];
	const char *word = line;
	unsigned columns = fold_columns(), at = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	tool_plain(line);
	while (*word) {
		size_t n = strcspn(word, " ");
		unsigned width = fold_width(word, n);

		if (at > 0 && at + 1 + width > columns) {
			printf("\n");
			at = 0;
		}
		printf("%*s%.*s", at > 0 ? 1 : FOLD_INDENT, "", (int)n, word);
		at += width + (at > 0 ? 1 : FOLD_INDENT);
		word += n;
		word += strspn(word, " ");
	}
	printf("\n");
}
