/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fabricated trees of files: a directory of its own for each test, and what is put into it. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int tree_setup(void **state)
{
	char *dir = strdup("/tmp/ebpfobs-host-XXXXXX");

	*state = dir && mkdtemp(dir) ? dir : NULL;
	return *state ? 0 : -1;
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	return remove(path);
}

static inline int tree_teardown(void **state)
{
	int r = nftw(*state, tree_remove_one, 32, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

/* dir/name; the caller frees it. */
static inline char *tree_path(const char *dir, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

/* With all directories above it. */
static inline void tree_mkdir(const char *dir, const char *name)
{
	char *path = tree_path(dir, name);

	for (char *slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(path, 0755);
	assert_int_equal(access(path, F_OK), 0);
	free(path);
}

static inline void tree_write_bytes(const char *dir, const char *name, const void *bytes, size_t n)
{
	char *path = tree_path(dir, name), *slash = strrchr(name, '/'), *above;
	int fd;

	if (slash) {
		above = strndup(name, (size_t)(slash - name));
		tree_mkdir(dir, above);
		free(above);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
	free(path);
}

static inline void tree_write(const char *dir, const char *name, const char *text)
{
	tree_write_bytes(dir, name, text, strlen(text));
}

static inline void tree_link(const char *dir, const char *name, const char *target)
{
	char *path = tree_path(dir, name);

	unlink(path);
	assert_int_equal(symlink(target, path), 0);
	free(path);
}

/* name and what is below it. */
static inline int tree_remove(const char *dir, const char *name)
{
	char *path = tree_path(dir, name);
	int r = nftw(path, tree_remove_one, 32, FTW_DEPTH | FTW_PHYS);

	free(path);
	return r;
}

static inline int tree_rename(const char *dir, const char *from, const char *to)
{
	char *old = tree_path(dir, from), *new = tree_path(dir, to);
	int r = rename(old, new);

	free(old);
	free(new);
	return r;
}
