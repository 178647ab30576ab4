# SPDX-License-Identifier: LGPL-2.1-or-later
"""The profiler's stacks, of programs that run in a cgroup of the test's own: tests/system/tools/stack-sampler
is the kernel side and its tables without the daemon."""

import os
import subprocess
import time
from collections import Counter

import harness

SAMPLER = os.path.join(harness.BUILD, "tests/system/tools/stack-sampler")
ROOT, KERNEL_THREAD, PROCESS_UNKNOWN, MAPPING_UNKNOWN = range(4)

PYTHON = """
import json, time
end = time.monotonic() + 4
while time.monotonic() < end:
    json.dumps(sorted(str(i) for i in range(1000)))
"""


class Sample:
    def __init__(self, line):
        words = line.split()
        self.time, self.tgid, self.tid, self.end, kernel, self.flags = map(int, words[:6])
        self.kernel = words[6:6 + kernel]
        self.user = words[6 + kernel:]


class Sampler:
    """Samples a cgroup for some seconds; to be used in a with statement around what is sampled."""

    def __init__(self, cgroup, seconds, frequency=199):
        argv = [SAMPLER, str(frequency), str(seconds), "cgroup", harness.cgroup_mount() + cgroup]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, err
        *lines, total = out.splitlines()
        self.samples = [Sample(line) for line in lines]
        words = total.split()[1:]
        self.total = {key: int(value) for key, value in zip(words[::2], words[1::2])}


def test_python_reaches_the_root(sandbox):
    """An unmodified program: but for the first moments all stacks are whole."""
    with Sampler(sandbox.cgroup, 5) as sampler:
        time.sleep(0.1)
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
