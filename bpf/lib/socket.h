/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of a socket: who made it. Written by the sockets programs (sockets.bpf.c), read
 * where packets pass (flows.bpf.c); the user side makes all skeletons share the one map.
 */
#pragma once

#include "lib/kernel.h"
#include "wire/sockets.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct wire_socket);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* address of the struct sock */
	__type(value, struct wire_claim);
} claims SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WIRE_SOCKET_LOSSES);
	__type(key, __u32); /* enum wire_socket_loss */
	__type(value, __u64);
} socket_losses SEC(".maps");

/* Atomic: a program of a process may be interrupted by one of a packet. */
static __always_inline void socket_lose(__u32 site)
{
	__u64 *count = bpf_map_lookup_elem(&socket_losses, &site);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* The socket's entry, made if need be. NULL: there is no memory for it, which is counted. Linux 7 has
 * none here on an x86 CPU without cmpxchg16b, whatever is free. (A macro, because the verifier wants
 * to see which kind of socket it is.) */
#define socket_entry(sk)                                                                     \
	({                                                                                   \
		struct wire_socket *entry =                                                  \
			bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE); \
		if (!entry)                                                                  \
			socket_lose(WIRE_SOCKET_NO_MEMORY);                                  \
		entry;                                                                       \
	})
