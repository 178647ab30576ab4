/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table against the simplest one there is, an array with one place per possible key, over random
 * operations. Few keys in a growing table make runs of neighbours, and runs that go around the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hashmap.h"
#include "base/util.h"

#define KEYS 400
#define OPERATIONS 200000

struct key { /* of a size that is no multiple of a word */
	uint32_t number;
	uint16_t more;
} __attribute__((packed));

struct value {
	uint64_t number, check;
};

struct reference {
	bool used[KEYS];
	uint64_t number[KEYS];
	size_t n;
};

static struct key key_of(unsigned i)
{
	return (struct key){ .number = i * 2654435761u, .more = (uint16_t)i };
}

static void check_value(const struct reference *reference, unsigned i, const struct value *value)
{
	if (!reference->used[i]) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_true((uintptr_t)value % sizeof(uint64_t) == 0);
	assert_int_equal(value->number, reference->number[i]);
	assert_int_equal(value->check, ~reference->number[i]);
}

static void put(struct hashmap *map, struct reference *reference, unsigned i, uint64_t number)
{
	struct key key = key_of(i);
	bool is_new = reference->used[i];
	struct value *value = hashmap_put(map, &key, &is_new);

	assert_non_null(value);
	assert_int_equal(is_new, !reference->used[i]);
	if (is_new)
		assert_true(value->number == 0 && value->check == 0);
	else
		check_value(reference, i, value);
	*value = (struct value){ number, ~number };
	reference->n += !reference->used[i];
	reference->used[i] = true;
	reference->number[i] = number;
}

static void take(struct hashmap *map, struct reference *reference, unsigned i)
{
	struct key key = key_of(i);

	assert_int_equal(hashmap_remove(map, &key), reference->used[i]);
	reference->n -= reference->used[i];
	reference->used[i] = false;
}

static unsigned index_of(const struct key *key)
{
	assert_true(key->more < KEYS);
	assert_int_equal(key->number, key_of(key->more).number);
	return key->more;
}

static void check_all(struct hashmap *map, const struct reference *reference)
{
	bool seen[KEYS] = { false };
	const struct key *key;
	struct value *value;
	size_t n = 0;

	assert_int_equal(hashmap_size(map), reference->n);
	for (unsigned i = 0; i < KEYS; i++) {
		struct key wanted = key_of(i);

		check_value(reference, i, hashmap_get(map, &wanted));
	}
	HASHMAP_FOREACH(map, pos, key, value) {
		assert_false(seen[index_of(key)]);
		seen[index_of(key)] = true;
		check_value(reference, index_of(key), value);
		n++;
	}
	assert_int_equal(n, reference->n);
}

/* A walk that removes a share of what it meets. What it removed is gone, all the rest was met. */
static void walk_and_remove(struct hashmap *map, struct reference *reference, unsigned one_in)
{
	bool met[KEYS] = { false };
	const struct key *key;
	struct value *value;

	HASHMAP_FOREACH(map, pos, key, value) {
		unsigned i = index_of(key);

		check_value(reference, i, value);
		met[i] = true;
		if (rand() % one_in)
			continue;
		hashmap_remove_at(map, &pos);
		reference->used[i] = false;
		reference->n--;
	}
	for (unsigned i = 0; i < KEYS; i++)
		assert_true(met[i] || !reference->used[i]);
}

static void test_random(void **state)
{
	struct reference reference = { .n = 0 };
	struct hashmap *map;

	assert_int_equal(hashmap_new(sizeof(struct key), sizeof(struct value), KEYS, &map), 0);
	srand(1);
	for (unsigned n = 0; n < OPERATIONS; n++) {
		/* Between nearly empty and nearly full, so that the table grows and runs merge. */
		unsigned fill = n / 5000 % 2 ? 7 : 3, i = (unsigned)rand() % KEYS;

		if ((unsigned)rand() % 10 < fill)
			put(map, &reference, i, (uint64_t)n + 1);
		else
			take(map, &reference, i);
		if (n % 500 == 0)
			check_all(map, &reference);
		if (n % 1700 == 0)
			walk_and_remove(map, &reference, 2 + n % 3);
		if (n % 60000 == 59999) {
			hashmap_clear(map);
			reference = (struct reference){ .n = 0 };
		}
	}
	check_all(map, &reference);
	walk_and_remove(map, &reference, 1);
	assert_int_equal(hashmap_size(map), 0);
	assert_null(hashmap_free(map));
}

static void test_limit(void **state)
{
	struct reference reference = { .n = 0 };
	struct hashmap *map;
	struct key key;
	bool is_new;

	assert_int_equal(hashmap_new(sizeof(struct key), sizeof(struct value), 3, &map), 0);
	for (unsigned i = 0; i < 3; i++)
		put(map, &reference, i, i + 1);
	key = key_of(3);
	assert_null(hashmap_put(map, &key, &is_new));
	assert_null(hashmap_get(map, &key));
	put(map, &reference, 1, 10); /* what is there can always be changed */
	take(map, &reference, 0);
	put(map, &reference, 3, 4);
	/* Over a limit that came later everything stays, but nothing comes. */
	hashmap_set_limit(map, 1);
	check_all(map, &reference);
	key = key_of(5);
	assert_null(hashmap_put(map, &key, NULL));
	hashmap_set_limit(map, 4);
	put(map, &reference, 5, 6);
	check_all(map, &reference);
	hashmap_free(map);
}

static void test_empty(void **state)
{
	struct key key = key_of(1);
	struct hashmap *map;
	size_t pos = 0, empty;

	assert_int_equal(hashmap_new(sizeof(key), 0, 1000, &map), 0);
	empty = hashmap_bytes(map);
	assert_null(hashmap_get(map, &key));
	assert_false(hashmap_remove(map, &key));
	assert_null(hashmap_next(map, &pos, NULL));
	/* A set: the value has no bytes, but a place. */
	assert_non_null(hashmap_put(map, &key, NULL));
	assert_non_null(hashmap_get(map, &key));
	assert_true(hashmap_bytes(map) > empty);
	hashmap_clear(map);
	assert_int_equal(hashmap_bytes(map), empty);
	assert_null(hashmap_get(map, &key));
	hashmap_free(map);
	assert_null(hashmap_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
