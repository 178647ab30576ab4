/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thin layer over json-c: bounded parsing of strangers' JSON, and builders that cannot lose a
 * value. Objects are json-c's own, with its reference counts.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define JSON_DEPTH_MAX 32

/*
 * Parses exactly one JSON value in UTF-8, white space around it allowed. -EINVAL: not that, or
 * nested deeper than JSON_DEPTH_MAX. -E2BIG: size is over max_size. (json-c takes a little more than
 * RFC 8259 has: keys in single quotes, Infinity, line breaks in strings.)
 */
int json_parse(const char *text, size_t size, size_t max_size, struct json_object **ret);

/*
 * Builders: all return 0 or -ENOMEM, take value over even when they fail, and take a NULL object or
 * value for a failed allocation; so a row of calls needs one check:
 *     r = json_add_string(o, "name", name) ?: json_add_u64(o, "count", n);
 */
int json_add(struct json_object *object, const char *key, struct json_object *value);
int json_append(struct json_object *array, struct json_object *value);
int json_add_null(struct json_object *object, const char *key);
int json_add_bool(struct json_object *object, const char *key, bool value);
int json_add_int(struct json_object *object, const char *key, int64_t value);
int json_add_u64(struct json_object *object, const char *key, uint64_t value);
int json_add_double(struct json_object *object, const char *key, double value);
/* Strangers' text: what is not UTF-8 becomes U+FFFD. A NULL text becomes null. */
int json_add_string(struct json_object *object, const char *key, const char *text);
struct json_object *json_new_string(const char *text);

/*
 * The same value as its text, for one that waits to be sent with others: an object of json-c takes
 * ten times the memory. Takes value over, also when it fails (NULL).
 */
struct json_object *json_as_text(struct json_object *value);

/* Readers of an object's member. A member that is null counts as absent. -ENOENT: absent;
 * -EINVAL: another type, or out of range. ret is untouched then. */
int json_get_string(const struct json_object *object, const char *key, const char **ret);
int json_get_u64(const struct json_object *object, const char *key, uint64_t *ret);
int json_get_bool(const struct json_object *object, const char *key, bool *ret);

static inline void json_object_put_p(struct json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_object_put_p)
