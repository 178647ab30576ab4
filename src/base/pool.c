/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An array gives number to thing, a hash table thing to number. The table has keys of one size, so
 * strings are entered by a 64-bit hash, and strings of one hash form a chain: a stranger who
 * provokes collisions makes us slower, not wrong. The hash is seeded all the same.
 */
#include "base/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/hashmap.h"

struct pool {
	size_t size; /* of a thing */
	struct hashmap *numbers; /* thing -> uint32_t */
	unsigned char *things;
	size_t room; /* things that the array has room for */
};

int pool_new(size_t size, size_t limit, struct pool **ret)
{
	_cleanup_(pool_free_p) struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->size = size;
	r = hashmap_new(size, sizeof(uint32_t), limit, &pool->numbers);
	if (r < 0)
		return r;
	*ret = TAKE(pool);
	return 0;
}

struct pool *pool_free(struct pool *pool)
{
	if (pool) {
		hashmap_free(pool->numbers);
		free(pool->things);
		free(pool);
	}
	return NULL;
}

size_t pool_size(const struct pool *pool)
{
	return hashmap_size(pool->numbers);
}

size_t pool_bytes(const struct pool *pool)
{
	return sizeof(*pool) + hashmap_bytes(pool->numbers) + pool->room * pool->size;
}

/* The array with room for one thing more, perhaps moved; NULL, and the array as it was: no memory.
 * Grows by a half, since these arrays may be large. */
static void *make_room(void *array, size_t *room, size_t n, size_t size)
{
	size_t more = n + n / 2 + 16;
	void *bigger;

	if (n < *room)
		return array;
	bigger = realloc(array, more * size);
	if (bigger)
		*room = more;
	return bigger;
}

int pool_number(struct pool *pool, const void *thing, bool add, uint32_t *ret)
{
	const uint32_t *known = hashmap_get(pool->numbers, thing);
	size_t n = pool_size(pool);
	uint32_t *number;
	void *things;

	if (known) {
		*ret = *known;
		return 0;
	}
	if (!add)
		return -ENOENT;
	things = make_room(pool->things, &pool->room, n, pool->size);
	if (!things)
		return -ENOMEM;
	pool->things = things;
	number = hashmap_put(pool->numbers, thing, NULL);
	if (!number)
		return -ENOSPC;
	*number = (uint32_t)n;
	memcpy(pool->things + n * pool->size, thing, pool->size);
	*ret = (uint32_t)n;
	return 0;
}

const void *pool_get(const struct pool *pool, uint32_t number)
{
	return pool->things + number * pool->size;
}

struct pooled_string {
	char *text;
	uint32_t next; /* of the same hash: its number + 1; 0 = the last */
};

struct string_pool {
	struct hashmap *heads; /* hash -> uint32_t, number of the first */
	struct pooled_string *strings;
	size_t n, room, limit, text_bytes;
	uint64_t seed;
};

int string_pool_new(size_t limit, struct string_pool **ret)
{
	_cleanup_(string_pool_free_p) struct string_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->limit = limit;
	if (getrandom(&pool->seed, sizeof(pool->seed), GRND_NONBLOCK) != sizeof(pool->seed))
		pool->seed = (uintptr_t)pool;
	r = hashmap_new(sizeof(uint64_t), sizeof(uint32_t), SIZE_MAX, &pool->heads);
	if (r < 0)
		return r;
	*ret = TAKE(pool);
	return 0;
}

struct string_pool *string_pool_free(struct string_pool *pool)
{
	if (pool) {
		for (size_t i = 0; i < pool->n; i++)
			free(pool->strings[i].text);
		free(pool->strings);
		hashmap_free(pool->heads);
		free(pool);
	}
	return NULL;
}

size_t string_pool_size(const struct string_pool *pool)
{
	return pool->n;
}

size_t string_pool_bytes(const struct string_pool *pool)
{
	return sizeof(*pool) + hashmap_bytes(pool->heads) + pool->text_bytes +
	       pool->room * sizeof(*pool->strings);
}

static uint64_t hash_string(uint64_t seed, const char *s, size_t n)
{
	uint64_t h = seed ^ n, word;

	for (size_t step; n > 0; s += step, n -= step) {
		step = n < sizeof(word) ? n : sizeof(word);
		word = 0;
		memcpy(&word, s, step);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return h;
}

static bool same_string(const char *pooled, const char *s, size_t n)
{
	return strncmp(pooled, s, n) == 0 && pooled[n] == '\0';
}

/* Enters a string that is not there yet, at the head of its hash's chain. */
static int add_string(struct string_pool *pool, uint64_t hash, const char *s, size_t n)
{
	struct pooled_string *strings, *added;
	uint32_t *head;
	bool is_new;

	if (pool->n >= pool->limit)
		return -ENOSPC;
	strings = make_room(pool->strings, &pool->room, pool->n, sizeof(*strings));
	if (!strings)
		return -ENOMEM;
	pool->strings = strings;
	added = &strings[pool->n];
	added->text = strndup(s, n);
	if (!added->text)
		return -ENOMEM;
	head = hashmap_put(pool->heads, &hash, &is_new);
	if (!head) {
		free(added->text);
		return -ENOMEM;
	}
	added->next = is_new ? 0 : *head + 1;
	*head = (uint32_t)pool->n++;
	pool->text_bytes += n + 1;
	return 0;
}

int string_pool_number(struct string_pool *pool, const char *s, bool add, uint32_t *ret)
{
	size_t n = strnlen(s, POOL_STRING_MAX);
	uint64_t hash = hash_string(pool->seed, s, n);
	const uint32_t *head = hashmap_get(pool->heads, &hash);
	int r;

	for (uint32_t i = head ? *head + 1 : 0; i; i = pool->strings[i - 1].next)
		if (same_string(pool->strings[i - 1].text, s, n)) {
			*ret = i - 1;
			return 0;
		}
	if (!add)
		return -ENOENT;
	r = add_string(pool, hash, s, n);
	if (r < 0)
		return r;
	*ret = (uint32_t)pool->n - 1;
	return 0;
}

const char *string_pool_get(const struct string_pool *pool, uint32_t number)
{
	return pool->strings[number].text;
}
