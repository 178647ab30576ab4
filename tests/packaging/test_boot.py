# SPDX-License-Identifier: LGPL-2.1-or-later
"""The deb's life under a real systemd: Debian 12 booted in a container of its own by systemd-nspawn,
where tests/packaging/guest installs, asks, reloads, kills, upgrades and removes it. BPF in there is
this machine's kernel, so the daemon's scope is the container's own network namespace and cgroup."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import TOP

SCOPE = """\
scope: {netns: [/proc/1/ns/net], cgroup: [/]}
collectors: {flows: {netns: [/proc/1/ns/net]}}
"""
UNIT = """\
[Unit]
Wants=sockets.target
After=basic.target dbus.socket
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/packages/guest
"""
# nspawn wants a pure cgroup v2 whose root PID 1 is in; a machine with the hybrid hierarchy has none,
# so it gets namespaces where that is so. They also end all of it together.
NSPAWN = ["unshare", "--mount", "--cgroup", "--pid", "--fork", "--kill-child", "--mount-proc",
          "--propagation", "private", "bash", "-c",
          "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup;"
          ' exec systemd-nspawn "$@"', "_",
          "--quiet", "--register=no", "--keep-unit", "--private-network", "--console=read-only",
          "--kill-signal=SIGRTMIN+3", "--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN",
          "--system-call-filter=bpf perf_event_open open_by_handle_at"]


class Step:
    def __init__(self, directory, name):
        self.rc = int((directory / f"{name}.rc").read_text())
        self.out = (directory / f"{name}.out").read_text(errors="replace")

    def ok(self):
        assert self.rc == 0, self.out
        return self.out


def cgroup2_mount():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        if kind.split()[0] == "cgroup2":
            return pathlib.Path(mount.split()[4])
    raise AssertionError("no cgroup v2 is mounted")


@pytest.fixture(scope="module")
def cgroup():
    """A cgroup for the container; nspawn leaves its own below it, removed here."""
    top = cgroup2_mount() / f"ebpfobs-packaging-{os.getpid()}"
    top.mkdir()
    yield top
    for directory, _, _ in os.walk(top, topdown=False):
        os.rmdir(directory)


@pytest.fixture(scope="module")
def life(deb, rootfs, cgroup, tmp_path_factory):
    """Boots once; returns life(name) -> Step."""
    base = tmp_path_factory.mktemp("boot")
    packages, result = base / "packages", base / "result"
    packages.mkdir()
    result.mkdir()
    shutil.copy(deb, packages / "ebpfobs.deb")
    shutil.copy(TOP / "tests/packaging/guest", packages)
    dropins = rootfs / "etc/ebpfobs/ebpfobsd.yaml.d"
    dropins.mkdir(parents=True)
    (dropins / "test.yaml").write_text(SCOPE)
    units = rootfs / "etc/systemd/system"
    (units / "guest.service").write_text(UNIT)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/guest.service").symlink_to("../guest.service")
    console = subprocess.run([*NSPAWN, f"--bind={result}", f"--bind={result}:/result",
                              f"--bind-ro={packages}:/packages", "-D", str(rootfs), "-b"],
                             preexec_fn=lambda: (cgroup / "cgroup.procs").write_text("0"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)
    (base / "console").write_text(console.stdout)
    assert (result / "left.rc").exists(), f"the guest did not finish:\n{console.stdout[-4000:]}"
    return lambda name: Step(result, name)


def assert_answers(step):
    status = json.loads(step.ok())
    assert status["version"]
    states = {part["name"]: part for part in status["collectors"]}
    assert states["flows"]["state"] != "off", states["flows"]["reason"]


def test_installs(life):
    life("install").ok()


def test_service_and_socket_are_enabled_and_run(life):
    assert life("enabled").ok().split() == ["enabled", "enabled"]
    assert life("active").ok().split() == ["active", "active"]


def test_answers(life):
    assert_answers(life("status"))


def test_files_belong_to_root_and_the_group(life):
    assert life("modes").ok().splitlines() == [
        "750 root:ebpfobs /run/ebpfobs",
        "660 root:ebpfobs /run/ebpfobs/ebpfobsd.sock",
        "750 root:ebpfobs /var/lib/ebpfobs",
    ]


def test_group_may_ask_but_not_reload(life):
    assert_answers(life("member"))
    assert life("member_reload").rc == 1, life("member_reload").out


def test_stranger_may_not_ask(life):
    step = life("stranger")
    assert step.rc == 1 and 'the group "ebpfobs"' in step.out


def test_socket_starts_the_service(life):
    life("stop").ok()
    assert life("stopped").out.strip() == "inactive"
    assert_answers(life("activated"))


def test_reload(life):
    life("reload").ok()


def test_wrong_reload_fails_and_the_daemon_goes_on(life):
    assert life("wrong_reload").rc != 0
    assert_answers(life("after_wrong_reload"))


def test_restarts_after_a_crash(life):
    assert_answers(life("after_kill"))
    assert int(life("restarts").ok()) >= 1


def test_upgrade(life):
    life("upgrade").ok()
    assert_answers(life("after_upgrade"))


def test_journal_is_structured(life):
    entries = [json.loads(line) for line in life("journal").ok().splitlines()]
    ours = [entry for entry in entries if entry.get("_COMM") == "ebpfobsd"]
    assert ours
    assert any(key.startswith("EBPFOBS_") for entry in ours for key in entry)
    assert not [entry["MESSAGE"] for entry in entries if "atchdog" in str(entry.get("MESSAGE"))]


def test_remove_keeps_configuration_and_nothing_that_runs(life):
    life("remove").ok()
    assert "\nactive" not in "\n" + life("removed").out
    assert life("run_left").rc != 0, life("run_left").out
    assert "bpf" not in life("tc_left").ok() and "clsact" not in life("tc_left").out
    life("config_kept").ok()


def test_purge_leaves_nothing(life):
    life("purge").ok()
    assert life("left").ok() == ""
