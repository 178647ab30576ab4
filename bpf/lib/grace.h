/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Never read by a program: user space updates it to wait for a grace period, because the kernel lets
 * the update of a map of maps return only when no program runs that could have seen the old one
 * (src/collect/shared/grace.h).
 */
#pragma once

#include "lib/kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u32);
		});
} grace SEC(".maps");
