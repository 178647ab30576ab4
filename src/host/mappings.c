/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From Linux 6.11 on the kernel is asked for one executable mapping after the other (ioctl
 * PROCMAP_QUERY), before that all of maps is read (host/maps-text.c). Of 20,000 mappings, 200 of them
 * executable, the one takes 3 ms and the other 27, all of which the process may have to wait for when
 * it maps something; of 50 it is 15 µs and 40.
 */
#include "host/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "host/mappings-internal.h"

#define TRIES 3 /* programs that a process begins while we read; the next event brings us back */

/* struct procmap_query of linux/fs.h, which Debian 12 and EL 9 do not have yet. */
struct query {
	uint64_t size;
	uint64_t flags;
	uint64_t address;
	uint64_t begin, end;
	uint64_t vma_flags;
	uint64_t page_size;
	uint64_t offset;
	uint64_t inode;
	uint32_t major, minor;
	uint32_t name_size; /* of the buffer, and then of the name with its NUL; 0: none */
	uint32_t build_id_size;
	uint64_t name;
	uint64_t build_id;
};
#define QUERY _IOWR('f', 17, struct query)
#define QUERY_EXECUTABLE 0x04
#define QUERY_COVERING_OR_NEXT 0x10

/* The first executable mapping at or above address. */
static int query(int fd, uint64_t address, char *name, uint32_t name_size, struct maps_line *ret)
{
	struct query q = {
		.size = sizeof(q),
		.flags = QUERY_EXECUTABLE | QUERY_COVERING_OR_NEXT,
		.address = address,
		.name = name_size ? (uintptr_t)name : 0,
		.name_size = name_size,
	};

	if (ioctl(fd, QUERY, &q) < 0)
		return -errno;
	*ret = (struct maps_line){
		.mapping = { .begin = q.begin,
			     .end = q.end,
			     .offset = q.offset,
			     .inode = q.inode,
			     .device = makedev(q.major, q.minor) },
		.executable = true,
		.path = q.name_size ? name : "",
	};
	return 0;
}

int mappings_query(int fd, struct mappings *m)
{
	struct maps_line line;
	uint64_t address = 0;
	char name[PATH_MAX];
	int r;

	for (unsigned n = 0; n < MAPPINGS_LINES_MAX; n++) {
		r = query(fd, address, name, sizeof(name), &line);
		if (r == -ENAMETOOLONG) {
			r = query(fd, address, NULL, 0, &line);
			line.nameless = true;
		}
		if (r < 0)
			return r == -ENOENT ? 0 : r; /* there is no further one */
		address = line.mapping.end;
		r = mappings_add(m, &line);
		if (r < 0)
			return r;
	}
	m->cut = true;
	return 0;
}

static bool take_suffix(size_t *n, const char *path, const char *suffix)
{
	size_t length = strlen(suffix);

	if (*n < length || memcmp(path + *n - length, suffix, length) != 0)
		return false;
	*n -= length;
	return true;
}

/* What the kernel calls mappings: proc_pid_maps(5), mm/shmem.c, ipc/shm.c, mm/hugetlb.c. */
static enum mapping_kind classify(const struct mapping *m, const char *path)
{
	static const char *const anonymous[] = { "[heap]",    "[stack", "[anon",
						 "/dev/zero", "/SYSV",	"/anon_hugepage" };

	if (!*path)
		return m->inode ? MAPPING_FILE : MAPPING_ANONYMOUS;
	if (has_prefix(path, "/memfd:"))
		return MAPPING_MEMFD;
	if (streq(path, "[vdso]"))
		return MAPPING_VDSO;
	for (size_t i = 0; i < ARRAY_SIZE(anonymous); i++)
		if (has_prefix(path, anonymous[i]))
			return MAPPING_ANONYMOUS;
	return *path == '/' ? MAPPING_FILE : MAPPING_SPECIAL;
}

/* Room for n more bytes of paths. */
static int paths_reserve(struct mappings *m, size_t n)
{
	size_t size = MAX(m->paths_allocated, 512U);
	char *grown;

	while (size < m->paths_size + n)
		size *= 2;
	if (size == m->paths_allocated)
		return 0;
	grown = realloc(m->paths, size);
	if (!grown)
		return -ENOMEM;
	m->paths = grown;
	m->paths_allocated = size;
	return 0;
}

static int append_path(struct mappings *m, const char *path, size_t n, uint32_t *ret)
{
	int r = paths_reserve(m, n + 1);

	if (r < 0)
		return r;
	*ret = (uint32_t)m->paths_size;
	memcpy(m->paths + m->paths_size, path, n);
	m->paths[m->paths_size + n] = 0;
	m->paths_size += n + 1;
	return 0;
}

/* Segments of one file stand together, so only the last path is worth comparing with. */
static int add_path(struct mappings *m, const char *path, size_t n, uint32_t *ret)
{
	uint32_t empty, last = m->n ? m->list[m->n - 1].path : 0;
	int r = m->paths_size ? 0 : append_path(m, "", 0, &empty);

	if (r < 0)
		return r;
	if (n == 0)
		last = 0;
	if (strlen(m->paths + last) != n || memcmp(m->paths + last, path, n) != 0)
		return append_path(m, path, n, ret);
	*ret = last;
	return 0;
}

static int name_mapping(struct mappings *m, struct mapping *mapping, const struct maps_line *line)
{
	size_t n = strlen(line->path);

	mapping->kind = classify(mapping, line->path);
	mapping->deleted = mapping->inode && take_suffix(&n, line->path, " (deleted)");
	if (m->paths_size + n + 1 > MAPPINGS_PATHS_MAX)
		n = 0;
	m->nameless += line->nameless || (*line->path && !n);
	return add_path(m, line->path, n, &mapping->path);
}

/* One that has grown downwards meanwhile begins where the last one ended. */
static bool clip(const struct mappings *m, struct mapping *mapping)
{
	uint64_t end = m->n ? m->list[m->n - 1].end : 0;

	if (mapping->begin < end) {
		mapping->offset += mapping->inode ? end - mapping->begin : 0;
		mapping->begin = end;
	}
	return mapping->begin < mapping->end;
}

int mappings_add(struct mappings *m, const struct maps_line *line)
{
	struct mapping mapping = line->mapping, *grown;
	int r;

	if (!clip(m, &mapping))
		return 0;
	if (m->n == MAPPINGS_MAX) {
		m->missed++;
		return 0;
	}
	if ((m->n & (m->n - 1)) == 0) { /* full: 0, 1, 2, 4, ... */
		grown = realloc(m->list, MAX(m->n * 2, 1U) * sizeof(mapping));
		if (!grown)
			return -ENOMEM;
		m->list = grown;
	}
	r = name_mapping(m, &mapping, line);
	if (r < 0)
		return r;
	m->list[m->n++] = mapping;
	return 0;
}

void mappings_done(struct mappings *m)
{
	free(m->list);
	free(m->paths);
	*m = (struct mappings){ 0 };
}

static int read_once(int process, struct mappings *m)
{
	_cleanup_close_ int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = mappings_query(fd, m);
	return r == -ENOTTY ? mappings_read_text(fd, m) : r;
}

int mappings_read(int process, struct mappings *ret)
{
	struct mappings m = { 0 };
	int r = -ESRCH;

	for (int i = 0; i < TRIES && r == -ESRCH; i++) {
		mappings_done(&m);
		r = read_once(process, &m);
	}
	if (r < 0) {
		mappings_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

const struct mapping *mappings_find(const struct mappings *m, uint64_t address)
{
	size_t low = 0, high = m->n;

	while (low < high) { /* the first one that ends behind address */
		size_t middle = low + (high - low) / 2;

		if (m->list[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < m->n && m->list[low].begin <= address ? &m->list[low] : NULL;
}
