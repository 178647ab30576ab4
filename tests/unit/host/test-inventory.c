/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is who: events, the scan and the table of cgroups together, in a fabricated world and on the
 * machine itself, in a cgroup and with a process of our own.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "host/cgroup-tree.h"
#include "host/inventory.h"
#include "host/processes.h"
#include "host/scope.h"
#include "tests/unit/host/machine.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DOCKER_STATE "var/lib/docker/containers/" ID "/config.v2.json"
#define TICK(n) ((n)*PROCESS_TICK_NS)
#define SECOND NSEC_PER_SEC

struct world {
	struct machine machine;
	sd_event *event;
	struct work *work;
	struct inventory *inventory;
	uint64_t begin; /* boot time */
	char own[4096]; /* a real cgroup; "" if none */
	pid_t child; /* in it */
};

static void start(struct world *w)
{
	w->begin = now_ns(CLOCK_BOOTTIME);
	assert_true(sd_event_new(&w->event) >= 0);
	assert_int_equal(work_new(w->event, &w->work), 0);
	assert_int_equal(inventory_new(w->work, &w->machine.roots, &w->inventory), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || machine_init(&w->machine) < 0)
		return -1;
	tree_write(w->machine.proc, "sys/kernel/random/boot_id", "b007\n");
	*state = w;
	return 0;
}

static void remove_own(struct world *w)
{
	if (w->child > 0) {
		kill(w->child, SIGKILL);
		waitpid(w->child, NULL, 0);
		w->child = 0;
	}
	if (*w->own)
		rmdir(w->own);
	*w->own = 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r;

	remove_own(w);
	work_free(w->work);
	inventory_free(w->inventory);
	sd_event_unref(w->event);
	r = machine_done(&w->machine);
	free(w);
	return r;
}

/* Runs the loop until no job is under way. */
static void settle(struct world *w)
{
	while (inventory_busy(w->inventory))
		assert_true(sd_event_run(w->event, 5 * USEC_PER_SEC) > 0);
}

/* A step of the daemon, seconds after the beginning. */
static void step(struct world *w, uint64_t seconds)
{
	inventory_expire(w->inventory, w->begin + seconds * SECOND);
	settle(w);
}

static uint64_t make_cgroup(struct world *w, const char *path)
{
	_cleanup_free_ char *dir = tree_path(w->machine.cgroup, path);
	struct stat st;

	tree_mkdir(w->machine.cgroup, path);
	assert_int_equal(stat(dir, &st), 0);
	return st.st_ino;
}

static struct workload who_is(struct world *w, struct process_ref *ref)
{
	struct workload workload;
	bool known = inventory_workload(w->inventory, ref, &workload);

	assert_int_equal(known, workload.kind != WORKLOAD_NONE);
	return workload;
}

static struct workload who(struct world *w, struct process_ref ref)
{
	return who_is(w, &ref);
}

static void assert_workload(struct workload w, enum workload_kind kind, const char *id,
			    const char *name, const char *namespace_)
{
	assert_int_equal(w.kind, kind);
	assert_string_equal(w.id, id);
	assert_string_equal(w.name, name);
	assert_string_equal(w.namespace_, namespace_);
}

static struct process_event event(pid_t pid, uint64_t tick, uint64_t cgroup_id, const char *comm)
{
	struct process_event e = {
		.pid = pid, .ppid = 1, .start_ns = TICK(tick), .cgroup_id = cgroup_id
	};

	snprintf(e.comm, sizeof(e.comm), "%s", comm);
	return e;
}

static void on_fork(struct world *w, struct process_event e)
{
	inventory_on_fork(w->inventory, &e);
}

static void on_exec(struct world *w, struct process_event e)
{
	inventory_on_exec(w->inventory, &e);
}

static void test_kinds(void **state)
{
	struct world *w = *state;
	uint64_t service = make_cgroup(w, "system.slice/web.service"),
		 user = make_cgroup(w,
				    "user.slice/user-7.slice/user@7.service/app.slice/a.service"),
		 other = make_cgroup(w, "byhand"), root = make_cgroup(w, ".");
	struct process_ref ref = { .pid = 20 };
	struct workload workload;

	start(w);
	settle(w);
	on_fork(w, event(20, 100, service, "sh"));
	on_exec(w, event(20, 100, service, "nginx"));
	assert_true(inventory_workload(w->inventory, &ref, &workload));
	assert_workload(workload, WORKLOAD_UNIT, "web.service", "web.service", "");
	assert_string_equal(ref.comm, "nginx");
	assert_int_equal(ref.cgroup_id, service);
	assert_int_equal(ref.start_ns, TICK(100));

	assert_workload(who(w, (struct process_ref){ .cgroup_id = user }), WORKLOAD_UNIT,
			"user@7.service/a.service", "a.service", "user@7.service");
	/* Nobody's cgroups: the process stands for itself. */
	on_fork(w, event(21, 101, other, "tool"));
	on_fork(w, event(22, 102, root, "init"));
	on_fork(w, event(23, 103, 0, "v1"));
	assert_workload(who(w, (struct process_ref){ .pid = 21 }), WORKLOAD_PROCESS, "b007/21/101",
			"tool", "");
	assert_workload(who(w, (struct process_ref){ .pid = 22 }), WORKLOAD_PROCESS, "b007/22/102",
			"init", "");
	assert_workload(who(w, (struct process_ref){ .pid = 23 }), WORKLOAD_PROCESS, "b007/23/103",
			"v1", "");
	/* A socket's cgroup goes before its process's. */
	assert_workload(who(w, (struct process_ref){ .pid = 21, .cgroup_id = service }),
			WORKLOAD_UNIT, "web.service", "web.service", "");
	assert_workload(who(w, (struct process_ref){ 0 }), WORKLOAD_NONE, "", "", "");
	assert_workload(who(w, (struct process_ref){ .pid = 99 }), WORKLOAD_NONE, "", "", "");
}

static void test_kernel(void **state)
{
	struct world *w = *state;
	struct process_event e = event(30, 100, 0, "kworker/0:1");

	start(w);
	e.ppid = 2;
	on_fork(w, e);
	assert_workload(who(w, (struct process_ref){ .pid = 30 }), WORKLOAD_KERNEL, "kernel",
			"kernel", "");
	/* A program that the kernel calls. */
	snprintf(e.comm, sizeof(e.comm), "modprobe");
	on_exec(w, e);
	assert_workload(who(w, (struct process_ref){ .pid = 30 }), WORKLOAD_PROCESS, "b007/30/100",
			"modprobe", "");
}

/* Flows of both processes arrive after the second has the pid. */
static void test_reuse(void **state)
{
	struct world *w = *state;

	start(w);
	on_fork(w, event(40, 100, 0, "first"));
	inventory_on_exit(w->inventory, 40, w->begin);
	on_fork(w, event(40, 900, 0, "second"));
	assert_workload(who(w, (struct process_ref){ .pid = 40, .start_ns = TICK(100) + 5 }),
			WORKLOAD_PROCESS, "b007/40/100", "first", "");
	assert_workload(who(w, (struct process_ref){ .pid = 40 }), WORKLOAD_PROCESS, "b007/40/900",
			"second", "");
	step(w, 59);
	assert_int_equal(who(w, (struct process_ref){ .pid = 40, .start_ns = TICK(100) }).kind,
			 WORKLOAD_PROCESS);
	step(w, 61);
	assert_int_equal(who(w, (struct process_ref){ .pid = 40, .start_ns = TICK(100) }).kind,
			 WORKLOAD_NONE);
	assert_int_equal(who(w, (struct process_ref){ .pid = 40 }).kind, WORKLOAD_PROCESS);
}

/* The fork was missed: what the flow says is all there is. */
static void test_hearsay(void **state)
{
	struct world *w = *state;
	struct process_ref ref = { .pid = 50, .start_ns = TICK(100), .comm = "curl" };

	start(w);
	assert_workload(who(w, ref), WORKLOAD_PROCESS, "b007/50/100", "curl", "");
	step(w, 61);
	assert_int_equal(who(w, (struct process_ref){ .pid = 50 }).kind, WORKLOAD_NONE);
	/* Mentioned, then heard of: it lives. */
	assert_int_equal(who(w, ref).kind, WORKLOAD_PROCESS);
	on_exec(w, event(50, 100, 0, "curl"));
	step(w, 200);
	assert_int_equal(who(w, (struct process_ref){ .pid = 50 }).kind, WORKLOAD_PROCESS);
}

static void test_container(void **state)
{
	struct world *w = *state;
	struct container_info info;
	uint64_t id;

	start(w);
	settle(w);
	/* A cgroup that is younger than the walk: asked for once, known the next time. */
	id = make_cgroup(w, "system.slice/docker-" ID ".scope");
	assert_int_equal(who(w, (struct process_ref){ .cgroup_id = id }).kind, WORKLOAD_NONE);
	settle(w);
	assert_workload(who(w, (struct process_ref){ .cgroup_id = id }), WORKLOAD_CONTAINER, ID,
			"0123456789ab", "");
	assert_string_equal(inventory_cgroup_path(w->inventory, id),
			    "/system.slice/docker-" ID ".scope");
	assert_true(inventory_container(w->inventory, id, &info));
	assert_string_equal(info.id, ID);
	assert_string_equal(info.name, "");

	/* The runtime writes its name down late. */
	tree_write(w->machine.dir, DOCKER_STATE,
		   "{\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx:1\"}}");
	step(w, 29);
	assert_string_equal(who(w, (struct process_ref){ .cgroup_id = id }).name, "0123456789ab");
	step(w, 31);
	assert_workload(who(w, (struct process_ref){ .cgroup_id = id }), WORKLOAD_CONTAINER, ID,
			"web", "");
	assert_true(inventory_container(w->inventory, id, &info));
	assert_string_equal(info.image, "nginx:1");
}

static void test_removed_cgroup(void **state)
{
	struct world *w = *state;
	uint64_t id = make_cgroup(w, "system.slice/web.service");
	_cleanup_free_ char *dir = tree_path(w->machine.cgroup, "system.slice/web.service");

	start(w);
	settle(w);
	assert_int_equal(who(w, (struct process_ref){ .cgroup_id = id }).kind, WORKLOAD_UNIT);
	assert_int_equal(rmdir(dir), 0);
	step(w, 31);
	step(w, 62);
	assert_int_equal(who(w, (struct process_ref){ .cgroup_id = id }).kind, WORKLOAD_UNIT);
	step(w, 121); /* somebody asked 59 seconds ago */
	assert_int_equal(who(w, (struct process_ref){ .cgroup_id = id }).kind, WORKLOAD_UNIT);
	step(w, 182);
	assert_int_equal(who(w, (struct process_ref){ .cgroup_id = id }).kind, WORKLOAD_NONE);
}

/* A cgroup that is gone before it was looked up: its processes stand for themselves. */
static void test_unknown_cgroup(void **state)
{
	struct world *w = *state;

	start(w);
	settle(w);
	on_fork(w, event(60, 100, 12345678, "quick"));
	assert_int_equal(who(w, (struct process_ref){ .pid = 60 }).kind, WORKLOAD_NONE);
	settle(w);
	assert_workload(who(w, (struct process_ref){ .pid = 60 }), WORKLOAD_PROCESS, "b007/60/100",
			"quick", "");
	assert_null(inventory_cgroup_path(w->inventory, 12345678));
}

static void write_stat(struct world *w, int pid, int tick, const char *comm)
{
	char name[32], text[256];

	snprintf(name, sizeof(name), "%d/stat", pid);
	snprintf(text, sizeof(text), "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0 0\n",
		 pid, comm, tick);
	tree_write(w->machine.proc, name, text);
}

static void test_scan(void **state)
{
	struct world *w = *state;

	write_stat(w, 70, 100, "old");
	write_stat(w, 71, 101, "exits");
	write_stat(w, 72, 102, "before exec");
	start(w);
	assert_int_equal(inventory_scan(w->inventory, NULL), 0);
	assert_int_equal(inventory_scan(w->inventory, NULL), -EALREADY);
	/* What happens while the worker reads counts more than what it read. */
	inventory_on_exit(w->inventory, 71, now_ns(CLOCK_BOOTTIME));
	on_exec(w, event(72, 102, 0, "after"));
	settle(w);
	assert_workload(who(w, (struct process_ref){ .pid = 70 }), WORKLOAD_PROCESS, "b007/70/100",
			"old", "");
	assert_workload(who(w, (struct process_ref){ .pid = 71 }), WORKLOAD_PROCESS, "b007/71/101",
			"exits", "");
	assert_string_equal(who(w, (struct process_ref){ .pid = 72 }).name, "after");
	step(w, 62);
	assert_int_equal(who(w, (struct process_ref){ .pid = 71 }).kind, WORKLOAD_NONE);

	/* Events were lost: 70 is gone, 72 has a new name. */
	assert_int_equal(tree_remove(w->machine.proc, "70"), 0);
	write_stat(w, 72, 102, "renamed");
	assert_int_equal(inventory_scan(w->inventory, NULL), 0);
	settle(w);
	assert_string_equal(who(w, (struct process_ref){ .pid = 72 }).name, "renamed");
	step(w, 123);
	assert_int_equal(who(w, (struct process_ref){ .pid = 70 }).kind, WORKLOAD_NONE);
	assert_int_equal(who(w, (struct process_ref){ .pid = 72 }).kind, WORKLOAD_PROCESS);
}

/* The name of a thread gives way to that of its process, where that is known. */
static void test_thread(void **state)
{
	struct world *w = *state;
	struct process_ref known = { .pid = 80, .comm = "worker-3", .thread = true },
			   unknown = { .pid = 81, .comm = "worker-4", .thread = true };

	start(w);
	on_exec(w, event(80, 100, 0, "server"));
	who_is(w, &known);
	assert_string_equal(known.comm, "server");
	who_is(w, &unknown);
	assert_string_equal(unknown.comm, "worker-4");
}

/* Who forks and exits at once is gone before his executable could be read. */
static void test_inherited_exe(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *link = tree_path(w->machine.proc, "90/exe");
	struct scope scope = { .n_exes = 1, .exes = { (char *)"/bin/client" } };
	struct process_event child = event(91, 101, 0, "client");

	write_stat(w, 90, 100, "client");
	assert_int_equal(symlink("/bin/client", link), 0);
	start(w);
	assert_int_equal(inventory_scan(w->inventory, &scope), 0);
	settle(w);
	child.ppid = 90;
	on_fork(w, child);
	inventory_on_exit(w->inventory, 91, w->begin);
	assert_string_equal(inventory_exe(w->inventory, 91), "/bin/client");
}

#define BURST 20000

static void test_burst(void **state)
{
	struct world *w = *state;
	uint64_t before, per_event;
	struct workload workload;
	char id[64];

	start(w);
	settle(w);
	before = now_ns(CLOCK_MONOTONIC);
	for (pid_t pid = 1000; pid < 1000 + BURST; pid++) {
		on_fork(w, event(pid, 500, 0, "client"));
		on_exec(w, event(pid, 500, 0, "client"));
		inventory_on_exit(w->inventory, pid, w->begin + 1);
	}
	per_event = (now_ns(CLOCK_MONOTONIC) - before) / (3 * BURST);
	print_message("%lu ns an event, %zu bytes\n", (unsigned long)per_event,
		      inventory_bytes(w->inventory));
	assert_true(per_event < 20 * NSEC_PER_USEC); /* also with sanitizers and a busy machine */
	assert_true(inventory_bytes(w->inventory) < 8 * 1024 * 1024);
	step(w, 30);
	for (pid_t pid = 1000; pid < 1000 + BURST; pid++) {
		workload = who(w, (struct process_ref){ .pid = pid });
		snprintf(id, sizeof(id), "b007/%d/500", pid);
		assert_workload(workload, WORKLOAD_PROCESS, id, "client", "");
	}
	step(w, 61);
	assert_int_equal(who(w, (struct process_ref){ .pid = 1000 }).kind, WORKLOAD_NONE);
	assert_true(inventory_bytes(w->inventory) < 2 * 1024 * 1024);
}

static void add_loss(void *userdata, const struct loss *loss)
{
	if (streq(loss->site, "host.cgroups_not_asked"))
		*(uint64_t *)userdata = loss->count;
}

/* Ids that nobody has, more than are looked up at once. */
static void test_flood_of_cgroups(void **state)
{
	struct world *w = *state;
	uint64_t lost = 0;

	start(w);
	for (uint64_t id = 1; id <= 4096; id++)
		who(w, (struct process_ref){ .cgroup_id = UINT64_C(1) << 40 | id });
	inventory_losses(w->inventory, add_loss, &lost);
	assert_in_range(lost, 1, 4096);
	settle(w);
	assert_true(inventory_bytes(w->inventory) < 2 * 1024 * 1024);
}

/* --- the machine itself -------------------------------------------------------------------- */

static int setup_real(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->machine.roots = host_roots_machine;
	*state = w;
	return 0;
}

static void start_child(struct world *w)
{
	_cleanup_free_ char *procs = tree_path(w->own, "cgroup.procs");
	FILE *file;

	w->child = fork();
	assert_true(w->child >= 0);
	if (w->child == 0) {
		pause();
		_exit(0);
	}
	file = fopen(procs, "we");
	assert_non_null(file);
	fprintf(file, "%d", w->child);
	assert_int_equal(fclose(file), 0);
}

static void test_real(void **state)
{
	struct world *w = *state;
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	_cleanup_(scope_free_p) struct scope *scope = NULL;
	char name[64], self[4096] = "", error[256];
	char *value = name;
	struct scope_config config = { .cgroup = { 1, &value } };
	struct process_ref ref = { 0 };
	struct workload workload;

	start(w);
	if (cgroup_tree_open(&w->machine.roots, &tree) < 0)
		skip();
	snprintf(name, sizeof(name), "/ebpfobs-inventory-%d.service", getpid());
	snprintf(w->own, sizeof(w->own), "%.4000s%s", tree.mount, name);
	if (mkdir(w->own, 0755) < 0) {
		print_message("skipped: no right to make a cgroup in %s\n", tree.mount);
		skip();
	}
	start_child(w);
	ref.pid = w->child;
	assert_int_equal(scope_new(&config, &w->machine.roots, error, sizeof(error), &scope), 0);
	assert_int_equal(inventory_scan(w->inventory, scope), 0);
	settle(w);

	assert_true(inventory_workload(w->inventory, &ref, &workload));
	assert_workload(workload, WORKLOAD_UNIT, name + 1, name + 1, "");
	assert_memory_equal(ref.comm, program_invocation_short_name,
			    MIN(strlen(program_invocation_short_name), (size_t)COMM_LEN - 1));
	assert_int_equal(ref.cgroup_id, scope->cgroups[0].id);
	assert_int_equal(inventory_workload(w->inventory, &(struct process_ref){ .pid = getpid() },
					    &workload),
			 false); /* out of scope */
	assert_null(inventory_exe(w->inventory, ref.pid));
	settle(w);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_string_equal(inventory_exe(w->inventory, ref.pid), self);

	remove_own(w);
	inventory_on_exit(w->inventory, ref.pid, w->begin);
	step(w, 31);
	assert_true(inventory_workload(w->inventory, &ref, &workload));
	assert_workload(workload, WORKLOAD_UNIT, name + 1, name + 1, "");
	step(w, 93);
	step(w, 154);
	ref = (struct process_ref){ .pid = ref.pid, .cgroup_id = ref.cgroup_id };
	assert_false(inventory_workload(w->inventory, &ref, &workload));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hearsay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_container, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_cgroup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_cgroup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inherited_exe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_burst, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_of_cgroups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_real, setup_real, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
