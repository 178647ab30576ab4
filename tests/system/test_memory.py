# SPDX-License-Identifier: LGPL-2.1-or-later
"""memory.limit: with far more flows than it allows, and two clients that ask for all of them all the
time, the meter stays below it at every look, the sums hold, and what was capped is named.
EBPFOBS_LONG=1: 100,000 flows per step instead of 20,000."""

import os
import threading
import time

from books import check_interface, check_roles, total
from harness import Daemon, kernel, netns_inode, quiet, run

LONG = bool(os.environ.get("EBPFOBS_LONG"))
FLOWS = 100000 if LONG else 20000
SENDERS = 10 if LONG else 4
STEPS = 4 if LONG else 3
LIMIT = 16 << 20

# Before, the kernel's figure for a map is what it would take if it were full.
KERNEL_TELLS = kernel() >= [6, 4]

# Sends to as many addresses as there are flows, in several processes, again in each step: an address
# of its own is what makes a row large. A few thousandths of a second of rest, so that the receiver's
# queue holds what comes.
SENDER = """
import os, socket, time
flows, senders, steps, interval = {flows}, {senders}, {steps}, {interval}
for n in range(senders):
    if os.fork() == 0:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for step in range(steps):
            end = time.monotonic() + interval
            for i in range(n, flows, senders):
                s.sendto(b"x" * 50, ("10.%d.%d.%d" % (96 + (i >> 16), i >> 8 & 255, i & 255), 9000))
                if i % 1000 < senders:
                    time.sleep(0.005)
            time.sleep(max(0, end - time.monotonic()))
        os._exit(0)
for n in range(senders):
    os.wait()
"""


def anon_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon")) * 1024


def bpf_bytes(pid):
    """What the kernel says that the daemon's maps and programs take."""
    held = {}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as f:
                info = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        except FileNotFoundError:
            continue
        if "memlock" in info:
            held[info.get("map_id"), info.get("prog_id")] = int(info["memlock"])
    return sum(held.values())


class Looking(threading.Thread):
    """Does look() again and again in a thread of its own."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_under_test = daemon
        self.going_on = True

    def run(self):
        while self.going_on:
            self.look()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.going_on = False
        self.join()


class Meter(Looking):
    """The daemon's memory as the kernel tells it and, twice a second, as its own meter does."""

    def __init__(self, daemon):
        super().__init__(daemon)
        self.looks = self.bpf = self.next_bpf = self.next_own = 0
        self.worst = self.worst_own = (0, 0, 0)  # together, anonymous, BPF

    def look(self):
        pid, now = self.daemon_under_test.process.pid, time.monotonic()
        if now >= self.next_own:
            own = self.daemon_under_test.status()["self"]
            self.worst_own = max(self.worst_own, (own["anon_bytes"] + own["bpf_bytes"],
                                                  own["anon_bytes"], own["bpf_bytes"]))
            self.next_own = now + 0.5
        if now >= self.next_bpf:
            self.bpf = bpf_bytes(pid) if KERNEL_TELLS else self.worst_own[2]
            self.next_bpf = now + 0.1
        anon = anon_bytes(pid)
        self.worst = max(self.worst, (anon + self.bpf, anon, self.bpf))
        self.looks += 1
        time.sleep(0.005)


class Client(Looking):
    """Asks for all flows that there are."""

    def __init__(self, daemon):
        super().__init__(daemon)
        self.answers = self.refused = self.rows = 0

    def look(self):
        try:
            flows = self.daemon_under_test.flows("--limit", "0")
        except RuntimeError as error:
            assert "Too many questions" in str(error), error
            self.refused += 1
            time.sleep(0.1)
            return
        self.answers += 1
        self.rows = max(self.rows, len(flows["flows"]))


def flood(sandbox, ns, interval):
    sandbox.run(ns, "/usr/bin/python3", "-c",
                SENDER.format(flows=FLOWS, senders=SENDERS, steps=STEPS, interval=interval))


def mib(bytes_):
    return f"{bytes_ / 2**20:.1f} MiB"


def test_limit_holds(pair):
    sandbox, a, b = pair
    run("ip", "-n", a, "route", "add", "10.96.0.0/12", "via", "10.77.0.2")
    interval = 5 if LONG else 2
    config = {"memory": {"limit": LIMIT}, "collectors": {"flows": {"interval": f"{interval}s"}}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        with Meter(daemon) as meter, Client(daemon) as first, Client(daemon) as second:
            flood(sandbox, a, interval)
            quiet(a, "eth0")
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"), options=("--limit", "0"))
        status = daemon.status()
        print(f"{meter.looks} looks; at most", *map(mib, meter.worst), "by its own meter",
              *map(mib, meter.worst_own), "(together, anonymous, BPF)")
        for client in (first, second):
            print(f"{client.answers} answers, {client.refused} refused, {client.rows} rows")
        print("longest turn", status["self"]["loop_stall_max_s"], "s, most CPU of one",
              status["self"]["loop_cpu_max_s"], "s;", {k: n for k, n in status["loss"].items() if n})
        check_roles(flows)
        for ns in (a, b):
            check_interface(flows, ns, "eth0")
        assert meter.worst[0] <= LIMIT and meter.worst_own[0] <= LIMIT
        assert first.answers > 0 and second.answers > 0
        assert status["self"]["loop_cpu_max_s"] < 0.05
        (collector,) = [c for c in status["collectors"] if c["name"] == "flows"]
        assert collector["state"] == "degraded" and "memory.limit" in collector["reason"]
        account = status["accounting"]["flows"]
        assert account["seen"] == account["delivered"] + account["filtered"] + account["dropped"]
        assert account["dropped"] == status["loss"]["flows.map_full"]
