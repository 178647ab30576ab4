/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A namespace is reached through a file: a bind mount of its nsfs inode anywhere in the mount table
 * (/run/netns, /run/docker/netns), or /proc/PID/ns/net of a process in it. Both may be gone, or be
 * another namespace by now, so whatever was opened is checked: same inode, same nsid.
 */
#include "host/netns-find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/util.h"
#include "host/rtnl.h"

#define OWN_PATH "/proc/self/ns/net" /* of the main thread, which never moves */

static int inode_of(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

int netns_own_inode(uint64_t *ret)
{
	struct stat st;

	if (stat(OWN_PATH, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

/* --- nsids --------------------------------------------------------------------------------- */

static int read_nsid(void *userdata, struct nlmsghdr *h)
{
	struct nlattr *nsid = nlmsg_find_attr(h, NLMSG_ALIGN(sizeof(struct rtgenmsg)), NETNSA_NSID);

	if (h->nlmsg_type == RTM_NEWNSID && nsid && nla_len(nsid) == sizeof(int32_t))
		*(int32_t *)userdata = nla_get_s32(nsid);
	return 0;
}

int netns_nsid(struct nl_sock *sock, int fd, int32_t *ret)
{
	struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(RTM_GETNSID, 0, &header, sizeof(header));
	int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;
	int r;

	if (!message || nla_put_u32(message, NETNSA_FD, (uint32_t)fd) < 0)
		return -ENOMEM;
	r = rtnl_request(sock, message, read_nsid, &nsid);
	if (r < 0)
		return r;
	if (nsid == NETNSA_NSID_NOT_ASSIGNED)
		return -ENOENT;
	*ret = nsid;
	return 0;
}

int netns_assign_nsid(struct nl_sock *sock, int fd, int32_t *ret)
{
	struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(RTM_NEWNSID, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	int r;

	if (!message || nla_put_s32(message, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED) < 0 ||
	    nla_put_u32(message, NETNSA_FD, (uint32_t)fd) < 0)
		return -ENOMEM;
	r = rtnl_request(sock, message, NULL, NULL);
	if (r < 0 && r != -EEXIST)
		return r;
	return netns_nsid(sock, fd, ret);
}

/* --- opening ------------------------------------------------------------------------------- */

/* Inode numbers are given out again at once; the nsid tells a successor from the one we knew. */
static int check_identity(int fd, const struct netns_ref *ns)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	uint64_t inode;
	int32_t nsid;
	int r;

	r = inode_of(fd, &inode);
	if (r < 0)
		return r;
	if (inode != ns->inode)
		return -ESTALE;
	if (ns->nsid == NETNS_NSID_NONE)
		return 0;
	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	r = netns_nsid(sock, fd, &nsid);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	return nsid == ns->nsid ? 0 : -ESTALE;
}

/* /proc/PID/ns/net and mounts of nsfs cannot block, and are opened by their own magic link. */
static int open_checked(const char *path, const struct netns_ref *ns)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = check_identity(fd, ns);
	if (r < 0)
		return r;
	return TAKE_FD(fd);
}

int netns_open_known(const struct netns_ref *ns)
{
	char path[sizeof("/proc/2147483647/ns/net")];
	int fd = -ESTALE;

	if (ns->path[0])
		fd = open_checked(ns->path, ns);
	if (fd < 0 && ns->pid > 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", ns->pid);
		fd = open_checked(path, ns);
	}
	return fd;
}

int netns_open(const struct netns_ref *ns)
{
	_cleanup_(hashmap_free_p) struct hashmap *all = NULL;
	const struct netns_ref *seen;
	struct netns_ref now;
	uint64_t denied;
	int fd, r;

	fd = netns_open_known(ns);
	if (fd >= 0)
		return fd;
	r = netns_scan(/* processes= */ true, &all, &denied);
	if (r < 0)
		return r;
	seen = hashmap_get(all, &ns->inode);
	if (!seen)
		return -ESTALE;
	now = *seen;
	now.nsid = ns->nsid;
	fd = netns_open_known(&now);
	return fd >= 0 ? fd : -ESTALE;
}

int netns_enter(const struct netns_ref *ns, int *ret_back)
{
	_cleanup_close_ int back = -EBADF, fd = -EBADF;
	uint64_t own;
	int r;

	/* Opened before we go, so that going back cannot fail for want of descriptors. */
	back = open(OWN_PATH, O_RDONLY | O_CLOEXEC);
	if (back < 0)
		return -errno;
	r = inode_of(back, &own);
	if (r < 0)
		return r;
	if (own == ns->inode) {
		*ret_back = -EBADF;
		return 0;
	}
	fd = netns_open(ns);
	if (fd < 0)
		return fd;
	if (setns(fd, CLONE_NEWNET) < 0)
		return -errno;
	*ret_back = TAKE_FD(back);
	return 0;
}

void netns_leave(int back)
{
	if (back < 0)
		return;
	/* Cannot fail after the same call has brought us in. A worker that stayed in a stranger's
	 * namespace would do its next job there. */
	if (setns(back, CLONE_NEWNET) < 0)
		abort();
	close_fd(back);
}

/* --- looking everywhere -------------------------------------------------------------------- */

static struct netns_ref *note(struct hashmap *all, uint64_t inode)
{
	struct netns_ref *ref;
	bool is_new;

	ref = hashmap_put(all, &inode, &is_new);
	if (ref && is_new) {
		ref->inode = inode;
		ref->nsid = NETNS_NSID_NONE;
	}
	return ref;
}

/* Undoes the mount table's escapes (\040 for a blank, proc(5)) in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

/* "36 25 0:4 net:[4026532281] /run/netns/blue rw ... - nsfs nsfs rw" (proc_pid_mountinfo(5)) */
static void note_mount(struct hashmap *all, char *line)
{
	struct netns_ref *ref;
	uint64_t inode;
	int path, end;

	path = end = 0;
	if (sscanf(line, "%*u %*u %*u:%*u net:[%" SCNu64 "] %n%*s%n", &inode, &path, &end) != 1 ||
	    end <= path)
		return;
	line[end] = '\0';
	unescape(line + path);
	if (strlen(line + path) >= NETNS_PATH_LEN)
		return;
	ref = note(all, inode);
	if (ref && !ref->path[0])
		strcpy(ref->path, line + path);
}

static int scan_mounts(struct hashmap *all)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0)
		note_mount(all, line);
	return 0;
}

/* The inode from the link's text "net:[4026531840]": no descriptor, hence nothing held. */
static int process_netns(int proc_fd, pid_t pid, uint64_t *ret)
{
	char path[sizeof("2147483647/ns/net")], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%d/ns/net", pid);
	n = readlinkat(proc_fd, path, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return sscanf(text, "net:[%" SCNu64 "]", ret) == 1 ? 0 : -EIO;
}

DEFINE_CLEANUP(DIR *, closedir)

static int scan_processes(struct hashmap *all, uint64_t *ret_denied)
{
	_cleanup_(closedir_p) DIR *dir = opendir("/proc");
	struct netns_ref *ref;
	struct dirent *entry;
	uint64_t inode, denied = 0;
	pid_t pid;
	int r;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0)
			continue;
		r = process_netns(dirfd(dir), pid, &inode);
		if (r == -EACCES || r == -EPERM)
			denied++;
		if (r < 0) /* else: it went meanwhile, or is a zombie */
			continue;
		ref = note(all, inode);
		if (ref && ref->pid == 0)
			ref->pid = pid;
	}
	*ret_denied = denied;
	return 0;
}

int netns_scan(bool processes, struct hashmap **ret, uint64_t *ret_denied)
{
	_cleanup_(hashmap_free_p) struct hashmap *all = NULL;
	uint64_t denied = 0;
	int r;

	r = hashmap_new(sizeof(uint64_t), sizeof(struct netns_ref), NETNS_MAX, &all);
	if (r < 0)
		return r;
	r = scan_mounts(all);
	if (r < 0)
		return r;
	if (processes) {
		r = scan_processes(all, &denied);
		if (r < 0)
			return r;
	}
	*ret_denied = denied;
	*ret = TAKE(all);
	return 0;
}
