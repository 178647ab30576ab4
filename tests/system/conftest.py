# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the system tests: a sandbox per test."""

import os

import pytest

import harness


TRACEFS = "/sys/kernel/tracing"


@pytest.fixture(scope="session", autouse=True)
def tracefs():
    """The syscall rung attaches through tracefs, which systemd mounts and a bare machine has not."""
    mine = os.geteuid() == 0 and not os.path.ismount(TRACEFS)
    if mine:
        harness.run("mount", "-t", "tracefs", "tracefs", TRACEFS)
    yield
    if mine:
        harness.run("umount", TRACEFS)


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def sandbox():
    with harness.Sandbox() as box:
        yield box


@pytest.fixture
def pair(sandbox):
    """Two namespaces joined by a veth pair: a is 10.77.0.1, b is 10.77.0.2."""
    a, b = sandbox.netns("a"), sandbox.netns("b")
    sandbox.veth(a, b)
    harness.quiet(a, "eth0")
    return sandbox, a, b
