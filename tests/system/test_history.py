# SPDX-License-Identifier: LGPL-2.1-or-later
"""The history under kill -9 in the midst of writing, and on a disk that is full.
EBPFOBS_LONG=1: fifty kills instead of eight."""

import os
import random
import signal
import sqlite3
import time

import pytest
from books import check_roles
from harness import Daemon, netns_inode, run, wait_for

LONG = bool(os.environ.get("EBPFOBS_LONG"))
KILLS = {"tcx": 38, "tc": 12} if LONG else {"tcx": 6, "tc": 2}
STEP = {"collectors": {"flows": {"interval": "1s"}}}

# A packet to a port of its own every 5 ms, so that a step has rows and a row is in one step: the
# port says when. What was sent is in the file.
SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with open(sys.argv[1], "w", buffering=1) as log:
    for port in range(2000, 65000):
        try:
            s.sendto(b"x" * 100, ("10.77.0.2", port))
        except ConnectionRefusedError:
            pass
        log.write(f"{port} {time.time()}\\n")
        time.sleep(0.005)
"""


def start_sender(sandbox, ns):
    log = os.path.join(sandbox.directory, "sent")
    sandbox.start(ns, "/usr/bin/python3", "-c", SENDER, log)
    wait_for("traffic", lambda: os.path.exists(log))
    return log


def read_sent(log):
    """port -> when it was sent to"""
    with open(log, encoding="ascii") as f:
        rows = [line.split() for line in f.read().splitlines()]
    return {int(row[0]): float(row[1]) for row in rows if len(row) == 2}


def check_integrity(path):
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def ports_of(flows, ns):
    return {f["peer"]["port"] for f in flows["flows"]
            if f["netns"] == netns_inode(ns) and f["proto"] == "udp"}


def steps_on_disk(path):
    """When the steps that are on disk ended, the last one first."""
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT end FROM segment ORDER BY end DESC").fetchall()
    db.close()
    return [row[0] / 1e9 for row in rows]


def watch_steps(daemon, seconds):
    """Until then, and until no more than one step is on its way to the disk: when the steps ended that
    are not on their way any more. A disk that others keep busy only makes this take longer."""
    ended, until = [0], time.monotonic() + seconds
    while True:
        store = daemon.status()["store"]
        last = store["running_since_ns"] / 1e9
        if last > ended[-1]:
            ended.append(last)
        if time.monotonic() > until and store["waiting_steps"] <= 1:
            return ended[:len(ended) - store["waiting_steps"]]
        time.sleep(random.random() * 0.05)


@pytest.mark.parametrize("attach", ["tcx", "tc"])
def test_kill_while_writing(pair, attach):
    """The running step and at most one that was on its way to the disk are lost, and nothing older."""
    sandbox, a, b = pair
    untouched = run("tc", "-n", a, "qdisc", "show")
    # Each row of all lives is asked for at once; after fifty kills that is more than the default holds.
    config = {"collectors": {"flows": {"interval": "1s", "attach": attach}}, "memory": {"limit": "256M"}}
    daemon = Daemon(sandbox, config)
    database = os.path.join(daemon.state, "history.db")
    log = None
    kept = set()
    for n in range(KILLS[attach]):
        daemon.start()
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        flows = daemon.flows()
        check_roles(flows)
        missing = kept - ports_of(flows, a)
        assert not missing, f"kill {n}: {len(missing)} rows are gone"
        log = log or start_sender(sandbox, a)
        attached = time.time()
        # Steps end each second: kill at any moment of one, the first not before some were written.
        ended = watch_steps(daemon, 2.3 + random.random())
        daemon.stop(signal.SIGKILL)
        check_integrity(database)
        on_disk = steps_on_disk(database)
        assert on_disk[0] >= ended[-1], f"kill {n}: {ended[-1] - on_disk[0]:.3f} s of written steps are gone"
        # What was sent before a step ended is in that step, or in the next one if it was being drained.
        kept |= {p for p, at in read_sent(log).items() if attached < at < on_disk[1]}
    assert len(kept) > 100
    with daemon:
        flows = daemon.flows()
        assert kept <= ports_of(flows, a)
        assert daemon.status()["store"]["state"] == "on"
    assert run("tc", "-n", a, "qdisc", "show") == untouched
    assert "ebpfobs" not in run("tc", "-n", a, "filter", "show", "dev", "eth0", "ingress")


@pytest.fixture(name="small_disk")
def fixture_small_disk(sandbox):
    """A file system of 4 MiB for the state of a daemon named "daemon"."""
    path = os.path.join(sandbox.directory, "daemon", "state")
    os.makedirs(path)
    run("mount", "-t", "tmpfs", "-o", "size=4M", "ebpfobs-test", path)
    yield path
    run("umount", path)


def fill(path):
    """Takes all the space that there is."""
    with open(os.path.join(path, "filler"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 65536)
        except OSError:
            pass
        try:
            while True:
                f.write(b"\0" * 512)
        except OSError:
            pass


def test_full_disk(pair, small_disk):
    sandbox, a, b = pair
    with Daemon(sandbox, STEP) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        sent_log = start_sender(sandbox, a)
        wait_for("a step on the disk", lambda: daemon.status()["store"]["disk_bytes"] > 0)

        def store():
            return daemon.status()["store"]
        fill(small_disk)
        full = wait_for("a full disk to be said",
                        lambda: store()["state"] == "degraded" and store(), timeout=30)
        assert small_disk in full["reason"] and "is full" in full["reason"]
        assert "free some or lower store.max_size" in full["reason"]
        # What the disk does not take is answered from memory.
        began = time.time()
        time.sleep(3)
        late = {p for p, at in read_sent(sent_log).items() if at > began and at < began + 2}
        flows = daemon.flows()
        check_roles(flows)
        assert late and late <= ports_of(flows, a)
        os.unlink(os.path.join(small_disk, "filler"))
        wait_for("the store to recover", lambda: store()["state"] == "on", timeout=30)
        wait_for("what waited to be written", lambda: store()["waiting_steps"] == 0)
        sent = set(read_sent(sent_log))
        flows = daemon.flows()
        check_roles(flows)
        assert sent <= ports_of(flows, a)
        wait_for("the recovery in the log", lambda: "store: on" in daemon.read_log())
        assert daemon.read_log().count("store: degraded: ") == 1
        losses = daemon.status()["loss"]
        assert losses["store.disk_full"] == losses["store.write_failed"] == 0
    check_integrity(os.path.join(small_disk, "history.db"))


def test_state_directory_that_cannot_be_written(pair):
    """The history is off, and says so; all else goes on."""
    sandbox, a, _ = pair
    path = os.path.join(sandbox.directory, "daemon")
    os.makedirs(path)
    with open(os.path.join(path, "state"), "w", encoding="ascii") as f:
        f.write("not a directory\n")
    runtime = os.path.join(path, "run")
    with Daemon(sandbox, STEP, arguments=["--runtime-dir", runtime]) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0")])
        store = wait_for("status", lambda: daemon.status()["store"]["reason"])
        assert f"{path}/state" in store and "store.path" in store, store
        sandbox.run(a, "ping", "-c", "3", "-i", "0.05", "10.77.0.2")
        assert any(f["proto"] == "icmp" for f in daemon.flows()["flows"])
        wait_for("the log to say it", lambda: "store: degraded: " + store in daemon.read_log())


def test_damaged_history_is_put_aside(pair):
    sandbox, _, _ = pair
    daemon = Daemon(sandbox, STEP)
    os.makedirs(daemon.state)
    with open(os.path.join(daemon.state, "history.db"), "wb") as f:
        f.write(b"This is no database. " * 1000)
    with daemon:
        reason = wait_for("status", lambda: daemon.status()["store"]["reason"])
        assert "history.db.damaged" in reason and "a new one was begun" in reason
    check_integrity(os.path.join(daemon.state, "history.db"))
