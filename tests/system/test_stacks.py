# SPDX-License-Identifier: LGPL-2.1-or-later
"""The profiler's stacks, of programs that run in a cgroup of the test's own: tests/system/tools/stack-sampler
is the kernel side and its tables without the daemon."""

import os
import shutil
import time
from collections import Counter

import harness
import pytest

from stacks import KERNEL_THREAD, ROOT, Sampler

PYTHON = """
import json, time
while time.process_time() < 3:
    json.dumps(sorted(str(i) for i in range(1000)))
"""


def test_python_reaches_the_root(sandbox):
    """An unmodified program: but for the first moments all stacks are whole."""
    with Sampler(sandbox.cgroup, 60) as sampler:
        sandbox.run(None, "/usr/bin/python3", "-c", PYTHON)
    samples = [s for s in sampler.samples if s.end != KERNEL_THREAD]
    begin = min(s.time for s in samples)
    later = [s for s in samples if s.time > begin + 1e9]
    ends = Counter(s.end for s in later)
    print(len(samples), ends)
    assert len(later) > 200
    assert ends[ROOT] >= 0.995 * len(later)
    assert all("python3" in s.user[-1] for s in later if s.end == ROOT)  # _start
    total = sampler.total
    assert total["fired"] == total["delivered"] + total["lost"] + total["filtered"]
    assert total["delivered"] == len(sampler.samples) and total["lost"] == 0


GO = r"""
package main

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"time"
)

var sink [32]byte

//go:noinline
func leaf() {
	var pcs [64]uintptr
	n := runtime.Callers(2, pcs[:]) // from deep() on
	for _, pc := range pcs[:n] {
		fmt.Printf("%x\n", pc-1)
	}
	block := make([]byte, 4096)
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		sink = sha256.Sum256(block)
		block = append([]byte(nil), block...)
	}
}

//go:noinline
func deep(n int) {
	if n == 0 {
		leaf()
	} else {
		deep(n - 1)
	}
	sink[0]++
}

func main() {
	deep(20)
}
"""


@pytest.mark.parametrize("options", [[], ["-ldflags=-s -w"], ["-ldflags=-linkmode=external"]])
def test_go_agrees_with_the_runtime(sandbox, tmp_path, options):
    """Below what the function does (hash in assembly, allocate, ask for the time in the vDSO, on stacks of
    the system) a program's stack is what runtime.Callers() says."""
    if not shutil.which("go"):
        pytest.skip("no go on the path")
    (tmp_path / "main.go").write_text(GO)
    env = dict(os.environ, GO111MODULE="off", GOFLAGS="", GOTOOLCHAIN="local",
               HOME=os.environ.get("HOME", str(tmp_path)))
    harness.run("go", "build", *options, "-o", tmp_path / "program", "main.go", cwd=tmp_path, env=env)
    with Sampler(sandbox.cgroup, 5) as sampler:
        time.sleep(0.1)
        out = sandbox.run(None, tmp_path / "program")
    callers = [f"{tmp_path}/program+{pc}" for pc in out.split()]
    assert len(callers) > 20
    samples = [s for s in sampler.samples if s.end != KERNEL_THREAD]
    begin = min(s.time for s in samples)
    later = [s for s in samples if s.time > begin + 1e9]
    ends = Counter(s.end for s in later)
    # The rest is the runtime's own: the garbage collector, the scheduler, sysmon.
    ours = [s for s in later if not set(s.user).isdisjoint(callers[:-1])]
    agree = sum(s.user[-len(callers):] == callers for s in ours)
    print(len(later), ends, len(ours), agree)
    assert ends[ROOT] >= 0.995 * len(later)
    assert len(ours) > 100 and agree >= 0.995 * len(ours)
