# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flows against the kernel's own account: interface counters, TCP's segments, what clients sent."""

import socket
import threading

import pytest

from books import check_interface, check_roles, interface, total
from harness import Daemon, kernel, netns_inode, offloads, quiet, run, tcp_counters, wait_for

STEP = {"collectors": {"flows": {"interval": "1s"}}}


def tcp_flow(flows, ns, port):
    """The rows of one namespace whose peer or local port is port, added up."""
    return [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and f["proto"] == "tcp" and
            port in (f["local"]["port"], f["peer"]["port"])]


def iperf(sandbox, a, b, *args, address="10.77.0.2", port=5201):
    server = sandbox.start(b, "iperf3", "-s", "-1", "-p", port)
    sandbox.wait_listening(b, port)
    sandbox.run(a, "iperf3", "-c", address, "-p", port, *args)
    server.wait(60)


@pytest.mark.parametrize("features", [
    {"gro": "off", "tso": "on", "gso": "on"},
    {"gro": "on", "tso": "off", "gso": "off"},
    {"gro": "on", "tso": "on", "gso": "on"},
    {"gro": "off", "tso": "off", "gso": "off"},
], ids=lambda f: "+".join(k for k, v in f.items() if v == "on") or "none")
@pytest.mark.parametrize("attach", ["tcx", "tc"])
def test_tcp_is_exact_whatever_is_offloaded(pair, features, attach):
    sandbox, a, b = pair
    if attach == "tcx" and kernel() < [6, 6]:
        pytest.skip("this kernel has no TCX (before 6.6)")
    for ns in (a, b):
        offloads(ns, "eth0", **features)
    # The namespaces are the scope: with cgroups in it an acknowledgement that comes when the socket is
    # gone, as the first packet of a step, has no owner that could be in scope, and is "filtered".
    config = {"collectors": {"flows": {"interval": "1s", "attach": attach}}, "scope": {"cgroup": []}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        before = tcp_counters(a), tcp_counters(b)
        # A window below a veth's receive ring: what veth drops has passed TC already.
        iperf(sandbox, a, b, "-n", "30M", "-w", "64K")
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"))
        check_roles(flows)
        # Without TSO the driver gets segments, cut behind TC; a veth whose peer merges counts on
        # both ends what the peer's receive side saw, without the link header (from 5.13 on).
        cut = features["tso"] == "off"
        omits = 14 if cut and features["gro"] == "on" and kernel() >= [5, 13] else 0
        for ns in (a, b):
            check_interface(flows, ns, "eth0", rx_wire=cut, tx_wire=cut, rx_omits=omits,
                            tx_omits=omits)
        for ns, old in zip((a, b), before):
            now = tcp_counters(ns)
            sent = sum(now[k] - old[k] for k in ("OutSegs", "RetransSegs"))
            rows = tcp_flow(flows, ns, 5201)
            assert wire_packets(rows, "tx") == sent, flows["untracked_by"]
            peer = tcp_flow(flows, a if ns == b else b, 5201)
            assert wire_packets(peer, "rx") == sent, flows["untracked_by"]
            assert sum(r["tcp"]["retransmits"] for r in rows) == now["RetransSegs"] - old["RetransSegs"]


def wire_packets(rows, direction):
    return sum(row[direction]["packets"] for row in rows)


def test_udp_ipv6_fragments_and_icmp(pair):
    sandbox, a, b = pair
    with Daemon(sandbox, STEP) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        iperf(sandbox, a, b, "-u", "-b", "20M", "-t", "1")
        iperf(sandbox, a, b, "-n", "10M", address="fd77:0::2", port=5202)
        sandbox.run(a, "ping", "-c", "10", "-i", "0.05", "10.77.0.2")
        sandbox.run(a, "ping", "-c", "5", "-i", "0.05", "-s", "4000", "10.77.0.2")
        sandbox.run(a, "ping", "-c", "5", "-i", "0.05", "-s", "4000", "fd77:0::2")
        # The sender of multicast that is in the group hears itself, which the interface does not count.
        sandbox.run(a, "python3", "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 5007))
group = socket.inet_aton('224.1.1.1') + socket.inet_aton('10.77.0.1')
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.77.0.1'))
for i in range(5): s.sendto(b'x' * 40, ('224.1.1.1', 5007)); s.recv(100)
""")
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"))
    check_roles(flows)
    for ns in (a, b):
        check_interface(flows, ns, "eth0")
    mine = [f for f in flows["flows"] if f["netns"] == netns_inode(a)]
    assert {"tcp", "udp", "icmp", "icmpv6"} <= {f["proto"] for f in mine}
    pings = [f for f in mine if f["proto"] == "icmp" and not f["fragment"]
             and f["local"]["process"]]
    assert sum(f["tx"]["packets"] for f in pings) == 15
    assert all(f["local"]["process"]["comm"] == "ping" for f in pings)
    assert any(f["fragment"] for f in mine)


def test_loopback_counts_at_ingress(sandbox):
    ns = sandbox.netns("a")
    with Daemon(sandbox, STEP) as daemon:
        daemon.wait_attached([(netns_inode(ns), "lo")])
        iperf(sandbox, ns, ns, "-n", "10M", address="127.0.0.1")
        flows = daemon.quiet_flows((ns, "lo"))
    check_roles(flows)
    check_interface(flows, ns, "lo", rx_omits=14, tx_omits=14)
    row = interface(flows, ns, "lo")
    assert row["counted"]["tx"]["skbs"] == 0
    assert row["counted"]["rx"]["skbs"] == row["duplicate"]["tx"]["skbs"] > 0
    data = max(flows["flows"], key=lambda f: f["tx"]["bytes"])
    assert data["side"] == "client"
    assert data["local"]["process"]["comm"] == data["peer"]["process"]["comm"] == "iperf3"


def udp_server(sandbox, ns, port):
    sandbox.start(ns, "python3", "-c",
                  "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                  f"s.bind(('0.0.0.0', {port}))\nwhile True: s.recvfrom(2048)")
    sandbox.wait_listening(ns, port, udp=True)


def send_udp(sandbox, ns, address, port, count, size=100):
    sandbox.run(ns, "python3", "-c",
                "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                f"for i in range({count}): s.sendto(b'x'*{size}, ('{address}', {port}))")


def test_bridge_counts_once_per_role(sandbox):
    """pod a - veth - bridge - veth - pod b; the host has the bridge."""
    host, a, b = sandbox.netns("host"), sandbox.netns("a"), sandbox.netns("b")
    run("ip", "-n", host, "link", "add", "br0", "type", "bridge")
    run("ip", "-n", host, "addr", "add", "10.78.0.254/24", "dev", "br0")
    run("ip", "-n", host, "link", "set", "br0", "up")
    for n, pod in enumerate((a, b), 1):
        sandbox.veth(host, pod, name_a=f"veth{n}", addresses=False)
        run("ip", "-n", host, "link", "set", f"veth{n}", "master", "br0")
        run("ip", "-n", pod, "addr", "add", f"10.78.0.{n}/24", "dev", "eth0")
    udp_server(sandbox, b, 9000)
    sandbox.run(a, "ping", "-c", "1", "10.78.0.2")
    sandbox.run(a, "ping", "-c", "1", "10.78.0.254")
    config = {"collectors": {"flows": {"interval": "1s"}}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(host), n) for n in ("veth1", "veth2", "br0")])
        send_udp(sandbox, a, "10.78.0.2", 9000, 1000)
        send_udp(sandbox, host, "10.78.0.2", 9000, 500)
        flows = daemon.quiet_flows((host, "veth1"), (host, "veth2"), (host, "br0"))
    check_roles(flows)

    def packets(role, source):
        rows = [f for f in flows["flows"] if f["netns"] == netns_inode(host) and f["role"] == role
                and f["proto"] == "udp" and 9000 in (f["local"]["port"], f["peer"]["port"])
                and source in (f["local"]["address"], f["peer"]["address"])]
        return total(rows)["packets"]
    assert packets("veth", "10.78.0.1") == 1000  # pod to pod: once, not twice
    assert packets("bridge", "10.78.0.1") == 0  # forwarded, never up to the bridge device
    assert packets("veth", "10.78.0.254") == 500  # host to pod
    assert packets("bridge", "10.78.0.254") == 500
    for dev, omits in (("veth1", 0), ("veth2", 0), ("br0", 14)):
        check_interface(flows, host, dev, rx_omits=omits)


# 10,000 flows that each send twice in every step of 1 s.
FLOOD = """
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (10100, 10100))
sockets = []
for i in range(10000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(('10.77.0.2', 9000))
    sockets.append(s)
for r in range(6):
    begun = time.monotonic()
    for s in sockets:
        s.send(b'x' * 50)
    time.sleep(max(0, begun + 0.5 - time.monotonic()))
"""


def test_full_table_keeps_the_books(pair):
    """10,000 flows into 100 places."""
    sandbox, a, b = pair
    udp_server(sandbox, b, 9000)
    config = {"collectors": {"flows": {"interval": "1s", "max_flows": 100}}}
    with Daemon(sandbox, config) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        sandbox.run(a, "python3", "-c", FLOOD)
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"))
        check_roles(flows)
        for ns in (a, b):
            check_interface(flows, ns, "eth0")
        full = [u for u in flows["untracked_by"] if u["reason"] == "map_full"]
        # A step has places for 100 flows, and lets some thousand packets of others travel alone.
        assert total(full)["packets"] > 10000
        assert daemon.status()["loss"]["flows.map_full"] == total(full)["skbs"]
        # After the flood a new flow has a slot at once.
        send_udp(sandbox, a, "10.77.0.2", 9000, 7, size=33)

        def seen():
            return [f for f in daemon.flows()["flows"] if f["netns"] == netns_inode(a) and
                    f["tx"] == {"skbs": 7, "bytes": 7 * 75, "packets": 7, "bytes_wire": 7 * 75}]
        wait_for("the new flow", seen, timeout=2)


def test_accounting_balances(pair):
    sandbox, a, b = pair
    with Daemon(sandbox, STEP) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        iperf(sandbox, a, b, "-n", "20M")
        quiet(a, "eth0")
        before = daemon.status()["accounting"]["flows"]
        counted = total(daemon.flows()["interfaces"], "counted")["skbs"]
        account = daemon.status()["accounting"]["flows"]
    assert before["seen"] <= counted <= account["seen"]
    assert counted >= 2 * (20 << 20) / 65536  # at both ends, in skbs of at most 64 KiB
    assert account["seen"] == account["delivered"] + account["filtered"] + account["dropped"]
    assert account["dropped"] == 0
