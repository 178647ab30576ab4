/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every answer ends by saying what it is missing. */
#include "ctl/footer.h"

#include <inttypes.h>
#include <time.h>

#include "base/timestamp.h"
#include "base/util.h"
#include "ctl/value.h"

#define STEP_NS (5 * NSEC_PER_SEC) /* a range that begins within a step is covered */

void footer_losses(struct ctl *ctl, struct json_object *loss)
{
	bool any = false;

	if (!json_object_is_type(loss, json_type_object))
		return;
	json_object_object_foreach(loss, site, count)
	{
		if (json_object_get_int64(count) == 0)
			continue;
		if (!any)
			fprintf(ctl->out, "%sLost: ", text_style_begin(STYLE_BAD, &ctl->look));
		fprintf(ctl->out, "%s%s %" PRId64, any ? ", " : "", site,
			json_object_get_int64(count));
		any = true;
	}
	if (any)
		fprintf(ctl->out, ".%s\n", text_style_end(STYLE_BAD, &ctl->look));
	else
		fputs("Nothing lost.\n", ctl->out);
}

const char *footer_clock(uint64_t ns, char buf[static FOOTER_CLOCK_LEN])
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC), now = time(NULL);
	struct tm tm, today;

	localtime_r(&seconds, &tm);
	localtime_r(&now, &today);
	strftime(buf, FOOTER_CLOCK_LEN,
		 tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday ? "%H:%M:%S"
									    : "%Y-%m-%d %H:%M:%S",
		 &tm);
	return buf;
}

static uint64_t range_time(struct json_object *range, const char *key)
{
	uint64_t ns = 0;

	(void)timestamp_parse(value_text(range, key), 0, &ns);
	return ns;
}

void footer_range(struct ctl *ctl, struct json_object *range, bool exact)
{
	uint64_t since = range_time(range, "since"), until = range_time(range, "until");
	uint64_t from = range_time(range, "covered_since"), to = range_time(range, "covered_until");
	char a[FOOTER_CLOCK_LEN], b[FOOTER_CLOCK_LEN];

	fprintf(ctl->out, "From %s to %s.", footer_clock(since, a), footer_clock(until, b));
	if (from == 0)
		fputs(" There are no data of that time.", ctl->out);
	else if (from > since + STEP_NS || to + STEP_NS < until)
		fprintf(ctl->out, " There are data from %s to %s only.", footer_clock(from, a),
			footer_clock(to, b));
	if (!exact)
		fputs(" Of old steps only the largest flows are kept; \"other\" is the exact sum "
		      "of "
		      "the rest.",
		      ctl->out);
	fputc('\n', ctl->out);
}
