/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.limit. The meter is anonymous memory plus the BPF maps' sizes. What the program takes with
 * empty tables is measured when it has started; the rest, but for a reserve, is the tables' budget:
 * shares for the collectors, for the peers that enrich knows, and for the store with the answers to
 * questions. When the meter comes near the limit all the same the budget is cut, and given back
 * slowly when there is room again. Tables over their cap refuse new rows and count them, questions
 * wait; nothing dies.
 */
#include "base/util.h"
#include "daemon/manager-internal.h"

#define PLANNED \
	0.9 /* of the limit; the reserve is for what no table has: SQLite's cache, replies */
#define STORE_SHARE \
	0.5 /* with the collectors' 0.4: as many rows in a step as flows in the kernel */
#define PEERS_SHARE 0.1
#define HIGH 0.95 /* of the limit: above it the budget is cut */
#define LOW 0.8 /* below it the budget grows again */

static uint64_t limit_of(const struct manager *m)
{
	const struct memory_options *memory = manager_options(m, &memory_options);

	return memory->limit;
}

static uint64_t full_budget(const struct manager *m)
{
	uint64_t planned = PLANNED * limit_of(m), least = limit_of(m) / 8;

	return planned > m->base_bytes + least ? planned - m->base_bytes : least;
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

static uint64_t collectors_bytes(uint64_t budget)
{
	return budget * (1 - STORE_SHARE - PEERS_SHARE);
}

uint64_t budget_per_collector(const struct manager *m)
{
	return collectors_bytes(full_budget(m)) / MAX(enabled_collectors(m), (size_t)1);
}

static void apply(struct manager *m)
{
	store_set_max_rows(m->store, m->budget * STORE_SHARE / STORE_BYTES_PER_ROW);
	enrich_set_budget(m->enrich, m->budget * PEERS_SHARE);
	for (size_t i = 0; i < m->n_collectors; i++)
		if (m->collectors[i].ops->budget)
			m->collectors[i].ops->budget(m->collectors[i].collector,
						     collectors_bytes(m->budget) / m->n_collectors);
}

void budget_start(struct manager *m)
{
	budget_measure(m);
	/* A reload finds tables that are in use: what was measured at the start holds. */
	if (m->base_bytes == 0)
		m->base_bytes = m->meter.anon_bytes + m->meter.bpf_bytes;
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
