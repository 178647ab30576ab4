/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A part's reason is a row of sentences in a fixed buffer: whole sentences or none. */
#include "model/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define BETWEEN "; "
#define AND_MORE "; ..." /* stands for the sentences that found no room */

const char *part_state_name(enum part_state state)
{
	switch (state) {
	case PART_OFF:
		return "off";
	case PART_DEGRADED:
		return "degraded";
	case PART_ON:
		return "on";
	}
	return "";
}

void part_add_rung(struct part_status *status, const char *rung)
{
	size_t n = strlen(status->rung);

	snprintf(status->rung + n, sizeof(status->rung) - n, "%s%s", n ? " + " : "", rung);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && streq(s + n - m, end);
}

void part_degrade(struct part_status *status, enum part_state state, const char *format, ...)
{
	char sentence[PART_REASON_LEN];
	size_t used = strlen(status->reason);
	size_t room = sizeof(status->reason) - sizeof(AND_MORE); /* for text, AND_MORE kept free */
	va_list args;

	status->state = MIN(status->state, state);
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (used == 0)
		strcpy(status->reason, sentence); /* same size: a long one is cut by vsnprintf */
	else if (used + strlen(BETWEEN) + strlen(sentence) <= room)
		strcpy(stpcpy(status->reason + used, BETWEEN), sentence);
	else if (used <= room && !ends_with(status->reason, AND_MORE))
		strcpy(status->reason + used, AND_MORE);
}

void part_switch_off(struct part_status *status, const char *reason)
{
	part_degrade(status, PART_OFF, "%s", reason);
	status->as_configured = true;
}
