/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layouts are those of union bpf_attr in linux/bpf.h 6.6; linux-libc-dev of Debian 12 (6.1)
 * ends before the fields that TCX needs.
 */
#include "collect/bpf_sys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BPF_SYS_F_BEFORE (1U << 3)

struct link_create_attr {
	uint32_t prog_fd, target_ifindex, attach_type, flags;
	uint32_t relative_fd, pad;
	uint64_t expected_revision;
};

struct prog_query_attr {
	uint32_t target_ifindex, attach_type, query_flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count, pad;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};

static int bpf(int command, void *attr, size_t size)
{
	long r = syscall(__NR_bpf, command, attr, size);

	return r < 0 ? -errno : (int)r;
}

int bpf_sys_tcx_attach(int prog_fd, int ifindex, int attach_type)
{
	/* BEFORE without a relative: at the head. */
	struct link_create_attr attr = {
		.prog_fd = (uint32_t)prog_fd,
		.target_ifindex = (uint32_t)ifindex,
		.attach_type = (uint32_t)attach_type,
		.flags = BPF_SYS_F_BEFORE,
	};

	return bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int bpf_sys_tcx_query(int ifindex, int attach_type, uint32_t *ids, size_t *n)
{
	struct prog_query_attr attr = {
		.target_ifindex = (uint32_t)ifindex,
		.attach_type = (uint32_t)attach_type,
		.prog_ids = (uintptr_t)ids,
		.count = (uint32_t)*n,
	};
	int r;

	r = bpf(BPF_PROG_QUERY, &attr, sizeof(attr));
	if (r < 0 && r != -ENOSPC) /* ENOSPC: there are more, and the first are in ids */
		return r;
	if (attr.count < *n)
		*n = attr.count;
	return 0;
}

int64_t bpf_sys_prog_id(int prog_fd)
{
	struct bpf_prog_info info = { .type = 0 };
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)prog_fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	r = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
	return r < 0 ? r : (int64_t)info.id;
}
