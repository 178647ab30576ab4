# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stacks of programs that are known: each is built here, says nothing of itself but when another stack is
to be expected, and 99.5 % of its samples, from the first whole one on, must reach the root and be that
stack, frame by frame, each at a call instruction."""

import functools
import os
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
import stacks
from stacks import Chain

SECONDS = 120  # at most; it ends with the programs
FREQUENCY = 999
AT_ONCE = 4
MAIN = ("_start", "@libc", "main")
THROUGH_LIBC = Chain(*MAIN, "outer", "@libc", "compare", "inner", "spin", "spin_for")
STATIC = ("...", "main")
IBT = ("-fcf-protection", "-Wl,-z,lazy", "-Wl,-z,ibtplt")


class Program:
    """One that is run. chains: by stage, the stacks that it may have then."""

    def __init__(self, name, source, *flags, chains, compiler="gcc", arguments=(), wrap=None,
                 libraries=(), interrupts=False, after=None):
        self.name, self.source, self.flags, self.compiler = name, source, flags, compiler
        self.chains, self.arguments, self.wrap = chains, arguments, wrap
        self.libraries, self.interrupts, self.after = libraries, interrupts, after
        self.samples = []

    def build(self, directory):
        made = [stacks.build(directory, library, "plug.c", "-shared", "-fPIC", *flags)
                for library, *flags in self.libraries]
        linked = made if self.source == "plt.c" else []
        self.path = stacks.build(directory, self.name, self.source, *self.flags, *linked,
                                 *([f"-Wl,-rpath,{directory}"] if linked else []),
                                 compiler=self.compiler)
        self.symbols = {os.path.basename(path): stacks.Symbols(path) for path in [self.path, *made]}
        if self.after:
            self.after(self.path)

    def argv(self, directory):
        argv = [self.path, *[a.format(directory=directory) for a in self.arguments]]
        return self.wrap(argv) if self.wrap else argv


def strip(path):
    harness.run("strip", path)


def elsewhere(argv):
    """In a mount namespace, where alone the program's file is, and a pid namespace."""
    name = os.path.basename(argv[0])
    return ["unshare", "-mpf", "sh", "-c", f"mount -t tmpfs none /mnt && cp {argv[0]} /mnt && /mnt/{name}"]


LIBC_CALLS = [[THROUGH_LIBC]]
PLUGIN = Chain(*MAIN, "load", "plug", "spin", "spin_for")
RECURSION = [Chain(*MAIN, *["recurse"] * 901, "spin", "spin_for")]
OWN = [[Chain(*STATIC, "outer", "middle", "inner", "spin", "spin_for")]]
PROGRAMS = [
    Program("cplusplus", "cplusplus.cc", compiler="g++", chains=[
        [Chain(*MAIN, r"derived::run\(int\)", r"int apply<.*", r"derived::run\(int\)::\{lambda.*",
               r"spin\(\)", r"spin_for\(unsigned int\)")],
        [Chain(*MAIN, r"catcher\(.*", r"(std::_Function_handler<|thrower\().*")]]),
    Program("rusty", "rusty.rs", compiler="rustc", chains=[
        [Chain("_start", "@libc", "main", "...", "rusty::main", "outer", "inner", ".*closure.*", "spin")]]),
    Program("plain", "calls.c", chains=LIBC_CALLS),
    Program("static-glibc", "calls.c", "-static", chains=[
        [Chain("_start", "...", "main", "outer", "...", "compare", "inner", "spin", "spin_for")]]),
    Program("musl", "own.c", "-static", compiler="musl-gcc", chains=OWN),
    Program("musl-libc", "calls.c", "-static", compiler="musl-gcc", chains=[
        [Chain(*STATIC, "outer", "...", "compare", "inner", "spin", "spin_for")]]),
    Program("plt", "plt.c", "-fcf-protection=none", "-Wl,-z,lazy", libraries=[("plug-plt.so", "-DROOM=64")],
            chains=[[Chain(*MAIN, "caller")]]),
    Program("plt-ibt", "plt.c", *IBT, libraries=[("plug-ibt.so", "-DROOM=64")],
            chains=[[Chain(*MAIN, "caller")]]),
    Program("avx", "avx.c", "-mavx2", chains=[[Chain(*MAIN, "moved", "vectors", "spin_for")]]),
    Program("signals", "signals.c", interrupts=True, chains=[
        [Chain(*MAIN, "asks", "@libc", "on_asked", "handled", "spin_for")],
        [Chain(*MAIN, "interrupted", "victim"),
         Chain(*MAIN, "interrupted", "...", "on_timer", "handled")]]),
    Program("vdso-clock", "vdso.c", chains=[[Chain(*MAIN, "reader", "@libc", "@vdso")]]),
    Program("plugins", "plugins.c", arguments=["{directory}/one.so", "{directory}/other.so"],
            libraries=[("one.so", "-DROOM=64"), ("other.so", "-DROOM=800", '-DPADDING="40000"')],
            chains=[[PLUGIN], [PLUGIN]]),
    Program("recursion", "recurse.c", chains=[RECURSION]),
    Program("stripped", "calls.c", after=strip, chains=LIBC_CALLS),
    Program("deleted", "calls.c", arguments=["-u", "{directory}/deleted"], chains=LIBC_CALLS),
    Program("before-exec", "calls.c", arguments=["-x", "{directory}/after-exec"],
            chains=[[THROUGH_LIBC], RECURSION]),
    Program("elsewhere", "calls.c", wrap=elsewhere, chains=LIBC_CALLS),
    Program("forks", "many.c", arguments=["forks"], chains=[
        [Chain(*MAIN, "forks", "child", "work", "spin_for")]]),
    Program("threads", "many.c", arguments=["threads"], chains=[
        [Chain("@libc", "thread", "work", "spin_for"), Chain(*MAIN, "threads")]]),
    Program("frame-pointers", "calls.c", "-O0", "-fno-omit-frame-pointer", chains=LIBC_CALLS),
    Program("no-tables", "own.c", "-O0", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables",
            "-fno-unwind-tables", chains=[
                [Chain(*MAIN, "outer", "middle", "inner", "spin", "spin_for")]]),
    Program("no-build-id", "calls.c", "-Wl,--build-id=none", chains=LIBC_CALLS),
]
BY_NAME = {program.name: program for program in PROGRAMS}
# What begins in another program's process, so has no run of its own.
AFTER_EXEC = Program("after-exec", "recurse.c", chains=[RECURSION])


def program_of(samples):
    """Whose process it was: that of its first frame in a file that is ours."""
    for sample in samples:
        for text in sample.user:
            name = os.path.basename(text.rsplit("+", 1)[0].removesuffix(" (deleted)"))
            if name in BY_NAME:
                return BY_NAME[name]
    return None


def run(sandbox, program):
    done = subprocess.run(sandbox._argv(None, program.argv(sandbox.directory)), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    program.said = done.stderr
    program.stages = [int(line) for line in done.stdout.split()]


@pytest.fixture(scope="module")
def sampled():
    """All programs, some at a time, under one sampler."""
    with harness.Sandbox() as sandbox, ThreadPoolExecutor(AT_ONCE) as pool:
        os.chmod(sandbox.directory, 0o755)
        list(pool.map(lambda p: p.build(sandbox.directory), [*PROGRAMS, AFTER_EXEC]))
        BY_NAME["before-exec"].symbols.update(AFTER_EXEC.symbols)
        with stacks.Sampler(sandbox.cgroup, SECONDS, FREQUENCY) as sampler:
            list(pool.map(functools.partial(run, sandbox), PROGRAMS))
    total = sampler.total
    assert total["fired"] == total["delivered"] + total["lost"] + total["filtered"]
    assert total["lost"] == 0
    processes = defaultdict(list)
    for sample in sampler.samples:
        if sample.end != stacks.KERNEL_THREAD:
            processes[sample.tgid].append(sample)
    for samples in processes.values():
        program = program_of(samples)
        if program:
            program.samples += samples


XFAIL = {"musl-libc": "musl's own code has no CFI, and qsort() keeps no frame pointer"}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.xfail(strict=True, reason=XFAIL[name])] if name in XFAIL else [])
    for name in BY_NAME])
def test_stacks_are_known(sampled, name):
    program = BY_NAME[name]
    verdict = stacks.judge(program.samples, program.stages, program.chains, program.symbols,
                           program.interrupts)
    print(f"{name}: {verdict.seen} samples after {verdict.before}, {verdict.whole} whole, "
          f"{verdict.part} in part, {len(verdict.wrong)} wrong")
    for wrong in verdict.wrong[:10]:
        print("   ", *wrong)
    for frames in verdict.early[-1:]:
        print("    before:", *frames[:30])
    if program.said:
        print(program.said)
    assert verdict.whole >= 100
    assert len(verdict.wrong) <= 0.005 * verdict.seen
