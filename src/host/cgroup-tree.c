/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cgroup's id is the file handle of its directory (FILEID_KERNFS, 64 bits, since Linux 5.5; on
 * 64-bit machines the inode number is the same), so the kernel itself answers which path has an id:
 * open_by_handle_at(2), then /proc/self/fd. That needs CAP_DAC_READ_SEARCH; without it the tree is
 * walked and compared.
 */
#include "host/cgroup-tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

#define HANDLE_TYPE_KERNFS 0xfe /* FILEID_KERNFS in include/linux/exportfs.h */

struct kernfs_handle {
	struct file_handle head;
	uint64_t id;
};

/* --- where it is mounted ------------------------------------------------------------------- */

/* Space, tab, newline and backslash are \040 and the like in mountinfo. */
static void octal_unescape(char *s)
{
	char *to = s;
	unsigned byte;

	while (*s) {
		if (sscanf(s, "\\%3o", &byte) == 1) {
			*to++ = (char)byte;
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = 0;
}

/* One line of proc_pid_mountinfo(5): takes root and mount point if it is of cgroup v2. */
static bool parse_mount(char *line, char **ret_root, char **ret_mount)
{
	char *separator = strstr(line, " - "), *field[5], *save = NULL;

	if (!separator || !has_prefix(separator, " - cgroup2 "))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	octal_unescape(field[3]);
	octal_unescape(field[4]);
	*ret_root = field[3];
	*ret_mount = field[4];
	return true;
}

/* The first cgroup v2 mount; but one below /sys/fs/cgroup (hybrid machines have it in unified/)
 * goes before others, for those may be a container's. */
static int find_mount(const char *proc, struct cgroup_tree *tree)
{
	char path[PATH_MAX], *root, *mount;
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	bool official = false;
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/self/mountinfo", proc);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!official && getline(&line, &size, file) > 0) {
		if (!parse_mount(line, &root, &mount))
			continue;
		official = has_prefix(mount, "/sys/fs/cgroup");
		if (tree->mount && !official)
			continue;
		free(tree->mount);
		free(tree->root);
		tree->mount = strdup(mount);
		tree->root = strdup(root);
		if (!tree->mount || !tree->root)
			return -ENOMEM;
	}
	return tree->mount ? 0 : -ENOENT;
}

static int get_handle(int fd, const char *path, struct kernfs_handle *handle)
{
	int mount_id;

	*handle = (struct kernfs_handle){ .head.handle_bytes = sizeof(handle->id) };
	if (name_to_handle_at(fd, path, &handle->head, &mount_id, *path ? 0 : AT_EMPTY_PATH) < 0)
		return -errno;
	return handle->head.handle_type == HANDLE_TYPE_KERNFS ? 0 : -EOPNOTSUPP;
}

static int open_handle(const struct cgroup_tree *tree, struct kernfs_handle *handle)
{
	int fd = open_by_handle_at(tree->fd, &handle->head, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cgroup_tree_open(const struct host_roots *roots, struct cgroup_tree *ret)
{
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	_cleanup_close_ int fd = -EBADF;
	struct kernfs_handle handle;
	int r = 0;

	if (!roots->cgroup) {
		r = find_mount(roots->proc, &tree);
	} else {
		tree.mount = strdup(roots->cgroup);
		tree.root = strdup("/");
		if (!tree.mount || !tree.root)
			r = -ENOMEM;
	}
	if (r < 0)
		return r;
	tree.fd = open(tree.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree.fd < 0)
		return -errno;
	if (get_handle(tree.fd, "", &handle) == 0) {
		fd = open_handle(&tree, &handle);
		tree.by_handle = fd >= 0;
	}
	*ret = tree;
	tree = CGROUP_TREE_NONE;
	return 0;
}

void cgroup_tree_done(struct cgroup_tree *tree)
{
	close_fd(tree->fd);
	free(tree->mount);
	free(tree->root);
	*tree = CGROUP_TREE_NONE;
}

/* --- paths and ids ------------------------------------------------------------------------- */

/* What follows prefix in path, if prefix is path or an ancestor of it; else NULL. */
static const char *below(const char *path, const char *prefix)
{
	size_t n = streq(prefix, "/") ? 0 : strlen(prefix);

	if (strncmp(path, prefix, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path + n;
}

bool cgroup_path_below(const char *path, const char *above)
{
	return below(path, above);
}

/* A private cgroup namespace counts from its own root; a mount of the host's tree starts above. */
static bool mounted_from_above(const struct cgroup_tree *tree)
{
	return has_prefix(tree->root, "/..");
}

int cgroup_tree_from_proc(const struct cgroup_tree *tree, const char *proc_path, char **ret)
{
	const char *path = below(proc_path, tree->root);
	char *copy;

	if (!path || has_prefix(path, "/.."))
		return -ENOENT;
	if (!mounted_from_above(tree))
		path = proc_path;
	copy = strdup(*path ? path : "/");
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

/* Relative to the mount, without the slash; "" for the mount itself. NULL: not in it. */
static const char *relative(const struct cgroup_tree *tree, const char *path)
{
	const char *rest = mounted_from_above(tree) ? path : below(path, tree->root);

	return rest ? rest + strspn(rest, "/") : NULL;
}

int cgroup_tree_id(const struct cgroup_tree *tree, const char *path, uint64_t *ret)
{
	const char *name = relative(tree, path);
	struct kernfs_handle handle;
	struct stat st;

	if (!name)
		return -ENOENT;
	if (get_handle(tree->fd, name, &handle) == 0) {
		*ret = handle.id;
		return 0;
	}
	if (fstatat(tree->fd, name, &st, *name ? 0 : AT_EMPTY_PATH) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	*ret = st.st_ino;
	return 0;
}

/* The path of the hierarchy for one that is relative to the mount ("" or "/a/b"). */
static char *absolute(const struct cgroup_tree *tree, const char *rest)
{
	const char *root = mounted_from_above(tree) || streq(tree->root, "/") ? "" : tree->root;
	char *path;

	if (!*root && !*rest)
		rest = "/";
	return asprintf(&path, "%s%s", root, rest) < 0 ? NULL : path;
}

int cgroup_tree_from_user(const struct cgroup_tree *tree, const char *text, char **ret)
{
	const char *rest = below(text, tree->mount);
	char *path = rest ? absolute(tree, rest) : strdup(text);

	if (!path)
		return -ENOMEM;
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = 0;
	if (*path != '/' || !relative(tree, path)) {
		free(path);
		return -ENOENT;
	}
	*ret = path;
	return 0;
}

int cgroup_tree_path(const struct cgroup_tree *tree, uint64_t id, char **ret)
{
	struct kernfs_handle handle = {
		.head = { .handle_bytes = sizeof(id), .handle_type = HANDLE_TYPE_KERNFS },
		.id = id,
	};
	char link[32], path[PATH_MAX], *found;
	_cleanup_close_ int fd = -EBADF;
	const char *rest;
	ssize_t n;

	if (!tree->by_handle)
		return -EOPNOTSUPP;
	fd = open_handle(tree, &handle);
	if (fd < 0)
		return fd == -ESTALE ? -ENOENT : fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = 0;
	rest = below(path, tree->mount);
	if (!rest)
		return -ENOENT;
	found = absolute(tree, rest);
	if (!found)
		return -ENOMEM;
	*ret = found;
	return 0;
}

/* --- the walk ------------------------------------------------------------------------------ */

struct walk {
	const struct cgroup_tree *tree;
	int (*fn)(void *userdata, uint64_t id, const char *path);
	void *userdata;
	size_t n, depth;
	bool cut;
	char path[PATH_MAX]; /* relative to the mount: "" or "/a/b" */
};

static int walk_one(struct walk *walk)
{
	_cleanup_free_ char *path = absolute(walk->tree, walk->path);
	uint64_t id;
	int r;

	if (!path)
		return -ENOMEM;
	r = cgroup_tree_id(walk->tree, path, &id);
	if (r < 0)
		return 0; /* removed meanwhile */
	return walk->fn(walk->userdata, id, path);
}

DEFINE_CLEANUP(DIR *, closedir)

/* Visits what is in directory fd, whose path is walk->path; closes fd. */
static int walk_children(struct walk *walk, int fd)
{
	_cleanup_(closedir_p) DIR *dir = fdopendir(fd);
	size_t length = strlen(walk->path), n;
	const struct dirent *entry;
	int child, r;

	if (!dir) {
		close_fd(fd);
		return -ENOMEM;
	}
	walk->cut |= walk->depth > CGROUP_DEPTH_MAX;
	while (walk->depth <= CGROUP_DEPTH_MAX && (entry = readdir(dir))) {
		n = strlen(entry->d_name);
		if (entry->d_type != DT_DIR || streq(entry->d_name, ".") ||
		    streq(entry->d_name, ".."))
			continue;
		if (length + 1 + n >= sizeof(walk->path) || walk->n++ >= CGROUP_WALK_MAX) {
			walk->cut = true;
			continue;
		}
		walk->path[length] = '/';
		memcpy(walk->path + length + 1, entry->d_name, n + 1);
		r = walk_one(walk);
		child = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r == 0 && child >= 0) {
			walk->depth++;
			r = walk_children(walk, child);
			walk->depth--;
		} else {
			close_fd(child);
		}
		walk->path[length] = 0;
		if (r != 0)
			return r;
	}
	return 0;
}

int cgroup_tree_walk(const struct cgroup_tree *tree,
		     int (*fn)(void *userdata, uint64_t id, const char *path), void *userdata)
{
	_cleanup_free_ struct walk *walk = calloc(1, sizeof(*walk));
	int fd, r;

	if (!walk)
		return -ENOMEM;
	*walk = (struct walk){ .tree = tree, .fn = fn, .userdata = userdata };
	r = walk_one(walk);
	if (r != 0)
		return r;
	/* Not a dup(): that would share the place in the directory with later walks. */
	fd = openat(tree->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = walk_children(walk, fd);
	return r != 0 ? r : walk->cut ? -E2BIG : 0;
}
