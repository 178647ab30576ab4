/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A path says little: the file may be replaced, or be another one in the process's root directory.
 * So whatever was opened is mapped here, too, never touched, and must show the device and the inode in
 * our own maps that the process's maps have. stat(2) would not do: it numbers devices otherwise on
 * btrfs and overlayfs, which is where containers are.
 *
 * It can block as long as the file system does. That of a user (FUSE) does not hold us up: the kernel
 * keeps root out of it (fuse_allow_current_process()) unless the administrator allows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/open.h"
#include "host/mappings-internal.h"

/* The mapping of this process that address is in. */
static int own_mapping(const void *address, struct mapping *ret)
{
	_cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct maps_text text = { .fd = fd };
	struct maps_line line;
	int r;

	if (fd < 0)
		return -errno;
	while ((r = maps_text_next(&text, &line)) > 0)
		if (line.mapping.begin <= (uintptr_t)address &&
		    (uintptr_t)address < line.mapping.end) {
			*ret = line.mapping;
			return 0;
		}
	return r < 0 ? r : -ENOENT;
}

/* fd is what mapping is of. */
static int check_same(int fd, const struct mapping *mapping)
{
	struct mapping own;
	struct stat st;
	void *at;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	if ((uint64_t)st.st_size > MAPPING_FILE_BYTES_MAX)
		return -EFBIG;
	at = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	r = own_mapping(at, &own);
	munmap(at, 1);
	if (r < 0)
		return r;
	return own.device == mapping->device && own.inode == mapping->inode ? 0 : -ESTALE;
}

/* Whatever device a driver lets map is not opened: first a look at what it is. */
static int open_regular(int dir, const char *name)
{
	_cleanup_close_ int place = openat(dir, name, O_PATH | O_CLOEXEC);
	char path[32];
	struct stat st;
	int fd;

	if (place < 0 || fstat(place, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_by_range(int process, const struct mapping *mapping, int *ret_fd)
{
	_cleanup_close_ int fd = -EBADF;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, mapping->begin,
		 mapping->end);
	fd = open_regular(process, name);
	if (fd < 0)
		return fd;
	r = check_same(fd, mapping);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int open_by_path(int root, const char *path, const struct mapping *mapping, int *ret_fd)
{
	_cleanup_close_ int fd = open_regular_in_root(root, path, 0);
	int r;

	if (fd < 0)
		return fd == -EINVAL ? -ENXIO : fd;
	r = check_same(fd, mapping);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* The path is below the root of the process's mount namespace. That is the process's root, but for
 * chroot(2), after which it is mostly ours. */
static int open_in_roots(int process, const char *path, const struct mapping *mapping, int *ret_fd)
{
	_cleanup_close_ int theirs = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int ours = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = -errno;

	if (theirs >= 0)
		r = open_by_path(theirs, path, mapping, ret_fd);
	if (r < 0 && ours >= 0 && open_by_path(ours, path, mapping, ret_fd) == 0)
		r = 0;
	return r;
}

static int open_vdso(const struct mapping *mapping, int *ret_fd)
{
	const void *image = (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	_cleanup_close_ int fd = -EBADF;
	struct mapping own;
	ssize_t n;
	int r;

	if (mapping->end <= UINT32_MAX)
		return -ENOTSUP;
	if (!image)
		return -ENXIO;
	r = own_mapping(image, &own);
	if (r < 0)
		return r;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, image, own.end - own.begin);
	if (n < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int mapping_open(int process, const struct mappings *m, const struct mapping *mapping, int *ret_fd)
{
	const char *path = mappings_path(m, mapping);
	int r;

	if (mapping->kind == MAPPING_VDSO)
		return open_vdso(mapping, ret_fd);
	if (mapping->kind != MAPPING_FILE && mapping->kind != MAPPING_MEMFD)
		return -ENXIO;
	r = open_by_range(process, mapping, ret_fd);
	if (r < 0 && mapping->kind == MAPPING_FILE && !mapping->deleted && *path)
		r = open_in_roots(process, path, mapping, ret_fd);
	return r;
}
