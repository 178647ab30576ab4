/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cgroup's id is the inode number of its directory (kernfs, 64-bit kernels), so a path becomes
 * ids by reading the tree below it. Only the cgroup v2 mount is looked at.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "control/control-internal.h"

#define DEPTH_MAX 32 /* of nested cgroups */

DEFINE_CLEANUP(DIR *, closedir)

/* The mount point of cgroup v2: in its own place on a unified or a hybrid system. */
static const char *find_mount(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	return NULL;
}

static int add_id(struct filter *filter, int fd)
{
	struct stat st;
	char id[24];

	if (fstat(fd, &st) < 0)
		return -errno;
	snprintf(id, sizeof(id), "%" PRIu64, (uint64_t)st.st_ino);
	return filter_add(filter, "cgroup", id);
}

/* Adds the directory fd, which it takes over, and all below it. */
static int add_tree(struct filter *filter, int fd, int depth)
{
	_cleanup_(closedir_p) DIR *directory = fdopendir(fd);
	struct dirent *entry;
	int child, r;

	if (!directory) {
		r = -errno;
		close_fd(fd);
		return r;
	}
	r = add_id(filter, fd);
	while (r == 0 && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (depth >= DEPTH_MAX)
			return -E2BIG;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0) /* it may be gone meanwhile */
			r = add_tree(filter, child, depth + 1);
	}
	return r;
}

int control_add_cgroup(struct filter *filter, const char *path)
{
	const char *mount = find_mount();
	_cleanup_close_ int root = -EBADF;
	int fd;

	if (!mount)
		return -ENOENT;
	if (strstr(path, ".."))
		return -ENOENT; /* not below the mount */
	if (has_prefix(path, mount))
		path += strlen(mount);
	path += strspn(path, "/");
	root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = openat(root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : add_tree(filter, fd, 0);
}
