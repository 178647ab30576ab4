# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon beside filters of others, in both ways of attaching: each of theirs sees every packet
through start, stop, kill -9 and restart, and afterwards everything is as before. (What attaching
itself does is in net/test_attach.py.)"""

import contextlib
import json
import os
import signal

import pytest
from books import check_interface, check_roles
from harness import BUILD, Daemon, link_counters, netns_inode, quiet, run, wait_for

COUNT = 20  # packets per ping
SIDES = {"ingress": "rx", "egress": "tx"}

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="session", name="foreign")
def fixture_foreign(tmp_path_factory):
    """A program that counts and goes on (section tc), or ends the chain (section end)."""
    path = tmp_path_factory.mktemp("bpf") / "foreign.bpf.o"
    include = run("gcc", "-print-multiarch").strip()
    run("clang", "--target=bpf", "-O2", "-g", f"-I/usr/include/{include}", "-c",
        os.path.join(HERE, "net", "foreign.bpf.c"), "-o", str(path))
    return str(path)


def add_filter(ns, foreign, direction, priority, section="tc"):
    run("tc", "-n", ns, "filter", "add", "dev", "eth0", direction, "priority", str(priority), "bpf",
        "direct-action", "object-file", foreign, "section", section)


def foreign_counts(ns, direction):
    """Packets per foreign filter, by priority: what the kernel holds in their variable."""
    counts = {}
    for f in json.loads(run("tc", "-n", ns, "-j", "filter", "show", "dev", "eth0", direction)):
        options = f.get("options", {})
        if not options.get("bpf_name", "").startswith("foreign"):
            continue
        program = json.loads(run("bpftool", "-j", "prog", "show", "id", str(options["prog"]["id"])))
        for m in program["map_ids"]:
            for entry in json.loads(run("bpftool", "-j", "map", "dump", "id", str(m))):
                for section in entry.get("formatted", {}).get("value", {}).values():
                    counts[f["pref"]] = sum(v.get("foreign_seen", 0) for v in section)
    return counts


def shown(ns):
    return [run("tc", "-n", ns, "filter", "show", "dev", "eth0", d) for d in ("ingress", "egress")] + \
        [run("tc", "-n", ns, "qdisc", "show")]


def ping(sandbox, ns):
    sandbox.run(ns, "ping", "-q", "-c", COUNT, "-i", "0.01", "10.77.0.2")


@pytest.fixture(name="neighbours")
def fixture_neighbours(pair, foreign):
    """clsact and filters of somebody else on a's eth0: before and after ours in each direction."""
    sandbox, a, b = pair
    run("tc", "-n", a, "qdisc", "add", "dev", "eth0", "clsact")
    for direction in ("ingress", "egress"):
        add_filter(a, foreign, direction, 1)
        add_filter(a, foreign, direction, 65000)
    # Who answers is known before anything is counted.
    sandbox.run(a, "ping", "-q", "-c", "1", "10.77.0.2")
    for ns, peer, address in ((a, b, "10.77.0.2"), (b, a, "10.77.0.1")):
        mac = json.loads(run("ip", "-n", peer, "-j", "link", "show", "eth0"))[0]["address"]
        run("ip", "-n", ns, "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud",
            "permanent")
    quiet(a, "eth0")
    return sandbox, a, b


@contextlib.contextmanager
def under_traffic(sandbox, ns):
    """A packet every 4 ms in each direction meanwhile: what we do must not cost the others one."""
    process = sandbox.start(ns, "ping", "-q", "-i", "0.004", "10.77.0.2")
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@pytest.mark.parametrize("attach", ["tcx", "tc"])
def test_foreign_filters_see_everything(neighbours, attach):
    sandbox, a, b = neighbours
    config = {"collectors": {"flows": {"interval": "1s", "attach": attach}}}
    names = [(netns_inode(a), "eth0"), (netns_inode(b), "eth0")]
    untouched = shown(a), shown(b)
    missed = {d: link_counters(a, "eth0")[s]["packets"] - foreign_counts(a, d)[1]
              for d, s in SIDES.items()}

    def traffic(when):
        ping(sandbox, a)
        quiet(a, "eth0", 0.2)
        for direction, side in SIDES.items():
            all_packets = link_counters(a, "eth0")[side]["packets"] - missed[direction]
            assert foreign_counts(a, direction) == {1: all_packets, 65000: all_packets}, when

    traffic("before")
    daemon = Daemon(sandbox, config)
    for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        with under_traffic(sandbox, a):
            daemon.start()
            daemon.wait_attached(names)
        traffic("attached")
        flows = daemon.quiet_flows((a, "eth0"))
        check_roles(flows)
        check_interface(flows, a, "eth0")
        assert "miss" not in (daemon.status()["collectors"][0]["reason"] or "")
        with under_traffic(sandbox, a):
            daemon.stop(sig)
        traffic(f"after {sig.name}")
        if sig == signal.SIGTERM:
            assert (shown(a), shown(b)) == untouched
    daemon.start()
    daemon.wait_attached(names)
    daemon.stop(signal.SIGKILL)
    with under_traffic(sandbox, a):
        run(f"{BUILD}/ebpfobsd", "--cleanup", "--config", daemon.config_path, "--state-dir",
            daemon.state)
    traffic("after --cleanup")
    assert (shown(a), shown(b)) == untouched


def test_earlier_filter_that_ends_the_chain(neighbours, foreign):
    """Added at the head while we run. It is not ours to change; that we miss a share is said, and who
    it is."""
    sandbox, a, b = neighbours
    config = {"collectors": {"flows": {"interval": "1s", "attach": "tc"}}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        run("tc", "-n", a, "filter", "del", "dev", "eth0", "egress", "priority", "65000")
        add_filter(a, foreign, "egress", 1, "end")

        def reason():
            return daemon.status()["collectors"][0]["reason"] or ""
        wait_for("the share that we miss to be said", lambda: "miss a share on eth0" in reason(),
                 timeout=30)
        assert "bpf filter" in reason() and "priority 1" in reason() and "egress" in reason()
        wait_for("the log", lambda: "collector flows: degraded: " in daemon.read_log())
