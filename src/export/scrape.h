/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One answer to a scrape, made piece by piece while it is sent: a page of 20,000 series is several
 * megabytes, which we neither hold nor let the loop wait for. What the parts of the daemon tell of
 * themselves is gathered at the start; rows are read when their turn comes, so the page of a slow
 * client may span a step.
 */
#pragma once

#include "export/export.h"
#include "export/series.h"
#include "render/prometheus.h"

struct scrape;

/* series outlives the scrape; env is not kept. */
int scrape_new(const struct export_env *env, const struct series *series,
	       enum prometheus_format format, struct scrape **ret);
struct scrape *scrape_free(struct scrape *scrape); /* takes NULL */

/* Writes the next bytes of the page, at most size; 0 at its end. */
size_t scrape_read(struct scrape *scrape, char *buf, size_t size);

static inline void scrape_free_p(struct scrape **scrape)
{
	scrape_free(*scrape);
}
