/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of libstdc++ against c++filt; Rust's from RFC 2603 and from rustc-demangle's tests; and names
 * that stand for more than the universe holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "binary/demangle.h"

static void test_vectors(void **state)
{
	static const struct {
		const char *mangled, *expected;
	} vectors[] = {
		{ "", "" },
		{ "main", "main" },
		{ "_Z", "_Z" },
		{ "_R", "_R" },
		{ "_Znonsense", "_Znonsense" },
		{ "_Rnonsense", "_Rnonsense" },
		{ "_ZN3app5Queue4pushEOSt10unique_ptrI3JobSt14default_deleteIS2_EE",
		  "app::Queue::push(std::unique_ptr<Job, std::default_delete<Job> >&&)" },
		{ "_ZN3app4loopEv.cold", "app::loop() [clone .cold]" },
		{ "_ZZN3app4loopEvENKUliE_clEi",
		  "app::loop()::{lambda(int)#1}::operator()(int) const" },
		/* Rust, legacy: a C++ name with a hash and escapes */
		{ "_ZN3foo3bar17h05af221e174051e9E", "foo::bar" },
		{ "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar"
		  "17h930b740aa94f1d3aE",
		  "<Test + 'static as foo::Bar<Test>>::bar" },
		/* Rust, v0 */
		{ "_RNvC6_123foo3bar", "123foo::bar" },
		{ "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y",
		  "utf8_idents::საჭმელად_გემრიელი_სადილი" },
		{ "_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_", "cc::spawn::{closure#0}::{closure#0}" },
		{ "_RNCINkXs25_NgCsbmNqQUJIY6D_4core5sliceINyB9_4IterhENuNgNoBb_4iter8iterator"
		  "8Iterator9rpositionNCNgNpB9_6memchr7memrchrs_0E0Bb_",
		  "<core::slice::Iter<u8> as core::iter::iterator::Iterator>::rposition::"
		  "<core::slice::memchr::memrchr::{closure#1}>::{closure#0}" },
		{ "_RINbNbCskIICzLVDPPb_5alloc5alloc8box_freeDINbNiB4_5boxed5FnBoxuEp6OutputuEL_E"
		  "Cs1iopQbuBiw2_3std",
		  "alloc::alloc::box_free::<dyn alloc::boxed::FnBox<(), Output = ()>>" },
	};
	char buf[DEMANGLED_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		assert_string_equal(demangle(vectors[i].mangled, buf), vectors[i].expected);
}

/* All that libstdc++ exports, as c++filt says it. */
static void test_libstdcxx(void **state)
{
	FILE *f = popen(
		"lib=$(gcc -print-file-name=libstdc++.so.6) && test -e \"$lib\" && "
		"nm -D --defined-only \"$lib\" | sed -n 's/.* \\(_Z[^@]*\\).*/\\1/p' >/tmp/n.$$ && "
		"c++filt -i </tmp/n.$$ | paste /tmp/n.$$ -; rm -f /tmp/n.$$",
		"re");
	char line[8192], buf[DEMANGLED_MAX], *tab;
	unsigned n = 0;

	assert_non_null(f);
	for (; fgets(line, sizeof(line), f); n++) {
		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		assert_non_null(tab);
		*tab = '\0';
		assert_string_equal(demangle(line, buf), tab + 1);
	}
	pclose(f);
	if (n == 0) {
		print_message("no libstdc++.so.6\n");
		skip();
	}
	assert_true(n > 3000);
}

/* Demangles it in less than a second, to at most DEMANGLED_MAX. */
static void assert_bounded(const char *name, bool cut)
{
	char buf[DEMANGLED_MAX];
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	const char *text = demangle(name, buf);

	assert_true(now_ns(CLOCK_MONOTONIC) - start < NSEC_PER_SEC);
	if (!cut)
		return;
	assert_ptr_equal(text, buf);
	assert_in_range(strlen(text), DEMANGLED_MAX - 8, DEMANGLED_MAX - 1);
	assert_string_equal(text + strlen(text) - 3, "...");
}

/* f(A<c, c>, A<S0, S0>, A<S1, S1>, ...): each argument is twice as long as the one before. */
static void test_doubling_cxx(void **state)
{
	char name[1024] = "_Z1f1AIccE", *end = name + strlen(name);

	end += sprintf(end, "S_IS0_S0_E");
	for (unsigned i = 1; i < 36; i++) {
		char c = (char)(i < 10 ? '0' + i : 'A' + i - 10);

		end += sprintf(end, "S_IS%c_S%c_E", c, c);
	}
	assert_bounded(name, true);
}

/* <base-62-number> of RFC 2603 */
static char *put_base62(char *at, size_t n)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (n > 62)
		*at++ = digits[(n - 1) / 62];
	if (n > 0)
		*at++ = digits[(n - 1) % 62];
	*at++ = '_';
	return at;
}

/* a::f::<(X, X), (B, B), ...>, where B refers back to the tuple before. */
static void doubling_rust(char *name, const char *leaf)
{
	char *end = name + sprintf(name, "_RINvC1a1f"), *tuple = end;

	end += sprintf(end, "T%s%sE", leaf, leaf);
	for (unsigned i = 0; i < 100; i++) {
		size_t back = (size_t)(tuple - name) - strlen("_R");

		tuple = end;
		*end++ = 'T';
		*end++ = 'B';
		end = put_base62(end, back);
		*end++ = 'B';
		end = put_base62(end, back);
		*end++ = 'E';
	}
	strcpy(end, "E");
}

static void test_doubling_rust(void **state)
{
	char name[2048];

	doubling_rust(name, "c");
	assert_bounded(name, true);
	/* An identifier in Punycode: the demangler holds memory when it is interrupted. */
	doubling_rust(name, "NtC1au8gdel_5qa"); /* a::gödel */
	assert_bounded(name, true);
}

static void test_nested(void **state)
{
	static const struct {
		const char *before, *again, *after;
	} nests[] = {
		{ "_Z1f", "P", "i" },	     { "_Z1f", "N1A", "" },
		{ "_Z1f", "1AI", "" },	     { "_Z1f", "DpT_", "" },
		{ "_Z1fIJEEv", "DpT_", "" }, { "_RINvC1a1f", "R", "uE" },
		{ "_RINvC1a1f", "T", "uE" }, { "_R", "Nv", "C1a1f" },
		{ "_R", "I", "C1a" },	     { "_RINvC1a1f", "FKC", "uE" },
		{ "_ZN", "9", "E" },	     { "_RMC0", "B0_", "" },
		{ "_Z", "cv", "" },	     { "_Z", "Z", "" },
		{ "_ZTT", "T", "" },
	};
	static const size_t sizes[] = { 100, 1000, 4000, 60000 };

	for (size_t i = 0; i < ARRAY_SIZE(nests); i++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			_cleanup_free_ char *name = malloc(sizes[s] + 64);
			char *end = name;

			end += sprintf(end, "%s", nests[i].before);
			while ((size_t)(end - name) < sizes[s])
				end += sprintf(end, "%s", nests[i].again);
			sprintf(end, "%s", nests[i].after);
			assert_bounded(name, false);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	     cmocka_unit_test(test_libstdcxx),
		cmocka_unit_test(test_doubling_cxx), cmocka_unit_test(test_doubling_rust),
		cmocka_unit_test(test_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
