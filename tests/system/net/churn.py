# SPDX-License-Identifier: LGPL-2.1-or-later
"""churn.py veths|namespaces COUNT: makes as many pairs of interfaces (the namespaces' with one end
in a namespace of its own: va0, vn0), sends PACKETS through each as soon as it carries, removes it. With
"paced" behind it: sends until the test answers the pair's name with a line.
Prints, as JSON, the kernel's last word on each interface of this namespace: name to what the
RTM_DELLINK message counts as transmitted, [packets, bytes]. Run inside a sandbox."""

import fcntl
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
SIOCGIFFLAGS = 0x8913
IFF_RUNNING = 0x40
RTMGRP_LINK, RTM_DELLINK, IFLA_IFNAME, IFLA_STATS64 = 1, 17, 3, 23
SO_RCVBUFFORCE = 33


class Ip:
    """One "ip -batch" that takes commands as they come."""

    def __init__(self):
        self.batch = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)

    def do(self, *lines):
        self.batch.stdin.write("\n".join(lines) + "\n")
        self.batch.stdin.flush()


class LastWords:
    """Listens to rtnetlink. A veth's rx is not here: what its peer sent was parted from it before."""

    def __init__(self):
        self.heard = {}
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.socket.bind((0, RTMGRP_LINK))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data = self.socket.recv(1 << 16)
            length, kind = struct.unpack_from("IH", data)
            if kind == RTM_DELLINK:
                self.take(data[32:length])  # struct nlmsghdr, struct ifinfomsg

    def take(self, data):
        attributes = {}
        while len(data) >= 4:
            length, kind = struct.unpack_from("HH", data)
            attributes[kind] = data[4:length]
            data = data[length + 3 & ~3:]
        if IFLA_STATS64 in attributes:
            stats = struct.unpack_from("4Q", attributes[IFLA_STATS64])
            self.heard[attributes[IFLA_IFNAME].rstrip(b"\0").decode()] = stats[1], stats[3]

    def wait(self, count):
        end = time.monotonic() + 20
        while len(self.heard) < count and time.monotonic() < end:
            time.sleep(0.01)
        return self.heard


def wait_running(probe, name):
    """Until its queueing discipline is there: before, the kernel throws packets away behind TC."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            answer = fcntl.ioctl(probe, SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
            if struct.unpack("16xH14x", answer)[0] & IFF_RUNNING:
                return
        except OSError:
            pass
        time.sleep(0.001)
    sys.exit(f"{name} never carried")


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
            time.sleep(PAUSE)


def pair(ip, probe, i, space, paced):
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
    wait_running(probe, va)
    if paced:
        print(va, flush=True)
    send(va, paced)


def main():
    ip, probe, last_words = Ip(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM), LastWords()
    what, count, paced = sys.argv[1], int(sys.argv[2]), "paced" in sys.argv[3:]
    for i in range(count):
        if what == "veths":
            pair(ip, probe, i, None, paced)
            ip.do(f"link del va{i}")
        else:
            subprocess.run(["ip", "netns", "add", f"ns{i}"], check=True)
            pair(ip, probe, i, f"ns{i}", paced)
            subprocess.run(["ip", "netns", "del", f"ns{i}"], check=True)
    print(json.dumps(last_words.wait(2 * count if what == "veths" else count)))


main()
