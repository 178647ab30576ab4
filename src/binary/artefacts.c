/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "binary/artefacts.h"

#include <errno.h>

#include "base/util.h"

/* libLLVM (130 MB of text) takes 40 MB and a second for its table; symbols take more memory. */
static const struct child_limits limits = {
	.memory = UINT64_C(768) << 20,
	.result = UINT64_C(256) << 20,
	.cpu_s = 60,
	.timeout_ns = 120 * NSEC_PER_SEC,
};

static struct disk_cache_key key_of(const char *kind, uint32_t version, const struct code *code)
{
	return (struct disk_cache_key){
		.kind = kind,
		.version = version,
		.id = code->id,
		.id_size = code->id_size,
	};
}

void artefact_done(struct artefact *a)
{
	if (a->view.map)
		disk_cache_view_done(&a->view);
	free(a->memory);
	*a = (struct artefact){};
}

static int take_from_cache(struct disk_cache *cache, const struct disk_cache_key *key,
			   struct artefact *ret)
{
	struct artefact a = {};
	int r = disk_cache_get(cache, key, &a.view);

	if (r < 0)
		return r;
	a.data = a.view.data;
	a.size = a.view.size;
	*ret = a;
	return 0;
}

static int make(const char *child, int fd, struct artefact *ret)
{
	const struct child_input input = { .fds = &fd, .n_fds = 1 };
	struct child_result result;
	int r = child_run(child, &input, &limits, &result);

	if (r < 0)
		return r;
	if (result.status != CHILD_OK)
		return -EBADMSG;
	*ret = (struct artefact){ .data = result.data, .size = result.size, .memory = result.data };
	return 0;
}

int artefacts_unwind(struct disk_cache *cache, const struct code *code, int fd,
		     struct artefact *ret, struct unwind_table *ret_table)
{
	const struct disk_cache_key key = key_of("unwind", UNWIND_VERSION, code);
	struct artefact a = {};
	int r;

	if (take_from_cache(cache, &key, &a) == 0) {
		if (unwind_table_open(a.data, a.size, ret_table) == 0) {
			*ret = a;
			return 0;
		}
		artefact_done(&a);
	}
	r = make("unwind", fd, &a);
	if (r >= 0)
		r = unwind_table_open(a.data, a.size, ret_table);
	if (r < 0) {
		artefact_done(&a);
		return r;
	}
	disk_cache_put(cache, &key, a.data, a.size);
	*ret = a;
	return 0;
}

void artefacts_keep_symbols(struct disk_cache *cache, const struct code *code, int fd)
{
	const struct disk_cache_key key = key_of("symbols", SYMBOL_IMAGE_VERSION, code);
	struct artefact a = {};

	if (take_from_cache(cache, &key, &a) < 0 && make("symbols", fd, &a) >= 0)
		disk_cache_put(cache, &key, a.data, a.size);
	artefact_done(&a);
}

int artefacts_symbols(struct disk_cache *cache, const struct code *code, struct artefact *ret,
		      struct symbol_table **ret_table)
{
	const struct disk_cache_key key = key_of("symbols", SYMBOL_IMAGE_VERSION, code);
	struct artefact a = {};
	int r = take_from_cache(cache, &key, &a);

	if (r >= 0)
		r = symbol_table_load(a.data, a.size, ret_table);
	if (r < 0) {
		artefact_done(&a);
		return -ENOENT;
	}
	*ret = a;
	return 0;
}
