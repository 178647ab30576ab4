/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three things to hook, each with its own ladder: making a socket (cgroup programs, no other rung),
 * accepting a connection (fexit, kretprobe, the two system calls), and the sockets that exist
 * already (an iterator that writes to the socket itself, or one that leaves a note). A program that
 * the verifier refuses takes its whole object along, so the combinations are tried from the best
 * downwards until one loads and attaches. A rung that the user forces is had, or nothing is.
 */
#define LOG_COMPONENT "sockets"
#include "collect/shared/sockets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "bpf/sockets.skel.h"
#include "bpf/wire/sockets.h"
#include "collect/shared/scope-maps.h"
#include "host/cgroup-tree.h"
#include "host/netns-find.h"

#define CLAIMS_MAX 8192
#define LINKS_MAX (3 * SCOPE_VALUES_MAX + 2)

enum accept_rung {
	ACCEPT_FENTRY,
	ACCEPT_KPROBE,
	ACCEPT_SYSCALL,
	ACCEPT_NONE,
};
static const char *const accept_names[] = { "fentry", "kprobe", "syscall", NULL };

enum scan_rung {
	SCAN_STORAGE,
	SCAN_CLAIMS,
	SCAN_NONE,
};

struct sockets {
	struct sockets_config config;
	struct sockets_bpf *skel; /* NULL: nothing could be loaded */
	enum accept_rung accept;
	enum scan_rung scan;
	struct bpf_link *links[LINKS_MAX]; /* accept's first, then those of the cgroups */
	size_t n_links, n_accept_links;
	bool creation; /* the cgroup programs are attached everywhere in scope */
	bool scanned;
	bool names_strangers; /* the kernel tells no namespace of a new socket (before 5.14) */
	char load_error[256]; /* why not, if skel is NULL */
	char refusal[PART_REASON_LEN];
	char creation_error[256];
};

static int keep_link(struct sockets *s, struct bpf_link *link)
{
	long r = libbpf_get_error(link);

	if (r < 0)
		return r;
	if (s->n_links == LINKS_MAX) {
		bpf_link__destroy(link);
		return -E2BIG;
	}
	s->links[s->n_links++] = link;
	return 0;
}

static void drop_links(struct sockets *s, size_t keep)
{
	while (s->n_links > keep)
		bpf_link__destroy(s->links[--s->n_links]);
}

static int attach_accept(struct sockets *s, enum accept_rung rung)
{
	struct sockets_bpf *skel = s->skel;
	int r = 0;

	switch (rung) {
	case ACCEPT_FENTRY:
		return keep_link(s, bpf_program__attach(skel->progs.accept_fexit));
	case ACCEPT_KPROBE:
		return keep_link(s, bpf_program__attach(skel->progs.accept_graft));
	case ACCEPT_SYSCALL:
		r = keep_link(s, bpf_program__attach(skel->progs.accept_syscall));
		if (r < 0)
			return r;
		return keep_link(s, bpf_program__attach(skel->progs.accept4_syscall));
	case ACCEPT_NONE:
		break;
	}
	return 0;
}

static void choose_programs(struct sockets_bpf *skel, enum accept_rung accept, enum scan_rung scan)
{
	bpf_program__set_autoload(skel->progs.accept_fexit, accept == ACCEPT_FENTRY);
	bpf_program__set_autoload(skel->progs.accept_graft, accept == ACCEPT_KPROBE);
	bpf_program__set_autoload(skel->progs.accept_syscall, accept == ACCEPT_SYSCALL);
	bpf_program__set_autoload(skel->progs.accept4_syscall, accept == ACCEPT_SYSCALL);
	bpf_program__set_autoload(skel->progs.sockets_scan, scan == SCAN_STORAGE);
	bpf_program__set_autoload(skel->progs.sockets_scan_claims, scan == SCAN_CLAIMS);
	bpf_map__set_max_entries(skel->maps.claims,
				 accept == ACCEPT_FENTRY && scan == SCAN_STORAGE ? 1 : CLAIMS_MAX);
}

static int try_rungs(struct sockets *s, enum accept_rung accept, enum scan_rung scan)
{
	int r;

	s->skel = sockets_bpf__open();
	if (!s->skel)
		return -errno;
	choose_programs(s->skel, accept, scan);
	r = bpf_env_before_load(s->config.bpf, s->skel->obj);
	if (r >= 0)
		r = bpf_env_after_load(s->config.bpf, s->skel->obj, sockets_bpf__load(s->skel));
	if (r >= 0)
		r = attach_accept(s, accept);
	if (r < 0) {
		drop_links(s, 0);
		sockets_bpf__destroy(TAKE(s->skel));
		return r;
	}
	s->accept = accept;
	s->scan = scan;
	s->n_accept_links = s->n_links;
	return 0;
}

static bool is_forced(const struct sockets *s)
{
	return !streq(s->config.hooks, "auto");
}

static bool rung_wanted(const struct sockets *s, enum accept_rung rung)
{
	if (!is_forced(s))
		return true;
	return rung != ACCEPT_NONE && streq(s->config.hooks, accept_names[rung]);
}

/* The best combination that the kernel grants. */
static int load(struct sockets *s)
{
	int r = -EOPNOTSUPP;

	for (enum scan_rung scan = SCAN_STORAGE; scan <= SCAN_NONE; scan++)
		for (enum accept_rung accept = ACCEPT_FENTRY; accept <= ACCEPT_NONE; accept++) {
			if (!rung_wanted(s, accept))
				continue;
			r = try_rungs(s, accept, scan);
			if (r >= 0)
				return 0;
			log_debug("accept rung %d, scan rung %d: %s (%s)", accept, scan,
				  strerror(-r), bpf_env_message(s->config.bpf));
		}
	snprintf(s->load_error, sizeof(s->load_error), "%s", bpf_env_message(s->config.bpf));
	if (is_forced(s))
		snprintf(s->refusal, sizeof(s->refusal),
			 "hooks: %s cannot be had: no hook of this kind sees accepted connections "
			 "here (%s); hooks: auto takes what the kernel grants",
			 s->config.hooks, s->load_error[0] ? s->load_error : strerror(-r));
	return r;
}

static int attach_creation_at(struct sockets *s, int cgroup_fd)
{
	struct bpf_program *programs[] = {
		s->skel->progs.socket_create,
		s->skel->progs.socket_bind4,
		s->skel->progs.socket_bind6,
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		r = keep_link(s, bpf_program__attach_cgroup(programs[i], cgroup_fd));
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_creation_below(struct sockets *s, const struct cgroup_tree *tree,
				 const char *path)
{
	_cleanup_close_ int fd = -EBADF;

	while (*path == '/')
		path++;
	fd = openat(tree->fd, *path ? path : ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return attach_creation_at(s, fd);
}

/* At the cgroups in scope, or at the top of the hierarchy. */
static int attach_creation(struct sockets *s)
{
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	const struct scope_cgroup *cgroups[SCOPE_VALUES_MAX];
	size_t n;
	int r;

	r = cgroup_tree_open(s->config.roots, &tree);
	if (r < 0)
		return r;
	if (!scope_wants_cgroups(s->config.scope))
		return attach_creation_below(s, &tree, "/");
	scope_cgroups_in_force(s->config.scope, cgroups, &n);
	for (size_t i = 0; i < n; i++) {
		r = attach_creation_below(s, &tree, cgroups[i]->path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Reads the iterator to its end, which runs the program for every file of every task. */
static int run_iterator(struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	_cleanup_close_ int fd = -EBADF;
	long r = libbpf_get_error(link);
	char unused[64];
	ssize_t n = 0;

	if (r < 0)
		return r;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd >= 0)
		while ((n = read(fd, unused, sizeof(unused))) > 0 || (n < 0 && errno == EAGAIN))
			;
	r = fd < 0 || n < 0 ? -errno : 0;
	bpf_link__destroy(link);
	return r;
}

/* Two passes: who listens, then everybody. Runs on a worker. */
static void scan_job(void *arg)
{
	struct sockets *s = arg;
	struct bpf_program *program = s->scan == SCAN_STORAGE ? s->skel->progs.sockets_scan
							      : s->skel->progs.sockets_scan_claims;

	s->skel->bss->scan_listeners = 1;
	if (run_iterator(program) < 0)
		return;
	s->skel->bss->scan_listeners = 0;
	__sync_synchronize();
	s->scanned = run_iterator(program) == 0;
}

int sockets_on_scope(struct sockets *s)
{
	int r;

	if (!s->skel)
		return 0;
	r = scope_maps_fill(s->config.bpf, s->config.scope);
	if (r < 0)
		return r;
	drop_links(s, s->n_accept_links);
	r = attach_creation(s);
	s->creation = r >= 0;
	if (r < 0)
		snprintf(s->creation_error, sizeof(s->creation_error), "%s", strerror(-r));
	return 0;
}

int sockets_new(const struct sockets_config *config, struct sockets **ret)
{
	struct sockets *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->names_strangers = config->scope && config->scope->n_netns > 0 && !netns_cookies_exist();
	*ret = s;
	r = load(s);
	if (r < 0)
		return 0;
	r = sockets_on_scope(s);
	if (r < 0)
		return r;
	if (s->scan != SCAN_NONE)
		return work_run(config->work, WORK_LANE_FILES, scan_job, NULL, s);
	return 0;
}

struct sockets *sockets_free(struct sockets *s)
{
	if (!s)
		return NULL;
	drop_links(s, 0);
	sockets_bpf__destroy(s->skel);
	free(s);
	return NULL;
}

struct cookie_job {
	struct netns_ref ns;
	int map_fd;
};

static void cookie_job_run(void *arg)
{
	struct cookie_job *job = arg;
	_cleanup_close_ int fd = -EBADF;
	uint64_t cookie;
	uint8_t one = 1;
	int back;

	if (netns_enter(&job->ns, &back) < 0)
		return; /* gone again */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && netns_cookie(fd, &cookie) == 0)
		bpf_map_update_elem(job->map_fd, &cookie, &one, BPF_ANY);
	fd = close_fd(fd);
	netns_leave(back);
}

void sockets_on_netns(struct sockets *s, const struct netns_ref *ns)
{
	struct cookie_job *job;

	if (!s->skel || !s->config.scope || s->config.scope->n_netns == 0)
		return;
	job = calloc(1, sizeof(*job));
	if (!job)
		return;
	job->ns = *ns;
	job->map_fd = bpf_env_map(s->config.bpf, "scope_netns_cookies");
	if (work_run(s->config.work, WORK_LANE_NET, cookie_job_run, free, job) < 0)
		free(job);
}

const char *sockets_refusal(const struct sockets *s)
{
	return s->refusal[0] ? s->refusal : NULL;
}

/* Of enum wire_socket_loss; 0 where nothing could be loaded. */
static uint64_t lost(const struct sockets *s, enum wire_socket_loss site)
{
	uint64_t count;

	if (bpf_counter_read(bpf_env_map(s->config.bpf, "socket_losses"), site, &count) < 0)
		return 0;
	return count;
}

bool sockets_complete(const struct sockets *s)
{
	const struct scope *scope = s->config.scope;

	return s->skel && s->creation && s->scanned && lost(s, WIRE_SOCKET_NO_MEMORY) == 0 &&
	       !(scope && (scope_wants_cgroups(scope) || scope->n_pids));
}

void sockets_losses(const struct sockets *s, void (*fn)(void *userdata, const struct loss *loss),
		    void *userdata)
{
	static const char *const sites[WIRE_SOCKET_LOSSES] = {
		[WIRE_SOCKET_NO_MEMORY] = "sockets.no_memory",
		[WIRE_SOCKET_CLAIMS] = "sockets.claims_full",
		[WIRE_SOCKET_LISTENERS] = "sockets.listeners_full",
	};

	for (size_t i = 0; i < ARRAY_SIZE(sites); i++)
		fn(userdata, &(struct loss){ sites[i], lost(s, i) });
}

void sockets_status(const struct sockets *s, struct part_status *status)
{
	uint64_t no_memory = lost(s, WIRE_SOCKET_NO_MEMORY);

	if (!s->skel) {
		part_degrade(
			status, PART_DEGRADED,
			"flows are not named by process: the socket programs did not load (%s)",
			s->load_error);
		return;
	}
	if (s->creation)
		part_add_rung(status, "cgroup");
	else
		part_degrade(
			status, PART_DEGRADED,
			"new sockets are not named: cannot attach to the cgroup v2 hierarchy (%s)",
			s->creation_error);
	if (s->accept != ACCEPT_NONE)
		part_add_rung(status, accept_names[s->accept]);
	else
		part_degrade(
			status, PART_DEGRADED,
			"an accepted connection is named after its listener's process: no hook for "
			"accept() is granted (fentry, kprobe and tracepoints were refused)");
	if (no_memory > 0)
		part_degrade(
			status, PART_DEGRADED,
			"%" PRIu64 " sockets are not named: the kernel gave no memory for the "
			"note that says whose they are (net.core.optmem_max; on Linux 7 also a "
			"CPU without cx16)",
			no_memory);
	if (s->names_strangers)
		part_degrade(
			status, PART_DEGRADED,
			"processes in other namespaces than scope.netns are named, too, as the "
			"other end of a flow: this kernel does not tell where a new socket is "
			"(before 5.14)");
	if (s->scan == SCAN_NONE)
		part_degrade(status, PART_DEGRADED,
			     "connections older than the daemon are not named: iter/task_file was "
			     "refused");
}

uint64_t sockets_bpf_bytes(const struct sockets *s)
{
	return s->skel ? bpf_object_footprint(s->config.bpf, s->skel->obj) : 0;
}
