# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces and namespaces that come and go, with traffic: the sums hold, nothing is left."""

import subprocess
import time

import pytest

from sandbox import TOOL, Churn, Sandbox, wait_until

# The whole 200 pairs for what is promised; TCX alone takes 110 ms for each, under RTNL.
PAIRS = {"auto": 200, "tc": 200, "tcx": 40}
PACED = 40


@pytest.fixture(name="attach", params=PAIRS)
def fixture_attach(request, has_tcx):
    if request.param == "tcx" and not has_tcx:
        pytest.skip("this kernel has no TCX (before Linux 6.6)")
    return request.param


def seconds_of(sandbox, count):
    began = time.monotonic()
    last = Churn(sandbox, "veths", count).finish()
    return last, time.monotonic() - began


@pytest.fixture(name="pace_alone", scope="session")
def fixture_pace_alone():
    """Seconds for the 200 pairs without us: machines differ, and with what runs beside."""
    box = Sandbox()
    _, seconds = seconds_of(box, 200)
    box.close()
    return seconds


def programs():
    """How many of attach-tool's programs the kernel holds."""
    shown = subprocess.run(["bpftool", "prog", "show", "name", "attach_tool"],
                           capture_output=True, text=True, check=False).stdout
    return shown.count("name attach_tool")


def check_removed(removed, last):
    """What was sent: before + counted = the kernel's last word, or more by what slack allows."""
    assert {r["name"]: tuple(r["tx"]["last"]) for r in removed if r["last_known"]} == last
    for r in removed:
        more = r["tx"]["skbs"] + r["tx"]["before"][0] - r["tx"]["last"][0]
        more_bytes = r["tx"]["bytes"] + r["tx"]["before"][1] - r["tx"]["last"][1]
        if r["exact"]:
            assert (more, more_bytes) == (0, 0), r
        else:
            assert 0 <= more <= r["tx"]["slack"][0], r
            assert 0 <= more_bytes <= r["tx"]["slack"][1], r


def check_small(tool, descriptors, memory):
    """No descriptor more than before (once the last scan has closed its own), nor memory."""
    wait_until(lambda: tool.descriptors() == descriptors, 5, "descriptors closed")
    if "asan" not in TOOL:  # it keeps what was freed
        assert tool.anon_kib() - memory < 1024


def check_clean(sandbox, tool, programs_before, run_dir):
    wait_until(lambda: programs() == programs_before, 10, "programs released")
    assert sandbox.run("tc qdisc show").count("clsact") in (0, 1)
    if (run_dir / "tc").exists():
        wait_until(lambda: len(list((run_dir / "tc").iterdir())) <= 1, 5, "records removed")


def warm_up(sandbox, tool):
    """What is kept from a first time is not a leak: descriptors and memory after it."""
    sandbox.shell("ip link add w0 type veth peer name w1; ip link del w0")
    tool.wait_removed(2)
    tool.removed.clear()
    return tool.descriptors(), tool.anon_kib()


def test_veths(sandbox, start, attach, pace_alone, tmp_path):
    """As fast as they come. How many are still there when we have attached is the machine's affair;
    that the sums hold and what is said of them, ours. And we may not keep others from making them."""
    tool = start("--attach", attach)
    tool.wait_for("lo")
    before = programs()
    small = warm_up(sandbox, tool)
    count = PAIRS[attach]
    last, seconds = seconds_of(sandbox, count)
    removed = tool.wait_removed(2 * count, 20)
    assert len(removed) == 2 * count
    check_removed(removed, last)
    exact = [r for r in removed if r["exact"] and r["tx"]["last"][0] > 0]
    print(f"{attach}: {count} pairs in {seconds:.1f} s, 200 in {pace_alone:.1f} s without us; "
          f"{len(exact)} of {count} bracketed exactly")
    # Links for all would take 2.7 times as long on a quiet machine. On one that is busy with other
    # things it is these that count, so what we do about it is asked for, too.
    assert attach == "tcx" or seconds < max(10, 2 * pace_alone)
    links = sum(r["mode"] == "tcx" for r in removed)
    assert attach == "tcx" or links <= (8 + seconds if attach == "auto" else 0)
    assert all(r["last_known"] for r in removed)
    check_small(tool, *small)
    assert list(name for name, _ in tool.list()[0]) == ["lo"]
    check_clean(sandbox, tool, before, tmp_path / "run")


def test_veths_bracketed(sandbox, start, attach):
    """Each sends a packet every 20 ms until both ends are attached to, however long that takes here:
    then all are bracketed exactly."""
    tool = start("--attach", attach)
    tool.wait_for("lo")

    def ready(name):
        found = {n: i for (n, _), i in tool.list()[0].items() if n in (name, name.replace("a", "b"))}
        return len(found) == 2 and all(i["state"] == "attached" for i in found.values())
    last = Churn(sandbox, "veths", PACED, paced=True).finish(ready)
    removed = tool.wait_removed(2 * PACED)
    check_removed(removed, last)
    assert len(removed) == 2 * PACED and all(r["exact"] for r in removed)
    assert all(count[0] > 0 for name, count in last.items() if name.startswith("va"))


@pytest.mark.parametrize("paced", [False, True], ids=["fast", "paced"])
def test_namespaces(sandbox, start, attach, paced, tmp_path):
    """Fast, they live for 50 ms, and not all are found everywhere. Paced, each lives until a packet
    was seen in it: then all of them are."""
    tool = start("--attach", attach, "--netns", "all")
    tool.wait_for("lo")
    before = programs()
    small = warm_up(sandbox, tool)

    def ready(name):
        inner = tool.interface("eth0", sandbox.netns_inode(name.replace("vn", "ns")))
        outer = tool.interface(name)
        return inner and inner["rx"]["skbs"] > 0 and outer and outer["state"] == "attached"
    began = time.monotonic()
    last = Churn(sandbox, "namespaces", 50, paced).finish(ready)
    seconds = time.monotonic() - began
    # A namespace that something of ours held would keep its end of the pair, and this one, alive.
    wait_until(lambda: list(sandbox.links()) == ["lo"], 10, "namespaces gone")
    wait_until(lambda: list(name for name, _ in tool.list()[0]) == ["lo"], 10, "slots released")
    outer = [r for r in tool.removed if r["name"].startswith("vn")]
    inner = [r for r in tool.removed if r["name"] == "eth0"]
    check_removed(outer, last)
    seen = sum(r["rx"]["skbs"] > 0 for r in inner)
    print(f"{attach}: 50 in {seconds:.1f} s, {len(inner)} found while they lived, traffic seen in {seen}")
    assert len(outer) == 50
    if paced:
        assert len(inner) == seen == 50 and all(r["exact"] for r in outer)
    check_small(tool, *small)
    check_clean(sandbox, tool, before, tmp_path / "run")


def test_unnamed(sandbox, start, mode):
    """A namespace without a name, found through the process in it, and through a hint."""
    tool = start("--attach", mode, "--netns", "all")
    holder = subprocess.Popen(sandbox.command("unshare -n sh -c 'ip link set lo up; "
                                              "stat -L -c %i /proc/self/ns/net; exec cat'"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    inode = int(holder.stdout.readline())
    pid = int(wait_until(lambda: sandbox.run("pgrep -x cat", check=False), 5, "cat"))
    began = time.monotonic()
    tool.say(f"hint {pid} {inode}")
    tool.wait_for("lo", netns=inode)
    assert time.monotonic() - began < 2
    holder.stdin.close()
    holder.wait()
    wait_until(lambda: tool.interface("lo", inode) is None, 10, "namespace gone")


def test_false_hints(sandbox, start, mode):
    """Hints of processes that are gone already, or that we cannot see, do not keep us from others."""
    sandbox.shell("for i in $(seq 300); do sleep 100 >/dev/null 2>&1 & done")
    tool = start("--attach", mode, "--netns", "all")
    tool.wait_for("lo")
    for i in range(1, 5001):
        tool.say(f"hint {4000000 + i} {i}")
    sandbox.run("ip netns add late")
    began = time.monotonic()
    tool.wait_for("lo", netns=sandbox.netns_inode("late"))
    assert time.monotonic() - began < 2


def test_chosen_namespaces(sandbox, start, mode):
    """By name, also one that is made later; the others are not touched."""
    sandbox.shell("ip netns add red; ip netns add blue")
    tool = start("--attach", mode, "--netns", "default", "--netns", "blue", "--netns", "green")
    tool.wait_for("lo", netns=sandbox.netns_inode("blue"))
    sandbox.shell("ip netns add green")
    tool.wait_for("lo", netns=sandbox.netns_inode("green"))
    assert len(tool.list()[0]) == 3
    assert "clsact" not in sandbox.run("tc qdisc show", "red")


def test_inside(sandbox, start, mode):
    """The daemon in a namespace of its own: "default" is that one."""
    sandbox.shell("ip netns add blue; ip -n blue link add va type veth peer name vb")
    tool = start("--attach", mode, netns="blue")
    tool.wait_for("va")
    assert {netns for _, netns in tool.list()[0]} == {sandbox.netns_inode("blue")}


def test_table_full(sandbox, start, mode):
    sandbox.shell("for i in 1 2 3 4; do ip link add va$i type veth peer name vb$i; done")
    tool = start("--attach", mode, "--max", "3")
    wait_until(lambda: "no place" in tool.list()[1]["reason"], 5, "said")
    assert len(tool.list()[0]) == 3
