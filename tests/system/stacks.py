# SPDX-License-Identifier: LGPL-2.1-or-later
"""Samples of tests/system/tools/stack-sampler, and what they are held against: programs whose stacks are
known (tests/system/stacks), by the symbols and call instructions that binutils see in their files."""

import bisect
import hashlib
import os
import re
import subprocess
import tempfile
from collections import defaultdict

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "stacks")
SAMPLER = os.path.join(harness.BUILD, "tests/system/tools/stack-sampler")
ROOT, KERNEL_THREAD, PROCESS_UNKNOWN, MAPPING_UNKNOWN = range(4)


class Sample:
    def __init__(self, line):
        words = line.split()
        self.time, self.tgid, self.tid, self.end, kernel, self.flags = map(int, words[:6])
        self.kernel = words[6:6 + kernel]
        self.user = words[6 + kernel:]


class Sampler:
    """Samples a cgroup, for some seconds at most; to be used in a with statement around what is
    sampled."""

    def __init__(self, cgroup, seconds, frequency=199, *options):
        argv = [SAMPLER, str(frequency), str(seconds), "cgroup", harness.cgroup_mount() + cgroup,
                *options]
        self.out = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=self.out,
                                        stderr=subprocess.PIPE, text=True)
        assert self.process.stderr.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _, err = self.process.communicate(timeout=120)  # which closes its standard input
        assert self.process.returncode == 0, err
        with self.out:
            self.out.seek(0)
            *lines, total = self.out.read().splitlines()
        self.oracle = [line for line in lines if line.startswith("oracle")]
        self.samples = [Sample(line) for line in lines if not line.startswith("oracle")]
        words = total.split()[1:]
        self.total = {key: int(value) for key, value in zip(words[::2], words[1::2])}


class Symbols:
    """A file's, from nm; and where its call instructions return to, from objdump."""

    def __init__(self, path):
        self.ranges = []
        for line in harness.run("nm", "-CS", "--defined-only", path).splitlines():
            begin, size, kind, name = re.fullmatch(
                r"(\w+)(?: (\w{16}))? (\w) (.*)", line).groups()
            if kind in "tTwWiu":
                self.ranges.append((int(begin, 16), int(size or "0", 16), name))
        self.ranges.sort()
        self.begins = [begin for begin, _, _ in self.ranges]
        self.returns = set()
        after_call = False
        for line in harness.run("objdump", "-dw", "--no-show-raw-insn", path).splitlines():
            instruction = re.match(r"\s*([0-9a-f]+):\s+(.*)", line)
            if not instruction:
                continue
            if after_call:
                self.returns.add(int(instruction[1], 16))
            after_call = re.match(r"([\w.]+ )*call", instruction[2]) is not None

    def names(self, address):
        """All names that the address has; _start has no size."""
        at = bisect.bisect_right(self.begins, address)
        found = set()
        while at > 0:
            at -= 1
            begin, size, name = self.ranges[at]
            if begin <= address < begin + (size or 64):
                found.add(name)
            if begin < address - 65536:
                break
        return found


def build(directory, name, source, *flags, compiler="gcc"):
    """A program or library of the test's own; its build id is its name's, as no other has it."""
    path = os.path.join(directory, name)
    source = os.path.join(SOURCES, source)
    if compiler == "rustc":
        harness.run("rustc", "-O", "-o", path, source, *flags)
        return path
    number = hashlib.sha1(path.encode()).hexdigest()
    harness.run(compiler, *(flags if "-O0" in flags else ("-O2", "-fomit-frame-pointer", *flags)),
                f"-Wl,--build-id=0x{number}" if "-Wl,--build-id=none" not in flags else "-pipe",
                "-o", path, source, *[flag for flag in flags if flag.endswith(".so")])
    return path


class Chain:
    """A known stack, from the root on. Names are symbols of the program (regular expressions, whole);
    "@FILE" is any number of frames, at least one, in a file of that name; "..." any number of frames."""

    def __init__(self, *names):
        self.names = names

    @staticmethod
    def is_at(name, frame):
        if name == "...":
            return True
        if name[0] == "@":
            return name[1:] in frame.file
        return any(re.fullmatch(name, symbol) for symbol in frame.names)

    def match(self, frames):
        """How the frames, the root first, agree with this stack: "whole", "part" when they leave it
        before its end (a call that is not in it), or None."""
        at = 0
        for i, name in enumerate(self.names):
            begin = at
            while at < len(frames) and self.is_at(name, frames[at]):
                if name[0] not in "@.":
                    at += 1
                    break
                if i + 1 < len(self.names) and at > begin and self.is_at(self.names[i + 1], frames[at]):
                    break
                at += 1
            if at == begin:
                rest = [n for n in self.names[i:] if n[0] not in "@."]
                if any(self.is_at(n, frame) for n in rest for frame in frames[at:]):
                    return None
                return "part"
        return "whole"


class Frame:
    def __init__(self, text, symbols):
        path, address = text.rsplit("+", 1)
        self.address = int(address, 16)
        self.file = os.path.basename(path.removesuffix(" (deleted)"))
        self.symbols = symbols.get(self.file)
        self.names = self.symbols.names(self.address) if self.symbols else set()

    def is_call(self):
        """The instruction before the address where the frame goes on is a call. (Frames are told by
        its last byte.) In files that are not the test's own: not known, so yes."""
        return not self.symbols or self.address + 1 in self.symbols.returns

    def __repr__(self):
        return "/".join(sorted(self.names)) or f"{self.file}+{self.address:x}"


class Verdict:
    """What became of a program's samples."""

    def __init__(self):
        self.seen = self.before = self.whole = self.part = 0
        self.wrong, self.early = [], []

    def judge(self, sample, frames, chains, interrupts):
        matches = {chain.match(frames) for chain in chains} if sample.end == ROOT else {None}
        calls = all(f.is_call() or interrupts for f in frames[:-1])
        good = matches != {None} and calls and all(f.file != "?" for f in frames)
        self.whole += good and "whole" in matches
        self.part += good and "whole" not in matches
        return good and "whole" in matches, good


def judge(samples, stages, chains, symbols, interrupts=False):
    """Holds a program's samples against the stacks that each of its stages can have. Of each process
    and stage, those count that come after the first whole one."""
    verdict = Verdict()
    begun = defaultdict(bool)
    for sample in samples:
        stage = bisect.bisect_right(stages, sample.time)
        known = chains[max(stage - 1, 0)] if stages else chains[0]
        frames = [Frame(text, symbols) for text in reversed(sample.user)]
        whole, good = verdict.judge(sample, frames, known, interrupts)
        key = (sample.tgid, stage)
        if not begun[key]:
            begun[key] = whole
            verdict.before += not whole
            if not whole and sample.end == ROOT:
                verdict.early.append(frames)
            verdict.part -= good and not whole
        if begun[key]:
            verdict.seen += 1
            if not good:
                verdict.wrong.append((sample.end, frames[:6], "...", frames[-8:]))
    return verdict
