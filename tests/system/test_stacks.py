# SPDX-License-Identifier: LGPL-2.1-or-later
"""The profiler's stacks, of programs that run in a cgroup of the test's own: tests/system/tools/stack-sampler
is the kernel side and its tables without the daemon."""

import time
from collections import Counter

from stacks import KERNEL_THREAD, ROOT, Sampler

PYTHON = """
import json, time
end = time.monotonic() + 4
while time.monotonic() < end:
    json.dumps(sorted(str(i) for i in range(1000)))
"""


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
