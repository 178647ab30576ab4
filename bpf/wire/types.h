/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The types of fixed width that the wire headers are made of: those of <linux/types.h>, or of the
 * dump that --with-vmlinux-h names, which has them too and cannot be mixed with the former. */
#pragma once

#ifdef EBPFOBS_VMLINUX_H
#include EBPFOBS_VMLINUX_H
#else
#include <linux/types.h>
#endif
