/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What segments of every kind begin with: the strings and the actors that their rows name by number.
 */
#pragma once

#include "store/actors.h"
#include "store/bytes.h"

struct who {
	struct process_ref process;
	struct workload workload;
};

struct dictionary {
	const char **strings; /* in the segment */
	struct who *actors;
	size_t n_strings, n_actors;
};

void write_strings(struct byte_writer *w, const struct string_pool *strings);
void write_actors(struct byte_writer *w, const struct actors *actors);

/* -ENOMEM; bytes that are wrong make the reader fail. */
int read_strings(struct byte_reader *in, struct dictionary *ret);
int read_actors(struct byte_reader *in, struct dictionary *ret); /* after the strings */
void dictionary_done(struct dictionary *dictionary);

/* Reads the number of a string. */
const char *read_string_number(struct byte_reader *in, const struct dictionary *dictionary);

/* An array for the n <= max things that follow, each of which takes at least so many bytes: so it is
 * bounded by a small multiple of the segment's size. It has one element more. NULL: no memory. */
void *read_array(struct byte_reader *in, size_t size, size_t at_least, size_t max, size_t *ret_n);
