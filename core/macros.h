/* SPDX-License-Identifier: BSD-2-Clause */

/* The few macros every file may use: ownership by cleanup, and sizes. */

#ifndef PEAL_CORE_MACROS_H
#define PEAL_CORE_MACROS_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn)	  __attribute__((cleanup(fn)))
#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_LEN(a)	  (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	  ((a) < (b) ? (a) : (b))
#define MAX(a, b)	  ((a) > (b) ? (a) : (b))
#define LIKELY(cond)	  __builtin_expect(!!(cond), 1)
#define UNLIKELY(cond)	  __builtin_expect(!!(cond), 0)

/* Round up to a multiple of a power of two. */
#define ALIGN_UP(n, pow2) (((n) + ((pow2)-1)) & ~((__typeof__(n))(pow2)-1))

#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Hand a local on to its next owner: the local is empty afterwards. */
#define TAKE(ptr)                           \
	__extension__({                     \
		__typeof__(ptr) _p = (ptr); \
		(ptr) = NULL;               \
		_p;                         \
	})

/* The same for a file descriptor, whose empty value is -1. */
#define TAKE_FD(fd)            \
	__extension__({        \
		int _f = (fd); \
		(fd) = -1;     \
		_f;            \
	})

static inline void
closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void
freep(void *ptr)
{
	free(*(void **)ptr);
}

/* x_free() takes NULL and returns NULL; x_freep() is its CLEANUP() form. */
#define CLEANUP_FN(type, fn)              \
	static inline void fn##p(type *p) \
	{                                 \
		if (*p)                   \
			(void)fn(*p);     \
	}

#endif
