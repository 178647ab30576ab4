/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-c's own conversions do the rest: a number asked for as text is printed, and so on. */
#include "ctl/value.h"

#include <string.h>

struct json_object *value_at(struct json_object *object, const char *path)
{
	char key[64];

	for (;;) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key) || !json_object_is_type(object, json_type_object))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		object = json_object_object_get(object, key);
		if (path[n] == '\0')
			return object;
		path += n + 1;
	}
}

const char *value_text(struct json_object *object, const char *path)
{
	struct json_object *value = value_at(object, path);

	return value ? json_object_get_string(value) : "";
}

uint64_t value_u64(struct json_object *object, const char *path)
{
	return json_object_get_uint64(value_at(object, path));
}

double value_double(struct json_object *object, const char *path)
{
	return json_object_get_double(value_at(object, path));
}

bool value_bool(struct json_object *object, const char *path)
{
	return json_object_get_boolean(value_at(object, path));
}

size_t value_length(struct json_object *object, const char *path)
{
	struct json_object *list = value_at(object, path);

	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}
