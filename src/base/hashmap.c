/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slots are one array of {used byte, key, value} with a stride that keeps values aligned. The table
 * grows by doubling at three quarters full and shrinks only in hashmap_clear(): the callers' tables
 * live for one step or for the whole run.
 */
#include "base/hashmap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SLOTS_MIN 16

struct hashmap {
	size_t key_size, value_size;
	size_t value_offset, stride;
	size_t n, limit;
	size_t n_slots; /* power of two, or 0 before the first put */
	uint64_t seed;
	unsigned char *slots;
};

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

int hashmap_new(size_t key_size, size_t value_size, size_t limit, struct hashmap **ret)
{
	struct hashmap *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->key_size = key_size;
	map->value_size = value_size;
	map->value_offset = align_up(key_size, sizeof(uint64_t));
	/* The last byte of a slot says whether it is used. */
	map->stride = align_up(map->value_offset + value_size + 1, sizeof(uint64_t));
	map->limit = limit;
	if (getrandom(&map->seed, sizeof(map->seed), GRND_NONBLOCK) != sizeof(map->seed))
		map->seed = (uintptr_t)map;
	*ret = map;
	return 0;
}

struct hashmap *hashmap_free(struct hashmap *map)
{
	if (map) {
		free(map->slots);
		free(map);
	}
	return NULL;
}

size_t hashmap_size(const struct hashmap *map)
{
	return map->n;
}

size_t hashmap_bytes(const struct hashmap *map)
{
	return sizeof(*map) + map->n_slots * map->stride;
}

void hashmap_set_limit(struct hashmap *map, size_t limit)
{
	map->limit = limit;
}

/* Two rounds of multiply and fold over 8-byte words; seeded, so that a stranger who chooses the
 * keys cannot choose the slots. */
static uint64_t hash_bytes(uint64_t seed, const unsigned char *p, size_t n)
{
	uint64_t h = seed ^ n, word;
	size_t step;

	for (; n; p += step, n -= step) {
		step = n < sizeof(word) ? n : sizeof(word);
		word = 0;
		memcpy(&word, p, step);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

static unsigned char *slot_at(const struct hashmap *map, size_t i)
{
	return map->slots + i * map->stride;
}

static unsigned char *used_byte(const struct hashmap *map, size_t i)
{
	return slot_at(map, i) + map->stride - 1;
}

static size_t home_of(const struct hashmap *map, const void *key)
{
	return hash_bytes(map->seed, key, map->key_size) & (map->n_slots - 1);
}

/* The slot of key, or the free slot where it would go. */
static size_t find_slot(const struct hashmap *map, const void *key)
{
	size_t i = home_of(map, key);

	while (*used_byte(map, i) && memcmp(slot_at(map, i), key, map->key_size) != 0)
		i = (i + 1) & (map->n_slots - 1);
	return i;
}

static int grow(struct hashmap *map)
{
	struct hashmap bigger = *map;

	bigger.n_slots = map->n_slots ? map->n_slots * 2 : SLOTS_MIN;
	bigger.slots = calloc(bigger.n_slots, bigger.stride);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_slots; i++)
		if (*used_byte(map, i))
			memcpy(slot_at(&bigger, find_slot(&bigger, slot_at(map, i))),
			       slot_at(map, i), map->stride);
	free(map->slots);
	*map = bigger;
	return 0;
}

void *hashmap_get(const struct hashmap *map, const void *key)
{
	size_t i;

	if (map->n == 0)
		return NULL;
	i = find_slot(map, key);
	return *used_byte(map, i) ? slot_at(map, i) + map->value_offset : NULL;
}

void *hashmap_put(struct hashmap *map, const void *key, bool *ret_new)
{
	void *value = hashmap_get(map, key);
	unsigned char *slot;
	size_t i;

	if (value) {
		if (ret_new)
			*ret_new = false;
		return value;
	}
	if (map->n >= map->limit)
		return NULL;
	if ((map->n + 1) * 4 > map->n_slots * 3 && grow(map) < 0)
		return NULL;
	i = find_slot(map, key);
	slot = slot_at(map, i);
	memset(slot, 0, map->stride);
	memcpy(slot, key, map->key_size);
	*used_byte(map, i) = 1;
	map->n++;
	if (ret_new)
		*ret_new = true;
	return slot + map->value_offset;
}

/* Closes the hole at i: each following entry of the run that may stand there moves back. */
static void remove_slot(struct hashmap *map, size_t i)
{
	size_t mask = map->n_slots - 1, hole = i, next = i, home;

	for (;;) {
		next = (next + 1) & mask;
		if (!*used_byte(map, next))
			break;
		home = home_of(map, slot_at(map, next));
		if (((next - home) & mask) < ((next - hole) & mask))
			continue;
		memcpy(slot_at(map, hole), slot_at(map, next), map->stride);
		hole = next;
	}
	*used_byte(map, hole) = 0;
	map->n--;
}

bool hashmap_remove(struct hashmap *map, const void *key)
{
	size_t i;

	if (map->n == 0)
		return false;
	i = find_slot(map, key);
	if (!*used_byte(map, i))
		return false;
	remove_slot(map, i);
	return true;
}

void hashmap_clear(struct hashmap *map)
{
	free(map->slots);
	map->slots = NULL;
	map->n_slots = 0;
	map->n = 0;
}

void *hashmap_next(const struct hashmap *map, size_t *pos, const void **ret_key)
{
	for (size_t i = *pos; i < map->n_slots; i++)
		if (*used_byte(map, i)) {
			*pos = i + 1;
			if (ret_key)
				*ret_key = slot_at(map, i);
			return slot_at(map, i) + map->value_offset;
		}
	*pos = map->n_slots;
	return NULL;
}

/* A later entry may have moved into this slot, so the walk looks at it again. One that had wrapped
 * around from the array's end to its begin, and moves back, is met a second time. */
void hashmap_remove_at(struct hashmap *map, size_t *pos)
{
	remove_slot(map, *pos - 1);
	--*pos;
}
