# SPDX-License-Identifier: LGPL-2.1-or-later
"""churn.py veths|namespaces COUNT: makes as many pairs of interfaces (the namespaces' with one end
in a namespace of its own: va0, vn0), sends PACKETS through each as soon as it carries, removes it. With
"paced" behind it: sends until the test answers the pair's name with a line.
Prints, as JSON, the kernel's last word on each interface of this namespace: name to what the
RTM_DELLINK message counts as transmitted, [packets, bytes]. Run inside a sandbox."""

import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time

PACKETS = 5
PAUSE = 0.004
PAUSE_PACED = 0.02  # so that on a slow machine, too, counters can be read between two packets
IFF_RUNNING = 0x40
RTMGRP_LINK, RTM_NEWLINK, RTM_DELLINK = 1, 16, 17
IFLA_IFNAME, IFLA_QDISC, IFLA_STATS64 = 3, 6, 23
SO_RCVBUFFORCE = 33


class Ip:
    """One "ip -batch" that takes commands as they come."""

    def __init__(self):
        self.batch = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)

    def do(self, *lines):
        self.batch.stdin.write("\n".join(lines) + "\n")
        self.batch.stdin.flush()


class Listener:
    """What rtnetlink says: who carries, and the last word on each interface. A veth's rx is not in
    that: what its peer sent was parted from it before."""

    def __init__(self):
        self.carrying = set()
        self.last = {}
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.socket.bind((0, RTMGRP_LINK))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data = self.socket.recv(1 << 16)
            length, kind = struct.unpack_from("IH", data)
            flags, = struct.unpack_from("I", data, 24)  # struct nlmsghdr, struct ifinfomsg
            self.take(kind, flags, self.parse(data[32:length]))

    @staticmethod
    def parse(data):
        attributes = {}
        while len(data) >= 4:
            length, kind = struct.unpack_from("HH", data)
            attributes[kind] = data[4:length]
            data = data[length + 3 & ~3:]
        return attributes

    def take(self, kind, flags, attributes):
        name = attributes.get(IFLA_IFNAME, b"").rstrip(b"\0").decode()
        if kind == RTM_DELLINK and IFLA_STATS64 in attributes:
            stats = struct.unpack_from("4Q", attributes[IFLA_STATS64])
            self.last[name] = stats[1], stats[3]
        # Until its queueing discipline is there the kernel throws packets away behind TC.
        if kind == RTM_NEWLINK and flags & IFF_RUNNING and \
                attributes.get(IFLA_QDISC, b"noop\0") != b"noop\0":
            self.carrying.add(name)

    def wait_carrying(self, name):
        end = time.monotonic() + 5
        while name not in self.carrying:
            if time.monotonic() > end:
                sys.exit(f"{name} never carried")
            time.sleep(0.001)

    def wait_last(self, count):
        end = time.monotonic() + 20
        while len(self.last) < count and time.monotonic() < end:
            time.sleep(0.01)
        return self.last


def is_answered():
    if not select.select([sys.stdin], [], [], 0)[0]:
        return False
    sys.stdin.readline()
    return True


def send(name, paced):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        sent = 0
        while not is_answered() if paced else sent < PACKETS:
            s.sendto(b"x" * 100, ("10.9.0.2", 9))
            sent += 1
            time.sleep(PAUSE_PACED if paced else PAUSE)


def pair(ip, listener, i, space, paced):
    va = f"vn{i}" if space else f"va{i}"
    if space:  # not by the batch: it would keep the namespace's descriptor, and with it all of it
        for words in (f"link add {va} type veth peer name eth0 netns {space}",
                      f"-n {space} link set eth0 up"):
            subprocess.run(["ip", *words.split()], check=True)
    else:
        ip.do(f"link add {va} type veth peer name vb{i}", f"link set vb{i} up")
    # The last of all, so that it carries when the batch is done.
    ip.do(f"addr add 10.9.0.1/24 dev {va}",
          f"neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev {va}", f"link set {va} up")
    listener.wait_carrying(va)
    if paced:
        print(va, flush=True)
    send(va, paced)


def main():
    ip, listener = Ip(), Listener()
    what, count, paced = sys.argv[1], int(sys.argv[2]), "paced" in sys.argv[3:]
    for i in range(count):
        if what == "veths":
            pair(ip, listener, i, None, paced)
            ip.do(f"link del va{i}")
        else:
            subprocess.run(["ip", "netns", "add", f"ns{i}"], check=True)
            pair(ip, listener, i, f"ns{i}", paced)
            subprocess.run(["ip", "netns", "del", f"ns{i}"], check=True)
    print(json.dumps(listener.wait_last(2 * count if what == "veths" else count)))


main()
