# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control protocol and ebpfobsctl against the real daemon; systemd's varlinkctl as a client that
is not ours."""

import csv
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from harness import CTL, Daemon, netns_inode, run, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
COUNT = {"skbs", "bytes", "packets", "bytes_wire"}


@pytest.fixture
def observed(pair):
    """The daemon, and one HTTP request from a to b of which it knows."""
    sandbox, a, b = pair
    with Daemon(sandbox, {"scope": {"cgroup": []}}) as daemon:
        daemon.wait_attached([(netns_inode(ns), "eth0") for ns in (a, b)])
        sandbox.start(b, "/usr/bin/python3", "-m", "http.server", "8000")
        sandbox.wait_listening(b, 8000)
        sandbox.run(a, "curl", "-sS", "-o", "/dev/null", "http://10.77.0.2:8000/")
        wait_for("the request's flows", lambda: daemon.flows("--port", "8000")["flows"])
        yield daemon


def ask(daemon, message):
    """What the daemon says to some bytes, until it closes the connection or has answered."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(daemon.socket)
        s.sendall(message)
        answer = b""
        while not answer.endswith(b"\0"):
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    return answer.rstrip(b"\0").decode()


def failure(daemon, *argv):
    """Exit status and standard error."""
    done = subprocess.run([CTL, "--socket", daemon.socket, *argv],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_promised_keys(observed):
    status = observed.status()
    assert {"version", "uptime_s", "collectors", "exporters", "accounting", "loss", "self"} <= set(status)
    assert {"name", "state", "rung", "reason"} <= set(status["collectors"][0])
    assert {"seen", "delivered", "filtered", "dropped"} == set(status["accounting"]["flows"])
    assert {"anon_bytes", "bpf_bytes", "rss_bytes", "cpu_seconds"} <= set(status["self"])
    answer = observed.flows()
    assert {"flows", "untracked", "loss", "interfaces", "exact", "range"} <= set(answer)
    flow = next(f for f in answer["flows"] if f["proto"] == "tcp")
    assert {"proto", "role", "netns", "side", "local", "peer", "tx", "rx", "unowned", "tcp",
            "drops"} <= set(flow)
    assert {"rtt_us", "retransmits", "flags", "state"} <= set(flow["tcp"])
    assert {"address", "port", "workload", "process", "external"} <= set(flow["local"])
    assert COUNT == set(flow["tx"]) == set(answer["untracked"]["veth"]["rx"])
    interface = answer["interfaces"][0]
    assert {"name", "ifindex", "netns", "role", "removed", "counted", "duplicate",
            "before_attach"} <= set(interface)
    assert COUNT == set(interface["counted"]["tx"])


def test_filters_and_formats_agree(observed):
    rows = observed.flows("--port", "8000", "--protocol", "tcp", "--role", "veth")["flows"]
    assert {f["peer"]["address"] for f in rows} == {"10.77.0.1", "10.77.0.2"}
    assert not observed.flows("--port", "8001")["flows"]
    assert not observed.flows("--external", "--port", "8000")["flows"]
    # Both ends are processes of this host, so each is the other's peer.
    assert len(observed.flows("--port", "8000", "--peer", "10.77.0.2/32")["flows"]) == len(rows)
    assert not observed.flows("--port", "8000", "--peer", "10.78.0.0/16")["flows"]
    since = ["--since", f"@{int(observed.started) - 1}", "--port", "8000"]
    table = list(csv.DictReader(io.StringIO(observed.ctl("flows", "-o", "csv", *since))))
    assert len(table) == len(rows)
    by_local = {row["local.address"]: row for row in table}
    for flow in rows:
        row = by_local[flow["local"]["address"]]
        assert int(row["tx.bytes"]) == flow["tx"]["bytes"]
        assert row["tcp.flags"] == "|".join(flow["tcp"]["flags"])
    limited = observed.flows("--limit", "1")
    assert len(limited["flows"]) == 1 and limited["left_out"] > 0
    assert "10.77.0.2:8000" in observed.ctl("flows", *since)


def test_range_without_data(observed):
    answer = observed.ctl_json("flows", "--since", "@1000", "--until", "@2000")
    assert not answer["flows"] and answer["range"]["covered_since"] is None
    assert "There are no data of that time" in observed.ctl("flows", "--since", "@1000", "--until", "@2000")


def test_malformed_messages(observed):
    for message, reason in ((b"{]\0", "not valid JSON"), (b"[]\0", "not a JSON object"),
                            (b"{}\0", "no \"method\""), (b" " * (1 << 20) + b" \0", "larger than 1 MiB")):
        answer = json.loads(ask(observed, message))
        assert answer["error"] == "org.varlink.service.InvalidParameter"
        assert reason in answer["parameters"]["reason"]
    loss = observed.status()["loss"]
    assert loss["control.message_malformed"] == 3 and loss["control.message_oversize"] == 1
    assert "is dropped. The message is not valid JSON" in observed.read_log()


def test_reload(observed):
    assert failure(observed, "config", "reload") == (0, "")
    wrong = {**observed.document, "collectors": {"flowz": {"enabled": True}}}
    observed.write_config(wrong)
    status, said = failure(observed, "config", "reload")
    assert status == 1 and "flowz" in said and "flows" in said and observed.config_path in said
    assert observed.status()["collectors"][0]["state"] != "off"


def test_doctor(observed):
    answer = observed.ctl_json("doctor", str(os.getpid()), "--maps")
    assert answer["process"]["pid"] == os.getpid() and answer["process"]["verdict"]
    maps = answer["maps"]
    assert any(m["name"].startswith("flows") for m in maps)
    assert len({m["id"] for m in maps}) == len(maps) and any(m["bytes"] > 0 for m in maps)
    assert "BTF" in observed.ctl("doctor")


@pytest.fixture(scope="module")
def varlinkctl(tmp_path_factory):
    """systemd's varlinkctl as an argv prefix: this machine's, or Debian 13's in a root of its own,
    where /run/control is the directory that the test gives."""
    if shutil.which("varlinkctl"):
        yield lambda directory: (["varlinkctl"], directory)
        return
    root = tmp_path_factory.mktemp("rootfs") / "root"
    run(TOP / "tests/packaging/mkrootfs", "trixie", root)
    os.mkdir(root / "run/control")
    # Its own mount namespace: varlinkctl connects through /proc/self/fd.
    script = ('mount -t proc proc "$0/proc" && mount --bind "$1" "$0/run/control" && shift &&'
              ' exec chroot "$0" varlinkctl "$@"')
    yield lambda directory: (["unshare", "-m", "--propagation", "private", "sh", "-c", script,
                              str(root), directory], "/run/control")
    shutil.rmtree(root)


def test_varlinkctl(observed, varlinkctl):
    command, directory = varlinkctl(observed.directory)
    address = f"{directory}/socket"

    def call(*argv):
        return run(*command, *argv)

    interfaces = call("list-interfaces", address).split()
    assert interfaces == ["io.ebpfobs.Daemon", "io.ebpfobs.Flows", "io.ebpfobs.Profile",
                          "org.varlink.service"]
    for interface in interfaces:
        text = call("introspect", address, interface)
        path = os.path.join(observed.directory, "idl")
        pathlib.Path(path).write_text(text, encoding="utf-8")
        call("validate-idl", f"{directory}/idl")
    assert json.loads(call("call", address, "io.ebpfobs.Daemon.Status", "{}"))["version"]
    since = json.dumps({"since": f"@{int(observed.started) - 1}", "filter": {"port": [8000]}})
    single = json.loads(call("call", address, "io.ebpfobs.Flows.List", since))
    stream = call("-j", "--more", "call", address, "io.ebpfobs.Flows.List", since)
    replies = [json.loads(piece) for piece in stream.replace("\x1e", "").splitlines() if piece]
    assert sum(len(r["flows"]) for r in replies) == len(single["flows"]) >= 2
    with pytest.raises(RuntimeError, match="InvalidParameter"):
        call("call", address, "io.ebpfobs.Flows.List", '{"limt": 1}')
    with pytest.raises(RuntimeError, match="MethodNotFound"):
        call("call", address, "io.ebpfobs.Flows.Lst", "{}")
