/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is opened is what is mapped: deleted, replaced, in another mount namespace, below another root,
 * with and without the capability that map_files wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/util.h"
#include "host/mappings.h"
#include "tests/unit/host/target.h"
#include "tests/unit/host/tree.h"

static const char content[] = "this is what was mapped";

/* What the child shall map, and where it did. In shared memory. */
struct order {
	char path[PATH_MAX];
	char *at;
	bool denied; /* the machine does not let it */
};

static struct order *new_order(const char *dir)
{
	struct order *o =
		target_map(-1, (sizeof(*o) + 4095) / 4096, PROT_READ | PROT_WRITE, MAP_SHARED);

	snprintf(o->path, sizeof(o->path), "%s/mapped.so", dir);
	return o;
}

static void map_file(struct order *o)
{
	int fd = open(o->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		_exit(1);
	o->at = target_map(fd, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static void act_map(const struct target *t, void *arg)
{
	map_file(arg);
}

/* Opens what the child mapped at o->at. */
static int open_mapped(const struct target *t, const struct order *o, int *ret_fd)
{
	_cleanup_mappings_ struct mappings m = { 0 };
	const struct mapping *mapping;

	assert_int_equal(mappings_read(t->dir, &m), 0);
	mapping = mappings_find(&m, (uintptr_t)o->at);
	assert_non_null(mapping);
	return mapping_open(t->dir, &m, mapping, ret_fd);
}

static void assert_content(int fd)
{
	char buf[sizeof(content)] = "";

	assert_int_equal(pread(fd, buf, sizeof(buf), 0), sizeof(content) - 1);
	assert_string_equal(buf, content);
	assert_int_equal(write(fd, "x", 1), -1); /* to read only */
	close(fd);
}

static bool may_use_map_files(void)
{
	return faccessat(AT_FDCWD, "/proc/self/map_files", R_OK, 0) == 0 && geteuid() == 0;
}

/* Runs check without the capabilities for map_files, in a process of its own. */
static void without_map_files(int (*check)(const struct target *, const struct order *),
			      const struct target *t, const struct order *o, int expected)
{
	static const cap_value_t values[] = { CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		cap_t caps = cap_get_proc();

		cap_set_flag(caps, CAP_EFFECTIVE, 2, values, CAP_CLEAR);
		if (cap_set_proc(caps) < 0)
			_exit(100);
		_exit(-check(t, o));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), -expected);
}

/* 0 with the right content, else -errno. */
static int check_content(const struct target *t, const struct order *o)
{
	char buf[sizeof(content)] = "";
	int fd, r = open_mapped(t, o, &fd);

	if (r < 0)
		return r;
	return pread(fd, buf, sizeof(buf), 0) > 0 && streq(buf, content) ? 0 : -EIO;
}

static void test_by_path(void **state)
{
	struct order *o = new_order(*state);
	struct target t;
	int fd;

	tree_write(*state, "mapped.so", content);
	target_start(&t, act_map, o);
	assert_int_equal(open_mapped(&t, o, &fd), 0);
	assert_content(fd);
	without_map_files(check_content, &t, o, 0);
	target_end(&t);
}

static void test_replaced(void **state)
{
	struct order *o = new_order(*state);
	struct target t;
	int fd;

	tree_write(*state, "mapped.so", content);
	target_start(&t, act_map, o);
	/* Renamed: for the kernel its path is that of the file, wherever that goes. */
	assert_int_equal(tree_rename(*state, "mapped.so", "elsewhere.so"), 0);
	tree_write(*state, "mapped.so", "another one");
	without_map_files(check_content, &t, o, 0);
	/* Replaced. */
	tree_write(*state, "new", "another one");
	assert_int_equal(tree_rename(*state, "new", "elsewhere.so"), 0);
	without_map_files(check_content, &t, o, -EPERM);
	if (may_use_map_files()) {
		assert_int_equal(open_mapped(&t, o, &fd), 0);
		assert_content(fd);
	}
	target_end(&t);
}

/* Another file gets to the path while we look: the mappings are of before. */
static int open_stale(const struct target *t, const struct order *o)
{
	_cleanup_mappings_ struct mappings m = { 0 };
	char path[PATH_MAX + 8];
	int fd;

	if (mappings_read(t->dir, &m) < 0)
		return -EIO;
	snprintf(path, sizeof(path), "%s.new", o->path);
	if (rename(path, o->path) < 0)
		return -EIO;
	return mapping_open(t->dir, &m, mappings_find(&m, (uintptr_t)o->at), &fd);
}

static void test_stale(void **state)
{
	struct order *o = new_order(*state);
	struct target t;

	tree_write(*state, "mapped.so", content);
	tree_write(*state, "mapped.so.new", "another one");
	target_start(&t, act_map, o);
	without_map_files(open_stale, &t, o, -ESTALE);
	target_end(&t);
}

/* It maps a file that only its own mount namespace shows. */
static void act_mount(const struct target *t, void *arg)
{
	struct order *o = arg;
	char dir[PATH_MAX];
	int fd;

	snprintf(dir, sizeof(dir), "%s", o->path);
	*strrchr(dir, '/') = 0;
	o->denied = unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", dir, "tmpfs", 0, NULL) < 0;
	if (o->denied)
		return;
	fd = open(o->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, content, sizeof(content) - 1) < 0)
		_exit(1);
	map_file(o);
}

static void test_mount_namespace(void **state)
{
	struct order *o = new_order(*state);
	struct target t;
	int fd;

	tree_write(*state, "mapped.so", "what we see there");
	target_start(&t, act_mount, o);
	if (o->denied) {
		target_end(&t);
		print_message("no mount namespace may be made here\n");
		skip();
	}
	assert_int_equal(open_mapped(&t, o, &fd), 0);
	assert_content(fd);
	without_map_files(check_content, &t, o, 0);
	target_end(&t);
}

static void act_chroot(const struct target *t, void *arg)
{
	struct order *o = arg;

	map_file(o);
	o->denied = chroot("/proc/self/fdinfo") < 0;
}

/* The path is not below the process's root any more. */
static void test_chroot(void **state)
{
	struct order *o = new_order(*state);
	struct target t;

	tree_write(*state, "mapped.so", content);
	target_start(&t, act_chroot, o);
	if (o->denied) {
		target_end(&t);
		print_message("chroot is not allowed here\n");
		skip();
	}
	without_map_files(check_content, &t, o, 0);
	target_end(&t);
}

static void act_odd(const struct target *t, void *arg)
{
	struct order *o = arg;
	int fd = memfd_create("jit", MFD_CLOEXEC);

	if (fd < 0 || write(fd, content, sizeof(content) - 1) < 0)
		_exit(1);
	o[0].at = target_map(fd, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	o[1].at = target_map(-1, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		_exit(1);
	o[2].at = target_map(fd, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static void test_odd_kinds(void **state)
{
	struct order *o = target_map(-1, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct target t;
	int fd;

	target_start(&t, act_odd, o);
	if (may_use_map_files()) {
		assert_int_equal(open_mapped(&t, &o[0], &fd), 0);
		assert_content(fd);
	}
	assert_int_equal(open_mapped(&t, &o[1], &fd), -ENXIO);
	assert_int_equal(open_mapped(&t, &o[2], &fd), -ENXIO);
	target_end(&t);
}

/* Its function is where the linker finds it in the image that is mapped. */
static void test_vdso(void **state)
{
	_cleanup_mappings_ struct mappings m = { 0 };
	const struct mapping *vdso = NULL;
	_cleanup_free_ char *image = NULL;
	struct target t;
	size_t size;
	int fd;

	target_start(&t, act_map,
		     memcpy(new_order("/proc/self"), &(struct order){ "/proc/self/exe" },
			    sizeof("/proc/self/exe")));
	assert_int_equal(mappings_read(t.dir, &m), 0);
	for (size_t i = 0; i < m.n; i++)
		if (m.list[i].kind == MAPPING_VDSO)
			vdso = &m.list[i];
	assert_non_null(vdso);
	size = vdso->end - vdso->begin;
	assert_int_equal(mapping_open(t.dir, &m, vdso, &fd), 0);
	image = malloc(size);
	assert_int_equal(pread(fd, image, size, 0), size);
	close(fd);
	assert_memory_equal(image, ELFMAG, SELFMAG);
	/* The child came from fork(): its vDSO lies where ours does. */
	assert_memory_equal(image, (void *)(uintptr_t)vdso->begin, size);
	target_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_by_path, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_replaced, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_stale, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_mount_namespace, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_chroot, tree_setup, tree_teardown),
		cmocka_unit_test(test_odd_kinds),
		cmocka_unit_test(test_vdso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
