/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One piece of code after the other, so that a single table of symbols is in memory at a time. */
#include "enrich/symbolize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "base/work.h"
#include "binary/artefacts.h"
#include "binary/demangle.h"
#include "binary/kallsyms.h"

struct symbolizing {
	struct disk_cache *cache;
	struct naming *naming;
	void (*done)(void *userdata);
	void *userdata;
};

static void name_code(struct naming *naming, uint32_t code, const struct symbol_table *table)
{
	char buffer[DEMANGLED_MAX];
	const struct named_address *a;
	const char *name;
	uint64_t offset;

	for (uint32_t i = 0; i < naming_size(naming); i++) {
		a = naming_at(naming, i);
		if (a->code != code)
			continue;
		name = symbol_table_find(table, a->address, &offset);
		if (name)
			naming_set(naming, i, demangle(name, buffer));
	}
}

static int open_kernel(struct symbol_table **ret)
{
	_cleanup_close_ int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : kallsyms_read(fd, ret);
}

static void symbolize_run(void *arg)
{
	const struct symbolizing *s = arg;

	for (uint32_t i = 0; i < naming_n_codes(s->naming); i++) {
		const struct code *code = naming_code(s->naming, i);
		struct symbol_table *table = NULL;
		struct artefact artefact = {};

		if (code->kind == CODE_FILE || code->kind == CODE_VDSO)
			artefacts_symbols(s->cache, code, &artefact, &table);
		else if (code->kind == CODE_KERNEL)
			open_kernel(&table);
		if (table)
			name_code(s->naming, i, table);
		symbol_table_free(table);
		artefact_done(&artefact);
	}
}

static void symbolize_done(void *arg)
{
	struct symbolizing *s = arg;

	s->done(s->userdata);
	free(s);
}

int symbolize(struct work *work, struct disk_cache *cache, struct naming *naming,
	      void (*done)(void *userdata), void *userdata)
{
	struct symbolizing *s = malloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct symbolizing){ cache, naming, done, userdata };
	r = work_run(work, WORK_LANE_CHILD, symbolize_run, symbolize_done, s);
	if (r < 0)
		free(s);
	return r;
}
