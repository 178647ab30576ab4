# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages of the last commit, built once for all tests in a directory of their own."""
import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def run(*command, **kwargs):
    """Runs a command; what it printed is in the exception if it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **kwargs)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-8000:]}"
    return done.stdout


def package(directory, *formats):
    """dev/package into directory; its scratch files too, for a killed one cannot remove them."""
    run(TOP / "dev/package", "--output", directory, "--nocheck", *formats,
        env={**os.environ, "TMPDIR": str(directory)})


@pytest.fixture(scope="session", autouse=True)
def as_root():
    if os.geteuid() != 0:
        pytest.skip("not root")


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dist")
    package(directory, "deb", "rpm")
    return directory


@pytest.fixture(scope="session")
def deb(dist):
    return next(path for path in dist.glob("ebpfobs_*.deb"))


@pytest.fixture(scope="session")
def rpm(dist):
    return next(path for path in dist.glob("ebpfobs-*.rpm") if ".src." not in path.name)


@pytest.fixture(scope="session")
def rootfs(deb, tmp_path_factory):
    """A Debian 12 with systemd and what the deb depends on."""
    directory = tmp_path_factory.mktemp("rootfs") / "root"
    run(TOP / "tests/packaging/mkrootfs", "bookworm", directory, deb)
    yield directory
    shutil.rmtree(directory)
