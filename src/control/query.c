/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parameters that every question has, checked and turned into a query of the store. */
#include "control/query.h"

#include <errno.h>
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

static int add_value(struct filter *filter, const char *key, const char *value)
{
	/* An id is digits; everything else is a path. */
	if (streq(key, "cgroup") && value[strspn(value, "0123456789")] != '\0')
		return control_add_cgroup(filter, value);
	return filter_add(filter, key, value);
}

/* On failure *ret_wrong is the key. */
static int parse_filter(struct json_object *in, struct filter *filter, const char **ret_wrong)
{
	struct json_object *keys;
	int r = 0;

	if (!in || !json_object_object_get_ex(in, "filter", &keys) || !keys)
		return 0;
	json_object_object_foreach(keys, key, values)
	{
		*ret_wrong = key;
		if (json_object_is_type(values, json_type_boolean)) {
			filter->external_only = json_object_get_boolean(values);
			continue;
		}
		/* Integers are printed by json-c, so that a filter only knows text. */
		for (size_t i = 0; values && i < json_object_array_length(values); i++) {
			r = add_value(filter, key,
				      json_object_get_string(json_object_array_get_idx(values, i)));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int parse_time(struct json_object *in, const char *key, uint64_t now, uint64_t *value)
{
	const char *text;

	if (!in || json_get_string(in, key, &text) < 0)
		return 0; /* the default stays */
	return timestamp_parse(text, now, value);
}

static int parse_range(struct json_object *in, struct time_range *range, const char **ret_wrong)
{
	uint64_t now = now_ns(CLOCK_REALTIME);
	int r;

	range->until_ns = now;
	*ret_wrong = "until";
	r = parse_time(in, "until", now, &range->until_ns);
	if (r < 0)
		return r;
	range->since_ns = range->until_ns - MIN(DEFAULT_RANGE_NS, range->until_ns);
	*ret_wrong = "since";
	r = parse_time(in, "since", now, &range->since_ns);
	if (r == 0 && range->since_ns >= range->until_ns)
		r = -EINVAL;
	return r;
}

int control_query_parse(struct json_object *in, struct store_query *query, const char **ret_wrong)
{
	uint64_t limit = 0;
	int r = parse_range(in, &query->range, ret_wrong);

	if (r == 0)
		r = parse_filter(in, &query->filter, ret_wrong);
	if (r < 0)
		return r;
	*ret_wrong = "limit";
	if (in && json_get_u64(in, "limit", &limit) == -EINVAL)
		return -EINVAL;
	query->limit = (size_t)limit;
	return 0;
}

void control_query_refuse(struct varlink_call *call, const char *key, int r)
{
	char reason[128];

	if (r == -E2BIG)
		snprintf(reason, sizeof(reason), "\"%s\" stands for more than %d values.", key,
			 FILTER_VALUES_MAX);
	else if (r == -ENOENT)
		snprintf(reason, sizeof(reason), "There is no such %s.", key);
	else if (streq(key, "since") && r == -EINVAL)
		snprintf(reason, sizeof(reason),
			 "\"since\" is not a time, or it is not before \"until\".");
	else
		snprintf(reason, sizeof(reason), "The value of \"%s\" is not valid.", key);
	varlink_error_parameter(call, key, reason);
}
