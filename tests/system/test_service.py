# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon as a service manager sees it: what it tells (sd_notify(3)), the socket that it is handed
(sd_listen_fds(3)), and how it stops in the midst of work. The test is the service manager."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from books import check_roles
from harness import CTL, DAEMON, Daemon, netns_inode, run, wait_for
from test_history import ports_of, read_sent, start_sender

STEP = {"collectors": {"flows": {"interval": "1s"}}}
STOP_SECONDS = 10  # systemd's own patience is 90 s


class Notified:
    """A NOTIFY_SOCKET: what came there, as (CLOCK_MONOTONIC when, {VARIABLE: value})."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.messages = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            text = self.socket.recv(4096).decode()
            self.messages.append((time.monotonic(), dict(line.split("=", 1) for line in
                                                         text.splitlines())))

    def of(self, variable):
        return [(when, message) for when, message in self.messages if variable in message]

    def wait_for(self, variable, n=1, timeout=30):
        return wait_for(f"{variable}, {n} times", lambda: len(self.of(variable)) >= n
                        and self.of(variable), timeout)[n - 1]


@pytest.fixture(name="notified")
def fixture_notified(sandbox):
    return Notified(os.path.join(sandbox.directory, "notify"))


def test_ready_reload_stop(sandbox, notified):
    sandbox.netns("a")
    daemon = Daemon(sandbox, STEP, env={"NOTIFY_SOCKET": notified.path})
    daemon.start(wait=False)
    try:
        assert notified.wait_for("READY")[1]["READY"] == "1"
        assert daemon.status()["uptime_s"] >= 0  # ready means ready
        right = daemon.document
        wrong = {**right, "collectors": {"flows": {"max_flow": 3}}}
        for n, (document, said) in enumerate(((right, "configuration reloaded"),
                                              (wrong, "the old one stays")), start=1):
            daemon.write_config(document)
            sent = time.monotonic()
            daemon.process.send_signal(signal.SIGHUP)
            when, message = notified.wait_for("RELOADING", n)
            assert message["RELOADING"] == "1"
            # systemd matches it with the READY=1 that follows: not before we were asked.
            assert sent <= int(message["MONOTONIC_USEC"]) / 1e6 <= when
            assert notified.wait_for("READY", n + 1)[0] > when
            assert said in daemon.read_log()
        assert "max_flows" in daemon.read_log()  # why it is wrong, and what would be right
        assert not notified.of("STOPPING")
    finally:
        daemon.stop()
    assert daemon.process.returncode == 0
    assert [m for _, m in notified.messages][-1]["STOPPING"] == "1"


def test_watchdog(pair, notified):
    """Keep-alives come in time, also while the loop has much to do; a loop that hangs sends none."""
    sandbox, a, _ = pair
    daemon = Daemon(sandbox, STEP, env={"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "1000000"})
    with daemon:
        with contextlib.ExitStack() as asking:
            start_sender(sandbox, a)
            for _ in range(3):
                asking.enter_context(ask_on(daemon))
            time.sleep(5)
        times = [when for when, _ in notified.of("WATCHDOG")]
        assert max(b - a for a, b in zip(times, times[1:])) < 1.0
        assert times[-1] - times[0] > 4
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        before = len(notified.of("WATCHDOG"))
        time.sleep(1.5)
        assert len(notified.of("WATCHDOG")) == before
        daemon.process.send_signal(signal.SIGCONT)
        notified.wait_for("WATCHDOG", before + 1)


@contextlib.contextmanager
def ask_on(daemon):
    """Somebody who asks for all flows again and again; gives back a list of exit statuses."""
    statuses, over = [], threading.Event()

    def ask():
        while not over.is_set():
            done = subprocess.run([CTL, "--socket", daemon.socket, "flows", "--since", "1h ago"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=30, check=False)
            statuses.append(done.returncode)
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


# --- socket activation ------------------------------------------------------------------------

def passed_socket(path):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(8)
    return listening


def start_with_sockets(daemon, sockets, pid="$$", names="varlink"):
    """As a service manager does: descriptors from 3 on, said in the environment."""
    argv = [DAEMON, "--config", daemon.config_path, "--socket", daemon.socket,
            "--state-dir", daemon.state]
    moves = " ".join(f"{3 + i}<&{s.fileno()} {s.fileno()}<&-" for i, s in enumerate(sockets))
    script = f'LISTEN_PID={pid} LISTEN_FDS={len(sockets)} LISTEN_FDNAMES={names} exec "$@" {moves}'
    with open(daemon.log, "ab") as log:
        daemon.log_start = log.tell()
        daemon.process = subprocess.Popen(["bash", "-c", script, "sh", *argv], stdout=log, stderr=log,
                                          pass_fds=[s.fileno() for s in sockets])


def test_activated_by_hand(sandbox):
    """Who asks before the daemon is there gets his answer; the socket outlives the daemon."""
    sandbox.netns("a")
    daemon = Daemon(sandbox, STEP)
    with passed_socket(daemon.socket) as listening:
        for _ in range(2):
            early = subprocess.Popen([CTL, "--socket", daemon.socket, "status", "-o", "json"],
                                     stdout=subprocess.PIPE, text=True)
            time.sleep(0.3)
            assert early.poll() is None
            start_with_sockets(daemon, [listening])
            try:
                assert json.loads(early.communicate(timeout=30)[0])["uptime_s"] >= 0
                assert early.returncode == 0
            finally:
                daemon.stop()
            assert daemon.process.returncode == 0
            assert os.path.exists(daemon.socket)


def test_activated_by_systemd(sandbox):
    """systemd's own tool listens, and starts the daemon with the first question."""
    sandbox.netns("a")
    daemon = Daemon(sandbox, STEP)
    argv = ["systemd-socket-activate", "--listen", daemon.socket, "--fdname", "varlink", DAEMON,
            "--config", daemon.config_path, "--socket", "/nonexistent/socket", "--state-dir",
            daemon.state]
    with open(daemon.log, "ab") as log:
        daemon.process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        wait_for("the socket", lambda: os.path.exists(daemon.socket))
        assert "is ready" not in daemon.read_log()
        assert daemon.status()["uptime_s"] >= 0
        assert daemon.flows()["flows"] == []
    finally:
        daemon.stop()  # the tool has become the daemon
    assert daemon.process.returncode == 0


def test_sockets_that_are_not_ours(sandbox):
    """For another process: the daemon makes its own. Of another kind: closed, and said."""
    sandbox.netns("a")
    daemon = Daemon(sandbox, STEP)
    other = os.path.join(sandbox.directory, "other")
    with passed_socket(other) as listening:
        start_with_sockets(daemon, [listening], pid="1")
        try:
            wait_for("the daemon to be ready", daemon.is_ready)
            assert daemon.status()["uptime_s"] >= 0
        finally:
            daemon.stop()
    with socket.create_server(("127.0.0.1", 0)) as tcp, passed_socket(daemon.socket) as ours:
        start_with_sockets(daemon, [tcp, ours], names="metrics:varlink")
        try:
            wait_for("the daemon to be ready", daemon.is_ready)
            assert daemon.status()["uptime_s"] >= 0
            assert "descriptor 3 of the service manager" in daemon.read_log()
            port = tcp.getsockname()[1]
            tcp.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
        finally:
            daemon.stop()


# --- stopping ---------------------------------------------------------------------------------

def programs_of(pid):
    """The ids of the BPF programs that a process holds, from its descriptors."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError), \
                open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as info:
            found |= {int(line.split()[1]) for line in info if line.startswith("prog_id:")}
    return found


def all_programs():
    return {p["id"] for p in json.loads(run("bpftool", "-j", "prog", "show"))}


@pytest.mark.parametrize("attach", ["tcx", "tc"])
def test_stop_under_load(pair, attach):
    """Traffic and questions under way: it ends in time with status 0, all that was sent before is in
    the history, and nothing stays attached."""
    sandbox, a, b = pair
    qdiscs = [run("tc", "-n", ns, "qdisc", "show") for ns in (a, b)]
    daemon = Daemon(sandbox, {"collectors": {"flows": {"interval": "1s", "attach": attach}}})
    daemon.start()
    with contextlib.ExitStack() as asking:
        try:
            daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
            sandbox.start(b, "iperf3", "-s")
            sandbox.wait_listening(b, 5201)
            sandbox.start(a, "iperf3", "-c", "10.77.0.2", "-t", "60", "-P", "4")
            watching = subprocess.Popen([CTL, "--socket", daemon.socket, "flows", "--watch"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            statuses = [asking.enter_context(ask_on(daemon)) for _ in range(3)]
            log = start_sender(sandbox, a)
            attached_at = time.time()
            time.sleep(4)
            held = programs_of(daemon.process.pid)
            assert held & all_programs()
            stopped = time.time()
            begin = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(STOP_SECONDS) == 0
            took = time.monotonic() - begin
        finally:
            daemon.stop(signal.SIGKILL)
    # Who asks is answered, or told that the daemon went, or that there is none.
    assert watching.wait(10) in (1, 3) and daemon.socket in watching.stderr.read()
    assert all(set(s) <= {0, 1, 3} and 0 in s for s in statuses), statuses
    print(f"stopped after {took:.2f} s")
    assert "stopping (Terminated)" in daemon.read_log()
    # The kernel frees them after a grace period.
    wait_for("the programs to go", lambda: not held & all_programs(), timeout=5)
    assert [run("tc", "-n", ns, "qdisc", "show") for ns in (a, b)] == qdiscs
    with daemon:
        flows = daemon.flows()
        check_roles(flows)
        sent = {p for p, at in read_sent(log).items() if attached_at < at < stopped}
        assert len(sent) > 300
        assert sent <= ports_of(flows, a)
        assert daemon.status()["store"]["state"] == "on"
