/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Refusing input: the sentence says it all, and no text of an errno is added
 * to it.  The value is -EPROTO.
 */

#ifndef PEAL_TOOLS_REFUSE_H
#define PEAL_TOOLS_REFUSE_H

#include <errno.h>

#include "core/reason.h"

#define REFUSE(why, ...)                                 \
	__extension__({                                  \
		(void)reason_set((why), 0, __VA_ARGS__); \
		-EPROTO;                                 \
	})

#endif
