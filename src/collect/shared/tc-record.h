/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What classic filters we have attached, one small file per interface below runtime_dir/tc, so that
 * the next start and ebpfobsd --cleanup find them after kill -9. A file is written before the
 * filters are attached (handle 0: not known yet) and again afterwards. Replaced atomically; not
 * synced, because neither filters nor /run survive the machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collect/shared/tc.h"

struct tc_record {
	uint64_t netns; /* inode */
	int ifindex;
	bool made_clsact; /* there was none before us */
	uint32_t program[TC_DIRECTIONS], handle[TC_DIRECTIONS];
	uint16_t priority[TC_DIRECTIONS];
};

int tc_record_write(const char *runtime_dir, const struct tc_record *record);
int tc_record_remove(const char *runtime_dir, uint64_t netns, int ifindex);

#define TC_RECORD_SIZE_MAX 512
/* The file's text, and back; -EINVAL: it is none of ours. */
void tc_record_format(const struct tc_record *record, char text[static TC_RECORD_SIZE_MAX]);
int tc_record_parse(const char *text, struct tc_record *ret);

/*
 * Removes from the kernel what the files name, and then the files: filters whose name, handle and
 * program id match, and the clsact qdisc if we made it and it is empty. Blocks; moves the calling
 * thread into the namespaces and back. The first error is returned after trying all.
 */
int tc_cleanup(const char *runtime_dir);
