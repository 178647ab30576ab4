/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pools become dictionaries as they are: a row's numbers are the same in both. */
#include "store/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void write_strings(struct byte_writer *w, const struct string_pool *strings)
{
	size_t n = string_pool_size(strings);

	write_number(w, n);
	for (uint32_t i = 0; i < n; i++)
		write_string(w, string_pool_get(strings, i));
}

static void write_actor(struct byte_writer *w, const struct actor *actor,
			const struct actor_names *names)
{
	write_number(w, actor->pid);
	write_number(w, actor->start_ns);
	write_number(w, actor->cgroup_id);
	write_string(w, actor->comm);
	write_number(w, actor->kind);
	write_number(w, actor->id);
	write_number(w, names->name);
	write_number(w, names->namespace_);
}

void write_actors(struct byte_writer *w, const struct actors *actors)
{
	size_t n = pool_size(actors->pool);

	write_number(w, n);
	for (uint32_t i = 0; i < n; i++)
		write_actor(w, pool_get(actors->pool, i), &actors->names[i]);
}

void *read_array(struct byte_reader *in, size_t size, size_t at_least, size_t max, size_t *ret_n)
{
	uint64_t n = read_number_max(in, MIN(max, bytes_left(in) / at_least));
	void *array = calloc(n + 1, size);

	*ret_n = array ? n : 0;
	return array;
}

int read_strings(struct byte_reader *in, struct dictionary *d)
{
	d->strings = read_array(in, sizeof(*d->strings), 2, ACTORS_STRINGS_MAX, &d->n_strings);
	if (!d->strings)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_strings && !in->failed; i++)
		d->strings[i] = read_string(in, POOL_STRING_MAX);
	return 0;
}

const char *read_string_number(struct byte_reader *in, const struct dictionary *d)
{
	size_t i = read_index(in, d->n_strings);

	return in->failed ? "" : d->strings[i];
}

static void read_actor(struct byte_reader *in, const struct dictionary *d, struct who *ret)
{
	ret->process.pid = (pid_t)read_number_max(in, INT32_MAX);
	ret->process.start_ns = read_number(in);
	ret->process.cgroup_id = read_number(in);
	strcpy(ret->process.comm, read_string(in, COMM_LEN - 1));
	ret->workload.kind = read_choice(in, WORKLOAD_KIND_MAX_);
	ret->workload.id = read_string_number(in, d);
	ret->workload.name = read_string_number(in, d);
	ret->workload.namespace_ = read_string_number(in, d);
}

int read_actors(struct byte_reader *in, struct dictionary *d)
{
	d->actors = read_array(in, sizeof(*d->actors), 9, SIZE_MAX, &d->n_actors);
	if (!d->actors)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_actors && !in->failed; i++)
		read_actor(in, d, &d->actors[i]);
	return 0;
}

void dictionary_done(struct dictionary *d)
{
	free(d->strings);
	free(d->actors);
}
