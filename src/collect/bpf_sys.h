/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libbpf 1.1 and its headers lack, through bpf(2): TCX links (Linux 6.6).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* enum bpf_attach_type and flags of linux/bpf.h 6.6 */
#define BPF_SYS_TCX_INGRESS 46
#define BPF_SYS_TCX_EGRESS 47

/* Attaches a SCHED_CLS program before all others at ifindex of the current namespace. Returns the
 * link's descriptor; the program is detached when it is closed. -EINVAL: the kernel has no TCX. */
int bpf_sys_tcx_attach(int prog_fd, int ifindex, int attach_type);

/* Writes the ids of the programs at ifindex, in the order in which they run, into ids; *n is the
 * room before and how many there are (at most the room) after. */
int bpf_sys_tcx_query(int ifindex, int attach_type, uint32_t *ids, size_t *n);

/* The id of a program, or -errno. */
int64_t bpf_sys_prog_id(int prog_fd);
