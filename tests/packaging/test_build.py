# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is in the packages and the tarball, and what the distributions' own checkers say of them."""
import re
import shutil
import subprocess

import pytest
from conftest import TOP, package, run

# What both packages hold, as patterns of the path's end: distributions disagree about the rest.
CONTENTS = [
    "/sbin/ebpfobsd",
    "/bin/ebpfobsctl",
    "/systemd/system/ebpfobsd.service",
    "/systemd/system/ebpfobsd.socket",
    "/sysusers.d/ebpfobs.conf",
    "/etc/ebpfobs/ebpfobsd.yaml",
    "/etc/ebpfobs/ebpfobsd.yaml.d/?",
    r"/man1/ebpfobsctl.1(\.gz)?",
    r"/man5/ebpfobsd.yaml.5(\.gz)?",
    r"/man8/ebpfobsd.8(\.gz)?",
    "/bash-completion/completions/ebpfobsctl",
]
# systemd-analyze's exposure level of the unit, in tenths: 3.9 on systemd 252. A change that opens
# the unit further has to say so here.
MAX_EXPOSURE = 40


@pytest.fixture(scope="session")
def unpacked(deb, tmp_path_factory):
    root = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "-x", deb, root)
    return root


@pytest.mark.parametrize("path", CONTENTS)
def test_deb_holds(deb, path):
    assert re.search(path + "$", run("dpkg-deb", "-c", deb), re.M)


@pytest.mark.parametrize("path", CONTENTS)
def test_rpm_holds(rpm, path):
    assert re.search(path + "$", run("rpm", "-qpl", rpm), re.M)


def test_lintian(dist):
    run("lintian", "--allow-root", "--fail-on", "error,warning", *dist.glob("*.changes"))


def test_rpmlint(dist):
    run("rpmlint", "-r", TOP / "rpm/rpmlintrc", *dist.glob("*.rpm"), TOP / "rpm/ebpfobs.spec")


def test_units_hold_no_placeholder(unpacked):
    units = [*unpacked.glob("**/*.service"), *unpacked.glob("**/*.socket")]
    assert len(units) == 2
    for unit in units:
        assert not re.search(r"@\w+@|\$[{(]", unit.read_text())


def test_exposure(unpacked):
    run("systemd-analyze", "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}",
        f"--root={unpacked}", "ebpfobsd.service")


def test_tarball(tmp_path):
    """make distcheck: the tarball builds, checks, installs and uninstalls out of tree."""
    package(tmp_path, "tarball")
    assert len(list(tmp_path.glob("ebpfobs-*.tar.xz"))) == 1


@pytest.fixture
def configure():
    if not (TOP / "configure").exists():
        run("./autogen.sh", cwd=TOP)
    return TOP / "configure"


def test_clang_and_a_full_vmlinux_h(configure, tmp_path):
    vmlinux = tmp_path / "vmlinux.h"
    vmlinux.write_text(run("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"))
    run(configure, "CC=clang", "--enable-werror", f"--with-vmlinux-h={vmlinux}", cwd=tmp_path)
    run("make", "-j2", cwd=tmp_path)


def test_configure_names_the_packages_of_a_missing_library(configure, tmp_path):
    """pkg-config is made blind for two libraries; configure names both, for both families."""
    pkg_config = tmp_path / "pkg-config"
    pkg_config.write_text('#!/bin/sh\ncase "$*" in *json-c*|*sqlite3*) exit 1;; esac\n'
                          f'exec {shutil.which("pkg-config")} "$@"\n')
    pkg_config.chmod(0o755)
    done = subprocess.run([configure, f"PKG_CONFIG={pkg_config}"], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode != 0
    for name in ("libjson-c-dev", "json-c-devel", "libsqlite3-dev", "sqlite-devel"):
        assert name in done.stdout
    assert "libyaml-dev" not in done.stdout
