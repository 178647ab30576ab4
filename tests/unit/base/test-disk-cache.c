/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is kept, what is thrown out, and a directory that is damaged, hostile, full or not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/disk-cache.h"
#include "base/util.h"
#include "tests/unit/host/tree.h"

#define KB UINT64_C(1024)
#define BUDGET (1024 * KB)

struct world {
	char *dir; /* of the test */
	char *path; /* of the cache */
	struct disk_cache *cache;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *dir;

	if (!w || tree_setup(&dir) < 0)
		return -1;
	w->dir = dir;
	w->path = tree_path(dir, "cache");
	*state = w;
	return disk_cache_new(w->path, BUDGET, &w->cache);
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *dir = w->dir;

	disk_cache_free(w->cache);
	free(w->path);
	free(w);
	return tree_teardown(&dir);
}

static void reopen(struct world *w, uint64_t budget)
{
	disk_cache_free(w->cache);
	assert_int_equal(disk_cache_new(w->path, budget, &w->cache), 0);
}

/* Kind "unwind", version 3; its file is "unwind-3-6161". */
static struct disk_cache_key key_of(const char *id)
{
	return (struct disk_cache_key){ "unwind", 3, id, strlen(id) };
}

static void put(struct world *w, const char *id, const char *text)
{
	const struct disk_cache_key key = key_of(id);

	disk_cache_put(w->cache, &key, text, strlen(text));
}

static bool has_key(struct world *w, const struct disk_cache_key *key, const char *text)
{
	struct disk_cache_view view;
	int r = disk_cache_get(w->cache, key, &view);

	if (r < 0) {
		assert_int_equal(r, -ENOENT);
		return false;
	}
	assert_int_equal((uintptr_t)view.data % 8, 0);
	assert_int_equal(view.size, strlen(text));
	assert_memory_equal(view.data, text, view.size);
	disk_cache_view_done(&view);
	assert_null(view.data);
	return true;
}

static bool has(struct world *w, const char *id, const char *text)
{
	const struct disk_cache_key key = key_of(id);

	return has_key(w, &key, text);
}

static unsigned count_files(const struct world *w)
{
	DIR *dir = opendir(w->path);
	const struct dirent *entry;
	unsigned n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += *entry->d_name != '.';
	closedir(dir);
	return n;
}

static void test_keeps(void **state)
{
	static const char id[DISK_CACHE_ID_MAX] = { 0, 1, (char)0xff, '/', 'x' };
	const struct disk_cache_key longest = { "abcdefghijklmno", UINT32_MAX, id, sizeof(id) };
	struct world *w = *state;
	struct disk_cache_key key = key_of("aa");
	struct stat st;

	assert_false(has(w, "aa", ""));
	put(w, "aa", "table");
	assert_true(has(w, "aa", "table"));
	put(w, "aa", "a newer table");
	assert_true(has(w, "aa", "a newer table"));
	put(w, "empty", "");
	assert_true(has(w, "empty", ""));
	disk_cache_put(w->cache, &longest, "y", 1);
	assert_true(has_key(w, &longest, "y"));
	key.version = 4;
	assert_false(has_key(w, &key, ""));
	key = (struct disk_cache_key){ "symbols", 3, "aa", 2 };
	assert_false(has_key(w, &key, ""));
	assert_false(has(w, "a", ""));
	assert_int_equal(disk_cache_bytes(w->cache), 3 * 4096);
	assert_int_equal(disk_cache_counts(w->cache)->written, 4);
	assert_int_equal(disk_cache_counts(w->cache)->misses, 4);
	assert_int_equal(disk_cache_counts(w->cache)->hits, 4);

	reopen(w, BUDGET);
	assert_int_equal(disk_cache_bytes(w->cache), 3 * 4096);
	assert_true(has(w, "aa", "a newer table"));
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0750U, 0);
	assert_int_equal(fstatat(AT_FDCWD, w->path, &st, 0), 0);
	assert_int_equal(count_files(w), 3);
}

static char *file_of(struct world *w)
{
	char *path = tree_path(w->path, "unwind-3-6161");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640U, 0);
	return path;
}

/* Writes "table" under aa, lets damage at it, and it is not there any more, nor its file. */
static void assert_noticed(struct world *w, void (*damage)(const char *path, long n), long n)
{
	uint64_t damaged = disk_cache_counts(w->cache)->damaged;
	_cleanup_free_ char *path = NULL;

	put(w, "aa", "table");
	path = file_of(w);
	damage(path, n);
	assert_false(has(w, "aa", ""));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(disk_cache_counts(w->cache)->damaged, damaged + 1);
	assert_int_equal(disk_cache_bytes(w->cache), 0);
}

static void flip_bit(const char *path, long n)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char byte;

	assert_int_equal(pread(fd, &byte, 1, n / 8), 1);
	byte ^= (char)(1 << n % 8);
	assert_int_equal(pwrite(fd, &byte, 1, n / 8), 1);
	close(fd);
}

static void cut(const char *path, long n)
{
	assert_int_equal(truncate(path, n), 0);
}

/* To the very same bytes. */
static void link_away(const char *path, long n)
{
	char *moved;

	assert_true(asprintf(&moved, "%s.moved", path) > 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(symlink(moved, path), 0);
	free(moved);
}

static void test_damage(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	long size;

	put(w, "aa", "table");
	path = file_of(w);
	assert_int_equal(stat(path, &st), 0);
	size = st.st_size;
	for (long bit = 0; bit < size * 8; bit++)
		assert_noticed(w, flip_bit, bit);
	for (long n = 0; n < size; n++)
		assert_noticed(w, cut, n);
	assert_noticed(w, cut, size + 1);
	assert_noticed(w, link_away, 0);
	put(w, "ab", "table");
	assert_int_equal(disk_cache_bytes(w->cache), 4096);
}

/* The right bytes under another's name. */
static void test_renamed(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *from = tree_path(w->path, "unwind-3-6162"), *to = NULL;

	put(w, "aa", "table");
	put(w, "ab", "other");
	to = file_of(w);
	assert_int_equal(rename(from, to), 0);
	assert_false(has(w, "aa", ""));
	assert_false(has(w, "ab", ""));
	assert_int_equal(disk_cache_counts(w->cache)->damaged, 1);
}

/* When artefact number i was asked for last. */
static void set_time(struct world *w, unsigned i, time_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
	char name[64];
	char *path;

	snprintf(name, sizeof(name), "unwind-3-%02x", i);
	path = tree_path(w->path, name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void put_number(struct world *w, uint8_t i, size_t size)
{
	const struct disk_cache_key key = { "unwind", 3, &i, 1 };
	char *data = calloc(1, size + 1);

	disk_cache_put(w->cache, &key, data, size);
	free(data);
}

static bool has_number(struct world *w, uint8_t i)
{
	const struct disk_cache_key key = { "unwind", 3, &i, 1 };
	struct disk_cache_view view;

	if (disk_cache_get(w->cache, &key, &view) < 0)
		return false;
	disk_cache_view_done(&view);
	return true;
}

static void test_evicts(void **state)
{
	const size_t size = 32 * KB - 200; /* 32 KiB with the header */
	struct world *w = *state;
	struct disk_cache_view view;
	const uint8_t one = 1;
	const struct disk_cache_key key = { "unwind", 3, &one, 1 };

	for (unsigned i = 0; i < 32; i++) {
		put_number(w, (uint8_t)i, size);
		set_time(w, i, 1000 + i);
	}
	assert_int_equal(disk_cache_bytes(w->cache), BUDGET);
	assert_int_equal(disk_cache_counts(w->cache)->evicted, 0);
	assert_true(has_number(w, 0)); /* the oldest is young again */
	set_time(w, 2, 5000);
	assert_int_equal(disk_cache_get(w->cache, &key, &view), 0);
	set_time(w, 1, 900); /* and the oldest now is one that is in use */

	put_number(w, 32, size);
	assert_int_equal(disk_cache_counts(w->cache)->evicted, 3);
	assert_int_equal(disk_cache_bytes(w->cache), BUDGET / 16 * 15);
	assert_int_equal(count_files(w), 30);
	assert_true(has_number(w, 0) && has_number(w, 2) && has_number(w, 32));
	assert_false(has_number(w, 1) || has_number(w, 3) || has_number(w, 4));
	assert_true(has_number(w, 5));

	reopen(w, BUDGET / 2); /* a smaller budget than before */
	assert_int_equal(disk_cache_bytes(w->cache), BUDGET / 32 * 15);
	assert_true(has_number(w, 32));
	assert_int_equal(view.size, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(((const char *)view.data)[i], 0);
	disk_cache_view_done(&view);

	put_number(w, 33, BUDGET / 8);
	assert_int_equal(disk_cache_counts(w->cache)->too_big, 1);
	assert_false(has_number(w, 33));
}

static void test_many_files(void **state)
{
	struct world *w = *state;
	char name[64];
	int dir;

	tree_write(w->path, "unwind-3-ffff", "x");
	dir = open(w->path, O_PATH | O_CLOEXEC);
	/* One file with many names: a new one costs a quarter of a millisecond. */
	for (unsigned i = 1; i < DISK_CACHE_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "unwind-3-%04x", i);
		assert_int_equal(linkat(dir, "unwind-3-ffff", dir, name, 0), 0);
	}
	close(dir);
	reopen(w, BUDGET * BUDGET);
	assert_int_equal(count_files(w), DISK_CACHE_FILES_MAX);
	put(w, "aaa", "one more");
	assert_int_equal(count_files(w), DISK_CACHE_FILES_MAX / 16 * 15);
	assert_true(has(w, "aaa", "one more"));
}

/* Files of others stay, what is in our way goes, and no link is followed. */
static void test_strangers(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *outside = tree_path(w->dir, "outside");
	char text[16] = "";
	int fd;

	tree_write(w->dir, "outside", "precious");
	tree_write(w->path, "README", "not ours");
	tree_write(w->path, "unwind-3-", "not ours");
	tree_write(w->path, "unwind-3-6G", "not ours");
	tree_mkdir(w->path, "unwind-3-6163/below");
	tree_link(w->path, "unwind-3-6162", outside);
	tree_link(w->path, "new", outside);
	reopen(w, BUDGET);
	assert_int_equal(disk_cache_counts(w->cache)->damaged,
			 1); /* the link with a name of ours */
	assert_int_equal(count_files(w), 4);
	tree_link(w->path, "new", outside);
	tree_link(w->path, "unwind-3-6161", outside);
	put(w, "aa", "table"); /* "new" is in the way, once */
	assert_int_equal(disk_cache_counts(w->cache)->failed, 1);
	put(w, "aa", "table");
	assert_true(has(w, "aa", "table"));
	put(w, "ac", "table"); /* there is a directory */
	assert_int_equal(disk_cache_counts(w->cache)->failed, 2);
	assert_false(has(w, "ac", ""));

	fd = open(outside, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 8);
	assert_string_equal(text, "precious");
	close(fd);
}

static void assert_no_directory(struct world *w, int error)
{
	reopen(w, BUDGET);
	assert_int_equal(disk_cache_error(w->cache), error);
	put(w, "aa", "table");
	assert_false(has(w, "aa", ""));
	assert_int_equal(disk_cache_error(w->cache), error);
	assert_int_equal(disk_cache_counts(w->cache)->failed, 1);
	assert_int_equal(disk_cache_counts(w->cache)->misses, 1);
}

static void test_no_directory(void **state)
{
	struct world *w = *state;

	assert_int_equal(chmod(w->path, 0770), 0); /* the group may write */
	assert_no_directory(w, -EPERM);
	tree_remove(w->dir, "cache");
	tree_mkdir(w->dir, "elsewhere");
	tree_link(w->dir, "cache", "elsewhere");
	assert_no_directory(w, -ENOTDIR);
	tree_remove(w->dir, "cache");
	tree_write(w->dir, "cache", "a file");
	assert_no_directory(w, -ENOTDIR);
	free(w->path);
	w->path = tree_path(w->dir, "no/such");
	assert_no_directory(w, -ENOENT);
	if (geteuid() == 0) {
		free(w->path);
		w->path = tree_path(w->dir, "elsewhere");
		assert_int_equal(chown(w->path, 65534, 65534), 0);
		assert_no_directory(w, -EPERM);
	}
}

/* Where root does not stand above permissions. */
static int run_read_only(struct world *w)
{
	if (chmod(w->path, 0550) < 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
		return 100;
	if (disk_cache_new(w->path, BUDGET, &w->cache) < 0 || !has(w, "aa", "table"))
		return 101;
	put(w, "ab", "table");
	return disk_cache_counts(w->cache)->failed == 1 && has(w, "aa", "table")
		       ? -disk_cache_error(w->cache)
		       : 102;
}

static void test_read_only(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *path = NULL;
	int status;
	pid_t pid;

	put(w, "aa", "table");
	path = file_of(w);
	if (geteuid() == 0) {
		assert_int_equal(chmod(w->dir, 0755), 0);
		assert_int_equal(chown(w->path, 65534, 65534), 0);
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	pid = fork();
	if (pid == 0)
		_exit(run_read_only(w));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, EACCES << 8);
	assert_int_equal(chmod(w->path, 0750), 0);
}

/* The file system takes no more in the middle of a file. */
static void test_full(void **state)
{
	const struct rlimit small = { 8 * KB, RLIM_INFINITY };
	struct world *w = *state;
	struct rlimit before;

	put(w, "aa", "table");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put_number(w, 7, 20 * KB);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(disk_cache_counts(w->cache)->failed, 1);
	assert_int_equal(disk_cache_error(w->cache), -EFBIG);
	assert_int_equal(count_files(w), 1);
	assert_int_equal(disk_cache_bytes(w->cache), 4096);
	put_number(w, 7, 20 * KB);
	assert_true(has_number(w, 7));
	assert_int_equal(disk_cache_error(w->cache), 0);
}

/* One reads what another writes again and again: always one of the two, whole. */
static int run_reader(struct world *w, const char *const texts[static 2])
{
	const struct disk_cache_key key = key_of("aa");
	struct disk_cache_view view;

	if (disk_cache_new(w->path, BUDGET, &w->cache) < 0)
		return 1;
	for (int i = 0; i < 5000; i++) {
		if (disk_cache_get(w->cache, &key, &view) < 0)
			return 2;
		if (memcmp(view.data, texts[view.size == strlen(texts[1])], view.size) != 0)
			return 3;
		disk_cache_view_done(&view);
	}
	return 0;
}

static void test_atomic(void **state)
{
	static const char *const texts[2] = { "one", "something else that is longer" };
	struct world *w = *state;
	int status;
	pid_t pid;

	put(w, "aa", texts[0]);
	pid = fork();
	if (pid == 0)
		_exit(run_reader(w, texts));
	for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0; i++)
		put(w, "aa", texts[i % 2]);
	assert_int_equal(status, 0);
	assert_int_equal(disk_cache_bytes(w->cache), 4096);
	assert_int_equal(count_files(w), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_evicts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_atomic, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
