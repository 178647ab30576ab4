# SPDX-License-Identifier: LGPL-2.1-or-later
"""The BPF tests inside a guest of each kernel (dev/vm), the rungs on the oldest, and both ends of the
matrix under lockdown. EBPFOBS_VM_ALL=1: the flow and the device suites on every kernel, too, which takes
longer than CI has and has not run to its end on all of them yet. A kernel that cannot be had fails: it
is named in our promise."""

import dataclasses
import os
import pathlib
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

from conftest import ROWS

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.path.abspath(os.environ.get("EBPFOBS_BUILD", "build"))
KERNELS = ["5.10", "6.1", "6.12", "6.18", "newest"]
RUNGS = ["tests/system/test_rungs.py"]
ALL = RUNGS + ["tests/system/test_devices.py", "tests/system/test_flows.py"]
TIMEOUT = 900  # seconds; on a quiet machine the longest takes a quarter of this


@dataclasses.dataclass
class Row:
    kernel: str
    case: str
    release: str = "did not boot"
    passed: int = 0
    failed: int = 0
    skipped: list = dataclasses.field(default_factory=list)
    rungs: list = dataclasses.field(default_factory=list)
    seconds: float = 0


def read_results(row, path):
    """Adds up a JUnit file; gives back the names of what failed."""
    failed = []
    for case in ET.parse(path).iter("testcase"):
        row.rungs += [p.get("value") for p in case.iter("property") if p.get("name") == "rung"]
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(case.get("name"))
        elif case.find("skipped") is not None:
            row.skipped.append(f"{case.get('name')}: {case.find('skipped').get('message')}")
        else:
            row.passed += 1
    row.failed = len(failed)
    return failed


def run_in_guest(row, directory, tests, *options):
    """Runs the BPF tests and the named system tests; asserts that all passed or were skipped."""
    began = time.monotonic()
    ROWS.append(row)
    script = f"uname -r >{directory}/release; {BUILD}/tests/bpf/test-flows"
    if tests:
        script += (" || bpf=1; PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest "
                   f"-p no:cacheprovider -q -rfE --junitxml={directory}/junit.xml {' '.join(tests)} "
                   "&& [ -z $bpf ]")
    done = subprocess.run(
        [TOP / "dev/vm", "--kernel", row.kernel, "--timeout", str(TIMEOUT), "--share", directory,
         *options, "--", "sh", "-c", script],
        cwd=TOP, env={**os.environ, "EBPFOBS_BUILD": BUILD}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    row.seconds = time.monotonic() - began
    if (directory / "release").exists():
        row.release = (directory / "release").read_text().strip()
    failed = read_results(row, directory / "junit.xml") if (directory / "junit.xml").exists() else []
    assert done.returncode == 0 and not failed, \
        f"{row.release}: status {done.returncode}, failed: {failed}\n{done.stdout[-12000:]}"
    row.passed += 1  # test-flows


@pytest.fixture(autouse=True)
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel(kernel, tmp_path):
    if "EBPFOBS_VM_ALL" in os.environ:
        run_in_guest(Row(kernel, "all"), tmp_path, ALL)
    elif kernel == KERNELS[0]:
        run_in_guest(Row(kernel, "rungs"), tmp_path, RUNGS)
    else:
        run_in_guest(Row(kernel, "programs"), tmp_path, [])


@pytest.mark.parametrize("kernel", KERNELS)
def test_lockdown(kernel, tmp_path):
    """Nothing may read kernel memory: flows count all the same, and status says what is missing."""
    if kernel not in (KERNELS[0], KERNELS[-1]) and "EBPFOBS_VM_ALL" not in os.environ:
        pytest.skip("EBPFOBS_VM_ALL is not set: lockdown runs on the oldest and the newest kernel")
    run_in_guest(Row(kernel, "lockdown"), tmp_path, RUNGS, "--append", "lockdown=confidentiality")
