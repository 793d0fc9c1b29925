/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Wrapping, at blanks.  A text's own line breaks count as blanks, but for
 * empty lines.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/tool.h"
#include "tools/wrap.h"

enum {
	WRAP_ROWS = 24, /* of a terminal that does not say */
	WRAP_COLUMNS = 80,
	WRAP_INDENT = 4,
	WRAP_LINE = 1024
};

static size_t
wrap_width(const char *word, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)word[i] & 0xc0) != 0x80;
	return width;
}

/* Behind an empty line: blanks at its begin stay. */
static size_t
wrap_paragraph(const char *text)
{
	size_t blanks = strspn(text, " ");

	printf("\n\n%*s", (int)blanks, "");
	return blanks;
}

void
wrap_text(const char *text, size_t at, size_t indent, size_t columns)
{
	size_t column = at, word, width;

	for (bool begun = false; *text; text += word) {
		if (strncmp(text, "\n\n", 2) == 0) {
			column = wrap_paragraph(text + 2);
			begun = false;
			text += 2;
		}
		text += strspn(text, " \n");
		word = strcspn(text, " \n");
		width = wrap_width(text, word);
		if (begun && column + 1 + width > columns) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (begun) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)word, text);
		column += width;
		begun = true;
	}
	putchar('\n');
}

void
wrap_terminal(unsigned *rows, unsigned *columns)
{
	struct winsize size = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row ? size.ws_row : WRAP_ROWS;
	*columns = size.ws_col ? size.ws_col : WRAP_COLUMNS;
}

static unsigned
wrap_columns(void)
{
	unsigned rows, columns;

	wrap_terminal(&rows, &columns);
	return columns;
}

bool
wrap_narrow(const struct tool *t, unsigned columns)
{
	return t->tty && !t->json && wrap_columns() < columns;
}

void
wrap_print(const char *fmt, ...)
{
	char line[WRAP_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	tool_plain(line);
	printf("%*s", WRAP_INDENT, "");
	wrap_text(line, WRAP_INDENT, WRAP_INDENT, wrap_columns());
}
