# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices on top of a veth pair: the books hold for each, and N packets are N in each role. Which
bytes a device's own counter leaves out is src/host/link-kind.c's table. What this machine's kernel
lacks is skipped; the guests of tests/vm have them all, and there nothing is."""

import os

import pytest

from books import check_interface, check_roles, interface, total
from harness import Daemon, netns_inode, run

# By namespace alone: what carries a tunnel's packets belongs to no process.
CONFIG = {"scope": {"cgroup": []}, "collectors": {"flows": {"interval": "1s"}}}
N = 200
PORT = 9000


def lacking(what):
    if "EBPFOBS_VM" in os.environ:
        pytest.fail(f"the guest's kernel lacks {what}")
    pytest.skip(f"this kernel lacks {what}")


def add_device(pair, kind, *options, on=()):
    """Makes d0 at both ends of a pair: 10.90.0.1 and 10.90.0.2. In options {local} and {remote}."""
    sandbox, a, b = pair
    for ns, local, remote in ((a, 1, 2), (b, 2, 1)):
        words = [o.format(local=f"10.77.0.{local}", remote=f"10.77.0.{remote}") for o in options]
        try:
            run("ip", "-n", ns, "link", "add", *on, "name", "d0", "type", kind, *words)
        except RuntimeError as error:
            if any(text in str(error) for text in ("not supported", "Unknown device type")):
                lacking(kind)
            raise
        run("ip", "-n", ns, "addr", "add", f"10.90.0.{local}/24", "dev", "d0")
        run("ip", "-n", ns, "link", "set", "d0", "up")
        sandbox.keep_neighbours(ns, "d0")


def serve_udp(sandbox, ns):
    sandbox.start(ns, "python3", "-c",
                  "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                  f"s.bind(('0.0.0.0', {PORT}))\nwhile True: s.recvfrom(2048)")
    sandbox.wait_listening(ns, PORT, udp=True)


def send_udp(sandbox, ns, address):
    sandbox.run(ns, "python3", "-c",
                "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                f"for i in range({N}): s.sendto(b'x' * 300, ('{address}', {PORT}))")


def packets(flows, ns, role, **of):
    """Packets of a role and namespace, of flows to or from PORT."""
    rows = [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and f["role"] == role and
            of.get("port", PORT) in (f["local"]["port"], f["peer"]["port"])]
    return total(rows)["packets"]


def through_device(pair):
    """N datagrams and five pings through d0; gives back the flows."""
    sandbox, a, b = pair
    serve_udp(sandbox, b)
    with Daemon(sandbox, CONFIG) as daemon:
        daemon.wait_attached([(netns_inode(ns), dev) for ns in (a, b) for dev in ("eth0", "d0")])
        sandbox.run(a, "ping", "-c", "5", "-i", "0.05", "10.90.0.2")
        send_udp(sandbox, a, "10.90.0.2")
        flows = daemon.quiet_flows(*((ns, dev) for ns in (a, b) for dev in ("eth0", "d0")))
    check_roles(flows)
    for ns in (a, b):
        check_interface(flows, ns, "eth0")
        assert packets(flows, ns, "tunnel") == N
    return flows


@pytest.mark.parametrize("kind, options, on, rx_omits, tx_omits", [
    ("vlan", ("id", "7"), ("link", "eth0"), 14, 0),
    ("vxlan", ("id", "7", "remote", "{remote}", "dev", "eth0", "dstport", "4789"), (), 14, 14),
    ("geneve", ("id", "7", "remote", "{remote}"), (), 14, 14),
    # Old kernels hand TC the headers of the packet that carried it, too, and each other ones.
    ("ipip", ("local", "{local}", "remote", "{remote}"), (), 0, 0),
    ("sit", ("local", "{local}", "remote", "{remote}", "mode", "any"), (), 0, 0),
    ("gre", ("local", "{local}", "remote", "{remote}"), (), 0, 0),
], ids=["vlan", "vxlan", "geneve", "ipip", "sit", "gre"])
def test_tunnel(pair, kind, options, on, rx_omits, tx_omits):
    add_device(pair, kind, *options, on=on)
    flows = through_device(pair)
    for ns in pair[1:]:
        check_interface(flows, ns, "d0", rx_omits=rx_omits, tx_omits=tx_omits)
        if kind == "vxlan":  # the same packets once more in the veth's role, as what carries them
            own = interface(flows, ns, "d0")
            assert packets(flows, ns, "veth", port=4789) == total([own], "counted")["packets"]


def test_wireguard(pair):
    """Its counters have the encrypted packets, keepalives and handshakes: no identity to hold."""
    _, a, b = pair
    add_device(pair, "wireguard")
    keys = {ns: run("wg", "genkey").strip() for ns in (a, b)}
    for ns, other, remote in ((a, b, 2), (b, a, 1)):
        public = run("wg", "pubkey", input=keys[other]).strip()
        run("ip", "netns", "exec", ns, "wg", "set", "d0", "listen-port", "51820", "private-key",
            "/dev/stdin", "peer", public, "allowed-ips", "10.90.0.0/24", "endpoint",
            f"10.77.0.{remote}:51820", input=keys[ns])
    through_device(pair)


def test_sctp(pair):
    sandbox, a, b = pair
    socket_ = "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)\n"
    if "not supported" in sandbox.run(a, "sh", "-c", f'python3 -c "{socket_}" 2>&1', check=False):
        lacking("SCTP")
    with Daemon(sandbox, CONFIG) as daemon:
        daemon.wait_attached([(netns_inode(ns), "eth0") for ns in (a, b)])
        server = sandbox.start(b, "python3", "-c", socket_ +
                               f"s.bind(('10.77.0.2', {PORT})); s.listen()\n"
                               "c, _ = s.accept()\nwhile c.recv(4096): pass")
        sandbox.run(a, "python3", "-c", socket_ +
                    "import time\nfor i in range(100):\n"
                    f"  try: s.connect(('10.77.0.2', {PORT})); break\n"
                    "  except OSError: time.sleep(0.1); "
                    "s=socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)\n"
                    f"for i in range({N}): s.send(b'x' * 300)\ns.close()")
        server.wait(60)
        flows = daemon.quiet_flows((a, "eth0"), (b, "eth0"))
    check_roles(flows)
    for ns in (a, b):
        check_interface(flows, ns, "eth0")
        rows = [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and f["proto"] == "sctp"]
        assert PORT in (rows[0]["local"]["port"], rows[0]["peer"]["port"])
        assert total(rows)["bytes"] > N * 300


def test_routed_counts_once_per_role(sandbox):
    """a - veth - host - veth - b, routed: the host forwards, the veth role counts each packet once."""
    host, a, b = sandbox.netns("host"), sandbox.netns("a"), sandbox.netns("b")
    for n, pod in enumerate((a, b), 1):
        sandbox.veth(host, pod, net=f"10.8{n}.0", name_a=f"veth{n}")
        run("ip", "-n", pod, "route", "add", "default", "via", f"10.8{n}.0.1")
    run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    serve_udp(sandbox, b)
    sandbox.run(a, "ping", "-c", "1", "10.82.0.2")
    with Daemon(sandbox, CONFIG) as daemon:
        daemon.wait_attached([(netns_inode(host), dev) for dev in ("veth1", "veth2")])
        send_udp(sandbox, a, "10.82.0.2")
        flows = daemon.quiet_flows((host, "veth1"), (host, "veth2"))
    check_roles(flows)
    assert packets(flows, host, "veth") == N
    for dev in ("veth1", "veth2"):
        check_interface(flows, host, dev)
