/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools number what many rows share, so that a row holds 4 bytes instead of an address or a name.
 * Numbers begin at 0 and are dense; things are never taken out, a pool lives as long as its table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Things of one size, compared as bytes (so without padding). */
struct pool;

int pool_new(size_t size, size_t limit, struct pool **ret);
struct pool *pool_free(struct pool *pool); /* takes NULL, returns NULL */
size_t pool_size(const struct pool *pool);
size_t pool_bytes(const struct pool *pool);
/* The number of thing, given to it if add. -ENOSPC: the pool is full; -ENOENT: not there. */
int pool_number(struct pool *pool, const void *thing, bool add, uint32_t *ret);
const void *pool_get(const struct pool *pool, uint32_t number);

/* Strings. */
struct string_pool;

#define POOL_STRING_MAX 1023 /* bytes; what is longer is cut */

int string_pool_new(size_t limit, struct string_pool **ret);
struct string_pool *string_pool_free(struct string_pool *pool);
size_t string_pool_size(const struct string_pool *pool);
size_t string_pool_bytes(const struct string_pool *pool);
int string_pool_number(struct string_pool *pool, const char *s, bool add, uint32_t *ret);
const char *string_pool_get(const struct string_pool *pool, uint32_t number);

DEFINE_CLEANUP(struct pool *, pool_free)
DEFINE_CLEANUP(struct string_pool *, string_pool_free)
