/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.limit. The meter is anonymous memory plus the BPF maps' sizes. What the program takes with
 * empty tables is set aside; the rest is the tables' budget, shared out between the collectors and
 * the store. When the meter comes near the limit all the same the budget is cut, and given back
 * slowly when there is room again. Tables over their cap refuse new rows and count them; nothing
 * dies.
 */
#include "base/util.h"
#include "daemon/manager-internal.h"

#define BASE_BYTES (UINT64_C(6) << 20) /* program, libraries' heaps, small maps, HTTP */
#define STORE_SHARE 0.4
#define STORE_BYTES_PER_ROW 400 /* a row of the current step and of the one being written */
#define HIGH 0.9 /* of the limit: above it the budget is cut */
#define LOW 0.7 /* below it the budget grows again */

static uint64_t limit_of(const struct manager *m)
{
	const struct memory_options *memory = manager_options(m, &memory_options);

	return memory->limit;
}

static uint64_t full_budget(const struct manager *m)
{
	uint64_t limit = limit_of(m);

	return limit > 2 * BASE_BYTES ? limit - BASE_BYTES : limit / 2;
}

static size_t enabled_collectors(const struct manager *m)
{
	const struct collector_options *options;
	size_t n = 0;

	for (size_t i = 0; i < m->registry->n_collectors; i++) {
		options = manager_options(m, &m->registry->collectors[i]);
		n += options->enabled;
	}
	return n;
}

uint64_t budget_per_collector(const struct manager *m)
{
	return full_budget(m) * (1 - STORE_SHARE) / MAX(enabled_collectors(m), (size_t)1);
}

static void apply(struct manager *m)
{
	uint64_t store = m->budget * STORE_SHARE, rest = m->budget - store;

	store_set_max_rows(m->store, store / STORE_BYTES_PER_ROW);
	for (size_t i = 0; i < m->n_collectors; i++)
		if (m->collectors[i].ops->budget)
			m->collectors[i].ops->budget(m->collectors[i].collector,
						     rest / m->n_collectors);
}

void budget_start(struct manager *m)
{
	m->budget = full_budget(m);
	apply(m);
}

void budget_measure(struct manager *m)
{
	meter_read(&m->meter);
	m->meter.bpf_bytes = bpf_env_figures(m->bpf).shared_bytes + sockets_bpf_bytes(m->sockets) +
			     processes_feed_bpf_bytes(m->processes);
	for (size_t i = 0; i < m->n_collectors; i++)
		m->meter.bpf_bytes += m->collectors[i].ops->bpf_bytes(m->collectors[i].collector);
}

void budget_step(struct manager *m)
{
	uint64_t used, limit = limit_of(m), before = m->budget;

	budget_measure(m);
	used = m->meter.anon_bytes + m->meter.bpf_bytes;
	if (used > HIGH * limit)
		m->budget = m->budget * 0.8;
	else if (used < LOW * limit)
		m->budget = MIN((uint64_t)(m->budget * 1.1), full_budget(m));
	if (m->budget != before)
		apply(m);
}
