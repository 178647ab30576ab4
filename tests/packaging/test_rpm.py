# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rpm in a root of its own. No Fedora or EL userland can be had on the machines that run this,
so the root is a Debian one with rpm's database beside dpkg's, and dependencies are not checked."""
from conftest import run


def test_rpm_installs_runs_and_leaves_nothing(rpm, rootfs):
    try:
        run("rpm", "--root", rootfs, "--nodeps", "--install", rpm)
        assert "ebpfobs" in (rootfs / "etc/group").read_text()
        assert "ebpfobs" in run("chroot", rootfs, "ebpfobsd", "--version")
    finally:
        run("rpm", "--root", rootfs, "--nodeps", "--erase", "ebpfobs")
    assert not list((rootfs / "usr").glob("**/*ebpfobs*"))
