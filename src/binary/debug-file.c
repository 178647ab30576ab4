/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A build id is compared, a CRC is added up: a file that does not belong to this one, of another
 * version for example, would give every address the wrong name.
 */
#include "binary/debug-file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compress.h"
#include "base/open.h"
#include "base/util.h"

#define DEBUG_ROOT "/usr/lib/debug"
#define CHUNK ((size_t)64 << 10)

static bool same_build_id(const struct elf_file *a, const struct elf_file *b)
{
	return a->build_id_size == b->build_id_size &&
	       memcmp(a->build_id, b->build_id, a->build_id_size) == 0;
}

static int open_by_build_id(const struct elf_file *elf, int root, int *ret_fd)
{
	char path[sizeof(DEBUG_ROOT) + 2 * ELF_BUILD_ID_MAX + 32];
	_cleanup_elf_ struct elf_file *debug = NULL;
	_cleanup_close_ int fd = -EBADF;
	int n, r;

	if (elf->build_id_size < 2)
		return -ENOENT;
	n = snprintf(path, sizeof(path), DEBUG_ROOT "/.build-id/%02x/", elf->build_id[0]);
	for (size_t i = 1; i < elf->build_id_size; i++)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "%02x", elf->build_id[i]);
	snprintf(path + n, sizeof(path) - (size_t)n, ".debug");
	fd = open_regular_in_root(root, path, 0);
	if (fd < 0)
		return fd;
	r = elf_file_open(fd, &debug);
	if (r < 0 || !same_build_id(elf, debug))
		return -ENOENT;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

struct debuglink {
	char *name;
	uint32_t crc;
};

/* NAME NUL, padded to 4 bytes, CRC. The name is a file's, without a directory. */
static int read_debuglink(const struct elf_file *elf, struct debuglink *ret)
{
	const struct elf_section *section = elf_file_section(elf, ".gnu_debuglink");
	_cleanup_free_ uint8_t *link = NULL;
	size_t size, length;
	int r;

	if (!section)
		return -ENOENT;
	r = elf_file_read(elf, section, &link, &size);
	if (r < 0)
		return r;
	length = strlen((const char *)link); /* there is a 0 behind the contents */
	if (length == 0 || length > NAME_MAX || memchr(link, '/', length) ||
	    (length | 3) + 1 + sizeof(ret->crc) > size)
		return -EBADMSG;
	memcpy(&ret->crc, link + (length | 3) + 1, sizeof(ret->crc));
	ret->name = (char *)TAKE(link);
	return 0;
}

static int check_crc(int fd, uint32_t crc)
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	uint32_t sum = 0;
	uint64_t size = 0;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	while ((n = pread(fd, buf, CHUNK, (off_t)size)) > 0) {
		sum = crc32_add(sum, buf, (size_t)n);
		size += (uint64_t)n;
		if (size > DEBUG_FILE_BYTES_MAX)
			return -E2BIG;
	}
	if (n < 0)
		return -errno;
	return sum == crc ? 0 : -ENOENT;
}

static int open_linked(int root, const char *path, uint32_t crc, int *ret_fd)
{
	_cleanup_close_ int fd = open_regular_in_root(root, path, 0);
	int r;

	if (fd < 0)
		return fd;
	r = check_crc(fd, crc);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int open_by_debuglink(const struct elf_file *elf, int root, const char *path, int *ret_fd)
{
	static const struct {
		const char *above, *below;
	} places[] = { { "", "" }, { "", "/.debug" }, { DEBUG_ROOT, "" } };
	_cleanup_free_ char *name = NULL;
	const char *slash = strrchr(path, '/');
	int dir_length = slash ? (int)(slash - path) : 0;
	struct debuglink link;
	int r;

	r = read_debuglink(elf, &link);
	if (r < 0)
		return r;
	name = link.name;
	r = -ENOENT;
	for (size_t i = 0; r < 0 && r != -ENOMEM && r != -E2BIG && i < ARRAY_SIZE(places); i++) {
		char candidate[PATH_MAX];
		int n = snprintf(candidate, sizeof(candidate), "%s%s%.*s%s/%s", places[i].above,
				 *path == '/' ? "" : "/", dir_length, path, places[i].below, name);

		r = n < PATH_MAX ? open_linked(root, candidate, link.crc, ret_fd) : -ENAMETOOLONG;
	}
	return r == -ENOMEM || r == -E2BIG || r == 0 ? r : -ENOENT;
}

int debug_file_open(const struct elf_file *elf, int root, const char *path, int *ret_fd)
{
	if (open_by_build_id(elf, root, ret_fd) == 0)
		return 0;
	return open_by_debuglink(elf, root, path, ret_fd);
}
