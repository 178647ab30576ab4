/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is a mangled name. What comes out is bounded, and so is the time (dev/fuzz: 10 s). */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binary/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char buf[DEMANGLED_MAX], *name = malloc(size + 1);
	const char *text;

	memcpy(name, data, size);
	name[size] = '\0';
	text = demangle(name, buf);
	assert(text == name || (text == buf && strlen(text) < DEMANGLED_MAX));
	free(name);
	return 0;
}
