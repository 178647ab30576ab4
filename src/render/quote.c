/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/text.h knows the rules of the places; here is what HTML and XML want besides. */
#include "render/quote.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"

/* text as on a terminal, in memory that the caller frees. */
static char *make_visible(const char *text)
{
	return text_escape_dup(TEXT_TERMINAL, text);
}

void quote_json(const char *text, bool visible, FILE *out)
{
	_cleanup_free_ char *seen = visible ? make_visible(text) : NULL;
	_cleanup_free_ char *escaped = NULL;

	if (visible)
		text = seen ? seen : "";
	escaped = text_escape_dup(TEXT_JSON, text);
	fputc('"', out);
	for (const char *s = escaped ? escaped : ""; *s; s++)
		if (*s == '<')
			fputs("\\u003c", out);
		else
			fputc(*s, out);
	fputc('"', out);
}

/* U+FFFE and U+FFFF are UTF-8, but no characters of XML (section 2.2). */
static bool is_no_character(const char *s)
{
	return has_prefix(s, "\xef\xbf\xbe") || has_prefix(s, "\xef\xbf\xbf");
}

void quote_xml(const char *text, FILE *out)
{
	static const char special[] = "&<>\"'";
	static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
	_cleanup_free_ char *seen = make_visible(text);
	const char *found;

	for (const char *s = seen ? seen : ""; *s; s++) {
		found = strchr(special, *s);
		if (found) {
			fputs(entities[found - special], out);
		} else if (is_no_character(s)) {
			fputs("\xef\xbf\xbd", out);
			s += 2;
		} else {
			fputc(*s, out);
		}
	}
}
