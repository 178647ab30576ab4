# SPDX-License-Identifier: LGPL-2.1-or-later
"""On each kernel of the matrix, in a guest (dev/vm): the BPF tests, every rung of the hooks and the flow
suite; the devices that this machine's kernel may lack on both ends of the matrix, where lockdown and the
unit tests that go by the kernel are, too.
EBPFOBS_VM_ALL=1: all of it, and attribution, on every kernel. A kernel that cannot be had fails: it is
named in our promise."""

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
ENDS = (KERNELS[0], KERNELS[-1])
ALL = "EBPFOBS_VM_ALL" in os.environ
RUNGS = ["tests/system/test_rungs.py"]
FLOWS = RUNGS + ["tests/system/test_flows.py"]
DEVICES = FLOWS + ["tests/system/test_devices.py"]
EVERYTHING = DEVICES + ["tests/system/test_attribution.py"]
UNITS = ["base/test-child", "host/test-mappings", "host/test-mapping-open"]
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


def boot(row, directory, script, *options):
    """Runs a script in a guest."""
    began = time.monotonic()
    ROWS.append(row)
    script = f"uname -r >{directory}/release; {script}"
    for _ in range(2):
        done = subprocess.run(
            [TOP / "dev/vm", "--kernel", row.kernel, "--timeout", str(TIMEOUT), "--share", directory,
             *options, "--", "sh", "-c", script],
            cwd=TOP, env={**os.environ, "EBPFOBS_BUILD": BUILD}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        # A guest of an emulator on a busy machine may die while it boots (255), before any of ours.
        if done.returncode != 255 or (directory / "release").exists():
            break
    row.seconds = time.monotonic() - began
    if (directory / "release").exists():
        row.release = (directory / "release").read_text().strip()
    return done


def run_in_guest(row, directory, tests, *options):
    """Runs the BPF tests and the named system tests; asserts that all passed or were skipped."""
    script = (f"{BUILD}/tests/bpf/test-flows || bpf=1; "
              "PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider -q -rfE "
              f"--junitxml={directory}/junit.xml {' '.join(tests)} && [ -z $bpf ]")
    done = boot(row, directory, script, *options)
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
    if ALL:
        run_in_guest(Row(kernel, "everything"), tmp_path, EVERYTHING)
    elif kernel in ENDS:
        run_in_guest(Row(kernel, "flows, devices"), tmp_path, DEVICES)
    else:
        run_in_guest(Row(kernel, "flows"), tmp_path, FLOWS)


@pytest.mark.parametrize("kernel", ENDS)
def test_units(kernel, tmp_path):
    """What goes by the kernel: its two ways to tell mappings, map_files on overlayfs, the sandbox."""
    row = Row(kernel, "units")
    done = boot(row, tmp_path, " && ".join(f"{BUILD}/tests/unit/{unit}" for unit in UNITS))
    row.failed = int(done.returncode != 0)
    row.passed = len(UNITS) * (done.returncode == 0)
    assert done.returncode == 0, f"{row.release}: {done.stdout[-12000:]}"


@pytest.mark.parametrize("kernel", KERNELS)
def test_lockdown(kernel, tmp_path):
    """Nothing may read kernel memory: flows count all the same, and status says what is missing."""
    if kernel not in ENDS and not ALL:
        pytest.skip("EBPFOBS_VM_ALL is not set: lockdown runs on the oldest and the newest kernel")
    run_in_guest(Row(kernel, "lockdown"), tmp_path, RUNGS, "--append", "lockdown=confidentiality")
