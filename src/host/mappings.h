/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process can execute: its executable mappings, in ascending order and disjoint. A snapshot
 * that its owner reads anew when the process has mapped more; it belongs to one thread at a time.
 * All of this can block (the process's mmap_lock, its files), so it belongs on a worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define MAPPINGS_MAX 16384 /* executable ones of a process; a JVM has some hundred */
#define MAPPINGS_LINES_MAX \
	(1U << 20) /* all of a process, as far as we read: see vm.max_map_count */
#define MAPPINGS_PATHS_MAX (1U << 20) /* bytes of the paths of a process */
#define MAPPING_FILE_BYTES_MAX (UINT64_C(16) << 30) /* what mapping_open() opens */

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_MEMFD, /* memfd_create(2): code of a JIT, or a program that was never on disk */
	MAPPING_ANONYMOUS, /* also heap, stack, System V and other shared memory */
	MAPPING_VDSO,
	MAPPING_SPECIAL, /* what else the kernel puts in: [uprobes], rings of files without a name */
};

struct mapping {
	uint64_t begin, end; /* addresses; end is behind the last byte */
	uint64_t offset; /* of begin in the file */
	uint64_t inode; /* 0: no file */
	dev_t device; /* as /proc/PID/maps has it: not always stat(2)'s (btrfs, overlayfs) */
	enum mapping_kind kind;
	bool deleted; /* the file has gone from its path */
	uint32_t path; /* mappings_path() */
};

struct mappings {
	struct mapping *list;
	size_t n;
	char *paths; /* each with a NUL; the first is "" */
	size_t paths_size, paths_allocated;
	/* Left out, exact up to MAPPINGS_LINES_MAX. */
	uint64_t missed; /* executable mappings beyond MAPPINGS_MAX */
	uint64_t
		nameless; /* paths beyond MAPPINGS_PATHS_MAX, or too long: their mappings have "" */
	bool cut; /* MAPPINGS_LINES_MAX reached: whatever lies higher is not here */
};

/*
 * Reads the mappings of a process, proc_open()'s. What was mapped during the whole call is there, what
 * came or went meanwhile may be. If the process began another program meanwhile it is that one's.
 * -ESRCH: it is gone, or has no memory (a zombie, a kernel thread); -EACCES: not for us.
 */
int mappings_read(int process, struct mappings *ret);
void mappings_done(struct mappings *m);

/* The file's path as the kernel shows it to us, "/memfd:NAME", "[vdso]"; "" if there is none. */
static inline const char *mappings_path(const struct mappings *m, const struct mapping *mapping)
{
	return m->paths + mapping->path;
}

/* The mapping that address is in, or NULL. */
const struct mapping *mappings_find(const struct mappings *m, uint64_t address);

/*
 * Opens what is mapped, for reading; *ret_fd is the caller's. Through map_files of the process, which
 * is right for deleted files and other mount namespaces (needs CAP_CHECKPOINT_RESTORE or
 * CAP_SYS_ADMIN), else by its path. The vDSO is a copy of ours, which is every 64-bit process's.
 *
 * -ENXIO: there is no file behind this kind, or no regular one; -ESTALE: another file is there by
 * now; -EFBIG: larger than MAPPING_FILE_BYTES_MAX; -ENOTSUP: the vDSO of a 32-bit process; and those
 * of open(2).
 */
int mapping_open(int process, const struct mappings *m, const struct mapping *mapping, int *ret_fd);

static inline void mappings_done_p(struct mappings *m)
{
	mappings_done(m);
}
#define _cleanup_mappings_ _cleanup_(mappings_done_p)
