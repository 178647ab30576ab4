/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in for bpf/lib/kernel.h, so that bpf/lib/packet.h compiles for user space: an skb of our
 * own, and the one helper that the parser calls.
 */
#pragma once

#include <assert.h>
#include <bpf/bpf_endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/types.h>
#include <string.h>

#ifndef IPPROTO_ICMPV6
#define IPPROTO_ICMPV6 58
#endif
#undef __always_inline
#define __always_inline inline __attribute__((always_inline, unused))
#define __noinline __attribute__((noinline, unused))

#define LOADS_MAX 64 /* per parse; more would mean that a loop is not bounded */

struct __sk_buff {
	unsigned long data, data_end; /* the linear part; the kernel's are 32 bits wide */
	const __u8 *bytes; /* all of the packet */
	__u32 len;
	unsigned loads;
};

/* As the kernel's: all or nothing, and nothing is zeros. */
static inline long bpf_skb_load_bytes(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	assert(skb->loads++ < LOADS_MAX);
	if (offset > INT_MAX || offset > skb->len || size > skb->len - offset) {
		memset(to, 0, size);
		return -EFAULT;
	}
	memcpy(to, skb->bytes + offset, size);
	return 0;
}
