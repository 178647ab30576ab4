/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Configuration as data. A room that has settings declares an option_group: the keys, their types,
 * ranges, defaults and one-line help. From the groups alone the daemon parses YAML, drop-ins and
 * environment, reports unknown keys with the nearest valid one, prints "config show", and the tests
 * check that ebpfobsd.yaml(5) names every key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_BOOL, /* bool */
	OPTION_INT, /* int64_t; min..max */
	OPTION_RATIO, /* double, 0..1 */
	OPTION_BYTES, /* uint64_t; "64M", "1G", "4096"; min..max */
	OPTION_DURATION, /* uint64_t nanoseconds; "5s", "10m", "24h", "100ms"; min..max in ns */
	OPTION_STRING, /* char *; never NULL, "" is the empty one */
	OPTION_ENUM, /* int, index into choices */
	OPTION_LIST, /* struct option_list; of strings. A single scalar is a list of one. */
	OPTION_ENUM_LIST, /* uint32_t, a bit per choice */
	OPTION_SECRET, /* char *; as a string, but never printed */
};

#define OPTION_LIST_MAX 1024 /* values of a list */

struct option_list {
	size_t n;
	char **values;
};

struct option {
	const char *key; /* below the group's prefix; may have dots: "tls.ca_file" */
	enum option_type type;
	size_t offset; /* in the group's struct */
	int64_t min, max; /* max 0: no upper limit */
	const char *const *choices; /* NULL-terminated */
	const char *value; /* the default, as it would be written; lists: comma-separated;
			      NULL: zero, empty */
	const char *help; /* one line */
	/* What more a word (of a list: each) must be; may be NULL. On failure a negative errno and a
	 * sentence in error, which is then reported with file and line. */
	int (*check)(const char *word, char *error, size_t error_size);
};

struct option_group {
	const char *prefix; /* "collectors.flows", "store", ... */
	size_t size; /* of the struct that holds the values */
	const struct option *options; /* ends with key NULL */
	/* Checks across keys; may be NULL. On failure writes a sentence to error. */
	int (*check)(const void *values, char *error, size_t error_size);
};

struct json_object;
struct yaml_node;

/* Fills values (of group->size bytes) with the defaults. -ENOMEM. */
int option_group_init(const struct option_group *group, void *values);
/* Releases what the values hold, not the struct itself. */
void option_group_done(const struct option_group *group, void *values);

/*
 * Sets one value. -EINVAL: error gets a sentence without the key ("'8M' is less than 16M") and the
 * value stays as it was; -ENOMEM.
 */
int option_set_text(const struct option *option, void *values, const char *text, char *error,
		    size_t error_size); /* lists: comma-separated */
int option_set_yaml(const struct option *option, void *values, const struct yaml_node *node,
		    char *error, size_t error_size);

/* The value as a new JSON value: sizes and durations as text, a secret as "(hidden)". NULL: -ENOMEM. */
struct json_object *option_to_json(const struct option *option, const void *values);
