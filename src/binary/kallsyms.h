/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of the running kernel's functions, of its modules' and of BPF programs, from
 * /proc/kallsyms. It changes with each module and each BPF program that is loaded.
 */
#pragma once

#include "binary/symbol-table.h"

#define KALLSYMS_REACH_MAX \
	(UINT64_C(64) << 10) /* bytes; sizes are not told. Who is followed by nothing
						   is no longer than this */

/* Why kallsyms_read() says -EPERM, for the user. */
#define KALLSYMS_HIDDEN \
	"the kernel hides its addresses: kernel.kptr_restrict is 2, or CAP_SYSLOG is missing"

/*
 * Reads fd, an open /proc/kallsyms. Names in modules are "NAME [MODULE]", BPF programs
 * "bpf_prog_TAG_NAME [bpf]". -EPERM: all addresses are shown as 0; -ENODATA: no functions are there
 * (CONFIG_KALLSYMS is off).
 */
int kallsyms_read(int fd, struct symbol_table **ret);
