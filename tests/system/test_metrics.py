# SPDX-License-Identifier: LGPL-2.1-or-later
"""/metrics, /health and /ready of the real daemon, read by other people's parsers and compared with
the sums of `ebpfobsctl flows`."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from harness import Daemon, Sandbox, free_port, netns_inode, quiet, run

BYTES = "ebpfobs_connection_traffic_bytes_total"
PACKETS = "ebpfobs_connection_traffic_packets_total"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
# What the users of other agents look for; dashboards are built on these names.
PROMISED = """connection_traffic_bytes_total connection_traffic_packets_total active_connections
connection_tracking_info tcp_retransmits_total tcp_resets_total tcp_failed_connects_total
tcp_rtt_seconds bpf_load_status bpf_programs_loaded bpf_load_attempts_total
bpf_load_duration_seconds bpf_map_utilization_percent overflow_flows_total batch_size
collection_duration_seconds_count events_total drops_total series_overflow_total
process_cpu_seconds_total process_anon_bytes process_bpf_bytes process_rss_bytes build_info""".split()


class Observed:
    """Two namespaces with a web server in one, the daemon, and its page."""

    def __init__(self, sandbox, **prometheus):
        self.sandbox = sandbox
        self.a, self.b = sandbox.netns("a"), sandbox.netns("b")
        sandbox.veth(self.a, self.b)
        self.port, self.health = free_port(), free_port()
        # By namespace alone: what no process owns is in the sums, too.
        self.daemon = Daemon(sandbox, {
            "scope": {"cgroup": []},
            "exporters": {"prometheus": {"listen": f"127.0.0.1:{self.port}", **prometheus}},
            "health": {"listen": f"127.0.0.1:{self.health}"},
            "collectors": {"flows": {"interval": "1s"}},
        })

    def serve(self):
        self.daemon.wait_attached([(netns_inode(ns), "eth0") for ns in (self.a, self.b)])
        self.sandbox.start(self.b, "/usr/bin/python3", "-m", "http.server", "8000")
        self.sandbox.wait_listening(self.b, 8000)
        return self

    def fetch(self, path="/metrics", port=None, accept="text/plain"):
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}",
                                         headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def samples(self):
        """{(name, labels): value}; a series that is there twice is an error."""
        parser = pytest.importorskip("prometheus_client.parser")
        found = {}
        for family in parser.text_string_to_metric_families(self.fetch()):
            for s in family.samples:
                key = (s.name, frozenset(s.labels.items()))
                assert key not in found, f"twice: {key}"
                found[key] = s.value
        return found

    def settled(self):
        """The samples once traffic and the step that tells of it are over."""
        quiet(self.a, "eth0")
        time.sleep(2.5)
        return self.samples()


@pytest.fixture(name="observed")
def fixture_observed():
    with Sandbox() as sandbox:
        observed = Observed(sandbox)
        with observed.daemon:
            yield observed.serve()


def total(samples, name, **labels):
    return sum(v for (n, have), v in samples.items() if n == name and labels.items() <= have)


def counted(daemon):
    """What the interfaces of role veth have counted, both directions together."""
    counts = [i["counted"][d] for i in daemon.flows()["interfaces"] if i["role"] == "veth"
              for d in ("tx", "rx")]
    return {unit: sum(c[unit] for c in counts) for unit in ("bytes_wire", "packets")}


def test_page_is_clean(observed):
    openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")
    observed.sandbox.run(observed.a, "curl", "-s", "http://10.77.0.2:8000/")
    samples = observed.settled()
    names = {name for name, _ in samples}
    assert not [name for name in PROMISED if f"ebpfobs_{name}" not in names]
    families = list(openmetrics.text_string_to_metric_families(observed.fetch(accept=OPENMETRICS)))
    assert sum(len(f.samples) for f in families) >= len(samples)
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(["promtool", "check", "metrics"], input=observed.fetch(), text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sums_are_the_flows(observed):
    """Per role, pairs + untracked = counted, as interfaces and `ebpfobsctl flows` have it."""
    for _ in range(20):
        observed.sandbox.run(observed.a, "curl", "-s", "http://10.77.0.2:8000/")
    observed.sandbox.run(observed.a, "ping", "-q", "-c", "5", "-i", "0.1", "10.77.0.2")
    # The kernel may send a packet of its own (router solicitation) in between: once more, then.
    for _ in range(10):
        before = counted(observed.daemon)
        samples = observed.settled()
        if counted(observed.daemon) == before:
            break
    for unit, name in (("bytes_wire", "bytes"), ("packets", "packets")):
        assert before[unit] == \
            total(samples, f"ebpfobs_connection_traffic_{name}_total", role="veth") + \
            total(samples, f"ebpfobs_untracked_{name}_total", role="veth")
    # Both ends are on this host: what one sent, the other received.
    curl = total(samples, BYTES, local_name="curl", direction="rx")
    assert curl > 0
    assert curl == total(samples, BYTES, peer_name="curl", direction="tx")


def test_refused_connects(observed):
    for _ in range(7):
        observed.sandbox.run(observed.a, "curl", "-s", "http://10.77.0.2:81/", check=False)
    samples = observed.settled()
    assert total(samples, "ebpfobs_tcp_failed_connects_total", local_name="curl") == 7


def test_counters_never_go_back(observed):
    observed.sandbox.run(observed.b, "dd", "if=/dev/zero", "bs=1M", "count=20",
                         f"of={observed.sandbox.directory}/data")
    observed.sandbox.start(observed.b, "/usr/bin/python3", "-m", "http.server", "8001",
                           "--directory", observed.sandbox.directory)
    observed.sandbox.wait_listening(observed.b, 8001)
    load = observed.sandbox.start(observed.a, "sh", "-c", "while :; do curl -so /dev/null "
                                  "http://10.77.0.2:8001/data; done")
    before, end = {}, time.monotonic() + 8
    while time.monotonic() < end:
        now = observed.samples()
        back = {key: (value, now.get(key)) for key, value in before.items()
                if key[0].endswith("_total") and now.get(key, -1) < value}
        assert not back
        before = now
        time.sleep(0.2)
    load.kill()
    assert total(before, BYTES, local_name="curl", direction="rx") > 20 << 20


def test_overflow():
    """One pair fits, the others do not; the sum is the same."""
    with Sandbox() as sandbox:
        small = Observed(sandbox, max_series=8)
        with small.daemon:
            small.serve()
            for _ in range(5):
                sandbox.run(small.a, "curl", "-s", "http://10.77.0.2:8000/")
            samples = small.settled()
            sent = total(samples, PACKETS, direction="tx", protocol="tcp")
            assert sent == total(samples, PACKETS, direction="rx", protocol="tcp") > 0
            assert total(samples, PACKETS, overflow="true") > 0
            assert total(samples, "ebpfobs_series_overflow_total") > 0


def test_health_and_ready(observed):
    assert observed.fetch("/health", observed.health) == "ok\n"
    assert observed.fetch("/ready", observed.health) == "ready\n"
    with pytest.raises(urllib.error.HTTPError) as error:
        observed.fetch("/nothing", observed.health)
    assert error.value.code == 404
    assert "/ready" in error.value.read().decode()


def test_taken_port_is_named(observed):
    """A second daemon with the same address works on without the endpoint, and says so."""
    config = {**observed.daemon.document, "exporters": observed.daemon.document["exporters"]}
    second = Daemon(observed.sandbox, config, name="second",
                    arguments=("--runtime-dir", observed.sandbox.directory + "/second"))
    with second:
        exporters = {e["name"]: e for e in second.status()["exporters"]}
        assert exporters["prometheus"]["state"] == "off"
        assert f"127.0.0.1:{observed.port}: the port is taken" in exporters["prometheus"]["reason"]
    assert run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
               f"http://127.0.0.1:{observed.port}/metrics") == "200"
