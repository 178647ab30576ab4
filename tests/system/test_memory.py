# SPDX-License-Identifier: LGPL-2.1-or-later
"""memory.limit: with far more flows than it allows the meter stays below it at every look, the sums
hold, and what was capped is named. EBPFOBS_LONG=1: 100,000 flows per step instead of 20,000."""

import os
import threading
import time

from books import check_interface, check_roles, total
from harness import Daemon, netns_inode, quiet, run

LONG = bool(os.environ.get("EBPFOBS_LONG"))
FLOWS = 100000 if LONG else 20000
SENDERS = 10 if LONG else 4
STEPS = 4 if LONG else 3
LIMIT = 16 << 20

# Sends to as many ports as there are flows, in as many processes, again in each step. A few
# thousandths of a second of rest, so that the receiver's queue holds what comes.
SENDER = """
import os, socket, time
flows, senders, steps, interval = {flows}, {senders}, {steps}, {interval}
for n in range(senders):
    if os.fork() == 0:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for step in range(steps):
            end = time.monotonic() + interval
            for i in range(n, flows, senders):
                try:
                    s.sendto(b"x" * 50, ("10.77.0.%d" % (2 + i // 50000), 1024 + i % 50000))
                except ConnectionRefusedError:
                    s.sendto(b"x" * 50, ("10.77.0.%d" % (2 + i // 50000), 1024 + i % 50000))
                if i % 1000 < senders:
                    time.sleep(0.005)
            time.sleep(max(0, end - time.monotonic()))
        os._exit(0)
for n in range(senders):
    os.wait()
"""


class Meter(threading.Thread):
    """Looks at the daemon's memory all the time: its own meter, and the kernel's word in between."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_under_test = daemon
        self.going_on = True
        self.looks = self.worst = self.worst_anon = 0
        self.worst_self = None

    def anon_bytes(self):
        with open(f"/proc/{self.daemon_under_test.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon")) * 1024

    def run(self):
        bpf = next_look = 0
        while self.going_on:
            if time.monotonic() >= next_look:
                own = self.daemon_under_test.status()["self"]
                bpf = own["bpf_bytes"]
                self.note(own["anon_bytes"] + bpf, own)
                next_look = time.monotonic() + 0.25
            anon = self.anon_bytes()
            self.worst_anon = max(self.worst_anon, anon)
            self.note(anon + bpf, {"anon_bytes": anon, "bpf_bytes": bpf})
            time.sleep(0.01)

    def note(self, used, own):
        self.looks += 1
        if used > self.worst:
            self.worst, self.worst_self = used, own

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.going_on = False
        self.join()


def flood(sandbox, ns, interval):
    sandbox.run(ns, "/usr/bin/python3", "-c",
                SENDER.format(flows=FLOWS, senders=SENDERS, steps=STEPS, interval=interval))


def test_limit_holds(pair):
    sandbox, a, b = pair
    run("ip", "-n", b, "addr", "add", "10.77.0.3/24", "dev", "eth0")
    interval = 5 if LONG else 2
    config = {"memory": {"limit": "16M"}, "collectors": {"flows": {"interval": f"{interval}s"}}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        with Meter(daemon) as meter:
            flood(sandbox, a, interval)
            quiet(a, "eth0")
            flows = daemon.flows()
        print(f"{meter.looks} looks, at most {meter.worst / 2**20:.1f} MiB: {meter.worst_self}")
        check_roles(flows)
        for ns in (a, b):
            check_interface(flows, ns, "eth0")
        status = daemon.status()
        assert meter.worst <= LIMIT
        (collector,) = [c for c in status["collectors"] if c["name"] == "flows"]
        assert collector["state"] == "degraded" and "memory.limit" in collector["reason"]
        account = status["accounting"]["flows"]
        assert account["seen"] == account["delivered"] + account["filtered"] + account["dropped"]
        assert account["dropped"] == status["loss"]["flows.map_full"]
