/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop's half: takes events in, answers who somebody is, and sends workers for what is not
 * known. Identity comes from the cgroup where one names somebody, else from the process.
 */
#include "host/inventory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "host/cgroups.h"
#include "host/proc-read.h"
#include "host/processes.h"
#include "host/scope.h"

#define PID_KTHREADD 2 /* parent of all kernel threads */
#define BOOT_ID_LEN 37

struct inventory {
	struct work *work;
	const struct host_roots *roots;
	struct processes *processes;
	struct cgroups *cgroups;
	size_t n_jobs; /* scans and reads of exe under way */
	bool scanning;
	bool scope_by_exe; /* executables are asked for at once: later the process may be gone */
	uint64_t scans_cut, exe_not_asked;
	uint64_t now_ns; /* of the last event or step: good enough for the dead */
};

static void read_boot_id(const struct host_roots *roots, char ret[static BOOT_ID_LEN])
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/kernel/random/boot_id", roots->proc);
	file = fopen(path, "re");
	/* Without it (a /proc without sys) ids are unique on this boot only. */
	if (!file || fscanf(file, "%36s", ret) != 1)
		strcpy(ret, "-");
}

DEFINE_CLEANUP(struct inventory *, inventory_free)

int inventory_new(struct work *work, const struct host_roots *roots, struct inventory **ret)
{
	_cleanup_(inventory_free_p) struct inventory *v = calloc(1, sizeof(*v));
	char boot_id[BOOT_ID_LEN];
	int r;

	if (!v)
		return -ENOMEM;
	v->work = work;
	v->roots = roots;
	v->now_ns = now_ns(CLOCK_BOOTTIME);
	read_boot_id(roots, boot_id);
	r = processes_new(boot_id, &v->processes) ?: cgroups_new(work, roots, &v->cgroups);
	if (r < 0)
		return r;
	*ret = TAKE(v);
	return 0;
}

struct inventory *inventory_free(struct inventory *v)
{
	if (!v)
		return NULL;
	processes_free(v->processes);
	cgroups_free(v->cgroups);
	free(v);
	return NULL;
}

/* --- learning ------------------------------------------------------------------------------ */

static void set_comm(struct process *process, const char *comm)
{
	memcpy(process->comm, comm, COMM_LEN - 1);
	process->comm[COMM_LEN - 1] = 0;
}

static void set_cgroup(struct inventory *v, struct process *process, uint64_t cgroup_id)
{
	if (!cgroup_id || process->cgroup_id == cgroup_id)
		return;
	process->cgroup_id = cgroup_id;
	cgroups_want(v->cgroups, cgroup_id);
}

/* What an event says is newer than what a scan that is under way will find: seen. */
static void learn(struct inventory *v, struct process *process, const struct process_event *e,
		  bool kernel)
{
	processes_revive(v->processes, process);
	process->seen = true;
	process->kernel = kernel;
	set_comm(process, e->comm);
	set_cgroup(v, process, e->cgroup_id);
}

static void want_exe(struct inventory *v, const struct process *process)
{
	if (v->scope_by_exe)
		inventory_exe(v, process->pid);
}

/* Until it calls exec() it runs what its parent runs. */
static void inherit_exe(struct inventory *v, struct process *process, pid_t ppid)
{
	const struct process *parent = processes_get(v->processes, ppid, 0);
	char *exe;

	if (!v->scope_by_exe || process->exe_state != PROCESS_EXE_UNREAD || !parent || !parent->exe)
		return;
	exe = strdup(parent->exe);
	if (!exe)
		return;
	processes_set_exe(v->processes, process, exe);
	process->exe_state = PROCESS_EXE_READ;
}

void inventory_on_fork(struct inventory *v, const struct process_event *e)
{
	uint64_t start = e->start_ns ? e->start_ns : now_ns(CLOCK_BOOTTIME);
	struct process *process;

	process = processes_put(v->processes, e->pid, start / PROCESS_TICK_NS, v->now_ns);
	if (!process)
		return;
	learn(v, process, e, e->pid == PID_KTHREADD || e->ppid == PID_KTHREADD);
	inherit_exe(v, process, e->ppid);
	want_exe(v, process);
}

void inventory_on_exec(struct inventory *v, const struct process_event *e)
{
	struct process *process =
		processes_put(v->processes, e->pid, e->start_ns / PROCESS_TICK_NS, v->now_ns);

	if (!process)
		return;
	/* Kernel threads that call a program (modprobe, core dumps) make a process of it. */
	learn(v, process, e, false);
	processes_set_exe(v->processes, process, NULL);
	process->exe_state = PROCESS_EXE_UNREAD;
	want_exe(v, process);
}

void inventory_on_exit(struct inventory *v, pid_t pid, uint64_t now)
{
	struct process *process = processes_get(v->processes, pid, 0);

	v->now_ns = MAX(v->now_ns, now);
	/* The scan under way may have read it just before; then it must not pass for alive. */
	if (!process && v->scanning)
		process = processes_put(v->processes, pid, 0, now);
	if (process && !process->dead)
		processes_bury(v->processes, process, now);
}

/* --- the scan ------------------------------------------------------------------------------ */

struct scan_job {
	struct inventory *inventory;
	struct scope *scope; /* a copy; NULL: all */
	uint64_t begin_ns;
	struct proc_scan result;
	int r;
};

static void scan_run(void *arg)
{
	struct scan_job *job = arg;

	job->r = proc_scan(job->inventory->roots, job->scope, &job->result);
}

static void take_task(struct inventory *v, const struct proc_task *task, uint64_t begin_ns)
{
	struct process *process =
		processes_put(v->processes, task->pid, task->start_tick, v->now_ns);

	if (!process)
		return;
	if (!process->dead || process->died_ns < begin_ns)
		processes_revive(v->processes, process);
	if (!process->seen || !*process->comm) {
		process->kernel = task->kernel;
		set_comm(process, task->comm);
	}
	if (!process->seen || !process->cgroup_id)
		set_cgroup(v, process, task->cgroup_id);
	process->seen = true;
	want_exe(v, process);
}

static void scan_done(void *arg)
{
	struct scan_job *job = arg;
	struct inventory *v = job->inventory;

	for (size_t i = 0; job->r == 0 && i < job->result.n; i++)
		take_task(v, &job->result.tasks[i], job->begin_ns);
	/* Who was not read for want of room is not dead. Who went out of scope may go as well. */
	if (job->r == 0 && !job->result.cut)
		processes_scan_end(v->processes, job->begin_ns / PROCESS_TICK_NS, v->now_ns);
	v->scans_cut += job->r == 0 && job->result.cut;
	v->scanning = false;
	v->n_jobs--;
	free(job->result.tasks);
	scope_free(job->scope);
	free(job);
}

int inventory_scan(struct inventory *v, const struct scope *scope)
{
	_cleanup_free_ struct scan_job *job = NULL;
	int r = proc_check(v->roots);

	if (r < 0)
		return r;
	v->scope_by_exe = scope && scope->n_exes > 0;
	if (v->scanning)
		return -EALREADY;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct scan_job){ .inventory = v, .begin_ns = now_ns(CLOCK_BOOTTIME) };
	if (!scope_is_empty(scope)) {
		r = scope_copy(scope, &job->scope);
		if (r < 0)
			return r;
	}
	r = work_run(v->work, WORK_LANE_FILES, scan_run, scan_done, job);
	if (r < 0) {
		scope_free(job->scope);
		return r;
	}
	TAKE(job);
	processes_scan_begin(v->processes);
	v->scanning = true;
	v->n_jobs++;
	return 0;
}

/* --- answers ------------------------------------------------------------------------------- */

static void fill_ref(struct process_ref *ref, const struct process *process)
{
	if (!*ref->comm || (ref->thread && *process->comm))
		memcpy(ref->comm, process->comm, COMM_LEN);
	ref->thread = false;
	if (!ref->cgroup_id)
		ref->cgroup_id = process->cgroup_id;
	if (!ref->start_ns)
		ref->start_ns = process->start_tick * PROCESS_TICK_NS;
}

/* Who is not in the table (its fork was missed) is put there on hearsay: as one of the dead, who
 * are forgotten unless somebody mentions them again. */
static struct process *process_of(struct inventory *v, struct process_ref *ref)
{
	uint64_t tick = ref->start_ns / PROCESS_TICK_NS;
	struct process *process = processes_get(v->processes, ref->pid, tick);

	if (!process && *ref->comm) {
		process = processes_put(v->processes, ref->pid, tick, v->now_ns);
		if (!process)
			return NULL;
		set_comm(process, ref->comm);
		process->cgroup_id = ref->cgroup_id;
		processes_bury(v->processes, process, v->now_ns);
	}
	if (process)
		fill_ref(ref, process);
	return process;
}

static bool fill_workload(struct workload *ret, enum workload_kind kind, const char *id,
			  const char *name, const char *namespace_)
{
	*ret = (struct workload){ kind, id, name, namespace_ };
	return kind != WORKLOAD_NONE;
}

bool inventory_workload(struct inventory *v, struct process_ref *ref, struct workload *ret)
{
	struct process *process = ref->pid > 0 ? process_of(v, ref) : NULL;
	const struct cgroup *cgroup;
	const char *id;

	fill_workload(ret, WORKLOAD_NONE, "", "", "");
	if (process && process->kernel)
		return fill_workload(ret, WORKLOAD_KERNEL, "kernel", "kernel", "");
	if (ref->cgroup_id) {
		cgroup = cgroups_get(v->cgroups, ref->cgroup_id, v->now_ns);
		if (!cgroup)
			return false;
		if (cgroup->kind != WORKLOAD_NONE)
			return fill_workload(ret, cgroup->kind, cgroup->workload_id, cgroup->name,
					     cgroup->namespace_);
	}
	id = process ? processes_id(v->processes, process) : NULL;
	return id && fill_workload(ret, WORKLOAD_PROCESS, id, process->comm, "");
}

bool inventory_container(struct inventory *v, uint64_t cgroup_id, struct container_info *ret)
{
	const struct cgroup *cgroup = cgroups_get(v->cgroups, cgroup_id, v->now_ns);

	if (!cgroup || !*cgroup->container)
		return false;
	*ret = (struct container_info){ cgroup->container, cgroup->container_name, cgroup->image };
	return true;
}

const char *inventory_cgroup_path(struct inventory *v, uint64_t cgroup_id)
{
	const struct cgroup *cgroup = cgroups_get(v->cgroups, cgroup_id, v->now_ns);

	return cgroup && cgroup->found ? cgroup->path : NULL;
}

struct exe_job {
	struct inventory *inventory;
	pid_t pid;
	uint64_t start_tick;
	char *exe;
};

static void exe_run(void *arg)
{
	struct exe_job *job = arg;

	if (proc_read_exe(job->inventory->roots, job->pid, job->start_tick, &job->exe) < 0)
		job->exe = NULL;
}

static void exe_done(void *arg)
{
	struct exe_job *job = arg;
	struct inventory *v = job->inventory;
	struct process *process = processes_get(v->processes, job->pid, job->start_tick);

	/* After another exec it is not the answer any more. */
	if (process && process->exe_state == PROCESS_EXE_ASKED) {
		processes_set_exe(v->processes, process, TAKE(job->exe));
		process->exe_state = PROCESS_EXE_READ;
	}
	v->n_jobs--;
	free(job->exe);
	free(job);
}

const char *inventory_exe(struct inventory *v, pid_t pid)
{
	struct process *process = processes_get(v->processes, pid, 0);
	struct exe_job *job;

	if (!process || process->exe_state != PROCESS_EXE_UNREAD || process->dead)
		return process ? process->exe : NULL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	*job = (struct exe_job){ v, pid, process->start_tick, NULL };
	if (work_run(v->work, WORK_LANE_FILES, exe_run, exe_done, job) < 0) {
		v->exe_not_asked++;
		free(job);
		return NULL;
	}
	process->exe_state = PROCESS_EXE_ASKED;
	v->n_jobs++;
	return NULL;
}

/* --- housekeeping -------------------------------------------------------------------------- */

void inventory_expire(struct inventory *v, uint64_t now)
{
	v->now_ns = now;
	if (now > INVENTORY_LINGER_NS)
		processes_expire(v->processes, now - INVENTORY_LINGER_NS);
	cgroups_expire(v->cgroups, now);
}

bool inventory_busy(const struct inventory *v)
{
	return v->n_jobs > 0 || cgroups_busy(v->cgroups);
}

size_t inventory_bytes(const struct inventory *v)
{
	return sizeof(*v) + processes_bytes(v->processes) + cgroups_bytes(v->cgroups);
}

void inventory_losses(const struct inventory *v,
		      void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct cgroups_counts *cgroups = cgroups_counts(v->cgroups);
	const struct loss losses[] = {
		{ "host.processes_full", processes_full(v->processes) },
		{ "host.scan_cut", v->scans_cut },
		{ "host.exe_not_asked", v->exe_not_asked },
		{ "host.cgroups_full", cgroups->full },
		{ "host.cgroups_not_asked", cgroups->not_asked },
		{ "host.cgroup_walk_cut", cgroups->walks_cut },
		{ "host.container_state_too_big", cgroups->state_too_big },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}
