/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker's calls.  All of its threads have been started before; which
 * files it may open is decided by their owners and the unit's sandbox.
 */

#include <sys/prctl.h>

#include "broker/calls.h"
#include "core/hygiene.h"

static const struct hygiene_rule rules[] = {
	HYGIENE_ALWAYS(openat),
	HYGIENE_ALWAYS(pwrite64),
	HYGIENE_ALWAYS(pwritev),
	HYGIENE_ALWAYS(preadv),
	HYGIENE_ALWAYS(fdatasync),
	HYGIENE_ALWAYS(fsync),
	HYGIENE_ALWAYS(msync),
	HYGIENE_ALWAYS(fallocate),
	HYGIENE_ALWAYS(ftruncate),
	HYGIENE_ALWAYS(fstatfs),
	HYGIENE_ALWAYS(statfs),
	HYGIENE_ALWAYS(flock),
	HYGIENE_ALWAYS(fchmod),
	HYGIENE_ALWAYS(mkdirat),
	HYGIENE_ALWAYS(renameat),
	HYGIENE_ALWAYS(renameat2),
	HYGIENE_ALWAYS(unlinkat),
#ifdef SYS_open
	HYGIENE_ALWAYS(open),
	HYGIENE_ALWAYS(mkdir),
	HYGIENE_ALWAYS(rename),
	HYGIENE_ALWAYS(rmdir),
	HYGIENE_ALWAYS(unlink),
#endif
	HYGIENE_WHEN(prctl, 0, UINT32_MAX, PR_SET_NAME),
};

const struct hygiene_list calls_broker = { rules, ARRAY_LEN(rules) };
