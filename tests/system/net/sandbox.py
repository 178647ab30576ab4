# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine within the machine: own network, mount and process namespaces, with an empty
/run/netns. What a test makes in it is gone with it, and "all namespaces" are the test's own."""

import json
import os
import queue
import shlex
import subprocess
import threading
import time

BUILD = os.environ.get("EBPFOBS_BUILD", "build")
TOOL = os.path.join(BUILD, "tests/system/net/attach-tool")
CHURN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "churn.py")


def wait_until(condition, seconds=10, what="condition"):
    """Returns the first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} not met in {seconds} s"
        time.sleep(0.02)


class Sandbox:
    def __init__(self):
        self.init = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
             "sh", "-c", "mount -t tmpfs none /run/netns 2>/dev/null || "
             "{ mkdir -p /run/netns && mount -t tmpfs none /run/netns; }; "
             "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; "
             "ip link set lo up; echo ready; while :; do sleep 60; done"],
            stdout=subprocess.PIPE, text=True)
        assert self.init.stdout.readline() == "ready\n"
        children = f"/proc/{self.init.pid}/task/{self.init.pid}/children"
        with open(children, encoding="ascii") as file:
            self.pid = int(file.read().split()[0])

    def command(self, text, netns=None):
        words = ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "--"]
        if netns:
            words += ["ip", "netns", "exec", netns]
        return words + shlex.split(text)

    def run(self, text, netns=None, check=True):
        done = subprocess.run(self.command(text, netns), capture_output=True, text=True,
                              check=False)
        assert not check or done.returncode == 0, f"{text}: {done.stderr}"
        return done.stdout

    def shell(self, script, check=True):
        done = subprocess.run(self.command("sh -e"), input=script, capture_output=True,
                              text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def links(self, netns=None):
        """name -> {"rx": (packets, bytes), "tx": (packets, bytes)}"""
        found = json.loads(self.run("ip -s -j link", netns))
        return {link["ifname"]: {d: (link["stats64"][d]["packets"], link["stats64"][d]["bytes"])
                                 for d in ("rx", "tx")} for link in found}

    def netns_inode(self, netns=None):
        return int(self.run("stat -L -c %i /proc/self/ns/net", netns))

    def close(self):
        self.init.kill()
        self.init.wait()


class Tool:
    """attach-tool, running in a sandbox."""

    def __init__(self, sandbox, runtime, *args, netns=None):
        words = " ".join(shlex.quote(a) for a in args)
        self.process = subprocess.Popen(
            sandbox.command(f"{TOOL} --runtime {runtime} {words}", netns),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.killed = False
        self.lines = queue.Queue()
        self.removed = []
        threading.Thread(target=self.read, daemon=True).start()
        self.list()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def next_answer(self):
        while True:
            answer = self.lines.get(timeout=20)
            assert answer is not None, "attach-tool ended"
            if answer.get("state") != "removed":
                return answer
            self.removed.append(answer)

    def list(self):
        """(name, netns) -> interface, and what status says."""
        self.say("list")
        found = {}
        while True:
            answer = self.next_answer()
            if "end" in answer:
                return found, answer
            found[answer["name"], answer["netns"]] = answer

    def interface(self, name, netns=None):
        for (n, space), i in self.list()[0].items():
            if n == name and netns in (None, space):
                return i
        return None

    def wait_for(self, name, state="attached", netns=None, seconds=10):
        def there():
            i = self.interface(name, netns)
            return i if i and i["state"] == state else None
        return wait_until(there, seconds, f"{name} {state}")

    def wait_removed(self, count, seconds=10):
        def enough():
            self.list()
            return len(self.removed) >= count
        wait_until(enough, seconds, f"{count} removed")
        return self.removed

    def is_local(self, netns, address):
        self.say(f"local {netns} {address}")
        return self.next_answer()["local"]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.worker_pid()}/fd"))

    def anon_kib(self):
        with open(f"/proc/{self.worker_pid()}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

    def worker_pid(self):
        """The tool itself: nsenter forks to enter the process namespace."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
        return int(children[0]) if children else pid

    def kill(self):
        os.kill(self.worker_pid(), 9)
        self.process.wait()
        self.killed = True

    def close(self):
        if self.process.poll() is None:
            self.say("quit")
            self.process.wait(timeout=30)
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.killed or self.process.returncode == 0


class Churn:
    """churn.py, running in a sandbox. before: words to run it by."""

    def __init__(self, sandbox, what, count, paced=False, before=""):
        self.process = subprocess.Popen(
            sandbox.command(f"{before} /usr/bin/python3 {CHURN} {what} {count} "
                            f"{'paced' if paced else ''}"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def finish(self, ready=None):
        """Answers each pair's name once ready(name); name to the kernel's last (packets, bytes) of tx."""
        for line in self.process.stdout:
            if line.startswith("{"):
                last = {name: tuple(tx) for name, tx in json.loads(line).items()}
                break
            wait_until(lambda name=line.strip(): ready(name), 10, f"{line.strip()} ready")
            self.process.stdin.write("go on\n")
        self.process.stdin.close()
        assert self.process.wait() == 0
        return last


def check_sums(tool, sandbox, name, netns=None):
    """counted + before = the interface's own counters, in its own units (of skbs)."""
    inode = sandbox.netns_inode(netns)

    def same():
        own = sandbox.links(netns)[name]
        i = tool.interface(name, inode)
        return all((i[d]["skbs"] + i[d]["before"][0],
                    i[d]["bytes"] - i[d]["omitted"] * i[d]["skbs"] + i[d]["before"][1])
                   == own[d] for d in ("rx", "tx")) and i
    return wait_until(same, 3, f"sums of {name}")
