/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fabricated /proc: names that try to look like the rest of the line, scopes, foreign /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/proc-read.h"
#include "host/scope.h"
#include "tests/unit/host/machine.h"

static int setup(void **state)
{
	struct machine *w = calloc(1, sizeof(*w));

	if (!w || machine_init(w) < 0)
		return -1;
	tree_mkdir(w->dir, "cgroup/system.slice/a.service/sub");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	int r = machine_done(*state);

	free(*state);
	return r;
}

static void add_process(struct machine *w, int pid, const char *comm, unsigned flags,
			const char *cgroup)
{
	char name[64], text[1024];

	snprintf(name, sizeof(name), "%d/stat", pid);
	snprintf(text, sizeof(text),
		 "%d (%s) S 1 %d %d 0 -1 %u 100 0 0 0 1 2 0 0 20 0 1 0 %d 3133440 390 "
		 "18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		 pid, comm, pid, pid, flags, pid * 10);
	tree_write(w->proc, name, text);
	snprintf(name, sizeof(name), "%d/cgroup", pid);
	snprintf(text, sizeof(text), "9:name=systemd:/elsewhere\n1:cpu:/\n0::%s\n", cgroup);
	tree_write(w->proc, name, text);
	snprintf(name, sizeof(name), "%d/ns", pid);
	tree_mkdir(w->proc, name);
	snprintf(name, sizeof(name), "%d/ns/net", pid);
	snprintf(text, sizeof(text), "net:[%u]", 4026531840U + (unsigned)pid % 2);
	tree_link(w->proc, name, text);
	snprintf(name, sizeof(name), "%d/exe", pid);
	snprintf(text, sizeof(text), "/usr/bin/p%d%s", pid, pid % 2 ? " (deleted)" : "");
	tree_link(w->proc, name, text);
}

static const struct proc_task *find(const struct proc_scan *scan, pid_t pid)
{
	for (size_t i = 0; i < scan->n; i++)
		if (scan->tasks[i].pid == pid)
			return &scan->tasks[i];
	return NULL;
}

static void test_scan(void **state)
{
	struct machine *w = *state;
	_cleanup_free_ char *service = tree_path(w->cgroup, "system.slice/a.service");
	struct proc_scan scan;
	struct stat st;

	assert_int_equal(stat(service, &st), 0);
	add_process(w, 10, "nginx", 0x400000, "/system.slice/a.service");
	add_process(w, 11, "kworker/u8:3-events_unbound", 0x208040, "/");
	add_process(w, 12, "a) R 1 1 1 1 1 1", 0, "/gone");
	add_process(w, 13, "b\n\x1b[31m\xff (", 0, "/../outside");
	add_process(w, 14, "", 0, "/");
	tree_mkdir(w->proc, "15"); /* died while we looked */
	tree_write(w->proc, "16/stat", "16 no parentheses");
	tree_write(w->proc, "17/stat", "17 (short) S 1");
	tree_write(w->proc, "sys/kernel/random/boot_id", "x");
	tree_write(w->proc, "uptime", "1");

	assert_int_equal(proc_scan(&w->roots, NULL, &scan), 0);
	assert_int_equal(scan.n, 5);
	assert_false(scan.cut);
	assert_string_equal(find(&scan, 10)->comm, "nginx");
	assert_int_equal(find(&scan, 10)->start_tick, 100);
	assert_int_equal(find(&scan, 10)->cgroup_id, st.st_ino);
	assert_false(find(&scan, 10)->kernel);
	assert_true(find(&scan, 11)->kernel);
	assert_string_equal(find(&scan, 11)->comm, "kworker/u8:3-ev");
	assert_int_equal(find(&scan, 12)->start_tick, 120);
	assert_string_equal(find(&scan, 12)->comm, "a) R 1 1 1 1 1 ");
	assert_int_equal(find(&scan, 12)->cgroup_id, 0);
	assert_string_equal(find(&scan, 13)->comm, "b\n\x1b[31m\xff (");
	assert_int_equal(find(&scan, 13)->cgroup_id, 0);
	assert_string_equal(find(&scan, 14)->comm, "");
	free(scan.tasks);
}

/* Of who is out of scope not even the name is read: here it would be an error to look. */
static void test_scope(void **state)
{
	struct machine *w = *state;
	struct scope_cgroup service = { 5, (char *)"/system.slice/a.service" };
	struct scope scope = { .n_cgroups = 1, .cgroups = { service } };
	struct proc_scan scan;

	add_process(w, 10, "in", 0, "/system.slice/a.service");
	add_process(w, 11, "in too", 0, "/system.slice/a.service/sub");
	add_process(w, 12, "out", 0, "/system.slice/a.services");
	add_process(w, 13, "out", 0, "/");
	assert_int_equal(proc_scan(&w->roots, &scope, &scan), 0);
	assert_int_equal(scan.n, 2);
	assert_non_null(find(&scan, 10));
	assert_non_null(find(&scan, 11));
	free(scan.tasks);

	/* Keys AND: the odd pids live in another network namespace. */
	scope.n_netns = 1;
	scope.netns[0] = 4026531841;
	assert_int_equal(proc_scan(&w->roots, &scope, &scan), 0);
	assert_int_equal(scan.n, 1);
	assert_non_null(find(&scan, 11));
	free(scan.tasks);

	scope = (struct scope){ .n_exes = 1, .exes = { (char *)"/usr/bin/p13" } };
	assert_int_equal(proc_scan(&w->roots, &scope, &scan), 0);
	assert_int_equal(scan.n, 1);
	assert_non_null(find(&scan, 13));
	free(scan.tasks);
}

static void test_bound(void **state)
{
	struct machine *w = *state;
	_cleanup_free_ char *one = tree_path(w->proc, "1");
	struct proc_scan scan;
	char name[32];

	add_process(w, 1, "p", 0, "/");
	/* Links to one and the same process stand for the many. */
	for (int pid = 2; pid <= PROC_SCAN_MAX + 1; pid++) {
		snprintf(name, sizeof(name), "%d", pid);
		tree_link(w->proc, name, one);
	}
	assert_int_equal(proc_scan(&w->roots, NULL, &scan), 0);
	assert_int_equal(scan.n, PROC_SCAN_MAX);
	assert_true(scan.cut);
	free(scan.tasks);
}

static void test_foreign_pid_namespace(void **state)
{
	struct machine *w = *state;

	assert_int_equal(proc_check(&w->roots), 0);
	tree_mkdir(w->proc, "self/ns");
	tree_link(w->proc, "self/ns/pid", "pid:[4026531836]");
	assert_int_equal(proc_check(&w->roots), 0);
	tree_link(w->proc, "self/ns/pid", "pid:[4026532836]");
	assert_int_equal(proc_check(&w->roots), -EXDEV);
}

static void test_exe(void **state)
{
	struct machine *w = *state;
	char *exe = NULL;

	add_process(w, 10, "p", 0, "/");
	add_process(w, 11, "p", 0, "/");
	assert_int_equal(proc_read_exe(&w->roots, 10, 100, &exe), 0);
	assert_string_equal(exe, "/usr/bin/p10");
	free(exe);
	assert_int_equal(proc_read_exe(&w->roots, 11, 0, &exe), 0);
	assert_string_equal(exe, "/usr/bin/p11");
	free(exe);
	/* The pid is somebody else's by now. */
	assert_int_equal(proc_read_exe(&w->roots, 10, 99, &exe), -ESRCH);
	assert_int_equal(proc_read_exe(&w->roots, 12, 0, &exe), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_pid_namespace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exe, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
