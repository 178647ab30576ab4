/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile: stacks with their names, how often each was seen and what it weighed. Built up by one who
 * knows the names, then read by the renderers. Everything is stored once and numbered; 0 stands for
 * "not known" everywhere: no mapping, no function, the empty string, the end of a list. A profile owns
 * its strings, which are valid UTF-8 and otherwise any bytes: escaping is up to who prints them.
 *
 * Builders fail with -ENOMEM alone. Where a table is full they give 0 and count it in left_out, so what
 * is beyond a maximum loses its name; a sample that has no place is left out and counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "model/sample.h"
#include "model/workload.h"

/* Longer strings (names with many template arguments) are cut between characters, in bytes. */
#define PROFILE_STRING_MAX 1023
/* 1,000 frames of a program, those of the kernel below them, and what is inlined. A deeper stack loses
 * what is next to the root and counts as truncated. */
#define PROFILE_DEPTH_MAX 2048

/* How much of each a profile holds. */
struct profile_limits {
	uint32_t strings, mappings, functions, lines, locations;
	uint32_t
		nodes; /* of the tree that the stacks are kept in: what two have in common is one */
	uint32_t samples;
	uint32_t shares;
};
extern const struct profile_limits profile_limits_max;

/* What is in a range of addresses. */
struct profile_mapping {
	uint64_t begin, end; /* addresses; end is the first that is not in it */
	uint64_t offset; /* in the file, of begin */
	uint32_t file; /* string: path, or "[vdso]", "[kernel.kallsyms]", "[nf_tables]" */
	uint32_t build_id; /* string: in hexadecimal digits */
};

struct profile_function {
	uint32_t name; /* string: for people, demangled */
	uint32_t system_name; /* string: as the symbol table has it */
	uint32_t file; /* string: where its source is */
	uint32_t line; /* where it begins there; 0: not known */
};

/* A frame of source: one per location, and one more for each function inlined there. */
struct profile_line {
	uint32_t function;
	uint32_t line; /* 0: not known */
	uint32_t
		outer; /* line: what this one was inlined into; 0: nothing. Set by profile_location(). */
};

struct profile_location {
	uint64_t address; /* in the address space that the mapping is of */
	uint32_t mapping;
	uint32_t line; /* innermost; 0: not symbolized */
};

/* Whose a sample is. Each may be left out, as 0 or, cpu, as -1. */
struct profile_labels {
	uint32_t workload_kind; /* enum workload_kind */
	uint32_t workload_name; /* string */
	uint32_t workload_namespace; /* string */
	uint32_t comm; /* string: of the process */
	int32_t pid;
	int32_t tid;
	int32_t cpu;
};

struct profile_sample {
	uint32_t stack; /* node of its innermost frame; see profile_caller() */
	struct profile_labels labels;
};

/* How often, and what it weighs in the unit of the sample type. */
struct profile_sum {
	uint64_t samples;
	uint64_t value;
};

struct profile_type {
	const char *name; /* "cpu", "off_cpu", "page-faults", "alloc_space" */
	const char *unit; /* "nanoseconds", "count", "bytes" */
};
extern const struct profile_type profile_types[SAMPLE_EVENT_MAX_];

/* What the profile is of. */
struct profile_info {
	struct profile_type type; /* borrowed, for as long as the profile lives */
	uint64_t begin_ns, end_ns; /* CLOCK_REALTIME */
	uint64_t period; /* what one sample weighs, in the type's unit; 0: it differs */
};

/* What every output ends with. */
struct profile_totals {
	uint64_t samples; /* in the profile */
	uint64_t value; /* of these */
	uint64_t lost; /* never reached it */
	uint64_t truncated; /* of samples: the stack does not reach its root */
	uint64_t unsymbolized; /* of samples: a frame at least has no name */
	uint64_t left_out; /* samples that a maximum kept out of the profile */
};

/* A process on a CPU; each may be left out, as in the labels. */
struct profile_share {
	uint32_t comm; /* string */
	int32_t pid;
	int32_t cpu;
};

struct profile;

/* limits: NULL for the largest. */
int profile_new(const struct profile_info *info, const struct profile_limits *limits,
		struct profile **ret);
struct profile *profile_free(struct profile *profile); /* takes NULL, returns NULL */
size_t profile_bytes(const struct profile *profile); /* memory that it takes */

/* Building: each gives the number of what it was given, the same for the same. */
int profile_string(struct profile *profile, const char *text, uint32_t *ret);
int profile_mapping(struct profile *profile, const struct profile_mapping *mapping, uint32_t *ret);
int profile_function(struct profile *profile, const struct profile_function *function,
		     uint32_t *ret);
/* n lines, the innermost first; none: not symbolized. Their .outer is not looked at. */
int profile_location(struct profile *profile, uint64_t address, uint32_t mapping,
		     const struct profile_line *lines, size_t n, uint32_t *ret);
/*
 * A stack of n locations, the innermost first, seen sum->samples times. truncated: its root is not
 * there. It is added to one with the same stack and labels.
 */
int profile_add(struct profile *profile, const uint32_t *locations, size_t n, bool truncated,
		const struct profile_labels *labels, const struct profile_sum *sum);
/* Samples that were lost on their way; of labels, comm, pid and cpu count. */
int profile_add_lost(struct profile *profile, const struct profile_labels *labels,
		     uint64_t samples);

/* Reading. Numbers of each kind go from 1 to the number of them, samples from 0. */
const struct profile_info *profile_info(const struct profile *profile);
struct profile_totals profile_totals(const struct profile *profile);
uint64_t profile_names_left_out(const struct profile *profile);
/* The totals of each process on each CPU. They add up to profile_totals(): number 0, the share of which
 * nothing is known, also has what found no place. */
uint32_t profile_n_shares(const struct profile *profile);
const struct profile_share *profile_share_at(const struct profile *profile, uint32_t share,
					     struct profile_totals *ret);

uint32_t profile_n_strings(const struct profile *profile); /* the empty one, number 0, included */
uint32_t profile_n_mappings(const struct profile *profile);
uint32_t profile_n_functions(const struct profile *profile);
uint32_t profile_n_locations(const struct profile *profile);
uint32_t profile_n_samples(const struct profile *profile);

/* Valid until the next of its kind is added. */
const char *profile_text(const struct profile *profile, uint32_t string);
const struct profile_mapping *profile_mapping_at(const struct profile *profile, uint32_t mapping);
const struct profile_function *profile_function_at(const struct profile *profile,
						   uint32_t function);
const struct profile_line *profile_line_at(const struct profile *profile, uint32_t line);
const struct profile_location *profile_location_at(const struct profile *profile,
						   uint32_t location);
const struct profile_sample *profile_sample_at(const struct profile *profile, uint32_t sample,
					       struct profile_sum *ret_sum);
/* Goes up a stack: gives the location of node and steps to its caller's node, 0 behind the root. */
uint32_t profile_caller(const struct profile *profile, uint32_t node, uint32_t *ret_location);

DEFINE_CLEANUP(struct profile *, profile_free)
#define _cleanup_profile_ _cleanup_(profile_free_p)
