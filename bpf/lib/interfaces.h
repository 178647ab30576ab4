/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The interfaces that are observed, by index, and their namespaces. src/collect/flows/slots.c fills
 * the maps and gives them to each skeleton that asks.
 */
#pragma once

#include "lib/kernel.h"
#include "wire/flows.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct wire_link_key);
	__type(value, __u32); /* role */
} links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32); /* inode */
	__type(value, struct wire_namespace);
} namespaces SEC(".maps");
