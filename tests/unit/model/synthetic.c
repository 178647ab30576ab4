/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module lies at an address that its name gives, a frame within it likewise. */
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define MODULE_SIZE UINT64_C(0x100000)

static void must(int r)
{
	if (r < 0)
		abort();
}

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619;
	return h;
}

static uint32_t string(struct profile *profile, const char *text)
{
	char decoded[4096];
	uint32_t number;
	size_t n = 0;
	unsigned byte;

	for (; *text && n < sizeof(decoded) - 1; text++) {
		bool coded = *text == '%' && sscanf(text, "%%%2x", &byte) == 1;

		decoded[n++] = coded ? (char)byte : *text;
		text += coded ? 2 : 0;
	}
	decoded[n] = '\0';
	must(profile_string(profile, decoded, &number));
	return number;
}

static uint64_t module_begin(const char *module)
{
	uint64_t begin = UINT64_C(0x400000) + hash(module) % 4096 * MODULE_SIZE;

	return *module == '[' ? UINT64_C(0xffffffff00000000) + begin : begin;
}

static uint32_t mapping(struct profile *profile, const char *module)
{
	struct profile_mapping m = { .begin = module_begin(module), .offset = 0x1000 };
	char build_id[41];
	uint32_t number;

	if (!*module)
		return 0;
	snprintf(build_id, sizeof(build_id), "%08x%032d", hash(module), 0);
	m.end = m.begin + MODULE_SIZE;
	m.file = string(profile, module);
	m.build_id = string(profile, build_id);
	must(profile_mapping(profile, &m, &number));
	return number;
}

/* "NAME:LINE"; name is cut at the colon that a number follows. */
static struct profile_line source_line(struct profile *profile, char *name)
{
	struct profile_function function = { .line = 7 };
	struct profile_line line = {};
	char *colon = strrchr(name, ':'), system_name[4096], file[4096];

	if (colon && colon[1] >= '0' && colon[1] <= '9') {
		line.line = (uint32_t)atoi(colon + 1);
		*colon = '\0';
	}
	snprintf(system_name, sizeof(system_name), "_Z%zu%s", strlen(name), name);
	snprintf(file, sizeof(file), "%s.c", name);
	function.name = string(profile, name);
	function.system_name = string(profile, system_name);
	function.file = string(profile, file);
	must(profile_function(profile, &function, &line.function));
	return line;
}

/* "NAME:LINE|NAME:LINE@MODULE" */
static uint32_t location(struct profile *profile, char *frame)
{
	uint64_t offset = hash(frame) % MODULE_SIZE;
	char *at = strrchr(frame, '@'), *module = at ? at + 1 : frame + strlen(frame), *inner;
	struct profile_line lines[8];
	uint32_t number;
	size_t n = 0;

	if (at)
		*at = '\0';
	while ((inner = strrchr(frame, '|'))) {
		*inner = '\0';
		lines[n++] = source_line(profile, inner + 1);
	}
	if (*frame)
		lines[n++] = source_line(profile, frame);
	must(profile_location(profile, module_begin(module) + offset, mapping(profile, module),
			      lines, n, &number));
	return number;
}

void synthetic_add(struct profile *profile, const char *stack, uint64_t samples, uint64_t value,
		   const struct profile_labels *labels)
{
	struct profile_labels none = { .cpu = -1 };
	struct profile_sum sum = { samples, value };
	uint32_t locations[PROFILE_DEPTH_MAX + 1];
	char *copy = strdup(stack), *frame;
	size_t n = 0;

	while ((frame = strrchr(copy, ';'))) {
		*frame = '\0';
		locations[n++] = location(profile, frame + 1);
	}
	locations[n++] = location(profile, copy);
	free(copy);
	must(profile_add(profile, locations, n, false, labels ? labels : &none, &sum));
}

void synthetic_lost(struct profile *profile, uint64_t samples)
{
	must(profile_add_lost(profile, &(struct profile_labels){ .cpu = -1 }, samples));
}

struct profile *synthetic_new(void)
{
	struct profile_info info = {
		.type = profile_types[SAMPLE_CPU],
		.begin_ns = UINT64_C(1795194000) * NSEC_PER_SEC,
		.end_ns = UINT64_C(1795194060) * NSEC_PER_SEC,
		.period = 10 * NSEC_PER_MSEC,
	};
	struct profile *profile;

	must(profile_new(&info, NULL, &profile));
	return profile;
}

struct profile_labels synthetic_labels(struct profile *profile, const char *comm, int pid, int cpu)
{
	char unit[64];

	snprintf(unit, sizeof(unit), "%s.service", comm);
	return (struct profile_labels){
		.workload_kind = WORKLOAD_UNIT,
		.workload_name = string(profile, unit),
		.comm = string(profile, comm),
		.pid = pid,
		.tid = pid,
		.cpu = cpu,
	};
}
