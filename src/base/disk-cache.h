/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was dear to make, kept in a directory under a byte budget: flat artefacts, one file each, found
 * by kind, version of their form and the id of what they were made of. It is a cache: a damaged file
 * is no file, and a directory that cannot be read or written is a counter, never an error of whoever
 * asks. The directory belongs to the cache; files in it that are not named like its own stay.
 *
 * It blocks, so it belongs on a worker; one thread at a time. One daemon writes to a directory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define DISK_CACHE_KIND_MAX 15 /* characters: a-z */
#define DISK_CACHE_ID_MAX 64 /* bytes: a build id, a hash */
#define DISK_CACHE_FILES_MAX 8192 /* artefacts, whatever the budget is */

struct disk_cache_key {
	const char *kind;
	uint32_t version;
	const void *id;
	size_t id_size; /* at least 1 */
};

struct disk_cache_counts {
	uint64_t hits, misses;
	uint64_t written;
	uint64_t evicted; /* for the budget, the one that was not asked for longest first */
	uint64_t damaged; /* removed, because they were not what their name says */
	uint64_t failed; /* not written: a full disk, a directory that is not for us */
	uint64_t too_big; /* not written: more than a quarter of the budget */
};

struct disk_cache;

/*
 * Opens the directory path, made if need be (0750). Where that fails the cache is empty and stays so,
 * and disk_cache_error() says why. A directory that others than its owner or that another user can
 * write to is none (-EPERM). -ENOMEM alone.
 */
int disk_cache_new(const char *path, uint64_t max_bytes, struct disk_cache **ret);
struct disk_cache *disk_cache_free(struct disk_cache *cache); /* takes NULL, returns NULL */

/* An artefact, mapped from its file, read-only: clean pages that the kernel can take back and that
 * are not memory of ours. It outlives its eviction and the cache. data is aligned to 8. */
struct disk_cache_view {
	const void *data;
	size_t size;
	void *map;
	size_t map_size;
};

/* -ENOENT: it is not there, for whatever reason. What was asked for is the last to be evicted. */
int disk_cache_get(struct disk_cache *cache, const struct disk_cache_key *key,
		   struct disk_cache_view *ret);
void disk_cache_view_done(struct disk_cache_view *view);

/* Keeps a copy, instead of the one that may be there. Whoever reads meanwhile sees the one or the
 * other, whole. */
void disk_cache_put(struct disk_cache *cache, const struct disk_cache_key *key, const void *data,
		    size_t size);

uint64_t disk_cache_bytes(const struct disk_cache *cache); /* on disk, in whole blocks of 4 KiB */
const struct disk_cache_counts *disk_cache_counts(const struct disk_cache *cache);
/* 0, or the -errno for which there is no directory or for which it was not written to last. */
int disk_cache_error(const struct disk_cache *cache);

static inline void disk_cache_free_p(struct disk_cache **cache)
{
	disk_cache_free(*cache);
}
