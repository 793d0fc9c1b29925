/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker's calls.  All of its threads have been started before; which
 * files it may open is decided by their owners and the unit's sandbox.
 */

#include <sys/prctl.h>

#include "broker/calls.h"
#include "core/hygiene.h"

static const struct hygiene_rule rules[] = {
	HYGIENE_ALWAYS(msync),
	HYGIENE_ALWAYS(sync_file_range),
#ifdef SYS_rmdir
	HYGIENE_ALWAYS(rmdir),
#endif
	HYGIENE_WHEN(prctl, 0, UINT32_MAX, PR_SET_NAME),
};

const struct hygiene_list calls_broker = {
	.rules = rules,
	.n = ARRAY_LEN(rules),
	.files = true,
};
