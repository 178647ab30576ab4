/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, as far as our programs use them. User API types come from the headers in
 * /usr/include/linux; the kernel's own are cut by hand below: only the fields that are read, which
 * CO-RE relocates by name on the running kernel. --with-vmlinux-h replaces both by a full dump.
 */
#pragma once

#ifdef EBPFOBS_VMLINUX_H
#include EBPFOBS_VMLINUX_H
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_TEB 0x6558
#else
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#endif
#define AF_INET 2
#define AF_INET6 10
#ifndef IPPROTO_ICMPV6
#define IPPROTO_ICMPV6 58 /* <linux/in.h> has it not, <linux/in6.h> as a macro */
#endif

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#ifndef EBPFOBS_VMLINUX_H
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__u16 skc_num; /* local port, host order */
	__be16 skc_dport;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u8 sk_userlocks : 4;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct net_device;

struct netdev_queue {
	struct net_device *dev;
};

struct net_device {
	struct netdev_queue *_tx;
	int ifindex;
	possible_net_t nd_net;
};

struct dst_entry {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	int skb_iif;
	__be16 protocol;
	__u16 network_header;
	unsigned int tail; /* from head */
	unsigned char *head;
};

enum skb_drop_reason {
	SKB_NOT_DROPPED_YET,
	SKB_CONSUMED,
	SKB_DROP_REASON_QUEUE_PURGE, /* 6.7 */
};

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct nsproxy {
	struct net *net_ns;
};

struct mm_struct {
	unsigned long exec_vm; /* pages of executable mappings */
};

struct task_struct {
	void *stack;
	unsigned int flags;
	struct mm_struct *mm;
	int pid;
	int tgid;
	char comm[16];
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	struct files_struct *files;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	__u64 start_boottime;
};

struct file {
	const void *f_op;
	void *private_data;
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct bpf_iter_meta;

struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
	__u32 fd;
	union {
		struct file *file;
	};
};

#pragma clang attribute pop
#endif

#define SOCKET_RAW 3 /* SOCK_RAW, the same number everywhere */

/* TCP states (include/net/tcp_states.h). */
#define STATE_ESTABLISHED 1
#define STATE_FIN_WAIT1 4
#define STATE_FIN_WAIT2 5
#define STATE_TIME_WAIT 6
#define STATE_LAST_ACK 9
#define STATE_LISTEN 10
#define STATE_CLOSING 11
#define STATE_NEW_SYN_RECV 12
