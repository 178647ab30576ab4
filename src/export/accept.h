/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which exposition format a scraper wants, from its Accept header (RFC 9110 section 12.5.1). */
#pragma once

#include "render/prometheus.h"

/* OpenMetrics if the header ranks it at least as high as text; else text, also for a header that
 * names neither, as all exporters do. */
enum prometheus_format accept_format(const char *accept);
