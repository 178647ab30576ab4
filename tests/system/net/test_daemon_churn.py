# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon on a machine of its own (sandbox.py) whose interfaces and namespaces come and go: what
it tells of each is what the kernel's last word on it says, and nothing of it is left."""

import json
import os
import time

import pytest
from harness import Daemon, cgroup_mount, netns_inode, run, wait_for
from harness import Sandbox as Outer
from sandbox import Churn

VETHS, NAMESPACES = 200, 50


class Inside(Daemon):
    """In the sandbox's namespaces, where "all" of them are the test's, scoped to the test's cgroup."""

    def __init__(self, outer, sandbox):
        super().__init__(outer, {"scope": {"netns": [], "cgroup": [outer.cgroup]}, "collectors": {
            "flows": {"netns": ["all"], "interval": "1s"}}})
        self.prefix = sandbox.command("")

    def pid(self):
        """nsenter forks to enter the process namespace."""
        parent = self.process.pid
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def stop(self, sig=15, timeout=30):
        if self.process and self.process.poll() is None:
            os.kill(self.pid(), sig)
            self.process.wait(timeout)

    def held(self):
        """Descriptors, by what they are (sockets and pipes without their numbers)."""
        kinds = {}
        for fd in os.listdir(f"/proc/{self.pid()}/fd"):
            what = os.readlink(f"/proc/{self.pid()}/fd/{fd}").split(":[")[0]
            kinds[what] = kinds.get(what, 0) + 1
        return kinds

    def present(self):
        """Interfaces of now that are not said to be removed; what went is told in the next steps."""
        time.sleep(2)
        rows = self.flows("--limit", "0", "--since", f"@{time.time() - 1.5}")["interfaces"]
        return {i["name"] for i in rows if not i["removed"]}


def make_successor(outer, inode):
    """A namespace with the inode number of one that went."""
    if all(netns_inode(outer.netns(f"next{n}")) != inode for n in range(100)):
        pytest.skip("the kernel does not give this inode number again")


def test_successor_of_the_scope(outer):
    """The scope names a namespace; when it is gone the next one gets its inode number, and is not it."""
    chosen, stays = outer.netns("chosen"), outer.netns("stays")
    with Daemon(outer, {"collectors": {"flows": {"interval": "1s"}}}) as daemon:
        inode = netns_inode(chosen)
        daemon.wait_attached([(inode, "lo"), (netns_inode(stays), "lo")])
        run("ip", "netns", "del", chosen)

        def removed():
            return next(i for i in daemon.flows()["interfaces"] if i["netns"] == inode)["removed"]
        wait_for("it to be gone", removed)
        make_successor(outer, inode)
        time.sleep(3)  # it would be seen at once, and told in the next step
        assert removed()
    outer.namespaces.remove(chosen)


@pytest.fixture(name="outer")
def fixture_outer():
    with Outer() as box:
        yield box


def attached_programs(sandbox):
    """Filters: bpftool before 7.3 shows no TCX. Those programs go with the links that we hold."""
    shown = json.loads(sandbox.run("bpftool -j net show"))
    return sum(len(part["tc"]) for part in shown)


def round_of(daemon, sandbox, outer):
    """All that comes and goes, once; the kernel's last words, once the daemon has seen it go."""
    procs = f"{cgroup_mount()}{outer.cgroup}/cgroup.procs"
    before = f"sh -c 'echo 0 >{procs}; exec \"$@\"' sh"
    veths = Churn(sandbox, "veths", VETHS, before=before).finish()
    spaces = Churn(sandbox, "namespaces", NAMESPACES, before=before).finish()
    wait_for("the namespaces to be gone", lambda: list(sandbox.links()) == ["lo"])
    wait_for("the daemon to see it", lambda: daemon.present() == {"lo"})
    return veths, spaces


def check_row(row, last):
    """Of what was sent; what a veth received from its peer is not in the last word."""
    counted, duplicate = row["counted"]["tx"], row["duplicate"]["tx"]
    before = row["before_attach"]["tx"]
    seen = counted["skbs"] + duplicate["skbs"], counted["bytes"] + duplicate["bytes"]
    total = seen[0] + before["packets"], seen[1] + before["bytes"]
    if row["exact"]:
        assert total == last, row
    else:  # before_attach is then the most that it can be
        assert seen <= last <= total, row


def check_rows(rows, last):
    """Each interface has one row, and each its sums."""
    assert len(rows) == len(last)
    for row in rows:
        check_row(row, last[row["name"]])
    sent = [row for row in rows if last[row["name"]][0] > 0]
    return sum(row["exact"] for row in sent), len(sent)


def test_churn(sandbox, outer):
    """With attach: auto, so that there are links and filters; test_churn.py has each way by itself."""
    with Inside(outer, sandbox) as daemon:
        daemon.wait_attached([(sandbox.netns_inode(), "lo")])
        programs = attached_programs(sandbox)
        round_of(daemon, sandbox, outer)
        held, own, began = daemon.held(), daemon.status()["self"], time.time()

        veths, spaces = round_of(daemon, sandbox, outer)
        rows = daemon.flows("--limit", "0", "--since", f"@{began}")["interfaces"]
        here = sandbox.netns_inode()
        outside = {what: check_rows([i for i in rows if i["netns"] == here and i["name"][:2] in what],
                                    last)
                   for what, last in (("va vb", veths), ("vn", spaces))}
        # A namespace may get the inode number of one that went; then one row has both.
        inside = [i for i in rows if i["name"] == "eth0"]
        seen = sum(i["counted"]["rx"]["skbs"] + i["duplicate"]["rx"]["skbs"] for i in inside)
        sent = sum(last[0] for last in spaces.values())
        print(f"bracketed exactly {outside}, {seen} of {sent} packets seen in namespaces")
        assert 0 < seen <= sent

        assert attached_programs(sandbox) == programs
        wait_for("what we held to be as before", lambda: daemon.held() == held)
        later = daemon.status()["self"]
        assert later["bpf_bytes"] <= own["bpf_bytes"] + 65536
        assert later["anon_bytes"] <= own["anon_bytes"] + (1 << 20)
        tc = os.path.join(daemon.state, "run", "tc")
        assert not os.path.isdir(tc) or len(os.listdir(tc)) <= 1
    assert attached_programs(sandbox) == 0
