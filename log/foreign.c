/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is in a file's place.  It is asked after reading has failed: a start
 * opens no file of a whole log for it.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "log/base.h"
#include "log/floor.h"
#include "log/foreign.h"
#include "log/segment.h"
#include "log/witness.h"

struct foreign {
	const struct sysio *io;
	int dirfd;
	struct log_problem_sink *sink;
};

/* Those without which a log is refused. */
static bool
foreign_is_ours(const char *name)
{
	uint64_t seq;
	uint32_t incarnation;

	return segment_parse_name(name, &seq, &incarnation) ||
	       base_parse_name(name, &seq) || strcmp(name, FLOOR_NAME) == 0 ||
	       strcmp(name, WITNESS_NAME) == 0;
}

/* What it is, where it is no file; or NULL. */
static const char *
foreign_what(const struct foreign *fo, const char *name)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { fo->io, -1 };
	uint8_t byte;

	f.fd = sysio_openat(fo->io, fo->dirfd, name, O_RDONLY, 0);
	if (f.fd == -EMEDIUMTYPE)
		return "it is a pipe, a socket or a device, and no file";
	if (f.fd >= 0 && sysio_pread(fo->io, f.fd, &byte, 1, 0) == -EISDIR)
		return "it is a directory, and no file";
	return NULL;
}

static int
foreign_name(void *arg, const char *name)
{
	const struct foreign *fo = arg;
	struct log_problem at = { LOG_FOREIGN_FILE, .segment = name };
	const char *what =
	    foreign_is_ours(name) ? foreign_what(fo, name) : NULL;

	if (what)
		log_problem_tell(fo->sink, &at, "%s", what);
	return 0;
}

bool
foreign_check(const struct sysio *io, int dirfd, struct log_problem_sink *sink)
{
	struct foreign fo = { io, dirfd, sink };
	uint64_t told = sink->told;

	/* Why reading has failed is known without it, too. */
	if (sysio_list(io, dirfd, foreign_name, &fo) < 0)
		return false;
	return sink->told > told;
}
