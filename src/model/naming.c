/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/naming.h"

#include <errno.h>
#include <string.h>

#include "base/pool.h"
#include "base/util.h"

struct code_key { /* struct code without what is no key */
	uint32_t kind;
	uint32_t id_size;
	uint8_t id[CODE_ID_MAX];
};

struct naming {
	struct pool *addresses; /* struct named_address */
	struct pool *code_keys;
	struct code *codes; /* by number */
	uint32_t codes_room;
	uint32_t *names; /* strings, by number of address */
	uint32_t names_room;
	struct string_pool *strings; /* number 0 is "" */
};

int naming_new(struct naming **ret)
{
	_cleanup_(naming_free_p) struct naming *n = calloc(1, sizeof(*n));
	uint32_t none;
	int r;

	if (!n)
		return -ENOMEM;
	r = pool_new(sizeof(struct named_address), NAMING_ADDRESSES_MAX, &n->addresses);
	if (r >= 0)
		r = pool_new(sizeof(struct code_key), NAMING_CODES_MAX, &n->code_keys);
	if (r >= 0)
		r = string_pool_new(NAMING_ADDRESSES_MAX, &n->strings);
	if (r >= 0)
		r = string_pool_number(n->strings, "", true, &none);
	if (r < 0)
		return r;
	*ret = TAKE(n);
	return 0;
}

struct naming *naming_free(struct naming *n)
{
	if (!n)
		return NULL;
	for (uint32_t i = 0; n->codes && i < pool_size(n->code_keys); i++)
		free((char *)n->codes[i].path);
	free(n->codes);
	free(n->names);
	pool_free(n->addresses);
	pool_free(n->code_keys);
	string_pool_free(n->strings);
	free(n);
	return NULL;
}

/* Makes room for the thing of that number in an array that has a place for each. */
static int make_room(void **array, uint32_t *room, uint32_t number, size_t size)
{
	uint32_t wanted = MAX(2 * *room, UINT32_C(64));
	void *bigger;

	if (number < *room)
		return 0;
	bigger = reallocarray(*array, wanted, size);
	if (!bigger)
		return -ENOMEM;
	memset((char *)bigger + *room * size, 0, (wanted - *room) * size);
	*array = bigger;
	*room = wanted;
	return 0;
}

static int code_number(struct naming *n, const struct code *code, uint32_t *ret)
{
	struct code_key key = { .kind = code->kind, .id_size = code->id_size };
	uint32_t known = (uint32_t)pool_size(n->code_keys);
	char *path;
	int r;

	memcpy(key.id, code->id, code->id_size);
	r = make_room((void **)&n->codes, &n->codes_room, known, sizeof(*n->codes));
	if (r < 0)
		return r;
	r = pool_number(n->code_keys, &key, true, ret);
	if (r < 0 || *ret < known)
		return r;
	n->codes[*ret] = *code;
	path = strdup(code->path);
	n->codes[*ret].path = path;
	return path ? 0 : -ENOMEM;
}

int naming_add(struct naming *n, const struct code *code, uint64_t address, uint32_t *ret)
{
	struct named_address a = { .address = address };
	int r = code_number(n, code, &a.code);

	if (r >= 0)
		r = make_room((void **)&n->names, &n->names_room, (uint32_t)pool_size(n->addresses),
			      sizeof(*n->names));
	return r < 0 ? r : pool_number(n->addresses, &a, true, ret);
}

uint32_t naming_size(const struct naming *n)
{
	return (uint32_t)pool_size(n->addresses);
}

const struct named_address *naming_at(const struct naming *n, uint32_t number)
{
	return pool_get(n->addresses, number);
}

const char *naming_name(const struct naming *n, uint32_t number)
{
	return string_pool_get(n->strings, n->names[number]);
}

int naming_set(struct naming *n, uint32_t number, const char *name)
{
	return string_pool_number(n->strings, name, true, &n->names[number]);
}

uint32_t naming_n_codes(const struct naming *n)
{
	return (uint32_t)pool_size(n->code_keys);
}

const struct code *naming_code(const struct naming *n, uint32_t number)
{
	return &n->codes[number];
}
