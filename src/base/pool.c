/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An array gives number to thing. For thing to number there is an open-addressing table of numbers
 * beside it, which looks the things up in the array: 5 to 11 bytes for each of any size. Strings have
 * no one size, so they are entered by a 64-bit hash, and strings of one hash form a chain: a stranger
 * who provokes collisions makes us slower, not wrong. The hash is seeded all the same.
 */
#include "base/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/hashmap.h"

#define SLOTS_MIN 16

struct pool {
	size_t size; /* of a thing */
	size_t n, limit;
	unsigned char *things;
	size_t room; /* things that the array has room for */
	uint32_t *slots; /* a thing's number + 1; 0: free */
	size_t n_slots; /* power of two, or 0 before the first thing */
	uint64_t seed;
};

static uint64_t new_seed(const void *fallback)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uintptr_t)fallback;
	return seed;
}

static uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ n, word;

	for (size_t step; n > 0; p += step, n -= step) {
		step = n < sizeof(word) ? n : sizeof(word);
		word = 0;
		memcpy(&word, p, step);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	/* Once more, or what differs in a word's highest byte would not reach the lowest bits. */
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

int pool_new(size_t size, size_t limit, struct pool **ret)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->size = size;
	pool->limit = limit;
	pool->seed = new_seed(pool);
	*ret = pool;
	return 0;
}

struct pool *pool_free(struct pool *pool)
{
	if (pool) {
		free(pool->things);
		free(pool->slots);
		free(pool);
	}
	return NULL;
}

size_t pool_size(const struct pool *pool)
{
	return pool->n;
}

size_t pool_bytes(const struct pool *pool)
{
	return sizeof(*pool) + pool->room * pool->size + pool->n_slots * sizeof(*pool->slots);
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

/* The slot of thing, or the free slot where it would go. */
static uint32_t *find_slot(const struct pool *pool, const void *thing)
{
	size_t i = hash_bytes(pool->seed, thing, pool->size) & (pool->n_slots - 1);

	while (pool->slots[i] && memcmp(pool_get(pool, pool->slots[i] - 1), thing, pool->size) != 0)
		i = (i + 1) & (pool->n_slots - 1);
	return &pool->slots[i];
}

/* Doubles the slots when three quarters are taken. */
static int make_slots(struct pool *pool)
{
	size_t n_slots = pool->n_slots ? pool->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots;

	if (pool->n < pool->n_slots / 4 * 3)
		return 0;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(pool->slots);
	pool->slots = slots;
	pool->n_slots = n_slots;
	for (uint32_t i = 0; i < pool->n; i++)
		*find_slot(pool, pool_get(pool, i)) = i + 1;
	return 0;
}

static int add_thing(struct pool *pool, const void *thing)
{
	void *things;
	int r;

	if (pool->n >= pool->limit || pool->n == UINT32_MAX)
		return -ENOSPC;
	r = make_slots(pool);
	if (r < 0)
		return r;
	things = make_room(pool->things, &pool->room, pool->n, pool->size);
	if (!things)
		return -ENOMEM;
	pool->things = things;
	*find_slot(pool, thing) = (uint32_t)pool->n + 1;
	memcpy(pool->things + pool->n * pool->size, thing, pool->size);
	pool->n++;
	return 0;
}

int pool_number(struct pool *pool, const void *thing, bool add, uint32_t *ret)
{
	uint32_t known = pool->n_slots ? *find_slot(pool, thing) : 0;
	int r;

	if (known) {
		*ret = known - 1;
		return 0;
	}
	if (!add)
		return -ENOENT;
	r = add_thing(pool, thing);
	if (r >= 0)
		*ret = (uint32_t)pool->n - 1;
	return r;
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
	pool->seed = new_seed(pool);
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
	uint64_t hash = hash_bytes(pool->seed, s, n);
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
