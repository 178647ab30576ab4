/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hash table of fixed-size keys and values, both stored inline; the key is compared as bytes, so
 * it must not have padding. Bounded: hashmap_put() refuses the entry after the limit. Open
 * addressing with linear probing; a removal moves later entries back, so there are no tombstones.
 * The hash is seeded at random per table, because keys (addresses, ports) come from strangers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct hashmap;

/* A table of at most limit entries; memory follows the number of entries. */
int hashmap_new(size_t key_size, size_t value_size, size_t limit, struct hashmap **ret);
struct hashmap *hashmap_free(struct hashmap *map); /* takes NULL, returns NULL */

size_t hashmap_size(const struct hashmap *map);
size_t hashmap_bytes(const struct hashmap *map); /* memory that the table takes */
void hashmap_set_limit(struct hashmap *map, size_t limit); /* what is over it stays */

/* The value of key, or NULL. Valid until the next put or remove. */
void *hashmap_get(const struct hashmap *map, const void *key);
/* The value of key, made (zeroed) if need be: *ret_new says so. NULL: at the limit or no memory. */
void *hashmap_put(struct hashmap *map, const void *key, bool *ret_new);
bool hashmap_remove(struct hashmap *map, const void *key);
void hashmap_clear(struct hashmap *map); /* gives the memory back */

/* Goes through the entries: start with *pos = 0; NULL at the end. Nothing may be put meanwhile. */
void *hashmap_next(const struct hashmap *map, size_t *pos, const void **ret_key);
/* Removes the entry that hashmap_next() just returned. The walk goes on and misses none, but may
 * meet one again that it has met already. */
void hashmap_remove_at(struct hashmap *map, size_t *pos);

#define HASHMAP_FOREACH(map, pos, key, value) \
	for (size_t pos = 0; ((value) = hashmap_next(map, &pos, (const void **)&(key)));)

static inline void hashmap_free_p(struct hashmap **map)
{
	hashmap_free(*map);
}
