/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parameters that every question has, checked and turned into a query of the store. */
#include "control/query.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/timestamp.h"
#include "base/util.h"
#include "control/control-internal.h"

#define DEFAULT_RANGE_NS (60 * NSEC_PER_SEC)

static const struct varlink_field filter_fields[] = {
	{ "unit", VARLINK_STRING_ARRAY, NULL },
	{ "container", VARLINK_STRING_ARRAY, NULL },
	{ "pod", VARLINK_STRING_ARRAY, NULL },
	{ "namespace", VARLINK_STRING_ARRAY, NULL },
	{ "process", VARLINK_STRING_ARRAY, NULL },
	{ "pid", VARLINK_INT_ARRAY, NULL },
	{ "cgroup", VARLINK_STRING_ARRAY, NULL },
	{ "port", VARLINK_INT_ARRAY, NULL },
	{ "peer", VARLINK_STRING_ARRAY, NULL },
	{ "role", VARLINK_STRING_ARRAY, NULL },
	{ "protocol", VARLINK_STRING_ARRAY, NULL },
	{ "external", VARLINK_BOOL, NULL },
	{},
};

const struct varlink_field control_query_fields[] = {
	{ "since", VARLINK_STRING, NULL },
	{ "until", VARLINK_STRING, NULL },
	{ "filter", VARLINK_OBJECT, filter_fields },
	{ "limit", VARLINK_INT, NULL },
	{},
};

static int refuse(struct control_query_error *error, const char *parameter, int r,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

static int refuse(struct control_query_error *error, const char *parameter, int r,
		  const char *format, ...)
{
	va_list ap;

	error->parameter = parameter;
	va_start(ap, format);
	vsnprintf(error->reason, sizeof(error->reason), format, ap);
	va_end(ap);
	return r;
}

static int add_value(struct filter *filter, const char *key, const char *value,
		     struct control_query_error *error)
{
	/* An id is digits; everything else is a path. */
	bool is_path = streq(key, "cgroup") && value[strspn(value, "0123456789")] != '\0';
	int r = is_path ? control_add_cgroup(filter, value) : filter_add(filter, key, value);

	if (r == 0)
		return 0;
	if (r == -E2BIG)
		return refuse(error, key, r, "\"%s\" stands for more than %d values.", key,
			      FILTER_VALUES_MAX);
	if (is_path)
		return refuse(error, key, r, "The cgroup \"%.128s\" cannot be read: %s.", value,
			      strerror(-r));
	return refuse(error, key, r, "\"%.128s\" is not a valid %s.", value, key);
}

static int add_values(struct filter *filter, const char *key, struct json_object *values,
		      struct control_query_error *error)
{
	int r = 0;

	/* Integers are printed by json-c, so that a filter only knows text. */
	for (size_t i = 0; i < json_object_array_length(values) && r == 0; i++)
		r = add_value(filter, key,
			      json_object_get_string(json_object_array_get_idx(values, i)), error);
	return r;
}

static int parse_filter(struct json_object *in, struct filter *filter,
			struct control_query_error *error)
{
	struct json_object *keys;
	int r = 0;

	if (!in || !json_object_object_get_ex(in, "filter", &keys) || !keys)
		return 0;
	json_object_object_foreach(keys, key, values)
	{
		if (json_object_is_type(values, json_type_boolean))
			filter->external_only = json_object_get_boolean(values);
		else if (values && r == 0)
			r = add_values(filter, key, values, error);
	}
	return r;
}

/* Without the parameter, value stays as it is. */
static int parse_time(struct json_object *in, const char *key, uint64_t now, uint64_t *value,
		      struct control_query_error *error)
{
	const char *text;

	if (!in || json_get_string(in, key, &text) < 0)
		return 0;
	if (timestamp_parse(text, now, value) < 0)
		return refuse(error, key, -EINVAL, "\"%.128s\" is not a time for \"%s\".", text,
			      key);
	return 0;
}

static int parse_range(struct json_object *in, struct time_range *range,
		       struct control_query_error *error)
{
	uint64_t now = now_ns(CLOCK_REALTIME);
	int r;

	range->until_ns = now;
	r = parse_time(in, "until", now, &range->until_ns, error);
	range->since_ns = range->until_ns - MIN(DEFAULT_RANGE_NS, range->until_ns);
	r = r ?: parse_time(in, "since", now, &range->since_ns, error);
	if (r == 0 && range->since_ns >= range->until_ns)
		r = refuse(error, "since", -EINVAL, "\"since\" is not before \"until\".");
	return r;
}

int control_query_parse(struct json_object *in, struct store_query *query,
			struct control_query_error *ret_error)
{
	uint64_t limit = 0;
	int r = parse_range(in, &query->range, ret_error);

	r = r ?: parse_filter(in, &query->filter, ret_error);
	if (r < 0)
		return r;
	if (in && json_get_u64(in, "limit", &limit) == -EINVAL)
		return refuse(ret_error, "limit", -EINVAL, "\"limit\" is not a number of rows.");
	query->limit = (size_t)limit;
	return 0;
}
