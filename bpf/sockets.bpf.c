// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets: who made each one, kept with the socket itself, so that a packet's owner is one look-up
 * away and the memory goes when the socket goes.
 *
 * - socket_create runs in socket(): attached to the cgroups in scope, price paid once per socket.
 * - An accepted socket starts as a clone of its listener's entry. Who accepted it is written by
 *   accept_fexit, or noted in "claims" by accept_graft and accept_syscall*, which cannot reach
 *   SK_STORAGE (the user side loads the cheapest that the kernel grants).
 * - sockets_scan goes over the sockets that were there before, at the start.
 */
#include "lib/kernel.h"
#include "lib/scope.h"
#include "lib/socket.h"

#define SOCK_BINDPORT_LOCK 8 /* include/net/sock.h */

volatile __u32 scan_listeners; /* 1: the pass over existing sockets that learns the listeners */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wire_listener);
	__type(value, __u8);
} listeners SEC(".maps");

static __always_inline void owner_is_current(struct wire_owner *owner)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	owner->tgid = pid_tgid >> 32;
	owner->thread = owner->tgid != (__u32)pid_tgid;
	owner->cgroup_id = bpf_get_current_cgroup_id();
	owner->kind = WIRE_OWNER_PROCESS;
	bpf_get_current_comm(owner->comm, sizeof(owner->comm));
}

/* The namespace has a cookie here, not an inode: user space knows both. The cgroup needs no check,
 * the program is attached to the cgroups in scope. */
SEC("cgroup/sock_create")
int socket_create(struct bpf_sock *ctx)
{
	const struct wire_scope *wanted = scope_get();
	struct wire_socket *known;

	if (!wanted ||
	    (wanted->netns_cookie && !scope_has(&scope_netns_cookies, bpf_get_netns_cookie(ctx))) ||
	    (wanted->pid && !scope_has(&scope_pids, bpf_get_current_pid_tgid() >> 32)))
		return 1;
	known = socket_entry(ctx);
	if (known) {
		owner_is_current(&known->owner);
		known->cookie = bpf_get_socket_cookie(ctx);
	}
	return 1;
}

/* Only a port that was asked for makes a server: many clients bind to port 0. */
static __always_inline int socket_bound(struct bpf_sock_addr *ctx)
{
	struct wire_socket *known;

	if (!ctx->sk)
		return 1;
	known = bpf_sk_storage_get(&sockets, ctx->sk, NULL, 0);
	if (known)
		known->bound = ctx->user_port != 0;
	return 1;
}

SEC("cgroup/bind4")
int socket_bind4(struct bpf_sock_addr *ctx)
{
	return socket_bound(ctx);
}

SEC("cgroup/bind6")
int socket_bind6(struct bpf_sock_addr *ctx)
{
	return socket_bound(ctx);
}

/* inet_csk_accept() lost two of its four arguments with struct proto_accept_arg (6.10); the value
 * that it returns follows them. CO-RE ignores what is behind "___": a full vmlinux.h may have the
 * type, too. */
struct proto_accept_arg___since_6_10 {
	int flags;
} __attribute__((preserve_access_index));

SEC("fexit/inet_csk_accept")
int accept_fexit(unsigned long long *ctx)
{
	struct wire_socket *known;
	struct sock *sk;

	if (bpf_core_type_exists(struct proto_accept_arg___since_6_10)) {
		sk = (struct sock *)ctx[2];
	} else {
		sk = (struct sock *)ctx[4];
		/* Else one load is made of the two, from ctx plus a variable: refused before 7.x. */
		barrier_var(sk);
	}
	/* Only sockets in scope have an entry. */
	if (!sk)
		return 0;
	known = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (known) {
		owner_is_current(&known->owner);
		known->owner.side = WIRE_SIDE_SERVER;
	}
	return 0;
}

static __always_inline void claim(struct sock *sk)
{
	struct wire_claim claim = {};
	__u64 address = (__u64)sk;
	__u16 family;

	if (!sk || !scope_has_current())
		return;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) ||
	    !scope_has_netns(BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum)))
		return;
	claim.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	claim.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	owner_is_current(&claim.owner);
	claim.owner.side = WIRE_SIDE_SERVER;
	if (bpf_map_update_elem(&claims, &address, &claim, BPF_ANY) < 0)
		socket_lose(WIRE_SOCKET_CLAIMS);
}

/* Called by accept() with the new socket. Not a return probe of inet_csk_accept(): that one is under
 * way while a process waits, and the kernel keeps note of as few as one per CPU (of four preforked
 * workers two were missed). */
SEC("kprobe/security_sock_graft")
int accept_graft(struct pt_regs *ctx)
{
	claim((struct sock *)PT_REGS_PARM1(ctx));
	return 0;
}

struct syscall_exit { /* events/syscalls/sys_exit_accept/format */
	__u64 common;
	long nr;
	long ret;
};

static __always_inline int claim_fd(long fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct socket *socket;
	struct file **files, *file;

	if (fd < 0)
		return 0;
	files = BPF_CORE_READ(task, files, fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	socket = BPF_CORE_READ(file, private_data);
	claim(BPF_CORE_READ(socket, sk));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept_syscall(struct syscall_exit *ctx)
{
	return claim_fd(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4_syscall(struct syscall_exit *ctx)
{
	return claim_fd(ctx->ret);
}

/* A side for a TCP socket that was there before us: that of a listener on its port, else it must
 * have connected. */
static __always_inline __u8 side_of_existing(struct sock *sk)
{
	struct wire_listener key = {
		.netns = sk->__sk_common.skc_net.net->ns.inum,
		.port = sk->__sk_common.skc_num,
	};

	if (sk->sk_protocol != IPPROTO_TCP || sk->__sk_common.skc_state == STATE_LISTEN)
		return WIRE_SIDE_UNKNOWN;
	return bpf_map_lookup_elem(&listeners, &key) ? WIRE_SIDE_SERVER : WIRE_SIDE_CLIENT;
}

static __always_inline void keep_listener(const struct wire_listener *listener)
{
	__u8 one = 1;

	if (bpf_map_update_elem(&listeners, listener, &one, BPF_ANY) < 0)
		socket_lose(WIRE_SOCKET_LISTENERS);
}

static __always_inline void learn_listener(struct sock *sk)
{
	struct wire_listener key = {
		.netns = sk->__sk_common.skc_net.net->ns.inum,
		.port = sk->__sk_common.skc_num,
	};

	if (sk->sk_protocol == IPPROTO_TCP && sk->__sk_common.skc_state == STATE_LISTEN)
		keep_listener(&key);
}

static __always_inline void owner_is_task(struct wire_owner *owner, struct task_struct *task,
					  struct sock *sk)
{
	owner->tgid = task->tgid;
	owner->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	owner->kind = WIRE_OWNER_PROCESS;
	owner->side = side_of_existing(sk);
	__builtin_memcpy(owner->comm, task->comm, sizeof(owner->comm));
}

static __always_inline __u8 bound(struct sock *sk)
{
	return (BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDPORT_LOCK) != 0;
}

static __always_inline int socket_wanted(struct sock *sk)
{
	return (sk->__sk_common.skc_family == AF_INET || sk->__sk_common.skc_family == AF_INET6) &&
	       scope_has_netns(sk->__sk_common.skc_net.net->ns.inum);
}

/* Of a socket that several processes hold the first one (the lowest pid) is the owner. */
SEC("iter/task_file")
int sockets_scan(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct wire_socket *known;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file || task->tgid != task->pid || !scope_has_task(task))
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !socket_wanted(sk))
		return 0;
	if (scan_listeners) {
		learn_listener(sk);
		return 0;
	}
	known = socket_entry(sk);
	if (known && !known->owner.kind) {
		owner_is_task(&known->owner, task, sk);
		known->bound = bound(sk);
	}
	return 0;
}

extern const void socket_file_ops __ksym __weak;

/* The same for a kernel (5.10) that grants this program neither bpf_sock_from_file() nor
 * SK_STORAGE: flows.bpf.c moves the claim to the socket when it sees it. */
SEC("iter/task_file")
int sockets_scan_claims(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct wire_listener listener = {};
	struct wire_claim claim = {};
	struct socket *socket;
	struct sock *sk;
	__u64 address;
	__u32 netns;
	__u16 family;
	__u8 listening, tcp;
	long r;

	if (!task || !file || task->tgid != task->pid || !scope_has_task(task))
		return 0;
	if (!&socket_file_ops || file->f_op != &socket_file_ops)
		return 0;
	socket = file->private_data;
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!scope_has_netns(netns))
		return 0;
	listener.netns = netns;
	listener.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	listening = BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_LISTEN;
	tcp = BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
	if (scan_listeners) {
		if (tcp && listening)
			keep_listener(&listener);
		return 0;
	}
	claim.owner.tgid = task->tgid;
	claim.owner.cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	claim.owner.kind = WIRE_OWNER_PROCESS;
	if (tcp && !listening)
		claim.owner.side = bpf_map_lookup_elem(&listeners, &listener) ? WIRE_SIDE_SERVER
									      : WIRE_SIDE_CLIENT;
	__builtin_memcpy(claim.owner.comm, task->comm, sizeof(claim.owner.comm));
	claim.local_port = listener.port;
	claim.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	claim.bound = (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK) != 0;
	address = (__u64)sk;
	r = bpf_map_update_elem(&claims, &address, &claim, BPF_NOEXIST);
	if (r < 0 && r != -17 /* EEXIST: a process with a lower pid holds it, too */)
		socket_lose(WIRE_SOCKET_CLAIMS);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
