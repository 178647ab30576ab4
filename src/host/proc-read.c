/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats are those of proc_pid_stat(5), cgroups(7) ("0::" is the v2 line of /proc/PID/cgroup) and
 * namespaces(7). A process may vanish between any two reads: then it is not listed.
 */
#include "host/proc-read.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/cgroup-tree.h"
#include "host/scope.h"

#define STAT_MAX 1024 /* bytes; the longest line is about 400 */
#define CGROUP_MAX 8192 /* bytes: a v2 path and those of a dozen v1 hierarchies */
#define FLAG_KTHREAD 0x00200000 /* PF_KTHREAD in include/linux/sched.h */
#define PID_NS_INITIAL UINT64_C(0xEFFFFFFC) /* PROC_PID_INIT_INO in include/linux/proc_ns.h */

/* Reads a file below dir as text; -EFBIG if size does not hold it. */
static int read_text(int dir, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + length, size - length)) > 0)
		length += (size_t)n;
	if (n < 0)
		return -errno;
	if (length == size)
		return -EFBIG;
	buf[length] = 0;
	return 0;
}

static int read_link(int dir, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir, name, buf, size);

	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -ENAMETOOLONG;
	buf[n] = 0;
	return 0;
}

/* "net:[4026531840]" */
static int read_namespace(int dir, const char *name, uint64_t *ret)
{
	char link[64];
	int r = read_link(dir, name, link, sizeof(link));

	if (r < 0)
		return r;
	return sscanf(link, "%*[a-z]:[%" SCNu64 "]", ret) == 1 ? 0 : -EINVAL;
}

/* The name may hold anything, also ") R 1": the last parenthesis is the kernel's. */
static int parse_stat(char *stat, struct proc_task *ret)
{
	char *name = strchr(stat, '('), *end = strrchr(stat, ')');
	unsigned flags;

	if (!name || !end || end < name)
		return -EINVAL;
	*end = 0;
	/* Fields 3 to 22; the 9th is flags, the 22nd starttime. */
	if (sscanf(end + 1,
		   " %*c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &flags, &ret->start_tick) != 2)
		return -EINVAL;
	ret->kernel = flags & FLAG_KTHREAD;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", COMM_LEN - 1, name + 1);
	return 0;
}

static int read_stat(int dir, struct proc_task *ret)
{
	char stat[STAT_MAX];
	int r = read_text(dir, "stat", stat, sizeof(stat));

	return r < 0 ? r : parse_stat(stat, ret);
}

/* The path of the v2 hierarchy; NULL if there is none that we see. */
static char *read_cgroup(int dir, const struct cgroup_tree *tree)
{
	char text[CGROUP_MAX], *line, *save = NULL, *path = NULL;

	if (tree->fd < 0 || read_text(dir, "cgroup", text, sizeof(text)) < 0)
		return NULL;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (has_prefix(line, "0::")) {
			if (cgroup_tree_from_proc(tree, line + 3, &path) < 0)
				return NULL;
			return path;
		}
	return NULL;
}

/* The kernel adds " (deleted)" after the file was replaced: the path is still what was run. */
static int read_exe(int dir, char buf[static PATH_MAX])
{
	static const char deleted[] = " (deleted)";
	int r = read_link(dir, "exe", buf, PATH_MAX);
	size_t n;

	if (r < 0)
		return r;
	n = strlen(buf);
	if (n > strlen(deleted) && streq(buf + n - strlen(deleted), deleted))
		buf[n - strlen(deleted)] = 0;
	return 0;
}

static bool in_scope(int dir, pid_t pid, const char *cgroup, const struct scope *scope)
{
	struct scope_task task = { .pid = pid, .cgroup = cgroup };
	char exe[PATH_MAX];

	if (scope_is_empty(scope))
		return true;
	if (scope->n_netns && read_namespace(dir, "ns/net", &task.netns) < 0)
		return false;
	if (scope->n_exes && read_exe(dir, exe) == 0)
		task.exe = exe;
	return scope_contains(scope, &task);
}

static int read_task(int dir, pid_t pid, const struct cgroup_tree *tree, const struct scope *scope,
		     struct proc_task *ret)
{
	_cleanup_free_ char *cgroup = read_cgroup(dir, tree);
	int r;

	*ret = (struct proc_task){ .pid = pid };
	if (!in_scope(dir, pid, cgroup, scope))
		return -ESRCH;
	r = read_stat(dir, ret);
	if (r < 0)
		return r;
	if (cgroup && cgroup_tree_id(tree, cgroup, &ret->cgroup_id) < 0)
		ret->cgroup_id = 0;
	return 0;
}

int proc_check(const struct host_roots *roots)
{
	_cleanup_close_ int proc = open(roots->proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t inode;

	if (proc < 0)
		return -errno;
	/* Where it cannot be read (hidepid, a fabricated tree) there is no reason to doubt. */
	if (read_namespace(proc, "self/ns/pid", &inode) == 0 && inode != PID_NS_INITIAL)
		return -EXDEV;
	return 0;
}

static int add_task(struct proc_scan *scan, const struct proc_task *task)
{
	struct proc_task *grown;

	if ((scan->n & (scan->n - 1)) == 0) { /* full: 0, 1, 2, 4, ... */
		grown = realloc(scan->tasks, MAX(scan->n * 2, 1U) * sizeof(*task));
		if (!grown)
			return -ENOMEM;
		scan->tasks = grown;
	}
	scan->tasks[scan->n++] = *task;
	return 0;
}

DEFINE_CLEANUP(DIR *, closedir)

static int scan_processes(DIR *proc, const struct cgroup_tree *tree, const struct scope *scope,
			  struct proc_scan *scan)
{
	const struct dirent *entry;
	struct proc_task task;
	int fd, r = 0;

	while (r == 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		if (scan->n == PROC_SCAN_MAX) {
			scan->cut = true;
			break;
		}
		fd = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && read_task(fd, atoi(entry->d_name), tree, scope, &task) == 0)
			r = add_task(scan, &task);
		close_fd(fd);
	}
	return r;
}

int proc_scan(const struct host_roots *roots, const struct scope *scope, struct proc_scan *ret)
{
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	_cleanup_(closedir_p) DIR *proc = opendir(roots->proc);
	struct proc_scan scan = { 0 };
	int r;

	if (!proc)
		return -errno;
	r = cgroup_tree_open(roots, &tree);
	if (r < 0 && r != -ENOENT)
		return r;
	r = scan_processes(proc, &tree, scope, &scan);
	if (r < 0) {
		free(scan.tasks);
		return r;
	}
	*ret = scan;
	return 0;
}

int proc_open(const struct host_roots *roots, pid_t pid, uint64_t start_tick)
{
	_cleanup_close_ int dir = -EBADF;
	char path[PATH_MAX];
	struct proc_task task;

	snprintf(path, sizeof(path), "%s/%d", roots->proc, pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -ESRCH;
	if (read_stat(dir, &task) < 0 || (start_tick && task.start_tick != start_tick))
		return -ESRCH;
	return TAKE_FD(dir);
}

int proc_read_exe(const struct host_roots *roots, pid_t pid, uint64_t start_tick, char **ret)
{
	_cleanup_close_ int dir = proc_open(roots, pid, start_tick);
	char exe[PATH_MAX], *copy;
	int r;

	if (dir < 0)
		return dir;
	r = read_exe(dir, exe);
	if (r < 0)
		return r;
	copy = strdup(exe);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}
