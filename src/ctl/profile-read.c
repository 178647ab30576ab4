/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples come first, in as many replies as they need, and what their numbers mean in the last. */
#include "ctl/profile-read.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/util.h"
#include "ctl/value.h"
#include "ctl/verb.h"
#include "model/sample.h"

struct answer {
	struct json_object *samples; /* of all replies */
	struct json_object *last;
};

struct reader {
	struct profile *profile;
	uint32_t *locations; /* of the profile, by number in the answer */
	size_t n_locations;
};

static int on_reply(void *userdata, struct json_object *parameters, bool last)
{
	struct json_object *samples = value_at(parameters, "samples");
	struct answer *answer = userdata;

	for (size_t i = 0; i < value_length(parameters, "samples"); i++)
		if (json_append(answer->samples,
				json_object_get(json_object_array_get_idx(samples, i))) < 0)
			return ctl_no_memory();
	if (last)
		answer->last = json_object_get(parameters);
	return EXIT_OK;
}

/* What stands for a file where there is none. */
static const char *file_of(struct json_object *code)
{
	const char *kind = value_text(code, "kind");

	if (streq(kind, "kernel"))
		return "[kernel.kallsyms]";
	if (streq(kind, "anonymous"))
		return "[anonymous]";
	return value_text(code, "path");
}

static int read_mapping(struct profile *p, struct json_object *code, uint32_t *ret)
{
	struct profile_mapping mapping = {};
	int r = profile_string(p, file_of(code), &mapping.file);

	if (r >= 0)
		r = profile_string(p, value_text(code, "build_id"), &mapping.build_id);
	/* All code of the same file is one, and none is there that is not in a file. */
	if (r < 0 || !mapping.file) {
		*ret = 0;
		return r;
	}
	mapping.end = UINT64_MAX;
	return profile_mapping(p, &mapping, ret);
}

static int read_location(struct reader *reader, struct json_object *location,
			 const uint32_t *mappings, size_t n_mappings, uint32_t *ret)
{
	struct profile_function function = {};
	struct profile_line line = {};
	uint64_t code = value_u64(location, "code");
	const char *name = value_text(location, "name");
	int r = 0;

	if (name[0]) {
		r = profile_string(reader->profile, name, &function.name);
		if (r >= 0)
			r = profile_function(reader->profile, &function, &line.function);
	}
	if (r < 0)
		return r;
	return profile_location(reader->profile, value_u64(location, "address"),
				code < n_mappings ? mappings[code] : 0, &line,
				line.function ? 1 : 0, ret);
}

static int read_locations(struct reader *reader, struct json_object *last)
{
	struct json_object *codes = value_at(last, "codes"), *list = value_at(last, "locations");
	size_t n_codes = value_length(last, "codes");
	_cleanup_free_ uint32_t *mappings = calloc(n_codes + 1, sizeof(*mappings));
	int r = mappings ? 0 : -ENOMEM;

	for (size_t i = 0; i < n_codes && r >= 0; i++)
		r = read_mapping(reader->profile, json_object_array_get_idx(codes, i),
				 &mappings[i]);
	reader->n_locations = value_length(last, "locations");
	reader->locations = calloc(reader->n_locations + 1, sizeof(*reader->locations));
	if (!reader->locations)
		return -ENOMEM;
	for (size_t i = 0; i < reader->n_locations && r >= 0; i++)
		r = read_location(reader, json_object_array_get_idx(list, i), mappings, n_codes,
				  &reader->locations[i]);
	return r;
}

static int read_labels(struct reader *reader, struct json_object *sample,
		       struct profile_labels *ret)
{
	enum workload_kind kind = WORKLOAD_NONE;
	int r;

	*ret = (struct profile_labels){
		.pid = (int32_t)value_u64(sample, "pid"),
		.cpu = -1,
	};
	if (workload_kind_parse(value_text(sample, "workload.kind"), &kind) >= 0)
		ret->workload_kind = kind;
	r = profile_string(reader->profile, value_text(sample, "workload.name"),
			   &ret->workload_name);
	if (r >= 0)
		r = profile_string(reader->profile, value_text(sample, "workload.namespace"),
				   &ret->workload_namespace);
	return r < 0 ? r : profile_string(reader->profile, value_text(sample, "comm"), &ret->comm);
}

static int read_sample(struct reader *reader, struct json_object *sample)
{
	const struct profile_sum sum = { value_u64(sample, "count"), value_u64(sample, "value") };
	struct json_object *stack = value_at(sample, "stack");
	uint32_t locations[SAMPLE_FRAMES_MAX], n = 0;
	const char *end = value_text(sample, "end");
	struct profile_labels labels;
	uint64_t number;
	int r = read_labels(reader, sample, &labels);

	for (size_t i = 0; i < value_length(sample, "stack") && n < SAMPLE_FRAMES_MAX; i++) {
		number = json_object_get_uint64(json_object_array_get_idx(stack, i));
		if (number < reader->n_locations)
			locations[n++] = reader->locations[number];
	}
	return r < 0 ? r
		     : profile_add(reader->profile, locations, n,
				   !streq(end, "root") && !streq(end, "none"), &labels, &sum);
}

static int read_answer(const struct answer *answer, struct profile **ret)
{
	const struct profile_info info = {
		.type = profile_types[SAMPLE_CPU],
		.begin_ns = value_u64(answer->last, "since"),
		.end_ns = value_u64(answer->last, "until"),
	};
	_cleanup_profile_ struct profile *profile = NULL;
	struct reader reader = {};
	int r = profile_new(&info, NULL, &profile);

	if (r < 0)
		return r;
	reader.profile = profile;
	r = read_locations(&reader, answer->last);
	for (size_t i = 0; r >= 0 && i < json_object_array_length(answer->samples); i++)
		r = read_sample(&reader, json_object_array_get_idx(answer->samples, i));
	free(reader.locations);
	if (r >= 0)
		r = profile_add_lost(profile, &(struct profile_labels){ .cpu = -1 },
				     value_u64(answer->last, "lost"));
	if (r < 0)
		return r;
	*ret = TAKE(profile);
	return 0;
}

int profile_read(struct ctl *ctl, struct profile **ret)
{
	struct answer answer = { .samples = json_object_new_array() };
	struct json_object *in = ctl_query(ctl);
	int status;

	if (!in || !answer.samples) {
		json_object_put(in);
		json_object_put(answer.samples);
		return EXIT_FAILED;
	}
	status = ctl_call(ctl, "io.ebpfobs.Profile.Get", in, true, on_reply, &answer);
	if (status == EXIT_OK && read_answer(&answer, ret) < 0)
		status = ctl_no_memory();
	json_object_put(answer.samples);
	json_object_put(answer.last);
	return status;
}
