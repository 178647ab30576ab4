/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines below a table that say what it is missing. */
#pragma once

#include "ctl/ctl.h"

/* "Lost: SITE n, SITE n." in the colour of trouble, or "Nothing lost." */
void footer_losses(struct ctl *ctl, struct json_object *loss);
/* "10:34:38 to 10:35:38", and what of it there are data for; exact: nothing was thinned out. */
void footer_range(struct ctl *ctl, struct json_object *range, bool exact);

/* The time of day; with the date if it is not today's. */
#define FOOTER_CLOCK_LEN 32
const char *footer_clock(uint64_t ns, char buf[static FOOTER_CLOCK_LEN]);
