/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads answers of the daemon. path is keys joined with dots; what is absent or null is empty. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct json_object *value_at(struct json_object *object, const char *path); /* NULL: absent */
const char *value_text(struct json_object *object, const char *path); /* "": absent */
uint64_t value_u64(struct json_object *object, const char *path); /* 0: absent */
double value_double(struct json_object *object, const char *path);
bool value_bool(struct json_object *object, const char *path);
/* The elements of a list; 0: absent. */
size_t value_length(struct json_object *object, const char *path);
