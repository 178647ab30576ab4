/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scope-bound release of resources: a variable that is declared with one of these attributes is
 * released when it goes out of scope. TAKE() hands a pointer on and TAKE_FD() a file descriptor.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines f_p(), the cleanup of a pointer whose release function is f. */
#define DEFINE_CLEANUP(type, f)           \
	static inline void f##_p(type *p) \
	{                                 \
		if (*p)                   \
			f(*p);            \
	}

static inline void free_p(void *p)
{
	free(*(void **)p);
}

/* Closes fd unless it is negative; keeps errno; returns -EBADF, so "fd = close_fd(fd)" forgets it. */
static inline int close_fd(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -EBADF;
}

static inline void close_p(int *fd)
{
	close_fd(*fd);
}

DEFINE_CLEANUP(FILE *, fclose)

#define _cleanup_free_ _cleanup_(free_p)
#define _cleanup_close_ _cleanup_(close_p)
#define _cleanup_fclose_ _cleanup_(fclose_p)

#define TAKE(ptr)                               \
	({                                      \
		__typeof__(ptr) taken_ = (ptr); \
		(ptr) = NULL;                   \
		taken_;                         \
	})

static inline int take_fd_(int *fd)
{
	int taken = *fd;

	*fd = -EBADF;
	return taken;
}
#define TAKE_FD(fd) take_fd_(&(fd))
