# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose packet was it? The truth is what the processes themselves say: who they are, which sockets
they made, accepted or were handed. Every way to have no owner is provoked once."""

import json
import os
import shutil
import socket
import struct
import time
from collections import Counter

import pytest

from agent import Agent
from books import check_interface, check_roles, total
from harness import BUILD, Daemon, cgroup_mount, kernel, netns_inode, quiet, run, wait_for

STEP = {"collectors": {"flows": {"interval": "1s"}}}
SHORT_CONNECTIONS = int(os.environ.get("EBPFOBS_SHORT_CONNECTIONS", "3000"))
A, B = "10.77.0.1", "10.77.0.2"


def flows_of(flows, ns, port=None, proto=None, fragment=False):
    """The rows of a namespace, by port at either end."""
    return [f for f in flows["flows"] if f["netns"] == netns_inode(ns) and not f["other"]
            and (proto is None or f["proto"] == proto) and f["fragment"] == fragment
            and (port is None or port in (f["local"]["port"], f["peer"]["port"]))]


def owner(end):
    return (end["process"]["pid"], end["process"]["comm"]) if end["process"] else None


def attached(daemon, *links):
    daemon.wait_attached([(netns_inode(ns), dev) for ns, dev in links])


# --- short connections --------------------------------------------------------------------------

def truth(path):
    """What the tool wrote: port -> pid. A port was used once."""
    with open(path, encoding="ascii") as f:
        lines = [line.split() for line in f]
    pids = {int(port): int(pid) for port, pid in lines}
    assert len(pids) == len(lines), "a port was used twice: no telling whose a row is"
    return pids


def verdict_of(end, expected, listener):
    """"right"; "listener": of the process that listens, because nobody had accepted it yet."""
    if owner(end) is None:
        return "unowned"
    if owner(end) == expected:
        return "right"
    return "listener" if end["process"]["pid"] == listener else "wrong"


def test_short_connections(pair):
    sandbox, a, b = pair
    tool = os.path.join(BUILD, "tests/system/tools/short-connections")
    logs = {side: os.path.join(sandbox.directory, side) for side in ("client", "server")}
    # An answer of two rows per connection does not fit into the default limit if there are 20,000.
    config = {**STEP, "memory": {"limit": "256M"}}
    with Daemon(sandbox, config) as daemon, open(logs["client"], "ab") as client_log, \
            open(logs["server"], "ab") as server_log:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        listener = sandbox.start(b, tool, "server", B, 9000, 4, stdout=server_log).pid
        sandbox.wait_listening(b, 9000)
        client = sandbox.start(a, tool, "client", B, 9000, SHORT_CONNECTIONS, 8, stdout=client_log)
        assert client.wait(600) == 0
        quiet(a, "eth0")
        flows = daemon.flows()
        check_roles(flows)
        losses = {k: v for k, v in daemon.status()["loss"].items() if v}
    truths = {"client": (truth(logs["client"]), "short-client"),
              "server": (truth(logs["server"]), "short-worker")}
    verdicts = Counter()
    for ns, side, other in ((a, "client", "server"), (b, "server", "client")):
        local, peer = truths[side], truths[other]
        client_end = "local" if side == "client" else "peer"
        rows = flows_of(flows, ns, 9000)
        ports = {f[client_end]["port"] for f in rows}
        assert ports == set(local[0]) and len(ports) == SHORT_CONNECTIONS
        named = set()
        for f in rows:
            port = f[client_end]["port"]
            assert f["side"] == side and f["local"]["workload"], f
            verdict = verdict_of(f["local"], (local[0][port], local[1]), listener)
            verdicts[side, verdict] += 1
            if verdict == "right":
                named.add(port)
            if f["peer"]["process"]:
                verdict = verdict_of(f["peer"], (peer[0][port], peer[1]), listener)
                verdicts[side + "'s peer", verdict] += 1
        # What a step's end cut off before accept() belongs to the listener; the rest of it does not.
        assert len(ports - named) <= SHORT_CONNECTIONS / 100, verdicts
    print(f"{SHORT_CONNECTIONS} connections, rows: {dict(verdicts)}; losses: {losses}")
    assert not [v for v in verdicts if v[1] == "wrong"], verdicts


# --- older than the daemon ----------------------------------------------------------------------

def expect(flows, ns, port, **ends):
    """The rows of ns at port say who the local end is: expect(flows, a, 9000, local=(agent, side)),
    and each that names the peer names peer=agent."""
    rows = flows_of(flows, ns, port)
    assert rows, f"no flow at port {port}"
    agent, side = ends["local"]
    for f in rows:
        assert (f["local"]["process"] or {}).get("pid") == agent.pid, f
        assert f["side"] == side and f["unowned"] is None, f
        if "peer" in ends and f["peer"]["process"]:
            assert f["peer"]["process"]["pid"] == ends["peer"].pid, f


def named(daemon, talk, *places):
    """Lets them talk until there is an owner at each (ns, port): the pass over what was there before
    runs beside the start. What was seen too early to have one is left out."""
    def all_have():
        talk()
        flows = daemon.flows()
        flows["flows"] = [f for f in flows["flows"] if not f["unowned"]]
        return flows if all(flows_of(flows, ns, port) for ns, port in places) else None
    return wait_for("owners", all_have)


def scan_reaches_sockets():
    """Before 5.11 the pass over existing sockets can only note their ports: those without are lost."""
    return kernel() >= [5, 11]


def test_sockets_older_than_the_daemon(pair):
    sandbox, a, b = pair
    client, server = Agent(sandbox, a), Agent(sandbox, b)
    server(f"l = listen('{B}', 9000)")
    client(f"c = socket.create_connection(('{B}', 9000))")
    server("c, _ = l.accept()")
    server(f"u = udp(); u.bind(('{B}', 9001)); v = udp(); v.bind(('{B}', 9002))")
    server("w = udp(socket.AF_INET6); w.bind(('::', 9003))")
    client(f"u = udp(); u.connect(('{B}', 9001))")
    client(f"v = udp(); v.sendto(b'x', ('{B}', 9002))")
    client(f"w = udp(socket.AF_INET6); w.connect(('fd77:0::2', 9003))")
    # Not yet what they will be.
    server(f"m = socket.socket(); m.bind(('{B}', 9004))")
    client("d = socket.socket()")
    server("v.recv(9)")

    def talk():
        client("c.send(b'x')")
        server("c.recv(9), c.send(b'y')")
        client("c.recv(9), u.send(b'x'), w.send(b'x'), d.send(b'x')")
        server("e.recv(9)")
        client(f"v.sendto(b'x', ('{B}', 9002))")
        for s in "uvw":
            server(f"{s}.sendto(b'y', {s}.recvfrom(9)[1])")
            client(f"{s}.recv(9)")
    with Daemon(sandbox, STEP) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        ports = [9000, 9001, 9002, 9003]
        if scan_reaches_sockets():
            ports.append(9004)
        server("m.listen()")
        client(f"d.connect(('{B}', 9004))")
        server("e, _ = m.accept()")
        flows = named(daemon, talk, *((ns, port) for ns in (a, b) for port in ports))
        for port in ports:
            expect(flows, a, port, local=(client, "client"), peer=server)
            expect(flows, b, port, local=(server, "server"), peer=client)


# --- who accepts --------------------------------------------------------------------------------

def test_accepted_by_another_than_the_listener(pair):
    """Preforked: the parent listens, the child accepts. Handed over (socket activation): made in one
    cgroup, inherited by a process of another. In a thread with a name of its own."""
    sandbox, a, b = pair
    cgroups = [sandbox.make_cgroup(f"{sandbox.cgroup}.slice/{name}")
               for name in ("maker.socket", "acceptor.service")]
    config = {**STEP, "scope": {"cgroup": [sandbox.cgroup, f"{sandbox.cgroup}.slice"]}}
    with Daemon(sandbox, config) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        client, parent, maker = Agent(sandbox, a), Agent(sandbox, b), Agent(sandbox, b, cgroups[0])
        parent("""
l = listen('0.0.0.0', 9000)
def work():
    c, _ = l.accept()
    c.sendall(c.recv(9))
    time.sleep(1000)
""")
        preforked = parent("child(work)")
        maker("""
l = listen('0.0.0.0', 9001); l.setblocking(True); os.set_inheritable(l.fileno(), True)
def work():
    os.execvp('python3', ['python3', '-c', '''
import socket, time
c, _ = socket.socket(fileno=%d).accept()
c.sendall(c.recv(9))
time.sleep(1000)''' % l.fileno()])
""")
        with open(f"{cgroup_mount()}{cgroups[1]}/cgroup.procs", "w", encoding="ascii") as procs:
            procs.write(str(maker.pid))
        activated = maker("child(work)")
        threaded = Agent(sandbox, b)
        threaded("""
import ctypes, threading
l = listen('0.0.0.0', 9002)
def work():
    ctypes.CDLL(None).prctl(15, b'a-thread')
    c, _ = l.accept()
    c.sendall(c.recv(9))
threading.Thread(target=work).start()
""")
        for port in (9000, 9001, 9002):
            client(f"s = socket.create_connection(('{B}', {port})); s.sendall(b'hello'); s.recv(9)")
            client("s.sendall(b'bye')")
        flows = daemon.flows()
    for port, pid in ((9000, preforked), (9001, activated), (9002, threaded.pid)):
        rows = accepted(flows_of(flows, b, port), pid)
        assert {f["side"] for f in rows} == {"server"}
        assert {f["local"]["process"]["comm"] for f in rows} == {"python3"}
        assert {(f["peer"]["process"]["pid"], f["peer"]["process"]["comm"]) for f in rows} == {
            (client.pid, client.comm)}
    workloads = {f["local"]["workload"]["name"] for f in accepted(flows_of(flows, b, 9001), activated)}
    assert workloads == {"acceptor.service"}


def accepted(rows, pid):
    """The rows after accept(): only those of the first step may still be the listener's."""
    mine = [f for f in rows if f["local"]["process"] and f["local"]["process"]["pid"] == pid]
    assert mine and len(rows) - len(mine) <= 1, rows
    return mine


# --- UDP ----------------------------------------------------------------------------------------

def test_udp(pair):
    sandbox, a, b = pair
    with Daemon(sandbox, STEP) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        client, server = Agent(sandbox, a), Agent(sandbox, b)
        for port in (9000, 9001, 9002, 9003, 9004):
            server(f"s{port} = udp(socket.AF_INET6); s{port}.bind(('::', {port}))")  # IPv4, too
        answer = "s{0}.sendto(b'y', s{0}.recvfrom(9)[1])".format
        client(f"u = udp(); u.connect(('{B}', 9000)); u.send(b'x')")
        server(answer(9000))
        client("u.recv(9)")
        # Never answered: who receives is known all the same.
        client(f"v = udp(); v.sendto(b'x', ('{B}', 9001))")
        server("s9001.recv(9)")
        # As a resolver does it: no connect(), no bind().
        client(f"w = udp(); w.sendto(b'x', ('{B}', 9002))")
        server(answer(9002))
        client("w.recv(9)")
        # As Rust and Go do it: bound to no port in particular, to ask many.
        client(f"x = udp(); x.bind(('0.0.0.0', 0)); x.sendto(b'x', ('{B}', 9003))")
        server(answer(9003))
        client("x.recv(9)")
        # Gone while the other one goes on: the port is nobody's now.
        client(f"y = udp(); y.sendto(b'x', ('{B}', 9004))")
        server("s9004.recv(9)")
        flows = daemon.flows()
        for port in (9000, 9001, 9002, 9003, 9004):
            expect(flows, a, port, local=(client, "client"), peer=server)
            expect(flows, b, port, local=(server, "server"), peer=client)
        server("s9004.close()")
        for _ in range(3):
            client(f"y.sendto(b'x', ('{B}', 9004))")
        rows = flows_of(daemon.flows(), b, 9004)
        assert {f["unowned"]: f["rx"]["packets"] for f in rows} == {None: 1, "no_listener": 3}


def test_name_after_exec(pair):
    """A thread's socket has the name of its process: of the program that runs now, however short ago
    it was started."""
    sandbox, a, b = pair
    program = os.path.join(sandbox.directory, "renamed")
    os.symlink("/usr/bin/python3", program)
    code = f"""
import os, socket, sys, threading
def run():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", ("{B}", int(sys.argv[1])))
    os.write(int(sys.argv[2]), b"x")
    threading.Event().wait(2)
threading.Thread(target=run).start()
"""
    with Daemon(sandbox, STEP) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        client = Agent(sandbox, a)
        for port in range(9000, 9010):
            client(f"""
r, w = os.pipe(); os.set_inheritable(w, True)
def run():
    time.sleep(0.6) # of the fork the daemon knows by now, and looks for more seldom
    os.execv({program!r}, ['x', '-ISc', {code!r}, '{port}', str(w)])
child(run)
os.read(r, 1)
""")
            rows = flows_of(daemon.flows(), a, port)
            assert [f["local"]["process"]["comm"] for f in rows] == ["renamed"]


# --- packets that no process owns ---------------------------------------------------------------

def causes(flows, ns, port=None, **kinds):
    return {f["unowned"] for f in flows_of(flows, ns, port, **kinds)}


@pytest.fixture
def seen(pair):
    """The scope is the namespaces: packets without an owner are in it."""
    sandbox, a, b = pair
    with Daemon(sandbox, {**STEP, "scope": {"cgroup": []}}) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        yield sandbox, a, b, daemon


def test_unowned_no_listener(seen):
    sandbox, a, b, daemon = seen
    client = Agent(sandbox, a)
    client(f"""
for family, address in ((socket.AF_INET, '{B}'), (socket.AF_INET6, 'fd77:0::2')):
    try: socket.socket(family).connect((address, 9000))
    except ConnectionRefusedError: pass
    u = udp(family); u.sendto(b'x', (address, 9001))
""")
    flows = daemon.flows()
    for port in (9000, 9001):
        assert len(flows_of(flows, b, port)) == 2
        assert causes(flows, b, port) == {"no_listener"}
        expect(flows, a, port, local=(client, "client"))
    assert {f["tcp"]["state"] for f in flows_of(flows, b, 9000)} == {"refused"}


def test_unowned_kernel_fragment_multicast_unknown(seen):
    sandbox, a, b, daemon = seen
    sandbox.run(a, "ping", "-c", "1", B)
    sandbox.run(a, "ping", "-c", "1", "fd77:0::2")
    sender, reader = Agent(sandbox, a), Agent(sandbox, b)
    reader("u = udp(); u.bind(('', 9001))")
    reader(f"""u.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
        socket.inet_aton('224.7.7.7') + socket.inet_aton('{B}'))""")
    sender(f"""
u = udp()
u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
u.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('{A}'))
u.bind(('{A}', 9009))
for address, port in (('224.7.7.7', 9000), ('255.255.255.255', 9000), ('10.77.0.255', 9000),
                      ('224.7.7.7', 9001)):
    u.sendto(b'x', (address, port))
u.sendto(bytes(4000), ('{B}', 9003))
""")
    # Past the IP layer: a packet socket's owner is not known.
    sender(frame_sender(a, b, 9002))
    flows = daemon.flows()
    check_roles(flows)
    for proto in ("icmp", "icmpv6"):
        echo = [f for f in flows_of(flows, b, proto=proto) if f["local"]["port"]]
        assert [(f["unowned"], f["side"]) for f in echo] == [("kernel", "none")]
        echo = [f for f in flows_of(flows, a, proto=proto) if f["local"]["port"]]
        assert [f["local"]["process"]["comm"] for f in echo] == ["ping"]
    for ns in (a, b):
        assert causes(flows, ns, fragment=True) == {"fragment"}
    rows = flows_of(flows, b, 9000)
    assert {(f["local"]["address"], f["unowned"]) for f in rows} == {
        ("224.7.7.7", "multicast"), ("255.255.255.255", "multicast"),
        ("10.77.0.255", "multicast")}
    assert {f["peer"]["process"]["pid"] for f in rows} == {sender.pid}
    assert {f["local"]["process"]["pid"] for f in flows_of(flows, a, 9000)} == {sender.pid}
    expect(flows, b, 9001, local=(reader, "server"), peer=sender)
    assert causes(flows, a, 9002) == {"unknown"}
    assert causes(flows, b, 9002) == {"no_listener"}


def test_unowned_anycast(seen):
    """The routers' address of an IPv6 subnet (RFC 4291 2.6.1) is that of the one that answers."""
    sandbox, a, b, daemon = seen
    run("ip", "netns", "exec", b, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    sandbox.run(a, "ping", "-c", "1", "fd77:0::")
    rows = [f for f in flows_of(daemon.flows(), b, proto="icmpv6")
            if f["local"]["address"] == "fd77::"]
    assert [(f["unowned"], f["peer"]["process"]["comm"]) for f in rows] == [("kernel", "ping")]


def test_unowned_for_want_of_memory(seen):
    """The kernel refuses the note that says whose a socket is: nobody is named, and status says why."""
    sandbox, a, b, daemon = seen
    sysctl = "net.core.optmem_max"
    machine = run("sysctl", "-n", sysctl)
    written = sandbox.run(a, "sh", "-c", f"sysctl -qw {sysctl}=0 2>&1", check=False)
    if written or run("sysctl", "-n", sysctl) != machine:
        run("sysctl", "-qw", f"{sysctl}={machine}")
        pytest.skip(f"net.core.optmem_max is not per namespace before Linux 6.8 {written}")
    client = Agent(sandbox, a)
    assert daemon.status()["loss"]["sockets.no_memory"] == 0
    client(f"for i in range(7): udp().sendto(b'x', ('{B}', 9000))")
    status = daemon.status()
    assert status["loss"]["sockets.no_memory"] == 7
    assert "7 sockets are not named" in status["collectors"][0]["reason"]
    assert causes(daemon.flows(), a, 9000) == {"unknown"}


def frame_sender(a, b, port):
    """Code that sends a UDP datagram as a frame of its own making."""
    mac = {ns: json.loads(run("ip", "-n", ns, "-j", "link", "show", "eth0"))[0]["address"]
           for ns in (a, b)}
    frame = (bytes.fromhex(mac[b].replace(":", "")) + bytes.fromhex(mac[a].replace(":", ""))
             + b"\x08\x00" + ip_header(A, B, 17, 9) + struct.pack("!4H", port, port, 9, 0) + b"x")
    return f"""
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
p.bind(('eth0', 0x800)); p.send({frame!r})"""


def checksum(data):
    words = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return ~(words % 0xffff) & 0xffff


def ip_header(source, destination, protocol, length):
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 1, 0, 64, protocol)
    tail = socket.inet_aton(source) + socket.inet_aton(destination)
    return head + struct.pack("!H", checksum(head + tail)) + tail


def tcp_segment(source, sport, destination, dport, flags):
    """A bare header with a right checksum (RFC 9293 section 3.1)."""
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", 6, 20)
    head = struct.pack("!HHIIBBH", sport, dport, 1, 1, 5 << 4, flags, 1000)
    return head + struct.pack("!HH", checksum(pseudo + head), 0)


def test_unowned_time_wait_and_orphan(pair):
    """Their owners are gone before the daemon comes; else they were remembered."""
    sandbox, a, b = pair
    client, server = Agent(sandbox, a), Agent(sandbox, b)
    server("l = listen('0.0.0.0', 9000); l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)")
    client(f"s = socket.create_connection(('{B}', 9000))")
    port = client("s.getsockname()[1]")
    server("c, _ = l.accept()")
    client("s.close()")
    server("c.recv(9), c.close()")
    server("m = listen('0.0.0.0', 9001); m.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)")
    client(f"""
s = socket.create_connection(('{B}', 9001)); s.setblocking(False)
try:
    while True: s.send(bytes(10000))
except BlockingIOError: pass
s.close()
""")
    server("c, _ = m.accept()")
    with Daemon(sandbox, {**STEP, "scope": {"cgroup": []}}) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        server("r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)")
        server(f"r.sendto({tcp_segment(B, 9000, A, port, 0x10)!r}, ('{A}', 0))")
        server("while c.recv(100000): pass")
        flows = daemon.flows()
    check_roles(flows)
    assert causes(flows, a, 9000) == {"time_wait"}
    assert {f["local"]["process"]["pid"] for f in flows_of(flows, b, 9000)} == {server.pid}
    assert causes(flows, a, 9001) == {"orphan"}
    expect(flows, b, 9001, local=(server, "server"))


@pytest.fixture
def routed(sandbox):
    """a - first - second - b: to the second router no packet comes with its socket any more. Each
    link is eth0 on its left and eth1 on its right side; a is 10.78.1.1, b is 10.78.3.2."""
    a, first, second, b = chain = [sandbox.netns(name) for name in ("a", "r1", "r2", "b")]
    for n in (1, 2, 3):
        sandbox.veth(chain[n - 1], chain[n], net=f"10.78.{n}", name_b="eth1")
    for ns, via in ((a, "10.78.1.2"), (first, "10.78.2.2"), (second, "10.78.2.1"), (b, "10.78.3.1")):
        run("ip", "-n", ns, "route", "add", "10.78.0.0/16", "via", via)
        run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    return sandbox, a, second, b


def datagrams(sandbox, a, b):
    reader = Agent(sandbox, b)
    reader("u = udp(); u.bind(('', 9000))")
    Agent(sandbox, a)("u = udp(); u.sendto(b'x', ('10.78.3.2', 9000))")
    reader("u.recv(9)")


def test_unowned_forwarded(routed):
    sandbox, a, router, b = routed
    with Daemon(sandbox, {**STEP, "scope": {"cgroup": []}}) as daemon:
        attached(daemon, (router, "eth0"), (router, "eth1"),
                 (a, "eth0"), (b, "eth1"))
        datagrams(sandbox, a, b)
        flows = daemon.flows()
    assert causes(flows, router, 9000) == {"forwarded"}
    assert causes(flows, a, 9000) == causes(flows, b, 9000) == {None}


def test_unowned_other_namespace(routed):
    """The router alone is observed."""
    sandbox, a, router, b = routed
    scope = {"cgroup": [], "netns": [f"/run/netns/{router}"]}
    with Daemon(sandbox, {**STEP, "scope": scope}) as daemon:
        attached(daemon, (router, "eth0"), (router, "eth1"))
        datagrams(sandbox, a, b)
        flows = daemon.flows()
    assert causes(flows, router, 9000) == {"other_namespace"}


# --- scope --------------------------------------------------------------------------------------

def python_of_its_own(sandbox):
    """An executable that nobody else runs."""
    exe = os.path.join(sandbox.directory, "inside")
    shutil.copy(os.path.realpath("/usr/bin/python3"), exe)
    return exe


@pytest.mark.parametrize("key", ["cgroup", "unit", "pid", "exe", "netns"])
def test_scope(pair, key):
    """Two clients and two servers, one of each in scope."""
    sandbox, a, b = pair
    above = f"{sandbox.cgroup}.slice"
    unit = f"{sandbox.tag}-inside.service"
    inside = sandbox.make_cgroup(f"{above}/{unit}")
    outside = sandbox.make_cgroup(f"{above}/outside.service")
    exe = python_of_its_own(sandbox)
    mine = [Agent(sandbox, ns, inside, ("env", "PYTHONHOME=/usr", exe)) for ns in (a, b)]
    others = [Agent(sandbox, ns, outside) for ns in (a, b)]
    pids = {agent.pid for agent in mine}
    scope = {"cgroup": {"cgroup": [inside]},
             "unit": {"cgroup": [above], "unit": [unit]},
             "pid": {"cgroup": [above], "pid": [str(pid) for pid in pids]},
             "exe": {"cgroup": [above], "exe": [exe]},
             "netns": {"cgroup": [above], "netns": [f"/run/netns/{a}"]}}[key]
    config = {"collectors": {"flows": {"interval": "1s", "netns": sandbox.namespaces}},
              "scope": {"netns": [], **scope}}
    observed = [a] if key == "netns" else [a, b]
    with Daemon(sandbox, config) as daemon:
        attached(daemon, *((ns, "eth0") for ns in observed))
        for port, server in ((9000, mine[1]), (9001, others[1])):
            server(f"l = listen('0.0.0.0', {port}); u = udp(); u.bind(('', {port}))")
            for client in (mine[0], others[0]):
                client(f"c = socket.create_connection(('{B}', {port})); c.send(b'x')")
                client(f"u = udp(); u.sendto(b'x', ('{B}', {port}))")
                server("c, _ = l.accept(); c.recv(9); u.sendto(b'y', u.recvfrom(9)[1])")
                client("u.recv(9), c.close()")
                server("c.close()")
        flows = daemon.quiet_flows(*((ns, "eth0") for ns in observed))
        status = daemon.status()
        account = status["accounting"]["flows"]
        check_roles(flows)
        for ns in observed:
            check_interface(flows, ns, "eth0")
    owners = {end["process"]["pid"] for f in flows["flows"] for end in (f["local"], f["peer"])
              if end["process"]}
    if key == "netns":
        assert {f["netns"] for f in flows["flows"]} == {netns_inode(a)}
        local = {mine[0].pid, others[0].pid}
        if "does not tell where a new socket is" in (status["collectors"][0]["reason"] or ""):
            assert local < owners  # before 5.14
        else:
            assert owners == local
        return
    assert owners == pids
    assert not [f for f in flows["flows"] if not f["local"]["process"] and not f["peer"]["process"]]
    # Of the four pairs the one that is all outside is missing, and was counted.
    for ns in observed:
        for proto in ("tcp", "udp"):
            assert len({(f["local"]["port"], f["peer"]["port"])
                        for f in flows_of(flows, ns, proto=proto)}) == 3
    filtered = total([u for u in flows["untracked_by"] if u["reason"] == "filtered"])
    assert filtered["packets"] > 0
    assert account["filtered"] == filtered["skbs"]
    assert account["seen"] == account["delivered"] + account["filtered"] + account["dropped"]


# --- workloads ----------------------------------------------------------------------------------

def test_unit_and_container(pair):
    sandbox, a, b = pair
    above = f"{sandbox.cgroup}.slice"
    unit = sandbox.make_cgroup(f"{above}/client.service")
    ids = [digit * 64 for digit in "ab"]
    containers = [sandbox.make_cgroup(f"{above}/libpod-{ids[0]}.scope"),
                  sandbox.make_cgroup(f"{sandbox.cgroup}/{ids[1]}")]
    config = {**STEP, "scope": {"cgroup": [above, sandbox.cgroup]}}
    with Daemon(sandbox, config) as daemon:
        attached(daemon, (a, "eth0"), (b, "eth0"))
        client = Agent(sandbox, a, unit)
        for port, cgroup in zip((9000, 9001), containers):
            server = Agent(sandbox, b, cgroup)
            server(f"l = listen('0.0.0.0', {port})")
            client(f"c = socket.create_connection(('{B}', {port})); c.send(b'x')")
            server("c, _ = l.accept(); c.recv(9); c.send(b'y')")
            client("c.recv(9), c.close()")

        # A cgroup's path is looked up when it is first met.
        def all_named():
            client("c = socket.create_connection(('%s', 9001)); c.send(b'x'); c.close()" % B)
            flows = daemon.flows()
            return flows if all(f["peer"]["workload"] and f["local"]["workload"]
                                for f in flows["flows"] if f["side"] != "none") else None
        flows = wait_for("names", all_named)
    for port, container in zip((9000, 9001), ids):
        for ns, ends in ((a, ("local", "peer")), (b, ("peer", "local"))):
            rows = flows_of(flows, ns, port)
            assert rows
            for f in rows:
                here, there = (f[end]["workload"] for end in ends)
                assert (here["kind"], here["name"]) == ("unit", "client.service"), f
                assert (there["kind"], there["id"]) == ("container", container), f
