# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every rung of the hook ladder, on whatever kernel this is: it is in use and named, or status says
that it was refused. Flows are counted and their clients named in either case: the TC and cgroup
programs read no kernel memory, so that lockdown=confidentiality takes neither away."""

import os

import pytest

from books import check_interface, check_roles
from harness import Daemon, kernel, netns_inode


def part_of(daemon):
    return next(c for c in daemon.status()["collectors"] if c["name"] == "flows")


def observe(pair, **config):
    """A megabyte of TCP from a to b; gives back the flows and the collector's part of status."""
    sandbox, a, b = pair
    config["collectors"] = {"flows": {"interval": "1s", **config.pop("flows", {})}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        server = sandbox.start(b, "iperf3", "-s", "-1")
        sandbox.wait_listening(b, 5201)
        sandbox.run(a, "iperf3", "-c", "10.77.0.2", "-n", "1M")
        server.wait(60)
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"))
        part = part_of(daemon)
    check_roles(flows)
    for ns in (a, b):
        check_interface(flows, ns, "eth0")
    for ns, end in ((a, "local"), (b, "peer")):
        rows = [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and f["proto"] == "tcp"]
        assert len(rows) == 2
        assert all(f[end]["process"]["comm"] == "iperf3" for f in rows)
    return flows, part


def serving(flows, ns):
    return [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and f["proto"] == "tcp"]


def refused(pair, hooks):
    """The collector's part of status if the rung that is forced cannot be had: then nothing is seen,
    and nothing is attached."""
    sandbox, a, _ = pair
    with Daemon(sandbox, {"hooks": hooks}) as daemon:
        part = part_of(daemon)
        if part["state"] != "off":
            return None
        sandbox.run(a, "ping", "-c", "2", "-i", "0.05", "10.77.0.2")
        flows = daemon.flows()
        assert flows["flows"] == [] and flows["interfaces"] == []
        assert part["reason"] in daemon.read_log()
    return part


@pytest.mark.parametrize("hooks", ["auto", "fentry", "kprobe", "syscall"])
def test_who_accepted(pair, hooks, record_property):
    part = refused(pair, hooks)
    if part:
        record_property("rung", f"{hooks}: refused")
        assert hooks != "auto" and not is_granted(hooks), part["reason"]
        assert f"hooks: {hooks} cannot be had" in part["reason"] and not part["rung"]
        return
    flows, part = observe(pair, hooks=hooks)
    rungs = part["rung"].split(" + ")
    record_property("rung", f"{hooks}: {part['rung']}")
    assert "cgroup" in rungs
    used = {"fentry", "kprobe", "syscall"} & set(rungs)
    if not used:
        assert hooks == "auto" and part["state"] == "degraded"
        assert "no hook for accept() is granted" in part["reason"]
        return
    assert len(used) == 1 and (hooks == "auto" or hooks in used)
    for f in serving(flows, pair[2]):
        assert f["side"] == "server" and f["local"]["process"]["comm"] == "iperf3"


@pytest.mark.parametrize("attach", ["tcx", "tc"])
def test_attach(pair, attach, record_property):
    sandbox = pair[0]
    if attach == "tcx" and kernel() < [6, 6]:
        with Daemon(sandbox, {"collectors": {"flows": {"attach": "tcx"}}}) as daemon:
            part = part_of(daemon)
        assert part["state"] != "on" and "tcx" in part["reason"].lower()
        return
    _, part = observe(pair, flows={"attach": attach})
    record_property("rung", f"{attach}: {part['rung']}")
    assert {"tcx": "tcx", "tc": "clsact"}[attach] in part["rung"].split(" + ")


def is_granted(hooks):
    """Whether a rung must be had: in a guest of dev/vm, whose kernels have all of them, a refusal is a
    program of ours that is wrong. Tracing programs reach SK_STORAGE from 5.11 on."""
    if "EBPFOBS_VM" not in os.environ:
        return False
    with open("/sys/kernel/security/lockdown", encoding="ascii") as f:
        locked = "[confidentiality]" in f.read()
    return not locked and (hooks != "fentry" or kernel() >= [5, 11])
