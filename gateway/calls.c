/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The gateway's calls.  Its page of counters was made before; all that is
 * left to do with it is to remove it at the end.
 */

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "core/hygiene.h"
#include "gateway/calls.h"

static const struct hygiene_rule rules[] = {
	HYGIENE_WHEN(ioctl, 1, UINT32_MAX, SIOCOUTQNSD),
	HYGIENE_WHEN(ioctl, 1, UINT32_MAX, SIOCOUTQ),
	HYGIENE_WHEN(unlinkat, 0, UINT32_MAX, HYGIENE_DIRFD),
};

const struct hygiene_list calls_gateway = { rules, ARRAY_LEN(rules) };
