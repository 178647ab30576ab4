# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attaching to interfaces: exact counts, neighbours that stay unharmed, nothing left behind."""

import json
import os
import subprocess

import pytest

from sandbox import TOOL, check_sums, wait_until

HERE = os.path.dirname(__file__)
PAIR = "ip link add va type veth peer name vb && ip addr add 10.9.0.1/24 dev va && " \
    "ip link set va up && ip link set vb up\n"
OMITTED = {"lo": (14, 14), "br0": (14, 0)}


@pytest.fixture(scope="session", name="foreign")
def foreign_object(tmp_path_factory):
    path = tmp_path_factory.mktemp("bpf") / "foreign.bpf.o"
    include = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True,
                             check=True).stdout.strip()
    subprocess.run(["clang", "--target=bpf", "-O2", "-g", f"-I/usr/include/{include}", "-c",
                    os.path.join(HERE, "foreign.bpf.c"), "-o", path], check=True)
    return path


def add_foreign(sandbox, foreign, direction="ingress", priority=1, section="tc"):
    sandbox.run(f"tc filter add dev va {direction} priority {priority} bpf direct-action "
                f"object-file {foreign} section {section}")


def foreign_seen(sandbox, direction="ingress"):
    """What the foreign filters of va have counted."""
    seen = []
    for f in json.loads(sandbox.run(f"tc -j filter show dev va {direction}")):
        options = f.get("options", {})
        if not options.get("bpf_name", "").startswith("foreign"):
            continue
        program = options["prog"]["id"]
        maps = json.loads(sandbox.run(f"bpftool -j prog show id {program}"))["map_ids"]
        for m in maps:
            dump = json.loads(sandbox.run(f"bpftool -j map dump id {m}"))
            for entry in dump:
                seen += [v["foreign_seen"] for section in entry.get("formatted", {}).get("value", {}).values()
                         for v in section if "foreign_seen" in v]
    return seen


def filters(sandbox):
    return [sandbox.run(f"tc filter show dev va {d}") for d in ("ingress", "egress")] + \
        [sandbox.run("tc qdisc show")]


def ping(sandbox, count=5):
    """count packets out of va that nobody answers, and as many in at vb."""
    sandbox.shell("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev va nud permanent\n"
                  f"ping -q -c {count} -i 0.01 -W 0.1 10.9.0.2 || true\n")


def traffic(sandbox, count):
    """Over lo, out of va and into vb and its bridge, out of the bridge."""
    sandbox.shell(f"ping -q -c {count} -i 0.01 127.0.0.1\n"
                  f"ping -q -b -c {count} -i 0.01 -W 0.1 10.9.0.255 || true\n"
                  f"ping -q -b -c {count} -i 0.01 -W 0.1 10.8.0.255 || true\n")


def test_counts(sandbox, start, mode):
    sandbox.shell(PAIR + "ip link add br0 type bridge && ip link set vb master br0 && "
                  "ip addr add 10.8.0.1/24 dev br0 && ip link set br0 up\n")
    traffic(sandbox, 3)
    tool = start("--attach", mode)
    for name in ("lo", "va", "vb", "br0"):
        assert tool.wait_for(name)["mode"] == mode
    traffic(sandbox, 7)
    for name in ("lo", "va", "vb", "br0"):
        i = check_sums(tool, sandbox, name)
        assert i["exact"]
        assert (i["rx"]["omitted"], i["tx"]["omitted"]) == OMITTED.get(name, (0, 0))
        for d in ("rx", "tx"):
            assert i[d]["before"][0] >= 3 and i[d]["skbs"] >= 7
    assert tool.interface("lo")["rx"]["skbs"] >= 14
    assert tool.list()[1]["rung"] == {"tcx": "tcx", "tc": "clsact"}[mode]
    own = sandbox.netns_inode()
    assert tool.is_local(own, "10.9.0.1") and tool.is_local(own, "127.3.2.1")
    assert not tool.is_local(own, "10.9.0.3")
    sandbox.run("ip addr add 10.9.0.3/24 dev va")
    wait_until(lambda: tool.is_local(own, "10.9.0.3"), 3, "address known")
    sandbox.run("ip addr del 10.9.0.3/24 dev va")
    wait_until(lambda: not tool.is_local(own, "10.9.0.3"), 3, "address forgotten")


def test_under_load(sandbox, start, mode):
    """Attached in the midst of traffic that never pauses."""
    sandbox.shell(PAIR + "ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev va nud permanent")
    flood = subprocess.Popen(sandbox.command("ping -q -f -i 0.0002 10.9.0.2"),
                             stdout=subprocess.DEVNULL)
    tool = start("--attach", mode)
    for name in ("va", "vb"):
        tool.wait_for(name)
    wait_until(lambda: tool.interface("vb")["rx"]["skbs"] > 100, 5, "traffic")
    sandbox.shell("pkill ping || true")
    flood.wait()
    for name in ("va", "vb"):
        i = tool.interface(name)
        own = sandbox.links()[name]
        for d in ("rx", "tx"):
            miss = i[d]["skbs"] + i[d]["before"][0] - own[d][0]
            assert 0 <= miss <= i[d]["slack"][0]
            assert miss == 0 or not i["exact"]


def test_globs(sandbox, start, mode):
    sandbox.shell(PAIR)
    tool = start("--attach", mode, "--interfaces", "v*", "--interfaces", "!vb")
    tool.wait_for("va")
    assert {name for name, _ in tool.list()[0]} == {"va"}
    sandbox.shell("ip link set vb down; ip link set vb name vc; ip link set vc up")
    tool.wait_for("vc")
    sandbox.shell("ip link set vc down; ip link set vc name other")
    removed = tool.wait_removed(1)[0]
    assert removed["name"] == "other" and not removed["last_known"]
    assert "ebpfobs" not in sandbox.run("tc filter show dev other ingress")


@pytest.mark.parametrize("section", ["tc", "end"])
def test_neighbours(sandbox, start, mode, foreign, section):
    """Filters of others see every packet through start and stop, and stay as they are."""
    sandbox.shell(PAIR + "tc qdisc add dev va clsact\n")
    add_foreign(sandbox, foreign, "egress", 1, "tc")
    add_foreign(sandbox, foreign, "egress", 3, section)
    before = filters(sandbox)
    ping(sandbox)
    tool = start("--attach", mode)
    i = tool.wait_for("va")
    assert i["foreign"] == ""
    ping(sandbox)
    check_sums(tool, sandbox, "va")
    tool.close()
    ping(sandbox)
    assert filters(sandbox) == before
    own = sandbox.links()["va"]["tx"][0]
    seen = foreign_seen(sandbox, "egress")
    assert len(seen) == 2 and max(seen) - min(seen) == 0
    assert 15 <= seen[0] <= own


def test_kill(sandbox, start, mode, foreign, tmp_path):
    sandbox.shell(PAIR)
    untouched = filters(sandbox)
    tool = start("--attach", mode)
    tool.wait_for("va")
    add_foreign(sandbox, foreign, "ingress", 1) if mode == "tc" else None
    tool.kill()
    if mode == "tc":
        assert "ebpfobs_ingress" in sandbox.run("tc filter show dev va ingress")
    sandbox.run(f"{TOOL} --cleanup --runtime {tmp_path / 'run'}")
    after = filters(sandbox)
    if mode == "tcx":
        assert after == untouched
    else:
        assert "ebpfobs" not in after[0] and "foreign" in after[0]
        assert "clsact" in after[2], "in use by someone else, so it stays"
        assert after[2].count("clsact") == 1, "those of the other interfaces are gone"
    assert os.listdir(tmp_path / "run" / "tc") == [] if mode == "tc" else True


def test_next_start_cleans(sandbox, start):
    sandbox.shell(PAIR)
    untouched = filters(sandbox)
    tool = start("--attach", "tc")
    tool.wait_for("va")
    tool.kill()
    tool = start("--attach", "tc", "--interfaces", "vb")
    tool.wait_for("vb")
    assert "ebpfobs" not in sandbox.run("tc filter show dev va ingress")
    tool.close()
    assert filters(sandbox) == untouched


def test_cleanup_takes_no_strangers(sandbox, start, foreign, tmp_path):
    """A record that names a program id of someone else, or a clsact that we did not make."""
    sandbox.shell(PAIR + "tc qdisc add dev va clsact\n")
    add_foreign(sandbox, foreign)
    before = filters(sandbox)
    shown = json.loads(sandbox.run("tc -j filter show dev va ingress"))
    theirs = next(f["options"] for f in shown if "prog" in f.get("options", {}))["prog"]["id"]
    netns = sandbox.netns_inode()
    index = int(sandbox.run("cat /sys/class/net/va/ifindex", check=False) or
                json.loads(sandbox.run("ip -j link show va"))[0]["ifindex"])
    (tmp_path / "run" / "tc").mkdir(parents=True)
    (tmp_path / "run" / "tc" / f"{netns}.{index}").write_text(
        f"netns={netns} ifindex={index} made_clsact=1 ingress=1:1:{theirs} egress=1:1:{theirs}\n")
    sandbox.run(f"{TOOL} --cleanup --runtime {tmp_path / 'run'}")
    assert filters(sandbox) == before


def test_ingress_qdisc_of_others(sandbox, start):
    """An ingress qdisc would take our egress filter for ingress: refused, and left alone."""
    sandbox.shell(PAIR + "tc qdisc add dev va ingress\n")
    before = filters(sandbox)
    tool = start("--attach", "tc")
    i = tool.wait_for("va", "failed")
    assert "qdisc" in i["reason"]
    assert "va is not observed" in tool.list()[1]["reason"]
    tool.wait_for("vb")
    sandbox.run("tc qdisc del dev va ingress")
    tool.say("audit")
    tool.wait_for("va")
    tool.close()
    assert filters(sandbox)[0] == "" and before != filters(sandbox)


def test_foreign_first(sandbox, start, mode, foreign):
    """Who comes before us later is named."""
    sandbox.shell(PAIR)
    tool = start("--attach", mode)
    tool.wait_for("va")
    if mode == "tc":
        add_foreign(sandbox, foreign, "ingress", 1, "end")
        expected = "ingress: a bpf filter with priority 1 runs before ours"
    else:
        start("--attach", "tcx", "--interfaces", "va", runtime="other").wait_for("va")
        expected = "runs before ours"

    def named():
        tool.say("audit")
        return expected in tool.interface("va")["foreign"]
    wait_until(named, 5, "foreign program named")
    assert "we miss a share on va" in tool.list()[1]["reason"]


def test_move(sandbox, start, mode):
    """To another namespace: removed here, added there; nothing of ours goes along."""
    sandbox.shell(PAIR + "ip netns add blue\n")
    ping(sandbox)
    tool = start("--attach", mode, "--netns", "all")
    tool.wait_for("va")
    here, there = sandbox.netns_inode(), sandbox.netns_inode("blue")
    sandbox.run("ip link set va netns blue")
    sandbox.run("ip link set va up", "blue")
    i = tool.wait_for("va", netns=there)
    assert [(r["name"], r["netns"], r["last_known"]) for r in tool.removed] == [("va", here, True)]
    gone = tool.removed[0]
    for d in ("rx", "tx"):
        assert gone[d]["skbs"] + gone[d]["before"][0] == gone[d]["last"][0]
        assert i[d]["before"][0] >= gone[d]["last"][0]
    check_sums(tool, sandbox, "va", "blue")
    tool.close()
    assert "ebpfobs" not in sandbox.run("tc filter show dev va ingress", "blue")
    assert "clsact" not in sandbox.run("tc qdisc show", "blue")


def test_mode_by_kernel(sandbox, start, has_tcx):
    """auto takes TCX where there is one; a forced one that is not there says so."""
    sandbox.shell(PAIR)
    assert start("--attach", "auto").wait_for("va")["mode"] == ("tcx" if has_tcx else "tc")
    if not has_tcx:
        refused = start("--attach", "tcx", runtime="other").wait_for("va", "failed")
        assert "no TCX" in refused["reason"]


def make_burst(sandbox, name):
    sandbox.shell("".join(f"ip link add {name}a{i} type veth peer name {name}b{i}; "
                          f"ip link set {name}a{i} up; ip link set {name}b{i} up\n"
                          for i in range(10)))


def modes(tool):
    return {name: i["mode"] for (name, _), i in tool.list()[0].items() if i["state"] == "attached"}


def test_burst(sandbox, start, has_tcx):
    """auto gives links to a few, filters to the rest. When somebody comes with TCX, whose programs run
    before filters, those filters become links, and so does all that comes later; the sums go on."""
    if not has_tcx:
        pytest.skip("this kernel has no TCX (before Linux 6.6)")
    make_burst(sandbox, "u")
    tool = start("--attach", "auto")
    wait_until(lambda: len(modes(tool)) == 21, 10, "all attached")
    assert sorted(modes(tool).values()).count("tcx") in (8, 9)
    assert tool.list()[1]["rung"] == "tcx + clsact"

    late = next(name for name, m in modes(tool).items() if m == "tc" and name.startswith("ua"))
    sandbox.shell(f"ip addr add 10.9.0.1/24 dev {late}; ip neigh replace 10.9.0.2 "
                  f"lladdr 02:00:00:00:00:02 dev {late} nud permanent\n"
                  "ping -q -c 5 -i 0.01 -W 0.1 10.9.0.2 || true\n")
    assert tool.interface(late)["tx"]["skbs"] >= 5
    start("--attach", "tcx", "--interfaces", late, runtime="other").wait_for(late)
    tool.say("audit")
    wait_until(lambda: modes(tool).get(late) == "tcx", 5, "a link")
    assert [(r["name"], r["mode"], r["last_known"]) for r in tool.removed] == [(late, "tc", False)]
    sandbox.shell("ping -q -c 5 -i 0.01 -W 0.1 10.9.0.2 || true\n")
    i = check_sums(tool, sandbox, late)
    assert i["exact"] and i["foreign"] == "" and i["tx"]["before"][0] >= 5 <= i["tx"]["skbs"]
    assert "ebpfobs" not in sandbox.run(f"tc filter show dev {late} ingress")

    make_burst(sandbox, "w")
    wait_until(lambda: len(modes(tool)) == 41, 10, "all attached")
    assert {m for name, m in modes(tool).items() if name.startswith("w")} == {"tcx"}
