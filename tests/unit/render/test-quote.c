/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strangers' text in JSON within HTML, and in XML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "render/quote.h"

static void test_quotes(void **state)
{
	static const struct {
		const char *text, *json, *visible, *xml;
	} cases[] = {
		{ "", "\"\"", "\"\"", "" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"", "a&quot;b\\c" },
		{ "</script>", "\"\\u003c/script>\"", "\"\\u003c/script>\"", "&lt;/script&gt;" },
		{ "'&amp;", "\"'&amp;\"", "\"'&amp;\"", "&#39;&amp;amp;" },
		{ "\x01\n", "\"\\u0001\\u000a\"", "\"\\\\x01\\\\n\"", "\\x01\\n" },
		{ "\xe2\x80\xae\xff", "\"\xe2\x80\xae\xef\xbf\xbd\"", "\"\\\\u202e\\\\xff\"",
		  "\\u202e\\xff" },
		{ "\xef\xbf\xbe\xc3\xa9", "\"\xef\xbf\xbe\xc3\xa9\"", "\"\xef\xbf\xbe\xc3\xa9\"",
		  "\xef\xbf\xbd\xc3\xa9" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int way = 0; way < 3; way++) {
			_cleanup_free_ char *said = NULL;
			size_t size;
			FILE *out = open_memstream(&said, &size);

			if (way < 2)
				quote_json(cases[i].text, way == 1, out);
			else
				quote_xml(cases[i].text, out);
			fclose(out);
			assert_string_equal(said, way == 0   ? cases[i].json
						  : way == 1 ? cases[i].visible
							     : cases[i].xml);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_quotes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
