/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text that importers of "perf script" get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "render/perf-script.h"
#include "synthetic.h"

static char *print(const struct profile *p)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(perf_script_print(p, out), 0);
	fclose(out);
	return text;
}

static struct profile *make(void)
{
	struct profile_info info = {
		.type = profile_types[SAMPLE_CPU],
		.begin_ns = 100 * NSEC_PER_SEC,
		.end_ns = 104 * NSEC_PER_SEC,
	};
	struct profile *p;

	assert_int_equal(profile_new(&info, NULL, &p), 0);
	return p;
}

/* The same address each time: it is that of the text of the frame. */
static void test_text(void **state)
{
	_cleanup_profile_ struct profile *p = make();
	struct profile_labels b = synthetic_labels(p, "b b", 20, 1);
	struct profile_labels a = synthetic_labels(p, "a", 10, 0);
	_cleanup_free_ char *text = NULL;

	synthetic_add(p, "main@/bin/b", 1, 10, &b);
	synthetic_add(p, "main@/bin/a;out|in@/bin/a (deleted)", 2, 25, &a);
	synthetic_add(p, "@/bin/b;@", 1, 5, &b);
	synthetic_lost(p, 9);
	text = print(p);
	/* By thread, each as long as it weighs: 25, 10 and 5 of 40 in 4 s. */
	assert_string_equal(text, "a 10/10 [000] 100.000000000: 12 cpu:\n"
				  "\t        21f9edb0 in (inlined)\n"
				  "\t        21f9edb0 out (/bin/a\\x20(deleted))\n"
				  "\t        a9b368f6 main (/bin/a)\n"
				  "\n"
				  "a 10/10 [000] 101.200000000: 13 cpu:\n"
				  "\t        21f9edb0 in (inlined)\n"
				  "\t        21f9edb0 out (/bin/a\\x20(deleted))\n"
				  "\t        a9b368f6 main (/bin/a)\n"
				  "\n"
				  "b b 20/20 [001] 102.500000000: 10 cpu:\n"
				  "\t        c2e36763 main (/bin/b)\n"
				  "\n"
				  "b b 20/20 [001] 103.500000000: 5 cpu:\n"
				  "\t        dc9bf85f [unknown] ([unknown])\n"
				  "\t        c2ec4960 [unknown] (/bin/b)\n"
				  "\n"
				  "# samples 4, lost 9, truncated 0, unsymbolized 1\n");
}

/* Many samples become fewer lines; their periods still add up. */
static void test_many(void **state)
{
	_cleanup_profile_ struct profile *p = make();
	_cleanup_free_ char *text = NULL;
	uint64_t events = 0, sum = 0;

	synthetic_add(p, "a@m", UINT64_C(3) * PERF_SCRIPT_SAMPLES_MAX, 30000001, NULL);
	synthetic_add(p, "b@m", 1, 7, NULL);
	text = print(p);
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		char *end = strstr(line, " cpu:");

		if (!end)
			continue;
		*end = '\0';
		sum += strtoull(strrchr(line, ' '), NULL, 10);
		events++;
	}
	assert_int_equal(sum, 30000008);
	assert_in_range(events, PERF_SCRIPT_SAMPLES_MAX - 2, PERF_SCRIPT_SAMPLES_MAX + 1);
}

static void test_hostile(void **state)
{
	_cleanup_profile_ struct profile *p = make();
	struct profile_labels labels = synthetic_labels(p, "x\ny 1/1 [000] 1.0: 1 cpu:", 1, 0);
	_cleanup_free_ char *text = NULL;
	size_t lines = 0;

	synthetic_add(p, "f%0a%0aroot 1/1%0a@m%0a)", 1, 1, &labels);
	text = print(p);
	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
