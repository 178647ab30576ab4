# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose packet was it? The truth is what the processes themselves say: who they are, which sockets
they made, accepted or were handed. Every way to have no owner is provoked once."""

import os
from collections import Counter

import pytest

from agent import Agent
from books import check_interface, check_roles, interface, total
from harness import BUILD, Daemon, netns_inode, quiet, run, wait_for

STEP = {"collectors": {"flows": {"interval": "1s"}}}
SHORT_CONNECTIONS = int(os.environ.get("EBPFOBS_SHORT_CONNECTIONS", "3000"))
A, B = "10.77.0.1", "10.77.0.2"


def flows_of(flows, ns, port=None, proto=None, fragment=False):
    """The rows of a namespace, by port at either end."""
    return [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and not f["other"]
            and (proto is None or f["proto"] == proto) and f["fragment"] == fragment
            and (port is None or port in (f["local"]["port"], f["peer"]["port"]))]


def owner(end):
    return (end["process"]["pid"], end["process"]["comm"]) if end["process"] else None


def attached(daemon, *links):
    daemon.wait_attached([(netns_inode(ns), dev) for ns, dev in links])


# --- short connections --------------------------------------------------------------------------

def truth(path):
    """What the tool wrote: port -> pid. A port was used once."""
    with open(path, encoding="ascii") as f:
        lines = [line.split() for line in f]
    pids = {int(port): int(pid) for port, pid in lines}
    assert len(pids) == len(lines), "a port was used twice: no telling whose a row is"
    return pids


def verdict_of(end, expected, listener):
    """"right"; "listener": of the process that listens, because nobody had accepted it yet."""
    if owner(end) is None:
        return "unowned"
    if owner(end) == expected:
        return "right"
    return "listener" if end["process"]["pid"] == listener else "wrong"


def test_short_connections(pair):
    sandbox, a, b = pair
    tool = os.path.join(BUILD, "tests/system/tools/short-connections")
    logs = {side: os.path.join(sandbox.directory, side) for side in ("client", "server")}
    with Daemon(sandbox, STEP) as daemon, open(logs["client"], "ab") as client_log, \
            open(logs["server"], "ab") as server_log:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        listener = sandbox.start(b, tool, "server", B, 9000, 4, stdout=server_log).pid
        sandbox.wait_listening(b, 9000)
        client = sandbox.start(a, tool, "client", B, 9000, SHORT_CONNECTIONS, 8, stdout=client_log)
        assert client.wait(600) == 0
        quiet(a, "eth0")
        flows = daemon.flows()
        check_roles(flows)
        losses = {k: v for k, v in daemon.status()["loss"].items() if v}
    truths = {"client": (truth(logs["client"]), "short-client"),
              "server": (truth(logs["server"]), "short-worker")}
    verdicts = Counter()
    for ns, side, other in ((a, "client", "server"), (b, "server", "client")):
        local, peer = truths[side], truths[other]
        client_end = "local" if side == "client" else "peer"
        rows = flows_of(flows, ns, 9000)
        ports = {f[client_end]["port"] for f in rows}
        assert ports == set(local[0]) and len(ports) == SHORT_CONNECTIONS
        named = set()
        for f in rows:
            port = f[client_end]["port"]
            assert f["side"] == side and f["local"]["workload"], f
            verdict = verdict_of(f["local"], (local[0][port], local[1]), listener)
            verdicts[side, verdict] += 1
            if verdict == "right":
                named.add(port)
            if f["peer"]["process"]:
                verdict = verdict_of(f["peer"], (peer[0][port], peer[1]), listener)
                verdicts[side + "'s peer", verdict] += 1
        # What a step's end cut off before accept() belongs to the listener; the rest of it does not.
        assert len(ports - named) <= SHORT_CONNECTIONS / 100, verdicts
    print(f"{SHORT_CONNECTIONS} connections, rows: {dict(verdicts)}; losses: {losses}")
    assert not [v for v in verdicts if v[1] == "wrong"], verdicts
