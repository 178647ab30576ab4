/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines are ADDRESS TYPE NAME and, behind a tab, [MODULE]; types as in nm(1). The addresses that a
 * reader may see are decided when the file is opened (kallsyms_show_value() in kernel/ksyms_common.c).
 */
#include "binary/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "binary/symbol-builder.h"

#define LINE_MAX_BYTES 1024 /* KSYM_NAME_LEN is 512, a module's name has 56 */

/* Adds one line. *shown becomes true with the first address that is not 0. */
static int add_line(struct symbol_builder *b, char *line, bool *shown, bool *seen)
{
	char type, *name, *tab;
	uint64_t address;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 " %c %n", &address, &type, &at) != 2 || at == 0 ||
	    !strchr("tTwW", type))
		return 0;
	*seen = true;
	if (address == 0)
		return 0;
	*shown = true;
	name = line + at;
	tab = strchr(name, '\t');
	if (tab)
		*tab = ' ';
	return symbol_builder_add(
		b, &(struct symbol){
			   .name = name,
			   .start = address,
			   .reach = address + MIN(KALLSYMS_REACH_MAX, UINT64_MAX - address),
			   .preference = type == 'T' || type == 'W',
		   });
}

int kallsyms_read(int fd, struct symbol_table **ret)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	_cleanup_close_ int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_fclose_ FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
	bool shown = false, seen = false;
	char line[LINE_MAX_BYTES];
	int r;

	if (!file)
		return -errno;
	copy = -EBADF; /* the stream's */
	r = symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b);
	while (r == 0 && fgets(line, sizeof(line), file))
		r = add_line(b, line, &shown, &seen);
	if (r == 0 && ferror(file))
		r = -EIO;
	if (r < 0)
		return r;
	if (!shown)
		return seen ? -EPERM : -ENODATA;
	return symbol_builder_finish(b, ret);
}
