/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plugins LIBRARY...: loads one after the other, runs plug() in it, and unloads it. */
#include <dlfcn.h>

#include "spin.h"

static NOINLINE int load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*plug)(int (*)(void)) = dlsym(library, "plug");
	int n;

	stage();
	n = plug(spin);
	fprintf(stderr, "%p\n", (void *)plug);
	dlclose(library);
	return n;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		sink += load(argv[i]);
	return 0;
}
