/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * render-profile FORMAT FILE [BEFORE]: the profile that FILE describes, in FORMAT, to stdout. A line of
 * FILE is "STACK<tab>SAMPLES<tab>VALUE<tab>COMM<tab>PID<tab>CPU", STACK as in synthetic.h, or
 * "lost<tab>N". BEFORE makes it the difference of two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "render/flame.h"
#include "render/folded.h"
#include "render/perf-script.h"
#include "render/pprof.h"
#include "render/speedscope.h"
#include "synthetic.h"

/* Hostile, as everything. */
#define TITLE "nginx.service</title><script>document.title=1</script>"

static void add_line(struct profile *profile, char *line)
{
	char *stack = strtok(line, "\t"), *samples = strtok(NULL, "\t\n");
	char *value = strtok(NULL, "\t"), *comm = strtok(NULL, "\t");
	char *pid = strtok(NULL, "\t"), *cpu = strtok(NULL, "\n");
	struct profile_labels labels;

	if (samples && streq(stack, "lost")) {
		synthetic_lost(profile, strtoull(samples, NULL, 10));
		return;
	}
	if (!cpu)
		abort();
	labels = synthetic_labels(profile, comm, atoi(pid), atoi(cpu));
	synthetic_add(profile, stack, strtoull(samples, NULL, 10), strtoull(value, NULL, 10),
		      &labels);
}

static struct profile *read_profile(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	struct profile *profile = synthetic_new();
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!f)
		abort();
	while (getline(&line, &size, f) > 0)
		add_line(profile, line);
	return profile;
}

static int print(const char *format, const struct profile *profile, const struct profile *before)
{
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	struct profile_tree_options options = { .processes = !before };
	int r = profile_tree_new(profile, before, &options, &tree);

	if (r < 0)
		return r;
	if (streq(format, "folded"))
		return folded_print(tree, stdout);
	if (streq(format, "pprof"))
		return pprof_write(profile, stdout);
	if (streq(format, "perf-script"))
		return perf_script_print(profile, stdout);
	if (streq(format, "speedscope"))
		return speedscope_write(tree, TITLE, stdout);
	if (streq(format, "html"))
		return flame_html_write(tree, TITLE, stdout);
	if (streq(format, "svg"))
		return flame_svg_write(tree, TITLE, 1200, stdout);
	fprintf(stderr, "no format %s\n", format);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	_cleanup_profile_ struct profile *profile = NULL, *before = NULL;

	if (argc < 3)
		return 2;
	profile = read_profile(argv[2]);
	before = argc > 3 ? read_profile(argv[3]) : NULL;
	return print(argv[1], profile, before) < 0 || fflush(stdout) != 0;
}
