/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives addresses their names, when somebody asks for them: from the symbols that were kept when a
 * binary was first seen, and for the kernel from /proc/kallsyms. Loop thread; the work is a job.
 */
#pragma once

#include "model/naming.h"

struct disk_cache;
struct work;

/*
 * Names what is in naming, which is not to be touched until done() is called, from the loop. The cache
 * belongs to the jobs of WORK_LANE_CHILD. -EAGAIN, -ENOMEM: done() will not be called.
 */
int symbolize(struct work *work, struct disk_cache *cache, struct naming *naming,
	      void (*done)(void *userdata), void *userdata);
