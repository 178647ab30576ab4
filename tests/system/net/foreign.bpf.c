/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Someone else's filter: counts what it sees; "tc" lets the chain go on, "end" ends it. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

unsigned long long foreign_seen;

SEC("tc") int foreign_next(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&foreign_seen, 1);
	return -1;
}

SEC("end") int foreign_end(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&foreign_seen, 1);
	return 0;
}

char licence[] SEC("license") = "Dual BSD/GPL";
