# SPDX-License-Identifier: LGPL-2.1-or-later
"""churn.py veths|namespaces COUNT: makes as many pairs of interfaces (the namespaces' with one end
in a namespace of its own), sends PACKETS through each as soon as it carries, removes it.
Run inside a sandbox."""

import fcntl
import socket
import struct
import subprocess
import sys
import time

PACKETS = 5
SIOCGIFFLAGS = 0x8913
IFF_RUNNING = 0x40


class Ip:
    """One "ip -batch" that takes commands as they come."""

    def __init__(self):
        self.batch = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)

    def do(self, *lines):
        self.batch.stdin.write("\n".join(lines) + "\n")
        self.batch.stdin.flush()


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


def send(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        for _ in range(PACKETS):
            s.sendto(b"x" * 100, ("10.9.0.2", 9))
            time.sleep(0.004)


def pair(ip, probe, i, space):
    va, there = f"va{i}", "name eth0 netns " + space if space else f"name vb{i}"
    ip.do(f"link add {va} type veth peer {there}", f"addr add 10.9.0.1/24 dev {va}",
          f"link set {va} up", f"neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev {va}")
    if space:
        # The batch makes the pair meanwhile.
        while subprocess.run(["ip", "-n", space, "link", "set", "eth0", "up"],
                             stderr=subprocess.DEVNULL, check=False).returncode:
            time.sleep(0.002)
    else:
        ip.do(f"link set vb{i} up")
    wait_running(probe, va)
    send(va)


def main():
    ip, probe = Ip(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(int(sys.argv[2])):
        if sys.argv[1] == "veths":
            pair(ip, probe, i, None)
            ip.do(f"link del va{i}")
        else:
            subprocess.run(["ip", "netns", "add", f"ns{i}"], check=True)
            pair(ip, probe, i, f"ns{i}")
            subprocess.run(["ip", "netns", "del", f"ns{i}"], check=True)


main()
