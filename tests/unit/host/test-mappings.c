/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mappings against what the dynamic linker says, and the kernel's two ways to tell them against each
 * other: of processes that map, unmap, run another program and die.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "host/mappings-internal.h"
#include "tests/unit/host/target.h"
#include "tests/unit/host/tree.h"

#define RX (PROT_READ | PROT_EXEC)

static void act_nothing(const struct target *t, void *arg)
{
}

/* The two ways say the same. Returns what they say. */
static struct mappings read_both(const struct target *t)
{
	int fd = openat(t->dir, "maps", O_RDONLY | O_CLOEXEC);
	struct mappings m = { 0 }, q = { 0 };
	int r;

	assert_int_equal(mappings_read_text(fd, &m), 0);
	r = mappings_query(fd, &q);
	close(fd);
	if (r == -ENOTTY) /* before 6.11 there is nothing to compare with */
		return m;
	assert_int_equal(r, 0);
	assert_int_equal(m.n, q.n);
	assert_int_equal(m.missed, q.missed);
	assert_int_equal(m.nameless, q.nameless);
	for (size_t i = 0; i < m.n; i++) {
		assert_int_equal(m.list[i].begin, q.list[i].begin);
		assert_int_equal(m.list[i].end, q.list[i].end);
		assert_int_equal(m.list[i].offset, q.list[i].offset);
		assert_int_equal(m.list[i].inode, q.list[i].inode);
		assert_int_equal(m.list[i].device, q.list[i].device);
		assert_int_equal(m.list[i].kind, q.list[i].kind);
		assert_int_equal(m.list[i].deleted, q.list[i].deleted);
		assert_string_equal(mappings_path(&m, &m.list[i]), mappings_path(&q, &q.list[i]));
	}
	mappings_done(&q);
	return m;
}

struct linked {
	const struct mappings *m;
	unsigned n;
};

static int check_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct linked *linked = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uint64_t address = info->dlpi_addr + segment->p_vaddr;
		const struct mapping *m;
		char path[PATH_MAX];

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		m = mappings_find(linked->m, address);
		assert_non_null(m);
		assert_ptr_equal(mappings_find(linked->m, address + segment->p_filesz - 1), m);
		linked->n++;
		if (has_prefix(info->dlpi_name, "linux-vdso")) {
			assert_int_equal(m->kind, MAPPING_VDSO);
			continue;
		}
		assert_int_equal(m->kind, MAPPING_FILE);
		assert_int_equal(address - m->begin + m->offset, segment->p_offset);
		if (*info->dlpi_name) {
			assert_non_null(realpath(info->dlpi_name, path));
			assert_string_equal(mappings_path(linked->m, m), path);
		}
	}
	return 0;
}

/* A child of fork() has the same objects at the same addresses. */
static void test_linker_agrees(void **state)
{
	_cleanup_mappings_ struct mappings m = { 0 };
	struct linked linked = { &m };
	struct target t;

	target_start(&t, act_nothing, NULL);
	assert_int_equal(mappings_read(t.dir, &m), 0);
	dl_iterate_phdr(check_object, &linked);
	assert_true(linked.n >= 3); /* program, libc, vDSO at the least */
	assert_null(mappings_find(&m, 0));
	assert_null(mappings_find(&m, m.list[0].begin - 1));
	assert_null(mappings_find(&m, m.list[m.n - 1].end));
	target_end(&t);
}

static void act_dlopen(const struct target *t, void *arg)
{
	target_done(t);
	if (!dlopen("libanl.so.1", RTLD_NOW))
		_exit(1);
}

static bool has_library(const struct mappings *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (strstr(mappings_path(m, &m->list[i]), name))
			return true;
	return false;
}

static void test_dlopen(void **state)
{
	struct mappings before, after;
	struct target t;

	target_start(&t, act_dlopen, NULL);
	before = read_both(&t);
	target_step(&t);
	after = read_both(&t);
	assert_false(has_library(&before, "/libanl"));
	assert_true(has_library(&after, "/libanl"));
	assert_int_equal(after.n, before.n + 1);
	mappings_done(&before);
	mappings_done(&after);
	target_end(&t);
}

/* Where the child maps: it came from fork(), so addresses are told in shared memory. */
struct places {
	char *anonymous, *named, *shared, *memfd, *file, *gone;
};

static void act_kinds(const struct target *t, void *arg)
{
	struct places *at = arg;
	char path[] = "/tmp/ebpfobs-mapped-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || ftruncate(fd, 8192) < 0)
		_exit(1);
	at->anonymous = target_map(-1, 1, RX, MAP_PRIVATE);
	at->named = target_map(-1, 2, RX, MAP_PRIVATE);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at->named, 8192, "jit code");
	at->shared = target_map(-1, 1, RX, MAP_SHARED);
	at->file = target_map(fd, 2, RX, MAP_SHARED);
	unlink(path);
	fd = memfd_create("doublemapper", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		_exit(1);
	at->memfd = target_map(fd, 1, RX, MAP_SHARED);
}

static const struct mapping *find(const struct mappings *m, const char *at)
{
	const struct mapping *found = mappings_find(m, (uintptr_t)at);

	assert_non_null(found);
	return found;
}

static void test_kinds(void **state)
{
	struct places *at = target_map(-1, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct mappings m;
	struct target t;

	target_start(&t, act_kinds, at);
	m = read_both(&t);
	assert_int_equal(find(&m, at->anonymous)->kind, MAPPING_ANONYMOUS);
	assert_int_equal(find(&m, at->named)->kind, MAPPING_ANONYMOUS);
	assert_int_equal(find(&m, at->shared)->kind, MAPPING_ANONYMOUS);
	assert_int_equal(find(&m, at->memfd)->kind, MAPPING_MEMFD);
	assert_string_equal(mappings_path(&m, find(&m, at->memfd)), "/memfd:doublemapper");
	assert_int_equal(find(&m, at->file)->kind, MAPPING_FILE);
	assert_true(find(&m, at->file)->deleted);
	assert_true(has_prefix(mappings_path(&m, find(&m, at->file)), "/tmp/ebpfobs-mapped-"));
	assert_null(strchr(mappings_path(&m, find(&m, at->file)), ' '));
	mappings_done(&m);
	target_end(&t);
	munmap(at, 4096);
}

static void act_exec(const struct target *t, void *arg)
{
	char *const argv[] = { (char *)"sleep", (char *)"60", NULL };

	target_done(t);
	execv("/bin/sleep", argv); /* closes its ends of the pipes */
	_exit(1);
}

/* The same pid and the same start, but another address space: the open file is of the old one. */
static void test_exec(void **state)
{
	_cleanup_mappings_ struct mappings m = { 0 };
	struct target t;
	char byte;
	int fd;

	target_start(&t, act_exec, NULL);
	fd = openat(t.dir, "maps", O_RDONLY | O_CLOEXEC);
	assert_int_equal(mappings_read_text(fd, &m), 0);
	assert_false(has_library(&m, "/sleep"));
	mappings_done(&m);

	assert_int_equal(write(t.say, "", 1), 1);
	assert_int_equal(read(t.hear, &byte, 1), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(mappings_read_text(fd, &m), -ESRCH);
	if (mappings_query(fd, &m) != -ENOTTY)
		assert_int_equal(mappings_query(fd, &m), -ESRCH);
	assert_int_equal(m.n, 0);
	close(fd);

	assert_int_equal(mappings_read(t.dir, &m), 0);
	assert_true(has_library(&m, "/sleep"));
	assert_false(has_library(&m, "/test-mappings"));
	target_end(&t);
}

static void test_gone(void **state)
{
	struct mappings m;
	struct target t;
	int fd;

	target_start(&t, act_nothing, NULL);
	kill(t.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)t.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(mappings_read(t.dir, &m), -ESRCH); /* a zombie */
	target_kill(&t);
	assert_int_equal(mappings_read(t.dir, &m), -ESRCH);
	assert_int_equal(proc_open(&host_roots_machine, t.pid, 0), -ESRCH);
	target_end(&t);

	/* Another one with the pid. */
	assert_int_equal(proc_open(&host_roots_machine, getpid(), 1), -ESRCH);
	fd = proc_open(&host_roots_machine, 2, 0);
	if (fd >= 0 && geteuid() == 0) { /* kthreadd */
		assert_int_equal(mappings_read(fd, &m), -ESRCH);
		close(fd);
	}
}

/* What the kernel would not merge: neighbours differ. */
static void act_map_many(const struct target *t, void *arg)
{
	const unsigned *n = arg;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	for (unsigned i = 0; i < *n; i++)
		target_map(fd, 1, i & 1 ? RX : PROT_READ, MAP_PRIVATE);
}

/* How many of its mappings are executable and not the kernel's, told otherwise. */
static size_t count_executable(pid_t pid)
{
	char command[128];
	_cleanup_fclose_ FILE *f = NULL;
	FILE *p;
	size_t n;

	snprintf(command, sizeof(command),
		 "grep -v vsyscall /proc/%d/maps | awk '$2 ~ /x/' | wc -l", pid);
	p = popen(command, "re");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%zu", &n), 1);
	pclose(p);
	return n;
}

static double since_ms(uint64_t start)
{
	return (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6;
}

static void time_both(const struct target *t)
{
	struct mappings m = { 0 };
	int fd = openat(t->dir, "maps", O_RDONLY | O_CLOEXEC);
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	double text;

	mappings_read_text(fd, &m);
	text = since_ms(start);
	mappings_done(&m);
	start = now_ns(CLOCK_MONOTONIC);
	if (mappings_query(fd, &m) == 0)
		print_message("# 20,000 mappings: text %.1f ms, query %.1f ms\n", text,
			      since_ms(start));
	mappings_done(&m);
	close(fd);
}

static void test_many(void **state)
{
	unsigned n = 20000;
	struct mappings m;
	struct target t;

	target_start(&t, act_map_many, &n);
	m = read_both(&t);
	assert_true(m.n >= 10000);
	assert_int_equal(m.n, count_executable(t.pid));
	assert_true(m.paths_size < 65536); /* one path stands there once */
	mappings_done(&m);
	time_both(&t);
	target_end(&t);
}

static void test_bound(void **state)
{
	unsigned n = 2 * MAPPINGS_MAX + 200;
	struct mappings m;
	struct target t;

	target_start(&t, act_map_many, &n);
	m = read_both(&t);
	assert_int_equal(m.n, MAPPINGS_MAX);
	assert_int_equal(m.n + m.missed, count_executable(t.pid));
	assert_true(m.missed >= 100);
	assert_false(m.cut);
	mappings_done(&m);
	target_end(&t);
}

#define STABLE 64

/* Between mappings that stay, others come and go for ever. */
static void act_churn(const struct target *t, void *arg)
{
	char *base = target_map(-1, STABLE * 4, PROT_NONE, MAP_PRIVATE);
	char **ret_base = arg, byte;

	*ret_base = base;
	for (unsigned i = 0; i < STABLE; i++)
		mprotect(base + i * 4 * 4096, 4096, RX);
	if (write(t->say, "", 1) != 1)
		_exit(1);
	fcntl(t->hear, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; read(t->hear, &byte, 1) < 0; i++) /* until the test closes it */
		/* Merges with the one before, or not. */
		mprotect(base + (i % STABLE * 4 + 1 + i / 7 % 2) * 4096, 4096,
			 i / STABLE & 1 ? PROT_NONE : RX);
	_exit(0);
}

static void test_churn(void **state)
{
	char **base = target_map(-1, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct target t;

	target_start(&t, act_churn, base);
	for (unsigned round = 0; round < 400; round++) {
		_cleanup_mappings_ struct mappings m = { 0 };
		int fd = openat(t.dir, "maps", O_RDONLY | O_CLOEXEC);

		if (round & 1 || mappings_query(fd, &m) == -ENOTTY)
			assert_int_equal(mappings_read_text(fd, &m), 0);
		close(fd);
		for (unsigned i = 0; i < STABLE; i++)
			assert_non_null(mappings_find(&m, (uintptr_t)*base + i * 4 * 4096));
		for (size_t i = 0; i < m.n; i++) {
			assert_true(m.list[i].begin < m.list[i].end);
			assert_true(i == 0 || m.list[i - 1].end <= m.list[i].begin);
		}
	}
	target_end(&t);
	munmap(base, 4096);
}

/* Text as a file that has it. */
static int text_file(const char *text, size_t n)
{
	int fd = memfd_create("maps", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int read_string(const char *text, struct mappings *m)
{
	int fd = text_file(text, strlen(text)), r;

	*m = (struct mappings){ 0 };
	r = mappings_read_text(fd, m);
	close(fd);
	return r;
}

static void test_text(void **state)
{
	_cleanup_mappings_ struct mappings m;

	assert_int_equal(
		read_string("1000-3000 r-xp 00004000 fd:0a 77                   /a b (deleted)\n"
			    "3000-4000 rw-p 00000000 00:00 0 \n"
			    "4000-5000 rwxp 00000000 00:00 0 \n"
			    "4800-6000 r-xs 00001000 103:ffffe 5   /grown\n" /* meanwhile */
			    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n",
			    &m),
		0);
	assert_int_equal(m.n, 3);
	assert_string_equal(mappings_path(&m, &m.list[0]), "/a b");
	assert_true(m.list[0].deleted);
	assert_int_equal(m.list[0].device, makedev(0xfd, 0x0a));
	assert_int_equal(m.list[0].inode, 77);
	assert_int_equal(m.list[0].offset, 0x4000);
	assert_string_equal(mappings_path(&m, &m.list[1]), "");
	assert_int_equal(m.list[1].kind, MAPPING_ANONYMOUS);
	assert_int_equal(m.list[2].begin, 0x5000);
	assert_int_equal(m.list[2].offset, 0x1800);
	assert_int_equal(m.list[2].device, makedev(0x103, 0xffffe));
	assert_ptr_equal(mappings_find(&m, 0x4fff), &m.list[1]);
	assert_ptr_equal(mappings_find(&m, 0x5000), &m.list[2]);
	assert_null(mappings_find(&m, 0x3000));
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {
		"\n",
		"1000\n",
		"2000-1000 r-xp 00000000 00:00 0 \n",
		"1000-1000 r-xp 00000000 00:00 0 \n",
		"-1000 r-xp 00000000 00:00 0 \n",
		"+1000-2000 r-xp 00000000 00:00 0 \n",
		"1000-20000000000000000 r-xp 00000000 00:00 0 \n",
		"1000-2000 r-x\n",
		"1000-2000 r-xp0 00000000 00:00 0 \n",
		"1000-2000 r-xp 00000000 00:00 1f \n",
		"1000-2000 r-xp 00000000 00:00 18446744073709551616 \n",
	};
	struct mappings m;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(read_string(bad[i], &m), -EBADMSG);
		mappings_done(&m);
	}
	assert_int_equal(read_string("", &m), -ESRCH);
	mappings_done(&m);
}

/* A path beyond PATH_MAX costs the path; paths beyond the limit too; the mappings are there. */
static void test_long_paths(void **state)
{
	static const char line[] = "%x-%x r-xp 00000000 fd:00 1 /%0*d\n";
	unsigned n = 3 * MAPPINGS_PATHS_MAX / 4096;
	size_t size = (size_t)n * 5000 + 100000, at = 0;
	_cleanup_free_ char *text = malloc(size);
	_cleanup_mappings_ struct mappings m = { 0 };
	int fd;

	assert_non_null(text);
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, size - at, line, (i + 1) * 4096, (i + 2) * 4096,
				       i == 1 ? 50000 : 4000, i);
	fd = text_file(text, at);
	assert_int_equal(mappings_read_text(fd, &m), 0);
	close(fd);
	assert_int_equal(m.n, n);
	assert_true(m.paths_size <= MAPPINGS_PATHS_MAX);
	assert_int_equal(m.nameless, n - (m.paths_size - 1) / 4002);
	assert_string_equal(mappings_path(&m, &m.list[1]), "");
	assert_int_equal(m.list[1].kind, MAPPING_FILE);
	assert_int_equal(strlen(mappings_path(&m, &m.list[2])), 4001);
	assert_string_equal(mappings_path(&m, &m.list[n - 1]), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linker_agrees), cmocka_unit_test(test_dlopen),
		cmocka_unit_test(test_kinds),	      cmocka_unit_test(test_exec),
		cmocka_unit_test(test_gone),	      cmocka_unit_test(test_many),
		cmocka_unit_test(test_bound),	      cmocka_unit_test(test_churn),
		cmocka_unit_test(test_text),	      cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_long_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
