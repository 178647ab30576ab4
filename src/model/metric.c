/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of all metric families. Names and labels are stable once released: dashboards and
 * alerts are built on them. A counter's name is exported with _total behind it.
 */
#include "model/metric.h"

#include "base/util.h"

/*
 * The two workloads that talk, and where they were seen. Empty labels are left out of the output:
 * an unknown peer has none, and the addresses are there only with collectors.flows.label_addresses.
 * overflow="true" stands for all pairs of its role and protocol that max_series left no room for.
 */
#define PAIR                                                                                       \
	"local_kind", "local_name", "local_namespace", "peer_kind", "peer_name", "peer_namespace", \
		"role", "protocol", "local_address", "peer_address", "overflow"

/* A drain reads maps of a few entries to 100,000: from far below a millisecond to seconds. */
static const double seconds_bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
					 0.1,	 0.25,	0.5,	1,     2.5,  5,	    10 };

const struct metric_family metric_families[METRIC_MAX_] = {
	[METRIC_CONNECTION_TRAFFIC_BYTES] = {
		.name = "ebpfobs_connection_traffic_bytes",
		.type = METRIC_COUNTER,
		.unit = "bytes",
		.help = "Bytes between two workloads as they were on the wire (GSO and GRO undone), "
			"link headers included; direction as the local one sees it.",
		.labels = { "direction", PAIR },
	},
	[METRIC_CONNECTION_TRAFFIC_PACKETS] = {
		.name = "ebpfobs_connection_traffic_packets",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "Packets between two workloads as they were on the wire (GSO and GRO undone).",
		.labels = { "direction", PAIR },
	},
	[METRIC_TCP_RETRANSMITS] = {
		.name = "ebpfobs_tcp_retransmits",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "TCP segments that the local workload sent again.",
		.labels = { PAIR },
	},
	[METRIC_TCP_RESETS] = {
		.name = "ebpfobs_tcp_resets",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "TCP resets seen between two workloads, either direction.",
		.labels = { PAIR },
	},
	[METRIC_TCP_FAILED_CONNECTS] = {
		.name = "ebpfobs_tcp_failed_connects",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "TCP connects that were refused or never answered.",
		.labels = { PAIR },
	},
	[METRIC_TCP_RTT] = {
		.name = "ebpfobs_tcp_rtt_seconds",
		.type = METRIC_GAUGE,
		.unit = "seconds",
		.help = "Smoothed TCP round trip time, the largest among the connections of the last "
			"interval in which one was known.",
		.labels = { PAIR },
	},
	[METRIC_SKB_DROPS] = {
		.name = "ebpfobs_skb_drops",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "Socket buffers that the kernel dropped, by its own reason.",
		.labels = { "reason", PAIR },
	},
	[METRIC_ACTIVE_CONNECTIONS] = {
		.name = "ebpfobs_active_connections",
		.type = METRIC_GAUGE,
		.unit = "",
		.help = "Connections of the last interval that had not ended: all but those in the "
			"states closed, reset, refused and failed.",
		.labels = { "role", "protocol" },
	},
	[METRIC_CONNECTION_TRACKING_INFO] = {
		.name = "ebpfobs_connection_tracking_info",
		.type = METRIC_GAUGE,
		.unit = "",
		.help = "Connections of the last interval by the state they were in at its end; "
			"only TCP has states.",
		.labels = { "role", "protocol", "state" },
	},
	[METRIC_UNTRACKED_BYTES] = {
		.name = "ebpfobs_untracked_bytes",
		.type = METRIC_COUNTER,
		.unit = "bytes",
		.help = "Bytes on the wire of packets that are in no flow, and why; direction as the "
			"interface sees it.",
		.labels = { "direction", "role", "reason" },
	},
	[METRIC_UNTRACKED_PACKETS] = {
		.name = "ebpfobs_untracked_packets",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "Packets on the wire that are in no flow, and why.",
		.labels = { "direction", "role", "reason" },
	},
	[METRIC_BPF_LOAD_STATUS] = {
		.name = "ebpfobs_bpf_load_status",
		.type = METRIC_GAUGE,
		.unit = "",
		.help = "1 if the collector's BPF programs are loaded and attached, 0 if not "
			"(ebpfobsctl status says why).",
		.labels = { "collector" },
	},
	[METRIC_BPF_PROGRAMS_LOADED] = {
		.name = "ebpfobs_bpf_programs_loaded",
		.type = METRIC_GAUGE,
		.unit = "",
		.help = "BPF programs of the collector that are in the kernel now.",
		.labels = { "collector" },
	},
	[METRIC_BPF_LOAD_ATTEMPTS] = {
		.name = "ebpfobs_bpf_load_attempts",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "Attempts to load BPF objects, by result (ok, failed). The hook ladder tries "
			"rungs that a kernel may refuse, so failures are not faults.",
		.labels = { "collector", "result" },
	},
	[METRIC_BPF_LOAD_DURATION] = {
		.name = "ebpfobs_bpf_load_duration_seconds",
		.type = METRIC_GAUGE,
		.unit = "seconds",
		.help = "How long it took to load and attach the collector's BPF programs.",
		.labels = { "collector" },
	},
	[METRIC_BPF_MAP_UTILIZATION] = {
		.name = "ebpfobs_bpf_map_utilization_percent",
		.type = METRIC_GAUGE,
		.unit = "percent",
		.help = "Entries in a BPF map, in percent of its capacity.",
		.labels = { "map" },
	},
	[METRIC_OVERFLOW_FLOWS] = {
		.name = "ebpfobs_overflow_flows",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "New flows that found the flow map full; their bytes are in the untracked sums.",
		.labels = { NULL },
	},
	[METRIC_BATCH_SIZE] = {
		.name = "ebpfobs_batch_size",
		.type = METRIC_GAUGE,
		.unit = "",
		.help = "Records that the collector delivered in the last interval.",
		.labels = { "collector" },
	},
	[METRIC_COLLECTION_DURATION] = {
		.name = "ebpfobs_collection_duration_seconds",
		.type = METRIC_HISTOGRAM,
		.unit = "seconds",
		.help = "How long it took to drain the collector's maps and rings.",
		.labels = { "collector" },
		.bounds = seconds_bounds,
		.n_bounds = ARRAY_SIZE(seconds_bounds),
	},
	[METRIC_ERRORS] = {
		.name = "ebpfobs_errors",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "Operations of the daemon that failed, by kind.",
		.labels = { "kind" },
	},
	[METRIC_EVENTS] = {
		.name = "ebpfobs_events",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "What the collector has seen, in its own unit (skbs for flows).",
		.labels = { "collector" },
	},
	[METRIC_DROPS] = {
		.name = "ebpfobs_drops",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "What was lost, by the place that lost it. 0 everywhere: the data are complete.",
		.labels = { "site" },
	},
	[METRIC_SERIES_OVERFLOW] = {
		.name = "ebpfobs_series_overflow",
		.type = METRIC_COUNTER,
		.unit = "",
		.help = "Samples that went to the overflow series because max_series was reached.",
		.labels = { "exporter" },
	},
	[METRIC_CPU_SECONDS] = {
		.name = "ebpfobs_process_cpu_seconds",
		.type = METRIC_COUNTER,
		.unit = "seconds",
		.help = "CPU time of the daemon, user and system; without what BPF programs cost others.",
		.labels = { NULL },
	},
	[METRIC_ANON_BYTES] = {
		.name = "ebpfobs_process_anon_bytes",
		.type = METRIC_GAUGE,
		.unit = "bytes",
		.help = "Anonymous memory of the daemon; with bpf_bytes what memory.limit limits.",
		.labels = { NULL },
	},
	[METRIC_BPF_BYTES] = {
		.name = "ebpfobs_process_bpf_bytes",
		.type = METRIC_GAUGE,
		.unit = "bytes",
		.help = "Kernel memory of the daemon's BPF maps, rings and programs.",
		.labels = { NULL },
	},
	[METRIC_RSS_BYTES] = {
		.name = "ebpfobs_process_rss_bytes",
		.type = METRIC_GAUGE,
		.unit = "bytes",
		.help = "Resident memory of the daemon, shared libraries included.",
		.labels = { NULL },
	},
	[METRIC_BUILD_INFO] = {
		.name = "ebpfobs_build_info",
		.type = METRIC_GAUGE,
		.unit = "",
		.help = "Always 1: the version that runs.",
		.labels = { "version" },
	},
};
