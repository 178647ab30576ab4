/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that are full, slow, missing or damaged, and a process that is killed. Each step here has
 * one untracked skb, so that an answer says how many steps it is made of.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static void add_mark(struct bed *bed)
{
	struct record mark = { .kind = RECORD_UNTRACKED, .untracked.tx.skbs = 1 };

	assert_int_equal(store_add(bed->store, &mark), 0);
}

static void marked_step(struct bed *bed, unsigned flows, unsigned *seed)
{
	add_mark(bed);
	bed_step(bed, flows, seed, NULL);
}

static uint64_t count_marks(struct bed *bed)
{
	struct answer *answer = malloc(sizeof(*answer));
	uint64_t marks;

	bed_ask(bed, 0, UINT64_MAX, 0, answer);
	marks = answer->sums.untracked.skbs;
	free(answer);
	return marks;
}

static void assert_status(struct bed *bed, enum part_state state, const char *part_of_reason)
{
	struct part_status status;

	store_status(bed->store, &status);
	assert_string_equal(status.name, "store");
	if (!strstr(status.reason, part_of_reason))
		fail_msg("'%s' does not say '%s'", status.reason, part_of_reason);
	assert_int_equal(status.state, state);
}

static void path_of(const struct bed *bed, const char *name, char ret[static 128])
{
	snprintf(ret, 128, "%s/%s", bed->dir, name);
}

static void assert_integrity(const struct bed *bed)
{
	sqlite3_stmt *statement;
	sqlite3 *sqlite;
	char path[128];

	path_of(bed, "history.db", path);
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sqlite, "PRAGMA integrity_check", -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
	sqlite3_finalize(statement);
	sqlite3_close(sqlite);
}

static void test_missing_directory(void **state)
{
	unsigned seed = 1;
	struct bed bed;

	bed_prepare(&bed, true);
	assert_int_equal(rmdir(bed.dir), 0);
	bed_open(&bed);
	assert_status(&bed, PART_DEGRADED, "No such file or directory");
	for (int i = 0; i < 5; i++)
		marked_step(&bed, 10, &seed);
	assert_int_equal(count_marks(&bed), 5); /* in memory */
	for (int i = 0; i < 20; i++)
		marked_step(&bed, 10000, &seed);
	assert_true(count_marks(&bed) < 15); /* as many as 4 MB hold */
	assert_int_equal(count_marks(&bed) + loss_of(bed.store, "store.write_failed"), 25 + 1);
	bed_done(&bed);
}

static void test_memory_only(void **state)
{
	unsigned seed = 1;
	struct bed bed;

	bed_init(&bed, false);
	for (int i = 0; i < 20; i++)
		marked_step(&bed, 10000, &seed);
	assert_true(count_marks(&bed) > 5 && count_marks(&bed) < 20);
	assert_status(&bed, PART_ON, "");
	assert_int_equal(loss_of(bed.store, "store.write_failed"), 0); /* it was not to be kept */
	bed_done(&bed);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void make_garbage(const char *path)
{
	char garbage[20000];

	memset(garbage, 'x', sizeof(garbage));
	write_file(path, garbage, sizeof(garbage));
}

static void make_foreign(const char *path)
{
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, "CREATE TABLE segment (id)", NULL, NULL, NULL), 0);
	sqlite3_close(sqlite);
}

static void make_newer(const char *path)
{
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite,
				      "CREATE TABLE segment (id); PRAGMA application_id=1701995379;"
				      "PRAGMA user_version = 2",
				      NULL, NULL, NULL),
			 0);
	sqlite3_close(sqlite);
}

static void test_not_our_file(void **state)
{
	void (*const make[])(const char *path) = { make_garbage, make_foreign, make_newer };
	char path[128], damaged[128];
	struct stat before, after;
	unsigned seed = 1;
	struct bed bed;

	for (size_t i = 0; i < ARRAY_SIZE(make); i++) {
		bed_prepare(&bed, true);
		path_of(&bed, "history.db", path);
		path_of(&bed, "history.db.damaged", damaged);
		make[i](path);
		assert_int_equal(stat(path, &before), 0);
		bed_open(&bed);
		marked_step(&bed, 10, &seed);
		assert_status(&bed, PART_DEGRADED, damaged);
		assert_int_equal(stat(damaged, &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		assert_int_equal(count_marks(&bed), 1);
		bed_close(&bed);
		assert_integrity(&bed);
		bed_open(&bed); /* the new one is in use, and there is nothing to say */
		assert_status(&bed, PART_ON, "");
		assert_int_equal(count_marks(&bed), 1);
		bed_done(&bed);
	}
}

static void flip_bytes(const char *path, unsigned n, unsigned *seed)
{
	int fd = open(path, O_RDWR);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	while (n-- > 0) {
		unsigned char byte = (unsigned char)rand_r(seed);

		assert_int_equal(pwrite(fd, &byte, 1, rand_r(seed) % st.st_size), 1);
	}
	close(fd);
}

/* What a query says that may meet damage: that, or nothing wrong. */
static int try_query(struct bed *bed)
{
	struct store_query query = { .kinds = 7, .range = { 0, UINT64_MAX } };
	struct answer *answer = calloc(1, sizeof(*answer));
	struct store_cursor *cursor;
	int r;

	assert_int_equal(store_query(bed->store, &query, answer_row, answer_end, answer, &cursor),
			 0);
	while (!answer->ended)
		bed_turn(bed);
	r = answer->r;
	free(answer);
	assert_true(r == 0 || r == -EUCLEAN);
	return r;
}

/* Whatever is wrong in the file, the store goes on, and answers; once damage was met, from a new
 * file. */
static void test_damaged_anywhere(void **state)
{
	unsigned seed = 2, put_aside = 0;
	char path[128], damaged[128];
	uint64_t marks;
	struct bed bed;

	for (int i = 0; i < 24; i++) {
		bed_init(&bed, true);
		path_of(&bed, "history.db", path);
		path_of(&bed, "history.db.damaged", damaged);
		for (int step = 0; step < 20; step++)
			marked_step(&bed, 30, &seed);
		bed_close(&bed);
		flip_bytes(path, 1U << i % 12, &seed);
		bed_open(&bed);
		try_query(&bed);
		for (int step = 0; step < 12 * 12; step++) /* joins what was damaged */
			marked_step(&bed, 5, &seed);
		try_query(&bed);
		marks = count_marks(&bed);
		marked_step(&bed, 5, &seed);
		assert_int_equal(count_marks(&bed), marks + 1);
		put_aside += access(damaged, F_OK) == 0;
		bed_done(&bed);
	}
	print_message("%u of 24 put aside\n", put_aside);
	assert_true(put_aside > 3);
}

static void test_second_daemon(void **state)
{
	struct store *second;
	unsigned seed = 3;
	struct bed bed, other;

	bed_init(&bed, true);
	marked_step(&bed, 10, &seed);
	bed_init(&other, false);
	assert_int_equal(store_new(other.work, bed.dir, &other.options, &second), 0);
	store_free(other.store);
	other.store = second;
	marked_step(&other, 10, &seed);
	assert_status(&other, PART_DEGRADED, "another process");
	bed_done(&other);
	marked_step(&bed, 10, &seed);
	assert_status(&bed, PART_ON, "");
	assert_int_equal(count_marks(&bed), 2);
	bed_done(&bed);
}

static void block(void *arg)
{
	sem_wait(arg);
}

static void test_slow_disk(void **state)
{
	struct store_figures figures;
	struct bed bed;
	sem_t disk;
	int r;

	bed_init(&bed, true);
	sem_init(&disk, 0, 0);
	assert_int_equal(work_run(bed.work, WORK_LANE_STORE, block, NULL, &disk), 0);
	for (int i = 0; i < 15; i++) {
		add_mark(&bed);
		bed.now += 5 * NSEC_PER_SEC;
		r = store_step(bed.store, bed.now); /* does not wait */
		assert_int_equal(r, i < 12 ? 0 : -EAGAIN);
	}
	store_figures(bed.store, &figures);
	assert_int_equal(figures.waiting_steps, 12);
	assert_int_equal(loss_of(bed.store, "store.queue_full"), 3);
	assert_status(&bed, PART_DEGRADED, "too slow");
	sem_post(&disk);
	bed_settle(&bed);
	assert_status(&bed, PART_ON, "");
	assert_int_equal(count_marks(&bed), 12);
	bed_done(&bed);
	sem_destroy(&disk);
}

/* A file system of the test's own, in a mount namespace of its own. */
static void mount_at(const struct bed *bed, const char *options)
{
	static bool unshared;

	if (geteuid() != 0) {
		print_message("skipped: mounting a tmpfs needs root\n");
		skip();
	}
	if (!unshared &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) {
		print_message("skipped: no mount namespace: %s\n", strerror(errno));
		skip();
	}
	unshared = true;
	assert_int_equal(mount("tmpfs", bed->dir, "tmpfs", 0, options), 0);
}

static void resize(const struct bed *bed, const char *options)
{
	assert_int_equal(mount("tmpfs", bed->dir, "tmpfs", MS_REMOUNT, options), 0);
}

static void test_full_disk(void **state)
{
	unsigned seed = 4, steps = 0;
	struct part_status status;
	uint64_t written;
	struct bed bed;

	bed_prepare(&bed, true);
	mount_at(&bed, "size=4m");
	bed_open(&bed);
	do {
		marked_step(&bed, 2000, &seed);
		steps++;
		store_status(bed.store, &status);
	} while (status.state == PART_ON && steps < 200);
	assert_status(&bed, PART_DEGRADED, "is full");
	assert_status(&bed, PART_DEGRADED, bed.dir);

	/* What could not be written waits, and is written when there is space. */
	for (int i = 0; i < 20; i++, steps++)
		marked_step(&bed, 2000, &seed);
	assert_int_equal(loss_of(bed.store, "store.disk_full"), 0);
	assert_int_equal(count_marks(&bed), steps);
	resize(&bed, "size=12m");
	marked_step(&bed, 2000, &seed);
	steps++;
	assert_status(&bed, PART_ON, "");
	assert_int_equal(count_marks(&bed), steps);

	/* It does not wait for ever. */
	for (int i = 0; i < 200; i++, steps++)
		marked_step(&bed, 2000, &seed);
	assert_status(&bed, PART_DEGRADED, "is full");
	assert_true(loss_of(bed.store, "store.disk_full") > 0);
	assert_int_equal(count_marks(&bed) + loss_of(bed.store, "store.disk_full"), steps);
	written = count_marks(&bed);
	bed_close(&bed);
	bed_open(&bed); /* a full disk is no reason not to start, and to answer */
	assert_true(count_marks(&bed) > written / 2);
	bed_close(&bed);
	resize(&bed, "size=64m");
	assert_integrity(&bed);
	assert_int_equal(umount2(bed.dir, MNT_DETACH), 0);
	rmdir(bed.dir);
}

static void test_read_only(void **state)
{
	unsigned seed = 5;
	struct bed bed;

	bed_prepare(&bed, true);
	mount_at(&bed, "size=4m");
	assert_int_equal(mount("tmpfs", bed.dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	bed_open(&bed);
	marked_step(&bed, 10, &seed);
	assert_status(&bed, PART_DEGRADED, "Read-only file system");
	assert_int_equal(count_marks(&bed), 1);
	bed_close(&bed);
	assert_int_equal(umount2(bed.dir, MNT_DETACH), 0);
	rmdir(bed.dir);
}

/* Writes steps until it is killed; says when it begins one, after the one before was written. */
static void write_until_killed(struct bed *bed, int to)
{
	unsigned seed = 6;

	bed_open(bed);
	for (;;) {
		if (write(to, "s", 1) != 1)
			_exit(EXIT_FAILURE);
		marked_step(bed, 300, &seed);
	}
}

static uint64_t run_and_kill(struct bed *bed, useconds_t for_us)
{
	uint64_t begun = 0;
	int fds[2], status;
	char s[64];
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_until_killed(bed, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], s, 1), 1);
	begun = 1;
	usleep(for_us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while ((n = read(fds[0], s, sizeof(s))) > 0)
		begun += (uint64_t)n;
	close(fds[0]);
	return begun;
}

static void test_kill(void **state)
{
	uint64_t marks = 0, begun, found, lost = 0;
	unsigned seed = 7;
	struct bed bed;

	bed_prepare(&bed, true);
	for (int i = 0; i < 50; i++) {
		begun = run_and_kill(&bed, (useconds_t)rand_r(&seed) % 60000);
		assert_integrity(&bed);
		bed.now += begun * 5 * NSEC_PER_SEC;
		bed_open(&bed);
		assert_status(&bed, PART_ON, "");
		found = count_marks(&bed) - marks;
		assert_true(found == begun || found + 1 == begun);
		lost += begun - found;
		marks += found;
		bed_close(&bed);
	}
	print_message("%ju steps, %ju lost by 50 kills\n", (uintmax_t)marks, (uintmax_t)lost);
	assert_true(marks > 50);
	bed_open(&bed);
	bed_done(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_directory),
		cmocka_unit_test(test_memory_only),
		cmocka_unit_test(test_not_our_file),
		cmocka_unit_test(test_damaged_anywhere),
		cmocka_unit_test(test_second_daemon),
		cmocka_unit_test(test_slow_disk),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
