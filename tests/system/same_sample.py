# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same samples unwound twice: by us, and by elfutils from the registers and the stack that perf recorded
with the same event (tests/system/tools/oracle.h). Matched by thread and time."""

import bisect
import os
from collections import Counter, defaultdict

from stacks import MAPPING_UNKNOWN, PROCESS_UNKNOWN, ROOT, Sampler

MATCH_NS = 200_000  # between the kernel's two looks at the clock for one event
BEGIN_NS = 1_000_000_000  # of a thread: ld.so maps libraries that were not there when its mappings were read
ORACLE_ROOT = 0
# Where stacks begin: elsewhere libdwfl ended without an error, but not at a root. It does so in
# libcrypto's functions whose CFA is an expression (sha512_block_data_order and the like), where ours goes
# on to _start.
ROOT_FILES = ("ld-linux", "libc.so")


class Oracle:
    def __init__(self, line):
        words = line.split()
        self.time, self.tgid, self.tid, self.end = map(int, words[1:5])
        self.user = words[5:]


def frame(text):
    path, address = text.rsplit("+", 1)
    return os.path.basename(path.removesuffix(" (deleted)")), int(address, 16)


def same_leaf(ours, theirs):
    """After a system call we name the instruction that made it, libdwfl the one after it."""
    return ours[0] == theirs[0] and theirs[1] - ours[1] in (0, 1, 2)


class Agreement:
    def __init__(self, executable):
        self.executable = os.path.basename(os.path.realpath(executable))
        self.samples = self.our_roots = self.their_roots = self.frames = self.agree = 0
        self.unmatched = 0
        self.differ = Counter()

    def is_root(self, frames):
        return frames[-1][0] == self.executable or frames[-1][0].startswith(ROOT_FILES)

    def add(self, ours, theirs):
        self.samples += 1
        a, b = [frame(text) for text in ours.user], [frame(text) for text in theirs.user]
        whole = theirs.end == ORACLE_ROOT and self.is_root(b)
        self.our_roots += ours.end == ROOT and self.is_root(a)
        self.their_roots += whole
        if not whole:  # it says nothing of what is beyond
            b = b[:-1] if theirs.end else b
            a = a[:len(b)]
        same = 0
        while same < min(len(a), len(b)) and (a[same] == b[same] or
                                              same == 0 and same_leaf(a[0], b[0])):
            same += 1
        self.frames += max(len(a), len(b))
        self.agree += same
        if same < max(len(a), len(b)):
            self.differ[f"after {a[same - 1] if same else None} ours ends {ours.end}, theirs "
                        f"{theirs.end}: {a[same:same + 1]} {b[same:same + 1]}"] += 1

    def __str__(self):
        return (f"{self.samples} samples, frames {self.agree} of {self.frames} agree "
                f"({100 * self.agree / max(self.frames, 1):.2f} %), root reached by ours "
                f"{100 * self.our_roots / max(self.samples, 1):.2f} %, by libdw "
                f"{100 * self.their_roots / max(self.samples, 1):.2f} %")


def is_early(sample, first):
    return sample.end == PROCESS_UNKNOWN or (sample.end == MAPPING_UNKNOWN and
                                             sample.time < first.time + BEGIN_NS)


def compare(sandbox, argv, executable, frequency=499, seconds=60):
    """Runs a command in the sandbox and compares its samples, but for those that came before its mappings
    and their tables were known."""
    with Sampler(sandbox.cgroup, seconds, frequency, "oracle") as sampler:
        sandbox.run(None, *argv, check=False)
    ours = defaultdict(list)
    for sample in sampler.samples:
        ours[sample.tid].append(sample)
    agreement = Agreement(executable)
    for theirs in map(Oracle, sampler.oracle):
        known = ours.get(theirs.tid, [])
        at = bisect.bisect_left(known, theirs.time - MATCH_NS, key=lambda s: s.time)
        if at == len(known) or known[at].time > theirs.time + MATCH_NS:
            agreement.unmatched += 1
        elif theirs.user and known[at].user and not is_early(known[at], known[0]):
            agreement.add(known[at], theirs)
    return agreement
