/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints doc/METRICS.md from the table of metric families (src/model/metric.c). */
#include <stdio.h>

#include "base/util.h"
#include "model/metric.h"

static const char intro[] =
	"# Metrics\n"
	"\n"
	"Made from `src/model/metric.c` by `make doc/METRICS.md`; do not edit. The names are "
	"stable once\n"
	"released.\n"
	"\n"
	"`GET /metrics` (`exporters.prometheus.listen`) answers in OpenMetrics 1.0.0 if the "
	"`Accept`\n"
	"header asks for it, else in the Prometheus text format 0.0.4; the series are the same. A "
	"counter\n"
	"ends in `_total`. A label that is empty is left out.\n"
	"\n"
	"## What the labels of flows mean\n"
	"\n"
	"| label | |\n"
	"|---|---|\n"
	"| `local_kind`, `local_name`, `local_namespace` | the workload on this host: `unit`, "
	"`container`, `pod`, `process`, `kernel`; `unowned` with the cause as its name when no "
	"process "
	"owns the packets |\n"
	"| `peer_kind`, `peer_name`, `peer_namespace` | the other end; `external` outside the "
	"private "
	"ranges; none of them when nothing is known |\n"
	"| `role` | what kind of interface saw it: `wire`, `veth`, `tunnel`, `bridge`, `loopback`. "
	"A "
	"packet counts once per role and network namespace, so pick a role before you sum |\n"
	"| `protocol` | `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, else the number |\n"
	"| `direction` | `tx` from the local end, `rx` to it |\n"
	"| `local_address`, `peer_address` | only with `collectors.flows.label_addresses` |\n"
	"| `overflow` | `true` on the series that holds all pairs of a role and protocol that "
	"found no "
	"room below `exporters.prometheus.max_series`, or that history had thinned |\n"
	"\n"
	"- **Totals are exact.** For a role and protocol, the sum over all pairs and the overflow "
	"series\n"
	"  is the sum of all flows; with `ebpfobs_untracked_*` it is all that was counted.\n"
	"- **Series go.** A pair without traffic for `exporters.prometheus.ttl` is dropped. If it "
	"comes\n"
	"  back it is a new series and starts from 0, which `rate()` and `increase()` understand. "
	"While\n"
	"  a series is there its counters never go back.\n"
	"- **Names may come late.** Until a container's or pod's name is known its id stands "
	"there; the\n"
	"  named series is another one.\n"
	"- A failed connect counts once for each interval in which the connection is in the state\n"
	"  refused or failed.\n"
	"\n";

static const char *type_name(const struct metric_family *family)
{
	static const char *const names[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	return names[family->type];
}

static void print_families(enum metric_id first, enum metric_id end)
{
	printf("| name | type | labels | what it says |\n|---|---|---|---|\n");
	for (enum metric_id id = first; id < end; id++) {
		const struct metric_family *family = &metric_families[id];

		printf("| `%s%s` | %s |", family->name,
		       family->type == METRIC_COUNTER ? "_total" : "", type_name(family));
		for (const char *const *label = family->labels; *label; label++)
			printf("%s `%s`", label == family->labels ? "" : ",", *label);
		printf(" | %s |\n", family->help);
	}
}

int main(void)
{
	fputs(intro, stdout);
	puts("## Flows, by pair of workloads\n");
	print_families(METRIC_CONNECTION_TRAFFIC_BYTES, METRIC_ACTIVE_CONNECTIONS);
	puts("\n## Flows, in sums\n");
	print_families(METRIC_ACTIVE_CONNECTIONS, METRIC_BPF_LOAD_STATUS);
	puts("\n## ebpfobs itself\n");
	print_families(METRIC_BPF_LOAD_STATUS, METRIC_MAX_);
	return ferror(stdout) || fclose(stdout) != 0;
}
