# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drops and their reasons against whoever dropped: the protocol's own counters, the rule's."""

import json

import pytest

from agent import Agent
from books import check_roles
from harness import Daemon, kernel, netns_inode, run, wait_for

# In the namespaces of the sandbox whoever owns the packet: what the kernel sends and nobody receives
# has no owner.
CONFIG = {"collectors": {"flows": {"interval": "1s"}}, "scope": {"cgroup": []}}


def named(reason):
    """The kernel tells reasons from 5.17 on; all that are asked for here are in 6.1."""
    return reason if kernel() >= [6, 1] else "NOT_SPECIFIED"


def kernel_has(reason):
    """Whether the kernel knows this reason: its type information holds the name."""
    with open("/sys/kernel/btf/vmlinux", "rb") as btf:
        return f"SKB_DROP_REASON_{reason}".encode() in btf.read()


@pytest.fixture
def watched(pair):
    sandbox, a, b = pair
    with Daemon(sandbox, CONFIG) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        yield sandbox, a, b, daemon


def dropped(daemon, ns, reason, port=None, proto="udp"):
    """How many the daemon says were dropped in a namespace for that reason, after its next step."""
    flows = daemon.flows()
    check_roles(flows)
    return sum(f["drops"].get(reason, 0) for f in flows["flows"]
               if f["netns"] == netns_inode(ns) and f["proto"] == proto
               and (port is None or f["local"] and port in (f["local"]["port"], f["peer"]["port"])))


def counters(ns, protocol, path="/proc/net/snmp"):
    text = run("ip", "netns", "exec", ns, "cat", path)
    rows = [line.split() for line in text.splitlines() if line.startswith(protocol + ":")]
    return {k: int(v) for k, v in zip(rows[0][1:], rows[1][1:])}


def counter6(ns, name):
    text = run("ip", "netns", "exec", ns, "cat", "/proc/net/snmp6")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def send_udp(sandbox, ns, address, ports, count=1):
    sandbox.run(ns, "python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET6 if ':' in '{address}' else socket.AF_INET, socket.SOCK_DGRAM)
for i in range({count}):
    for port in {list(ports)}:
        try:
            s.sendto(b'x' * 100, ('{address}', port))
        except OSError:
            pass
""")


@pytest.mark.parametrize("address", ["10.77.0.2", "fd77:0::2"])
def test_nobody_listens(watched, address):
    sandbox, a, b, daemon = watched
    send_udp(sandbox, a, address, [9999], count=137)
    no_ports = counter6(b, "Udp6NoPorts") if ":" in address else counters(b, "Udp")["NoPorts"]
    assert no_ports == 137
    assert dropped(daemon, b, named("NO_SOCKET"), 9999) == no_ports


def test_receive_buffer_is_full(watched):
    sandbox, a, b, daemon = watched
    sandbox.start(b, "python3", "-c", "import socket, time\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)\n"
                  "s.bind(('0.0.0.0', 9000))\ntime.sleep(1000)")
    sandbox.wait_listening(b, 9000, udp=True)
    send_udp(sandbox, a, "10.77.0.2", [9000], count=300)
    errors = counters(b, "Udp")["RcvbufErrors"]
    assert errors > 200
    assert dropped(daemon, b, named("SOCKET_RCVBUFF"), 9000) == errors
    flow = next(f for f in daemon.flows()["flows"] if f["netns"] == netns_inode(b) and f["drops"])
    assert flow["rx"]["packets"] == 300  # they did arrive


def iptables(ns, *argv):
    try:
        run("ip", "netns", "exec", ns, "iptables", *map(str, argv))
    except (RuntimeError, FileNotFoundError) as e:
        pytest.skip(f"no iptables here: {e}")


def netfilter_rule(ns, chain, port):
    """Adds a rule that drops, gives back a function that reads its counter."""
    iptables(ns, "-A", chain, "-p", "udp", "--dport", port, "-j", "DROP")

    def count():
        listing = run("ip", "netns", "exec", ns, "iptables", "-vnxL", chain)
        return next(int(line.split()[0]) for line in listing.splitlines() if f"dpt:{port}" in line)
    return count


@pytest.mark.parametrize("chain", ["INPUT", "OUTPUT"])
def test_netfilter_rule(watched, chain):
    sandbox, a, b, daemon = watched
    where = a if chain == "OUTPUT" else b
    count = netfilter_rule(where, chain, 7777)
    send_udp(sandbox, a, "10.77.0.2", [7777], count=41)
    assert count() == 41
    assert dropped(daemon, where, named("NETFILTER_DROP"), 7777) == 41
    rows = [f for f in daemon.flows()["flows"] if f["netns"] == netns_inode(where) and f["drops"]]
    assert [f["role"] for f in rows] == ["veth"]
    if chain == "OUTPUT":  # no packet of it passed an interface
        assert rows[0]["tx"]["packets"] == 0
        assert rows[0]["local"]["address"] == "10.77.0.1"


def test_local_drops_have_an_owner(pair):
    """Within a cgroup's scope, too: the socket is asked."""
    if kernel() < [5, 11]:
        pytest.skip("before 5.11 a program on this hook cannot ask for a socket's owner")
    sandbox, a, b = pair
    with Daemon(sandbox, {"collectors": {"flows": {"interval": "1s"}}}) as daemon:
        daemon.wait_attached([(netns_inode(a), "eth0"), (netns_inode(b), "eth0")])
        netfilter_rule(a, "OUTPUT", 7777)
        send_udp(sandbox, a, "10.77.0.2", [7777], count=5)
        run("ip", "netns", "exec", a, "python3", "-c",  # not in the cgroup
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "try: s.sendto(b'x', ('10.77.0.2', 7777))\nexcept OSError: pass")
        rows = [f for f in daemon.flows()["flows"] if f["drops"]]
    assert [f["drops"] for f in rows] == [{named("NETFILTER_DROP"): 5}]
    assert rows[0]["local"]["process"]["comm"] == "python3"


@pytest.mark.parametrize("hook,reason", [("ingress", "TC_INGRESS"), ("egress", "TC_EGRESS")])
def test_foreign_filter(watched, hook, reason):
    sandbox, a, b, daemon = watched
    where = a if hook == "egress" else b
    run("tc", "-n", where, "qdisc", "add", "dev", "eth0", "clsact", check=False)
    # As cls_bpf runs it: load the half-word at 36, the destination port; 8888: TC_ACT_SHOT (2), else
    # TC_ACT_UNSPEC.
    run("tc", "-n", where, "filter", "add", "dev", "eth0", hook, "prio", "50", "protocol", "ip", "bpf",
        "da", "bytecode", "4,40 0 0 36,21 0 1 8888,6 0 0 2,6 0 0 4294967295")
    send_udp(sandbox, a, "10.77.0.2", [8888], count=23)
    qdiscs = json.loads(run("tc", "-n", where, "-s", "-j", "qdisc", "show", "dev", "eth0"))
    assert [q["drops"] for q in qdiscs if q["kind"] == "clsact"] == [23]
    assert dropped(daemon, where, named(reason), 8888) == 23


def test_tcp_nobody_listens(watched):
    sandbox, a, b, daemon = watched
    sandbox.run(a, "python3", "-c", """
import socket
for i in range(19): socket.socket().connect_ex(('10.77.0.2', 9999))
""")
    resets = counters(b, "Tcp")["OutRsts"]
    assert resets == 19
    assert dropped(daemon, b, named("NO_SOCKET"), 9999, "tcp") == resets


def test_a_connection_that_ends_well_has_no_drop(watched):
    """What the kernel frees with the socket was received: since 6.7 it gives a reason for that, too."""
    sandbox, a, b, daemon = watched
    server, client = Agent(sandbox, b), Agent(sandbox, a)
    server("s = listen('10.77.0.2', 9000)")
    for first, second in ((client, server), (server, client)):
        client("c = socket.create_connection(('10.77.0.2', 9000)); c.sendall(b'x')")
        server("c = s.accept()[0]; c.recv(9)")
        first("c.close()")
        second("c.recv(9), c.close()")
    rows = [f for f in daemon.flows()["flows"] if f["proto"] == "tcp"]
    assert len(rows) == 4 and not [f["drops"] for f in rows if f["drops"]]


def settled(count, drops):
    """Both, when neither changes while the other is read: the kernel may try again at any time."""
    def still():
        before, seen = count(), drops()
        return (before, seen) if before == count() else None
    return wait_for("the counters to stand still", still)


def test_accept_queue_is_full(watched):
    """Ten handshakes under way, then the queue shrinks: their last ACKs find no room."""
    sandbox, a, b, daemon = watched
    rule = ["INPUT", "-p", "tcp", "--sport", "9000", "-j", "DROP"]
    server, client = Agent(sandbox, b), Agent(sandbox, a)
    server("s = listen('10.77.0.2', 9000)")
    iptables(a, "-A", *rule)  # no SYN-ACK arrives
    client("""
def connect():
    s = socket.socket(); s.setblocking(False); s.connect_ex(('10.77.0.2', 9000)); return s
sockets = [connect() for i in range(10)]
""")
    server("s.listen(1)")  # a queue of two
    iptables(a, "-D", *rule)  # it is sent again after a second

    def overflows():
        return counters(b, "TcpExt", "/proc/net/netstat")["ListenOverflows"]
    wait_for("the queue to be full", lambda: overflows() >= 8)
    tells = kernel_has("TCP_LISTEN_OVERFLOW")
    reason = "TCP_LISTEN_OVERFLOW" if tells else "NOT_SPECIFIED"
    counted, seen = settled(overflows, lambda: dropped(daemon, b, reason, 9000, "tcp"))
    # Without a reason of its own it cannot be told from the SYNs that were sent again (5.10: 16 and 10).
    assert counted == seen if tells else counted <= seen


def test_no_route(watched):
    """The route of a connection goes; what it sends then the kernel drops before any interface."""
    sandbox, a, b, daemon = watched
    server, client = Agent(sandbox, b), Agent(sandbox, a)
    server("s = listen('10.77.0.2', 9100)")
    client("c = socket.create_connection(('10.77.0.2', 9100)); c.sendall(b'x')")
    client("c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)")
    server("t = s.accept()[0]; t.recv(9)")
    before = counters(a, "Ip")["OutNoRoutes"]
    run("ip", "-n", a, "route", "del", "10.77.0.0/24")
    client("for i in range(5): c.send(b'x'); time.sleep(0.02)")

    def refused():
        return counters(a, "Ip")["OutNoRoutes"] - before
    counted, seen = settled(refused, lambda: dropped(daemon, a, named("IP_OUTNOROUTES"), 9100, "tcp"))
    assert counted == seen >= 5
    rows = [f for f in daemon.flows()["flows"] if f["netns"] == netns_inode(a) and f["drops"]]
    assert [f["local"]["process"]["pid"] for f in rows] == [client.pid]


def test_more_flows_than_the_table_holds(watched):
    """5,000 flows with drops: the sums stay exact in rows without ends."""
    sandbox, a, b, daemon = watched
    send_udp(sandbox, a, "10.77.0.2", range(10000, 15000))
    no_ports = counters(b, "Udp")["NoPorts"]
    assert no_ports == 5000
    assert dropped(daemon, b, named("NO_SOCKET")) == no_ports
    assert daemon.status()["loss"]["flows.drops_full"] == 0


def test_unreadable_headers(watched):
    """A version that does not exist: in no flow, and counted as such."""
    sandbox, a, b, daemon = watched
    before = counters(b, "Ip")["InHdrErrors"]
    sandbox.run(a, "python3", "-c", f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
frame = bytes.fromhex('{mac(b)}{mac(a)}0800'.replace(':', '')) + b'\\x15' + bytes(59)
for i in range(31): s.send(frame)
""")
    assert counters(b, "Ip")["InHdrErrors"] - before == 31
    assert daemon.status()["loss"]["flows.drops_unreadable"] == 31
    assert untracked(daemon.flows(), b, "malformed") == 31


def mac(ns):
    return json.loads(run("ip", "-n", ns, "-j", "link", "show", "dev", "eth0"))[0]["address"]


def untracked(flows, ns, reason):
    return sum(u[d]["packets"] for u in flows["untracked_by"] for d in ("rx", "tx")
               if u["netns"] == netns_inode(ns) and u["reason"] == reason)


def test_status_names_the_hook(watched):
    daemon = watched[3]
    flows = next(c for c in daemon.status()["collectors"] if c["name"] == "flows")
    assert "tp_btf" in flows["rung"]
