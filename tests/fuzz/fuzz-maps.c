/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is a /proc/PID/maps: its paths are whatever processes named their files. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/mappings-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mappings *m)
{
	uint64_t end = 0;

	assert(m->n <= MAPPINGS_MAX && m->paths_size <= MAPPINGS_PATHS_MAX);
	for (size_t i = 0; i < m->n; i++) {
		const struct mapping *mapping = &m->list[i];

		assert(mapping->begin >= end && mapping->begin < mapping->end);
		end = mapping->end;
		assert(mapping->path < m->paths_size);
		assert(mapping->path + strlen(mappings_path(m, mapping)) < m->paths_size);
		assert(mappings_find(m, mapping->begin) == mapping);
		assert(mappings_find(m, mapping->end - 1) == mapping);
		assert(mappings_find(m, mapping->end) != mapping);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_mappings_ struct mappings m = { 0 };
	static int file = -1;

	if (file < 0)
		file = memfd_create("maps", MFD_CLOEXEC);
	assert(file >= 0 && ftruncate(file, 0) == 0);
	assert(pwrite(file, data, size, 0) == (ssize_t)size);
	assert(lseek(file, 0, SEEK_SET) == 0);
	mappings_read_text(file, &m); /* what came before a bad line is there */
	check(&m);
	return 0;
}
