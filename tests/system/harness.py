# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the system tests share: a sandbox of network namespaces and one cgroup, the daemon in it, and
the ground truth of the kernel's own counters. Only what a test started itself is ever observed: the
daemon's scope is the sandbox."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("EBPFOBS_BUILD", "build"))
DAEMON = os.path.join(BUILD, "ebpfobsd")
CTL = os.path.join(BUILD, "ebpfobsctl")


def run(*argv, check=True, **kwargs):
    """Runs a command, gives back its output; its error output is in the exception."""
    done = subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def wait_for(what, condition, timeout=60):
    """Polls until condition() is true, and gives back what it returned."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise TimeoutError(f"waited {timeout} s for {what}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cgroup_mount():
    """Where cgroup v2 is mounted: hybrid machines have it beside the v1 hierarchies."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            if " - cgroup2 " in line:
                return line.split()[4]
    raise RuntimeError("no cgroup v2 is mounted")


def kernel():
    """The release that runs, to be compared: [6, 18]."""
    return [int(part) for part in os.uname().release.split(".")[:2]]


class Sandbox:
    """Network namespaces, a cgroup, and the processes in them; gone on exit, whatever happens."""

    def __init__(self):
        self.tag = f"ebt{os.getpid()}"
        self.cgroup = "/" + self.tag
        self.cgroup_path = cgroup_mount() + self.cgroup
        self.directory = tempfile.mkdtemp(prefix="ebpfobs-test.")
        self.cgroups = []
        self.namespaces = []
        self.processes = []
        self.cleanup = contextlib.ExitStack()

    def __enter__(self):
        self.make_cgroup(self.cgroup)
        return self

    def __exit__(self, *_):
        self.cleanup.close()
        for process in self.processes:
            process.kill()
            process.wait()
        for path in reversed(self.cgroups):
            self.kill_cgroup(path)
        for name in self.namespaces:
            run("ip", "netns", "del", name, check=False)
        run("rm", "-rf", self.directory)

    def make_cgroup(self, path):
        """Makes a cgroup, "/" and path, and those above it; they go with the sandbox."""
        above = os.path.dirname(path)
        if above != "/" and above not in self.cgroups:
            self.make_cgroup(above)
        os.mkdir(cgroup_mount() + path)
        self.cgroups.append(path)
        return path

    def kill_cgroup(self, path):
        directory = cgroup_mount() + path
        procs = os.path.join(directory, "cgroup.procs")
        for _ in range(100):
            with open(procs, encoding="ascii") as f:
                pids = f.read().split()
            if not pids:
                break
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.05)
        os.rmdir(directory)

    def netns(self, name):
        """A new namespace; gives back its full name."""
        full = f"{self.tag}-{name}"
        run("ip", "netns", "add", full)
        self.namespaces.append(full)
        # The kernel's own chatter (router solicitations, multicast reports) is over at once, so that
        # a quiet interface stays quiet.
        for key, value in (("router_solicitations", 0), ("mldv2_unsolicited_report_interval", 10),
                           ("accept_dad", 0)):  # reports follow a second later, when it is over
            run("ip", "netns", "exec", full, "sysctl", "-qw",
                f"net.ipv6.conf.default.{key}={value}")
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def veth(self, a, b, net="10.77.0", name_a="eth0", name_b="eth0", addresses=True):
        """Joins two namespaces; a gets .1, b gets .2 (and fd77::1, fd77::2)."""
        run("ip", "link", "add", name_a, "netns", a, "type", "veth", "peer", "name", name_b, "netns", b)
        prefix6 = "fd77:" + net.split(".")[2]
        for ns, dev, host in ((a, name_a, 1), (b, name_b, 2)):
            if addresses:
                run("ip", "-n", ns, "addr", "add", f"{net}.{host}/24", "dev", dev)
                run("ip", "-n", ns, "addr", "add", f"{prefix6}::{host}/64", "dev", dev, "nodad")
            run("ip", "-n", ns, "link", "set", dev, "up")
            self.keep_neighbours(ns, dev)

    def keep_neighbours(self, ns, dev):
        """The kernel asks again for a neighbour 5 s after it was used: a packet too many for a test
        that compares counters read one after the other, where it is slow."""
        for family in ("ipv4", "ipv6"):
            run("ip", "netns", "exec", ns, "sysctl", "-qw",
                f"net.{family}.neigh.{dev}.delay_first_probe_time=3600")

    def _argv(self, ns, argv, cgroup=None):
        procs = f"{cgroup_mount()}{cgroup or self.cgroup}/cgroup.procs"
        enter = ["sh", "-c", f'echo $$ > {procs} && exec "$@"', "sh"]
        return enter + (["ip", "netns", "exec", ns] if ns else []) + [str(a) for a in argv]

    def run(self, ns, *argv, check=True, cgroup=None, **kwargs):
        """Runs a command inside, gives back its output."""
        return run(*self._argv(ns, argv, cgroup), check=check, **kwargs)

    def start(self, ns, *argv, cgroup=None, **kwargs):
        """Starts a command inside; it ends with the sandbox."""
        kwargs.setdefault("stdout", subprocess.DEVNULL)
        kwargs.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(self._argv(ns, argv, cgroup), **kwargs)
        self.processes.append(process)
        return process

    def wait_listening(self, ns, port, udp=False):
        wait_for(f"port {port}", lambda: f":{port} " in
                 run("ip", "netns", "exec", ns, "ss", "-nl" + ("u" if udp else "t")))


class Daemon:
    """ebpfobsd in a sandbox. config: the YAML document as Python objects, written as JSON."""

    def __init__(self, sandbox, config=None, scope=True, arguments=(), name="daemon", env=None):
        self.sandbox = sandbox
        self.directory = os.path.join(sandbox.directory, name)
        os.makedirs(self.directory, exist_ok=True)
        self.socket = os.path.join(self.directory, "socket")
        self.state = os.path.join(self.directory, "state")
        self.log = os.path.join(self.directory, "log")
        self.log_start = 0
        self.started = time.time()
        document = {
            "exporters": {"prometheus": {"listen": ""}},
            "health": {"listen": ""},
        }
        if scope:
            document["scope"] = {"netns": [f"/run/netns/{n}" for n in sandbox.namespaces],
                                 "cgroup": [sandbox.cgroup]}
        for key, value in (config or {}).items():
            document.setdefault(key, {}).update(value) if isinstance(value, dict) else \
                document.__setitem__(key, value)
        self.config_path = os.path.join(self.directory, "ebpfobsd.yaml")
        self.write_config(document)
        self.arguments = list(arguments)
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.prefix = []  # words before the command

    def write_config(self, document):
        self.document = document
        with open(self.config_path, "w", encoding="utf-8") as f:
            json.dump(document, f)

    def start(self, wait=True):
        argv = [*self.prefix, DAEMON, "--config", self.config_path, "--socket",
                self.socket, "--state-dir", self.state, *self.arguments]
        with open(self.log, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=self.env)
        # A test that fails between start() and stop() leaves none behind.
        self.sandbox.processes.append(self.process)
        if wait:
            wait_for("the daemon to be ready", self.is_ready, timeout=60)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"ebpfobsd ended with {self.process.returncode}:\n{self.read_log()}")
        return "is ready" in self.read_log()

    def read_log(self):
        """What the daemon wrote since it was last started."""
        with open(self.log, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode(errors="replace")

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(sig)
        self.process.wait(timeout)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def ctl(self, *argv, check=True):
        """ebpfobsctl's output."""
        return run(CTL, "--socket", self.socket, *argv, check=check)

    def ctl_json(self, *argv):
        return json.loads(self.ctl(*argv, "-o", "json"))

    def status(self):
        return self.ctl_json("status")

    def flows(self, *argv):
        """All flows since the daemon started."""
        return self.ctl_json("flows", "--since", f"@{int(self.started) - 1}", *argv)

    def quiet_flows(self, *links, options=()):
        """The flows, and as "own" the counters of the links (namespace, device) of the same moment: no
        packet came between them."""
        def answer():
            own = {link: link_counters(*link) for link in links}
            flows = self.flows(*options)
            return {**flows, "own": own} if own == {link: link_counters(*link) for link in links} else None
        return wait_for(f"quiet on {links}", answer)

    def wait_attached(self, names, timeout=60):
        """Until each (namespace inode, interface) is attached."""
        def attached():
            seen = {(i["netns"], i["name"]) for i in self.flows()["interfaces"]}
            return set(names) <= seen
        wait_for(f"{names} to be attached", attached, timeout)


def netns_inode(name):
    return os.stat(f"/run/netns/{name}").st_ino


def link_counters(ns, dev):
    """The interface's own counters."""
    link = json.loads(run("ip", "-n", ns, "-s", "-j", "link", "show", "dev", dev))[0]
    stats = link["stats64"]
    return {d: {"packets": stats[d]["packets"], "bytes": stats[d]["bytes"]} for d in ("tx", "rx")}


def tcp_counters(ns):
    """The sender's account of a namespace's TCP: segments sent (OutSegs leaves retransmits out)."""
    text = run("ip", "netns", "exec", ns, "cat", "/proc/net/snmp")
    rows = [line.split() for line in text.splitlines() if line.startswith("Tcp:")]
    return {k: int(v) for k, v in zip(rows[0][1:], rows[1][1:])}


def offloads(ns, dev, **features):
    """ethtool -K: offloads(ns, "eth0", gro="on", tso="off")."""
    args = [word for item in features.items() for word in item]
    run("ip", "netns", "exec", ns, "ethtool", "-K", dev, *args)


def quiet(ns, dev, seconds=0.3):
    """Waits until the interface's counters stand still."""
    def still():
        before = link_counters(ns, dev)
        time.sleep(seconds)
        return link_counters(ns, dev) == before
    wait_for(f"{dev} to be quiet", still)


def add(a, b):
    return {k: a[k] + b[k] for k in ("skbs", "bytes", "packets", "bytes_wire")}


ZERO = {"skbs": 0, "bytes": 0, "packets": 0, "bytes_wire": 0}
