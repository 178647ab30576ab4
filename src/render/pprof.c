/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Encoded messages of one type behind each other are their sum (protobuf's rule for merging), so each
 * mapping, function, location and sample is a Profile of its own with one element, packed and compressed
 * at once: a profile of any size takes a few kilobytes more while it is written.
 *
 * Numbers of the profile are ids here, for both begin at 1 and have 0 for "none". The string table is the
 * profile's, behind it those of the format, and the numbers of CPUs: pprof takes a numeric label of 0 for
 * one that is not there.
 */
#include "render/pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/compress.h"
#include "base/util.h"
#include "render/pprof.pb-c.h"
#include "render/profile-text.h"

enum own_string {
	STRING_SAMPLES,
	STRING_COUNT,
	STRING_KIND,
	STRING_NAME,
	STRING_NAMESPACE,
	STRING_PID,
	STRING_COMM,
	STRING_TID,
	STRING_CPU,
	STRING_TYPE,
	STRING_UNIT,
	STRING_TOTALS,
	STRING_KINDS,
	OWN_STRINGS_ = STRING_KINDS + WORKLOAD_KIND_MAX_,
};

static const char *const own_strings[STRING_TYPE] = {
	[STRING_SAMPLES] = "samples",
	[STRING_COUNT] = "count",
	[STRING_KIND] = "workload.kind",
	[STRING_NAME] = "workload.name",
	[STRING_NAMESPACE] = "workload.namespace",
	[STRING_PID] = "process.pid",
	[STRING_COMM] = "process.comm",
	[STRING_TID] = "thread.id",
	[STRING_CPU] = "cpu",
};

struct writer {
	const struct profile *profile;
	struct gzip *gzip;
	int32_t n_cpus; /* whose numbers are in the string table */
	uint8_t *buf;
	size_t size;
};

static void writer_done(struct writer *w)
{
	gzip_free(w->gzip);
	free(w->buf);
}

static int64_t own(const struct writer *w, unsigned string)
{
	return (int64_t)profile_n_strings(w->profile) + string;
}

static int put(struct writer *w, const Pprof__Profile *message)
{
	size_t size = pprof__profile__get_packed_size(message);

	if (size > w->size) {
		uint8_t *buf = realloc(w->buf, 2 * size);

		if (!buf)
			return -ENOMEM;
		w->buf = buf;
		w->size = 2 * size;
	}
	return gzip_write(w->gzip, w->buf, pprof__profile__pack(message, w->buf));
}

static int put_string(struct writer *w, const char *text)
{
	Pprof__Profile message = PPROF__PROFILE__INIT;
	char *strings[] = { (char *)text };

	message.n_string_table = 1;
	message.string_table = strings;
	return put(w, &message);
}

static int put_strings(struct writer *w)
{
	const struct profile_type *type = &profile_info(w->profile)->type;
	struct profile_totals totals = profile_totals(w->profile);
	char text[PROFILE_TOTALS_LEN];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < profile_n_strings(w->profile); i++)
		r = put_string(w, profile_text(w->profile, i));
	for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(own_strings); i++)
		r = put_string(w, own_strings[i]);
	r = r ?: put_string(w, type->name)
			 ?: put_string(w, type->unit)
			 ?: put_string(w, profile_totals_text(&totals, text));
	for (enum workload_kind kind = 0; r == 0 && kind < WORKLOAD_KIND_MAX_; kind++)
		r = put_string(w, workload_kind_name(kind));
	for (int32_t cpu = 0; r == 0 && cpu < w->n_cpus; cpu++) {
		snprintf(text, sizeof(text), "%" PRId32, cpu);
		r = put_string(w, text);
	}
	return r;
}

/* What the profile is of. */
static int put_head(struct writer *w)
{
	const struct profile_info *info = profile_info(w->profile);
	Pprof__Profile message = PPROF__PROFILE__INIT;
	Pprof__ValueType count = PPROF__VALUE_TYPE__INIT, value = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType *types[] = { &count, &value };
	int64_t comments[] = { own(w, STRING_TOTALS) };

	count.type = own(w, STRING_SAMPLES);
	count.unit = own(w, STRING_COUNT);
	value.type = own(w, STRING_TYPE);
	value.unit = own(w, STRING_UNIT);
	message.n_sample_type = ARRAY_SIZE(types);
	message.sample_type = types;
	message.time_nanos = (int64_t)info->begin_ns;
	message.duration_nanos = (int64_t)(info->end_ns - info->begin_ns);
	message.period_type = &value;
	message.period = (int64_t)info->period;
	message.n_comment = ARRAY_SIZE(comments);
	message.comment = comments;
	message.default_sample_type = value.type;
	return put(w, &message);
}

/* What of a mapping's locations all are known; pprof looks for symbols of its own for the others. */
struct knowledge {
	bool used, no_functions, no_filenames, no_lines;
};

static void learn(const struct profile *p, const struct profile_location *location,
		  struct knowledge *known)
{
	const struct profile_line *line;

	known->used = true;
	known->no_functions |= location->line == 0;
	for (uint32_t at = location->line; at != 0; at = line->outer) {
		line = profile_line_at(p, at);
		known->no_functions |= line->function == 0;
		known->no_filenames |= profile_function_at(p, line->function)->file == 0;
		known->no_lines |= line->line == 0;
	}
}

static int put_mapping(struct writer *w, uint32_t number, const struct knowledge *known)
{
	const struct profile_mapping *mapping = profile_mapping_at(w->profile, number);
	Pprof__Profile message = PPROF__PROFILE__INIT;
	Pprof__Mapping m = PPROF__MAPPING__INIT;
	Pprof__Mapping *mappings[] = { &m };

	m.id = number;
	m.memory_start = mapping->begin;
	m.memory_limit = mapping->end;
	m.file_offset = mapping->offset;
	m.filename = mapping->file;
	m.build_id = mapping->build_id;
	m.has_functions = known->used && !known->no_functions;
	m.has_filenames = m.has_functions && !known->no_filenames;
	m.has_line_numbers = m.has_functions && !known->no_lines;
	/* Lines and inlined calls come from the same source, the debug information. */
	m.has_inline_frames = m.has_line_numbers;
	message.n_mapping = 1;
	message.mapping = mappings;
	return put(w, &message);
}

static int put_mappings(struct writer *w)
{
	uint32_t n = profile_n_mappings(w->profile);
	_cleanup_free_ struct knowledge *known = calloc((size_t)n + 1, sizeof(*known));
	int r = known ? 0 : -ENOMEM;

	for (uint32_t i = 1; r == 0 && i <= profile_n_locations(w->profile); i++) {
		const struct profile_location *location = profile_location_at(w->profile, i);

		learn(w->profile, location, &known[location->mapping]);
	}
	for (uint32_t i = 1; r == 0 && i <= n; i++)
		r = put_mapping(w, i, &known[i]);
	return r;
}

static int put_function(struct writer *w, uint32_t number)
{
	const struct profile_function *function = profile_function_at(w->profile, number);
	Pprof__Profile message = PPROF__PROFILE__INIT;
	Pprof__Function f = PPROF__FUNCTION__INIT;
	Pprof__Function *functions[] = { &f };

	f.id = number;
	f.name = function->name;
	f.system_name = function->system_name;
	f.filename = function->file;
	f.start_line = function->line;
	message.n_function = 1;
	message.function = functions;
	return put(w, &message);
}

/* More inlined calls than that at one place are cut off, the outermost first. */
#define LINES_MAX 256

static int put_location(struct writer *w, uint32_t number)
{
	const struct profile_location *location = profile_location_at(w->profile, number);
	Pprof__Profile message = PPROF__PROFILE__INIT;
	Pprof__Location l = PPROF__LOCATION__INIT;
	Pprof__Location *locations[] = { &l };
	Pprof__Line lines[LINES_MAX], *pointers[LINES_MAX];
	const struct profile_line *line;

	l.id = number;
	l.mapping_id = location->mapping;
	l.address = location->address;
	l.line = pointers;
	for (uint32_t at = location->line; at != 0 && l.n_line < LINES_MAX; at = line->outer) {
		line = profile_line_at(w->profile, at);
		pprof__line__init(&lines[l.n_line]);
		lines[l.n_line].function_id = line->function;
		lines[l.n_line].line = line->line;
		pointers[l.n_line] = &lines[l.n_line];
		l.n_line++;
	}
	message.n_location = 1;
	message.location = locations;
	return put(w, &message);
}

enum { LABELS_MAX = 7 };

struct labels {
	Pprof__Label labels[LABELS_MAX], *pointers[LABELS_MAX];
	size_t n;
};

static void add_label(struct labels *labels, int64_t key, int64_t string, int64_t number)
{
	Pprof__Label *label = &labels->labels[labels->n];

	pprof__label__init(label);
	label->key = key;
	label->str = string;
	label->num = number;
	labels->pointers[labels->n++] = label;
}

static void add_labels(const struct writer *w, const struct profile_labels *from,
		       struct labels *labels)
{
	if (from->workload_kind)
		add_label(labels, own(w, STRING_KIND), own(w, STRING_KINDS + from->workload_kind),
			  0);
	if (from->workload_name)
		add_label(labels, own(w, STRING_NAME), from->workload_name, 0);
	if (from->workload_namespace)
		add_label(labels, own(w, STRING_NAMESPACE), from->workload_namespace, 0);
	if (from->pid)
		add_label(labels, own(w, STRING_PID), 0, from->pid);
	if (from->comm)
		add_label(labels, own(w, STRING_COMM), from->comm, 0);
	if (from->tid)
		add_label(labels, own(w, STRING_TID), 0, from->tid);
	if (from->cpu >= 0 && from->cpu < w->n_cpus)
		add_label(labels, own(w, STRING_CPU), own(w, OWN_STRINGS_ + (unsigned)from->cpu),
			  0);
}

static int put_sample(struct writer *w, uint32_t number)
{
	struct profile_sum sum;
	const struct profile_sample *sample = profile_sample_at(w->profile, number, &sum);
	Pprof__Profile message = PPROF__PROFILE__INIT;
	Pprof__Sample s = PPROF__SAMPLE__INIT;
	Pprof__Sample *samples[] = { &s };
	uint64_t locations[PROFILE_DEPTH_MAX];
	int64_t values[] = { (int64_t)sum.samples, (int64_t)sum.value };
	struct labels labels = {};
	uint32_t node = sample->stack, location;

	while (node != 0) {
		node = profile_caller(w->profile, node, &location);
		locations[s.n_location_id++] = location;
	}
	add_labels(w, &sample->labels, &labels);
	s.location_id = locations;
	s.n_value = ARRAY_SIZE(values);
	s.value = values;
	s.n_label = labels.n;
	s.label = labels.pointers;
	message.n_sample = 1;
	message.sample = samples;
	return put(w, &message);
}

/* No kernel has more (CONFIG_NR_CPUS). */
#define CPUS_MAX 8192

static int32_t count_cpus(const struct profile *p)
{
	struct profile_sum sum;
	int32_t n = 0;

	for (uint32_t i = 0; i < profile_n_samples(p); i++)
		n = MAX(n, profile_sample_at(p, i, &sum)->labels.cpu + 1);
	return MIN(n, CPUS_MAX);
}

int pprof_write(const struct profile *profile, FILE *out)
{
	_cleanup_(writer_done) struct writer w = {
		.profile = profile,
		.n_cpus = count_cpus(profile),
	};
	int r = gzip_new(out, &w.gzip) ?: put_head(&w) ?: put_mappings(&w);

	for (uint32_t i = 1; r == 0 && i <= profile_n_functions(profile); i++)
		r = put_function(&w, i);
	for (uint32_t i = 1; r == 0 && i <= profile_n_locations(profile); i++)
		r = put_location(&w, i);
	for (uint32_t i = 0; r == 0 && i < profile_n_samples(profile); i++)
		r = put_sample(&w, i);
	return r ?: put_strings(&w) ?: gzip_finish(w.gzip);
}
