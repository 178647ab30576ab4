# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong is said in a clear sentence (what, why, what to do), with the right exit status or
as a named degradation; the daemon goes on where it can."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
from books import check_interface, check_roles
from harness import CTL, DAEMON, Daemon, free_port, netns_inode, quiet, run, wait_for

STEP = {"collectors": {"flows": {"interval": "1s"}}}


def attempt(*argv, timeout=20, **kwargs):
    """Exit status and all that was written."""
    done = subprocess.run([str(a) for a in argv], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, check=False, **kwargs)
    return done.returncode, done.stdout


def collector(daemon):
    return daemon.status()["collectors"][0]


# --- the command line and the configuration ---------------------------------------------------

def test_wrong_options(tmp_path):
    for program in (DAEMON, CTL):
        status, said = attempt(program, "--nonsense")
        assert status == 2 and "--nonsense" in said
    status, said = attempt(DAEMON, "flows")
    assert status == 2 and "unexpected argument 'flows'" in said
    status, said = attempt(CTL, "flow")
    assert status == 2 and "flows" in said
    status, said = attempt(CTL, "--socket", tmp_path / "none", "status")
    assert status == 3 and str(tmp_path / "none") in said and "systemctl start" in said


@pytest.mark.parametrize("text, sentence", [
    ("log:\n  level: info\ncollectors:\n  flows:\n    max_flow: 5\n", ":5: .*max_flows"),
    ("log: {level: loud}\n", ":1: .*loud.*info"),
    ("memory: {limit: 1M}\n", ":1: .*16M"),
    ("collectors:\n  flows: {interval: fast}\n", ":2: .*fast"),
    ("log: [\n", ":2:1: "),
], ids=["unknown-key", "wrong-choice", "too-small", "wrong-type", "no-yaml"])
def test_wrong_configuration(tmp_path, text, sentence):
    path = tmp_path / "ebpfobsd.yaml"
    path.write_text(text)
    status, said = attempt(DAEMON, "--check-config", "--config", path)
    assert status == 1
    run("grep", "-q", str(path) + sentence, input=said)
    status, said = attempt(DAEMON, "--config", path, "--socket", tmp_path / "socket",
                           "--state-dir", tmp_path / "state")
    assert status == 1
    run("grep", "-q", str(path) + sentence, input=said)
    assert not (tmp_path / "socket").exists()


def test_good_configuration(tmp_path):
    path = tmp_path / "ebpfobsd.yaml"
    path.write_text("log: {level: debug}\nmemory: {limit: 32M}\n")
    assert attempt(DAEMON, "--check-config", "--config", path) == (0, "")
    status, said = attempt(DAEMON, "--check-config", "--config", tmp_path / "none.yaml")
    assert status == 1 and "none.yaml" in said


@pytest.mark.parametrize("scope, named", [
    ({"netns": ["ebpfobs-no-such-namespace"]}, "ebpfobs-no-such-namespace"),
    ({"cgroup": ["/ebpfobs-no-such-cgroup"]}, "/ebpfobs-no-such-cgroup"),
    ({"exe": ["/usr/bin/ebpfobs-no-such-program"]}, "/usr/bin/ebpfobs-no-such-program"),
], ids=["netns", "cgroup", "exe"])
def test_scope_that_is_not_there(sandbox, scope, named):
    """Without what it names a scope would be the whole machine, or nothing: it is refused."""
    daemon = Daemon(sandbox, {"scope": scope}, scope=False)
    daemon.start(wait=False)
    assert daemon.process.wait(20) == 1
    assert named in daemon.read_log() and "scope" in daemon.read_log()


# --- the control socket -----------------------------------------------------------------------

def ask_raw(path, data, timeout=5):
    """What comes back for these bytes, until the daemon says no more."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(path)
        answer = b""
        try:
            s.sendall(data)
            while not answer.endswith(b"\0"):
                piece = s.recv(65536)
                if not piece:
                    break
                answer += piece
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            pass
        return answer


def test_malformed_messages(sandbox):
    sandbox.netns("a")
    with Daemon(sandbox, STEP) as daemon:
        for data in (b"this is no JSON\0", b"[1, 2]\0", b"{}\0", b'{"method": 7}\0', b"\0", b"\xff\xfe\0",
                     b"[" * 100000 + b"\0", b'{"method": "' + b"x" * (8 << 20) + b'"}\0'):
            answer = ask_raw(daemon.socket, data)
            assert answer == b"" or b'"error"' in answer, (data[:40], answer)
        for method, parameters, error in (
                ("io.ebpfobs.Flows.Nonsense", {}, "MethodNotFound"),
                ("io.ebpfobs.Nonsense.List", {}, "InterfaceNotFound"),
                ("io.ebpfobs.Flows.List", {"limit": "many"}, "InvalidParameter"),
                ("io.ebpfobs.Flows.List", {"since": "yesteryear"}, "InvalidParameter"),
                ("io.ebpfobs.Flows.List", {"filter": {"prot": [1]}}, "InvalidParameter")):
            message = json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"
            answer = json.loads(ask_raw(daemon.socket, message).rstrip(b"\0"))
            assert answer["error"] == "org.varlink.service." + error, answer
        assert daemon.status()["uptime_s"] > 0


def test_socket_in_use(sandbox):
    sandbox.netns("a")
    with Daemon(sandbox, STEP) as first:
        second = Daemon(sandbox, STEP, name="second")
        second.socket = first.socket
        second.start(wait=False)
        assert second.process.wait(20) == 1
        said = second.read_log()
        assert "another ebpfobsd answers at" in said and "--socket" in said
        assert first.status()["uptime_s"] > 0
    # One that a killed daemon left behind is in nobody's way.
    first.start()
    first.stop(signal.SIGKILL)
    assert os.path.exists(first.socket)
    with first:
        assert first.status()["uptime_s"] > 0


def test_port_taken(sandbox):
    sandbox.netns("a")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = f"127.0.0.1:{s.getsockname()[1]}"
        config = {**STEP, "exporters": {"prometheus": {"listen": address}},
                  "health": {"listen": address}}
        with Daemon(sandbox, config) as daemon:
            exporters = {e["name"]: e for e in daemon.status()["exporters"]}
            for name in ("prometheus", "health"):
                assert exporters[name]["state"] == "off"
                assert address in exporters[name]["reason"]
                assert f"{name}.listen" in exporters[name]["reason"]
            assert f"exporter prometheus: off: {exporters['prometheus']['reason']}" in \
                daemon.read_log()
            s.close()  # who has it gives it back: we are there without a restart
            wait_for("one of the two to have it", lambda: "listen" in daemon.read_log() and [
                e for e in daemon.status()["exporters"] if e["state"] == "on"], timeout=20)
            taker = next(e["name"] for e in daemon.status()["exporters"] if e["state"] == "on")
            wait_for("one line to say it", lambda: f"exporter {taker}: on" in daemon.read_log())
            time.sleep(2.5)
            assert daemon.read_log().count(f"exporter {taker}: on") == 1
            path = {"prometheus": "metrics", "health": "health"}[taker]
            assert run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                       f"http://{address}/{path}") == "200"


def test_off_on_purpose_is_no_warning(sandbox):
    sandbox.netns("a")
    with Daemon(sandbox, STEP) as daemon:
        lines = [json.loads(line) for line in daemon.read_log().splitlines()]
        said = [line for line in lines if "listen is empty" in line["message"]]
        assert {line["level"] for line in said} == {"info"} and len(said) == 2


# --- rights -----------------------------------------------------------------------------------

def test_nobody(sandbox):
    """Without any right: the daemon answers, and says what it may not do and what to do."""
    sandbox.netns("a")
    daemon = Daemon(sandbox, {"store": {"path": "/nonexistent"}}, scope=False)
    os.chmod(sandbox.directory, 0o755)
    os.chmod(daemon.directory, 0o777)
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    with daemon_as(daemon, prefix):
        flows = collector(daemon)
        assert flows["state"] == "off"
        assert "CAP_BPF" in flows["reason"] and "run as root" in flows["reason"]
        assert daemon.flows()["flows"] == []
    assert daemon.process.returncode == 0


class daemon_as:
    """A daemon behind a command that takes rights from it."""

    def __init__(self, daemon, prefix):
        self.daemon, self.prefix = daemon, prefix

    def __enter__(self):
        d = self.daemon
        argv = self.prefix + [DAEMON, "--config", d.config_path, "--socket", d.socket,
                              "--state-dir", d.state]
        with open(d.log, "ab") as log:
            d.process = subprocess.Popen(argv, stdout=log, stderr=log, env=d.env)
        wait_for("the daemon to be ready", d.is_ready, timeout=60)
        return d

    def __exit__(self, *_):
        self.daemon.stop()


@pytest.mark.parametrize("capability", ["sys_admin", "perfmon", "net_admin", "bpf", "sys_ptrace",
                                        "dac_read_search", "syslog", "net_bind_service",
                                        "net_broadcast"])
def test_without_one_capability(pair, capability):
    """What a missing right costs is named with the right; what it does not cost still works."""
    sandbox, a, b = pair
    daemon = Daemon(sandbox, {**STEP, "scope": {"cgroup": []}})
    needed = {"bpf", "perfmon"}  # for any BPF program
    # CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, so that they are missed only without it.
    dropped = {capability} | ({"sys_admin"} if capability in needed else set())
    prefix = ["setpriv", "--bounding-set=" + ",".join("-" + c for c in sorted(dropped)),
              "--inh-caps=" + ",".join("-" + c for c in sorted(dropped))]
    with daemon_as(daemon, prefix):
        wanted = {(netns_inode(a), "eth0"), (netns_inode(b), "eth0")}
        wait_for("the interfaces, or why not", lambda: collector(daemon)["state"] != "on" or wanted <=
                 {(i["netns"], i["name"]) for i in daemon.flows()["interfaces"]}, timeout=30)
        sandbox.run(a, "ping", "-c", "3", "-i", "0.05", "10.77.0.2")
        flows = daemon.flows()
        reason = collector(daemon)["reason"] or ""
        if capability in needed:
            assert collector(daemon)["state"] == "off"
        if collector(daemon)["state"] == "on":
            assert any(f["proto"] == "icmp" for f in flows["flows"])
        else:
            assert "CAP_" + capability.upper() in reason
        checks = {c["name"]: c["state"] for c in daemon.ctl_json("doctor")["checks"]}
        assert checks.get("CAP_" + capability.upper(), "not needed") == \
            ("not needed" if capability == "net_bind_service" else "missing")
    assert daemon.process.returncode == 0


# --- reload -----------------------------------------------------------------------------------

def reload(daemon):
    return attempt(CTL, "--socket", daemon.socket, "config", "reload")


def test_wrong_reload_keeps_the_old(pair):
    sandbox, a, _ = pair
    with Daemon(sandbox, STEP) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0")])
        right = daemon.document
        wrong = json.loads(json.dumps(right))
        wrong["collectors"]["flows"]["max_flow"] = 3
        daemon.write_config(wrong)
        status, said = reload(daemon)
        assert status == 1
        assert "ebpfobsd.yaml:1:" in said and "max_flow" in said and "max_flows" in said
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("SIGHUP to be refused", lambda: daemon.read_log().count("the old one stays") == 2)
        gone = json.loads(json.dumps(right))
        gone["scope"]["cgroup"] = ["/ebpfobs-no-such-cgroup"]
        daemon.write_config(gone)
        status, said = reload(daemon)
        assert status == 1 and "/ebpfobs-no-such-cgroup" in said
        sandbox.run(a, "ping", "-c", "3", "-i", "0.05", "10.77.0.2")
        daemon.wait_attached([(netns_inode(a), "eth0")])
        assert collector(daemon)["state"] != "off"
        options = {o["key"]: o["value"] for o in daemon.ctl_json("config", "show")["options"]}
        assert sandbox.cgroup in str(options["scope.cgroup"])


def test_wrong_reload_when_the_old_scope_is_gone(pair):
    """The cgroup of the running configuration was removed: it goes on all the same."""
    sandbox, a, _ = pair
    passing = sandbox.make_cgroup(sandbox.cgroup + "/passing")
    with Daemon(sandbox, {**STEP, "scope": {"cgroup": [sandbox.cgroup, passing]}}) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0")])
        sandbox.cgroups.remove(passing)
        sandbox.kill_cgroup(passing)
        daemon.document["scope"]["cgroup"] = ["/ebpfobs-no-such-cgroup"]
        daemon.write_config(daemon.document)
        status, said = reload(daemon)
        assert status == 1 and "/ebpfobs-no-such-cgroup" in said
        time.sleep(2.5)  # steps
        sandbox.run(a, "ping", "-c", "3", "-i", "0.05", "10.77.0.2")
        assert any(f["proto"] == "icmp" for f in daemon.flows()["flows"])
        assert collector(daemon)["state"] != "off"


def test_reload_applies(pair):
    sandbox, a, b = pair
    with Daemon(sandbox, STEP) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        port = free_port()
        daemon.document["exporters"]["prometheus"]["listen"] = f"127.0.0.1:{port}"
        daemon.document["collectors"]["flows"]["max_flows"] = 100
        daemon.document["scope"]["netns"] = [f"/run/netns/{b}"]
        daemon.write_config(daemon.document)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: "configuration reloaded" in daemon.read_log())
        assert "ebpfobs_build_info" in run("curl", "-sS", f"http://127.0.0.1:{port}/metrics")
        # The step in which the reload was has both: it is asked for what came behind it.
        def step_began():
            return daemon.status()["store"]["running_since_ns"] / 1e9
        reloaded = step_began()
        began = wait_for("the next step", lambda: step_began() > reloaded and step_began())
        fresh = daemon.ctl_json("flows", "--since", f"@{began + 0.001}")
        assert {i["netns"] for i in fresh["interfaces"]} == {netns_inode(b)}
        daemon.document["exporters"]["prometheus"]["listen"] = ""
        daemon.write_config(daemon.document)
        for _ in range(5):
            assert reload(daemon) == (0, "")
        wait_for("descriptors closed", lambda: len(os.listdir(
            f"/proc/{daemon.process.pid}/fd")) <= descriptors)
        with pytest.raises(RuntimeError):
            run("curl", "-sS", f"http://127.0.0.1:{port}/metrics")


@pytest.mark.parametrize("attach", ["tcx", "tc"])
def test_reload_under_traffic(pair, attach):
    """Each reload attaches anew: what passed meanwhile is before_attach, nothing counts twice."""
    sandbox, a, b = pair
    config = {"collectors": {"flows": {"interval": "1s", "attach": attach}}}
    with Daemon(sandbox, config) as daemon:
        names = [(netns_inode(a), "eth0"), (netns_inode(b), "eth0")]
        daemon.wait_attached(names)
        ping = sandbox.start(a, "ping", "-q", "-i", "0.002", "-c", "2000", "10.77.0.2")
        for _ in range(4):
            time.sleep(0.4)
            assert reload(daemon) == (0, "")
        time.sleep(0.5)
        ping.send_signal(signal.SIGINT)
        quiet(a, "eth0")
        assert reload(daemon) == (0, "")  # in quiet, so that the bracket is exact
        daemon.wait_attached(names)
        time.sleep(1)
        sandbox.run(a, "ping", "-c", "10", "-i", "0.02", "10.77.0.2")
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"))
        check_roles(flows)
        for ns in (a, b):
            check_interface(flows, ns, "eth0")
        account = daemon.status()["accounting"]["flows"]
        assert account["seen"] == account["delivered"] + account["filtered"] + account["dropped"]
