/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hierarchy as files: a fabricated tree, mounts as containers see them, and the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "host/cgroup-tree.h"

#include "tests/unit/host/tree.h"

struct found {
	size_t n, stop_at;
	char names[4096];
};

static int note(void *userdata, uint64_t id, const char *path)
{
	struct found *found = userdata;

	assert_int_not_equal(id, 0);
	found->n++;
	snprintf(found->names + strlen(found->names), sizeof(found->names) - strlen(found->names),
		 "%s\n", path);
	return found->n == found->stop_at ? 7 : 0;
}

static void test_walk(void **state)
{
	const char *dir = *state;
	struct host_roots roots = { .proc = "/proc", .cgroup = dir, .files = "/" };
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	_cleanup_free_ char *path = NULL, *service = tree_path(dir, "system.slice/a.service");
	struct found found = { 0 };
	struct stat st;
	uint64_t id;

	tree_mkdir(dir, "system.slice/a.service");
	tree_mkdir(dir, ".hidden");
	tree_write(dir, "system.slice/cgroup.procs", "");
	assert_int_equal(cgroup_tree_open(&roots, &tree), 0);
	assert_int_equal(cgroup_tree_walk(&tree, note, &found), 0);
	assert_int_equal(found.n, 4);
	assert_ptr_equal(strstr(found.names, "/\n"), found.names);
	assert_non_null(strstr(found.names, "\n/system.slice\n/system.slice/a.service\n"));
	assert_non_null(strstr(found.names, "\n/.hidden\n"));

	found = (struct found){ .stop_at = 2 };
	assert_int_equal(cgroup_tree_walk(&tree, note, &found), 7);
	assert_int_equal(found.n, 2);

	assert_int_equal(cgroup_tree_id(&tree, "/system.slice/a.service", &id), 0);
	assert_int_equal(stat(service, &st), 0);
	assert_int_equal(id, st.st_ino);
	assert_int_equal(cgroup_tree_id(&tree, "/", &id), 0);
	assert_int_equal(cgroup_tree_id(&tree, "/gone", &id), -ENOENT);
	assert_int_equal(cgroup_tree_id(&tree, "/system.slice/cgroup.procs", &id), -ENOTDIR);
	/* Not the kernel's file system: no answer by handle, and no wrong one. */
	assert_int_equal(cgroup_tree_path(&tree, id, &path), -EOPNOTSUPP);
}

static void test_below(void **state)
{
	assert_true(cgroup_path_below("/a/b", "/a"));
	assert_true(cgroup_path_below("/a", "/a"));
	assert_true(cgroup_path_below("/a", "/"));
	assert_true(cgroup_path_below("/", "/"));
	assert_false(cgroup_path_below("/ab", "/a"));
	assert_false(cgroup_path_below("/", "/a"));
}

static void test_too_deep(void **state)
{
	const char *dir = *state;
	struct host_roots roots = { .proc = "/proc", .cgroup = dir, .files = "/" };
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	struct found found = { 0 };
	char path[2 * (CGROUP_DEPTH_MAX + 10)] = "";

	for (int i = 0; i < CGROUP_DEPTH_MAX + 5; i++)
		strcat(path, "d/");
	tree_mkdir(dir, path);
	assert_int_equal(cgroup_tree_open(&roots, &tree), 0);
	assert_int_equal(cgroup_tree_walk(&tree, note, &found), -E2BIG);
	assert_int_equal(found.n, CGROUP_DEPTH_MAX + 2);
}

static void test_no_cgroup2(void **state)
{
	struct host_roots roots = { .proc = *state, .files = "/" };
	struct cgroup_tree tree;

	assert_int_equal(cgroup_tree_open(&roots, &tree), -ENOENT);
	tree_write(*state, "self/mountinfo",
		   "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
		   "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		   "nonsense - cgroup2 \n");
	assert_int_equal(cgroup_tree_open(&roots, &tree), -ENOENT);
}

/* mount is what mountinfo says of root and mount point, proc what /proc/PID/cgroup says. */
static const struct {
	const char *mount_root, *proc, *path;
} views[] = {
	{ "/", "/system.slice/a.service", "/system.slice/a.service" },
	{ "/", "/", "/" },
	{ "/", "/../neighbour", NULL },
	/* a container that was given the host's tree */
	{ "/../..", "/../../system.slice/a.service", "/system.slice/a.service" },
	{ "/../..", "/../..", "/" },
	{ "/../..", "/mine", NULL },
	/* a container with its own part only, without a cgroup namespace */
	{ "/docker/abc", "/docker/abc", "/docker/abc" },
	{ "/docker/abc", "/docker/abc/system.slice/a.service",
	  "/docker/abc/system.slice/a.service" },
	{ "/docker/abc", "/docker/abcd", NULL },
	{ "/docker/abc", "/", NULL },
};

static void test_views(void **state)
{
	struct host_roots roots = { .proc = tree_path(*state, "proc"), .files = "/" };
	char mountinfo[1024], *path;
	uint64_t id;
	int r;

	tree_mkdir(*state, "a mount/system.slice/a.service");
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;

		snprintf(mountinfo, sizeof(mountinfo),
			 "40 31 0:38 / /elsewhere rw - cgroup2 cgroup2 rw\n"
			 "41 31 0:38 %s %s/a\\040mount rw,relatime shared:1 - cgroup2 cgroup2 rw\n",
			 views[i].mount_root, (const char *)*state);
		/* The first line is what is left if no mount is below /sys/fs/cgroup. */
		tree_write(*state, "proc/self/mountinfo", strchr(mountinfo, '\n') + 1);
		assert_int_equal(cgroup_tree_open(&roots, &tree), 0);
		path = NULL;
		r = cgroup_tree_from_proc(&tree, views[i].proc, &path);
		assert_int_equal(r, views[i].path ? 0 : -ENOENT);
		if (path) {
			assert_string_equal(path, views[i].path);
			assert_int_equal(cgroup_tree_id(&tree, path, &id), 0);
			assert_int_not_equal(id, 0);
		}
		free(path);
	}
	free((char *)roots.proc);
}

static char own[4096 + 64]; /* a cgroup of ours */

static int remove_own(void **state)
{
	rmdir(own); /* if a check failed, it is still there */
	return 0;
}

static void test_real(void **state)
{
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	char path[64];
	_cleanup_free_ char *found = NULL;
	struct stat st;
	uint64_t id;

	if (cgroup_tree_open(&host_roots_machine, &tree) < 0)
		skip();
	snprintf(path, sizeof(path), "/ebpfobs-test-%d.service", getpid());
	snprintf(own, sizeof(own), "%s%s", tree.mount, path);
	if (mkdir(own, 0755) < 0) {
		print_message("skipped: no right to make a cgroup in %s\n", tree.mount);
		skip();
	}
	assert_int_equal(cgroup_tree_id(&tree, path, &id), 0);
	assert_int_equal(stat(own, &st), 0);
	assert_int_equal(id, st.st_ino);
	strcat(own, "//");
	assert_int_equal(cgroup_tree_from_user(&tree, own, &found), 0);
	assert_string_equal(found, path);
	free(TAKE(found));
	if (tree.by_handle) {
		assert_int_equal(cgroup_tree_path(&tree, id, &found), 0);
		assert_string_equal(found, path);
	}
	assert_int_equal(rmdir(own), 0);
	free(TAKE(found));
	if (tree.by_handle)
		assert_int_equal(cgroup_tree_path(&tree, id, &found), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, tree_setup, tree_teardown),
		cmocka_unit_test(test_below),
		cmocka_unit_test_setup_teardown(test_too_deep, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_no_cgroup2, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_views, tree_setup, tree_teardown),
		cmocka_unit_test_teardown(test_real, remove_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
