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
