/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening what strangers own: their links lead nowhere outside, and neither a FIFO nor a device is
 * waited for.
 */
#pragma once

/* Opens path with flags below the directory root, which is / for path and for every link on the way
 * (openat2(2), RESOLVE_IN_ROOT). resolve: further RESOLVE_*. Returns the descriptor or -errno. */
int open_in_root(int root, const char *path, int flags, unsigned resolve);

/* The same of a regular file, to read. -EINVAL: it is something else. */
int open_regular_in_root(int root, const char *path, unsigned resolve);
