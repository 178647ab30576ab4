/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-c's "0 or -1" and "who owns the value now?" in the words of this program. */
#include "base/json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/util.h"

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

static int parse(const char *text, size_t size, int flags, struct json_object **ret)
{
	_cleanup_(json_tokener_free_p) struct json_tokener *tokener = NULL;
	_cleanup_json_ struct json_object *value = NULL;

	tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, flags);
	value = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		/* A number ends only with what comes after it. */
		value = json_tokener_parse_ex(tokener, "", 1);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		return -EINVAL;
	*ret = TAKE(value);
	return 0;
}

/*
 * Whether text is strict JSON with each byte above 0x7f taken for a letter: those are allowed in
 * strings only, where a letter is as good, so that the answer holds for the text itself.
 */
static int check_strict(const char *text, size_t size)
{
	_cleanup_json_ struct json_object *value = NULL;
	_cleanup_free_ char *ascii = malloc(size + 1);

	if (!ascii)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		ascii[i] = (unsigned char)text[i] > 0x7f ? 'x' : text[i];
	return parse(ascii, size, JSON_TOKENER_STRICT, &value);
}

int json_parse(const char *text, size_t size, size_t max_size, struct json_object **ret)
{
	int r;

	if (size > max_size || size >= INT_MAX)
		return -E2BIG;
	/* Strict: no comments, no comma at the end, nothing but white space after the value. */
	r = parse(text, size, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8, ret);
	if (r != -EINVAL)
		return r;
	/*
	 * json-c 0.18 (Debian 13), when strict, refuses control characters by "c <= 0x1f" on a
	 * signed char, and with them all that is not ASCII. So the two questions are asked apart.
	 */
	r = check_strict(text, size);
	return r < 0 ? r : parse(text, size, JSON_TOKENER_VALIDATE_UTF8, ret);
}

int json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (object && value && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int json_append(struct json_object *array, struct json_object *value)
{
	if (array && value && json_object_array_add(array, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int json_add_null(struct json_object *object, const char *key)
{
	return object && json_object_object_add(object, key, NULL) == 0 ? 0 : -ENOMEM;
}

int json_add_bool(struct json_object *object, const char *key, bool value)
{
	return json_add(object, key, json_object_new_boolean(value));
}

int json_add_int(struct json_object *object, const char *key, int64_t value)
{
	return json_add(object, key, json_object_new_int64(value));
}

int json_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	return json_add(object, key, json_object_new_uint64(value));
}

int json_add_double(struct json_object *object, const char *key, double value)
{
	return json_add(object, key, json_object_new_double(value));
}

struct json_object *json_new_string(const char *text)
{
	_cleanup_free_ char *valid = text_escape_dup(TEXT_PLAIN, text);

	return valid ? json_object_new_string(valid) : NULL;
}

int json_add_string(struct json_object *object, const char *key, const char *text)
{
	return text ? json_add(object, key, json_new_string(text)) : json_add_null(object, key);
}

static int print_text(struct json_object *value, struct printbuf *out, int level, int flags)
{
	return printbuf_memappend(out, json_object_get_string(value),
				  json_object_get_string_len(value));
}

struct json_object *json_as_text(struct json_object *value)
{
	struct json_object *text = NULL;
	const char *s;
	size_t n;

	if (!value)
		return NULL;
	s = json_object_to_json_string_length(
		value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
	if (s)
		text = json_object_new_string_len(s, (int)n);
	if (text)
		json_object_set_serializer(text, print_text, NULL, NULL);
	json_object_put(value);
	return text;
}

/* The member called key if it is there, not null, and of this type. */
static int get_member(const struct json_object *object, const char *key, enum json_type type,
		      struct json_object **ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !value)
		return -ENOENT;
	if (!json_object_is_type(value, type))
		return -EINVAL;
	*ret = value;
	return 0;
}

int json_get_string(const struct json_object *object, const char *key, const char **ret)
{
	struct json_object *value;
	int r = get_member(object, key, json_type_string, &value);
	const char *text;

	if (r < 0)
		return r;
	text = json_object_get_string(value);
	/* "\u0000" is JSON, but no text of ours. */
	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return -EINVAL;
	*ret = text;
	return 0;
}

int json_get_u64(const struct json_object *object, const char *key, uint64_t *ret)
{
	struct json_object *value;
	int r = get_member(object, key, json_type_int, &value);

	if (r < 0)
		return r;
	if (json_object_get_int64(value) < 0)
		return -EINVAL;
	*ret = json_object_get_uint64(value);
	return 0;
}

int json_get_bool(const struct json_object *object, const char *key, bool *ret)
{
	struct json_object *value;
	int r = get_member(object, key, json_type_boolean, &value);

	if (r < 0)
		return r;
	*ret = json_object_get_boolean(value);
	return 0;
}
