/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that the Go at hand builds of main.go in a tree (tests/unit/host/tree.h). */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/binary/nm.h"

static inline bool have_go(void)
{
	bool have = system("go version >/dev/null 2>&1") == 0;

	if (!have)
		print_message("no go on the path\n");
	return have;
}

static inline void go_build(const char *dir, const char *environment, const char *options,
			    const char *out)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && HOME=${HOME:-%s} GOFLAGS= GO111MODULE=off GOTOOLCHAIN=local %s "
		 "go build %s -o %s main.go",
		 dir, dir, environment, options, out);
	must_run(command);
}
