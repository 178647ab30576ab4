/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From words to numbers, what is refused and how that is said, and units that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "host/scope.h"
#include "tests/unit/host/machine.h"

static int setup(void **state)
{
	struct machine *w = calloc(1, sizeof(*w));

	if (!w || machine_init(w) < 0)
		return -1;
	tree_mkdir(w->dir, "proc/10");
	tree_mkdir(w->dir, "cgroup/system.slice/web.service/sub");
	tree_mkdir(w->dir, "cgroup/user.slice/user-7.slice/user@7.service/app.slice/web.service");
	tree_mkdir(w->dir, "cgroup/byhand/x");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	int r = machine_done(*state);

	free(*state);
	return r;
}

static uint64_t inode(struct machine *w, const char *path)
{
	_cleanup_free_ char *full = tree_path(w->cgroup, path);
	struct stat st;

	assert_int_equal(stat(full, &st), 0);
	return st.st_ino;
}

static struct option_list one(const char *value)
{
	static char *values[8];
	static size_t next;

	next = (next + 1) % ARRAY_SIZE(values);
	values[next] = (char *)value;
	return (struct option_list){ 1, &values[next] };
}

static struct scope *resolve(struct machine *w, struct scope_config config)
{
	char error[256] = "";
	struct scope *scope;
	int r = scope_new(&config, &w->roots, error, sizeof(error), &scope);

	if (r < 0)
		print_error("%s\n", error);
	assert_int_equal(r, 0);
	return scope;
}

static void assert_refused(struct machine *w, struct scope_config config, int r,
			   const char *sentence)
{
	char error[256] = "";
	struct scope *scope;

	assert_int_equal(scope_new(&config, &w->roots, error, sizeof(error), &scope), r);
	if (!strstr(error, sentence))
		fail_msg("'%s' does not say '%s'", error, sentence);
}

static void test_numbers(void **state)
{
	struct machine *w = *state;
	_cleanup_free_ char *mounted = tree_path(w->cgroup, "byhand/");
	char *cgroups[] = { (char *)"/system.slice/web.service/", mounted };
	struct stat own;
	struct scope *scope;

	assert_int_equal(stat("/proc/self/ns/net", &own), 0);
	scope = resolve(w, (struct scope_config){
				   .netns = one("/proc/self/ns/net"),
				   .cgroup = { 2, cgroups },
				   .exe = one("/proc/self/exe"),
				   .pid = one("10"),
				   .unit = one("web"),
			   });
	assert_int_equal(scope->netns[0], own.st_ino);
	assert_int_equal(scope->n_cgroups, 2);
	assert_int_equal(scope->cgroups[0].id, inode(w, "system.slice/web.service"));
	assert_string_equal(scope->cgroups[0].path, "/system.slice/web.service");
	assert_string_equal(scope->cgroups[1].path, "/byhand");
	assert_non_null(strstr(scope->exes[0], program_invocation_short_name));
	assert_int_equal(scope->pids[0], 10);
	assert_string_equal(scope->unit_names[0], "web.service");
	/* The system's, not a user's of the same name; and the unit itself, not what is below. */
	assert_int_equal(scope->units[0].id, inode(w, "system.slice/web.service"));
	scope_free(scope);

	scope = resolve(w, (struct scope_config){ .netns = one("4026531840"),
						  .unit = one("user@7.service/web.service") });
	assert_int_equal(scope->netns[0], 4026531840U);
	assert_string_equal(scope->units[0].path,
			    "/user.slice/user-7.slice/user@7.service/app.slice/web.service");
	scope_free(scope);
}

static void test_refused(void **state)
{
	struct machine *w = *state;
	char *many[SCOPE_VALUES_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (char *)"10";
	assert_refused(w, (struct scope_config){ .netns = one("no-such") }, -ENOENT,
		       "/run/netns/no-such");
	assert_refused(w, (struct scope_config){ .netns = one("/etc/passwd") }, -EINVAL,
		       "is not a network namespace");
	assert_refused(w, (struct scope_config){ .netns = one("0") }, -ENOENT, "netns");
	assert_refused(w, (struct scope_config){ .cgroup = one("/system.slice/gone.service") },
		       -ENOENT, "/system.slice/gone.service");
	assert_refused(w, (struct scope_config){ .cgroup = one("web.service") }, -ENOENT,
		       "web.service");
	assert_refused(w, (struct scope_config){ .exe = one("nginx") }, -EINVAL, "absolute");
	assert_refused(w, (struct scope_config){ .exe = one("/no/such") }, -ENOENT, "/no/such");
	assert_refused(w, (struct scope_config){ .pid = one("11") }, -ESRCH, "no process 11");
	assert_refused(w, (struct scope_config){ .pid = one("10x") }, -EINVAL, "10x");
	assert_refused(w, (struct scope_config){ .pid = one("-10") }, -EINVAL, "-10");
	assert_refused(w, (struct scope_config){ .pid = one("4294967306") }, -EINVAL, "4294967306");
	assert_refused(w, (struct scope_config){ .unit = one("") }, -EINVAL, "empty");
	assert_refused(w, (struct scope_config){ .pid = { ARRAY_SIZE(many), many } }, -E2BIG,
		       "more than 64");
}

static bool contains(const struct scope *scope, pid_t pid, uint64_t netns, const char *cgroup,
		     const char *exe)
{
	return scope_contains(scope, &(struct scope_task){ pid, netns, cgroup, exe });
}

static void test_contains(void **state)
{
	struct machine *w = *state;
	char *cgroups[] = { (char *)"/byhand", (char *)"/system.slice" };
	struct scope *scope;

	assert_true(scope_is_empty(NULL));
	assert_true(contains(NULL, 1, 0, NULL, NULL));
	scope = resolve(w, (struct scope_config){ 0 });
	assert_true(scope_is_empty(scope));
	assert_true(contains(scope, 1, 0, NULL, NULL));
	scope_free(scope);

	scope = resolve(w, (struct scope_config){ .cgroup = { 2, cgroups }, .netns = one("5") });
	assert_false(scope_is_empty(scope));
	assert_true(contains(scope, 1, 5, "/byhand/x", NULL));
	assert_true(contains(scope, 1, 5, "/system.slice/web.service", NULL));
	assert_false(contains(scope, 1, 6, "/byhand/x", NULL));
	assert_false(contains(scope, 1, 5, "/byhandy", NULL));
	assert_false(contains(scope, 1, 5, NULL, NULL));
	scope_free(scope);

	scope = resolve(w, (struct scope_config){ .exe = one("/bin/sh") });
	assert_true(contains(scope, 1, 0, NULL, scope->exes[0]));
	assert_false(contains(scope, 1, 0, NULL, "/bin/other"));
	assert_false(contains(scope, 1, 0, NULL, NULL));
	scope_free(scope);

	/* A unit that does not run: nothing, not everything. */
	scope = resolve(w, (struct scope_config){ .unit = one("stopped.service") });
	assert_int_equal(scope->units[0].id, 0);
	assert_false(contains(scope, 1, 0, "/system.slice/web.service", NULL));
	assert_false(contains(scope, 1, 0, NULL, NULL));
	scope_free(scope);
}

static void refresh(struct machine *w, struct scope *scope)
{
	struct work *work;
	sd_event *event;

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(work_new(event, &work), 0);
	scope_refresh(scope, &w->roots, work);
	work_free(work);
	sd_event_unref(event);
}

static void test_restart(void **state)
{
	struct machine *w = *state;
	struct scope *scope = resolve(w, (struct scope_config){ .unit = one("web") });
	uint64_t before = scope->units[0].id;

	refresh(w, scope);
	assert_int_equal(scope->generation, 0);
	/* The new one is made before the old one goes, so that it is another inode. */
	tree_mkdir(w->cgroup, "next");
	assert_int_equal(tree_remove(w->cgroup, "system.slice/web.service"), 0);
	refresh(w, scope);
	assert_int_equal(scope->generation, 1);
	assert_int_equal(scope->units[0].id, 0);
	assert_int_equal(tree_rename(w->cgroup, "next", "system.slice/web.service"), 0);
	refresh(w, scope);
	assert_int_equal(scope->generation, 2);
	assert_int_not_equal(scope->units[0].id, before);
	assert_int_equal(scope->units[0].id, inode(w, "system.slice/web.service"));
	scope_free(scope);
}

/* A reload frees the scope while a worker looks its units up. */
static void test_freed_meanwhile(void **state)
{
	struct machine *w = *state;
	struct scope *scope = resolve(w, (struct scope_config){ .unit = one("web") });
	struct work *work;
	sd_event *event;

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(work_new(event, &work), 0);
	scope_refresh(scope, &w->roots, work);
	scope_free(scope);
	work_free(work);
	sd_event_unref(event);
}

static void test_copy(void **state)
{
	struct machine *w = *state;
	struct scope *scope, *copy;

	scope = resolve(w, (struct scope_config){ .cgroup = one("/byhand"),
						  .exe = one("/bin/sh"),
						  .unit = one("web") });
	assert_int_equal(scope_copy(scope, &copy), 0);
	scope_free(scope);
	assert_string_equal(copy->cgroups[0].path, "/byhand");
	assert_string_equal(copy->unit_names[0], "web.service");
	assert_string_equal(copy->units[0].path, "/system.slice/web.service");
	scope_free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contains, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
