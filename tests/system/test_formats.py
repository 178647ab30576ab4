# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the profile's files look like to the programs that they are made for. None of them is ours:
go tool pprof. The profiles are synthetic, so that each number is known."""

import os
import re
import subprocess

import pytest

import harness

TOOL = f"{harness.BUILD}/tests/system/tools/render-profile"

MODULE = "/usr/bin/server"
NOW = [
    # stack, samples, command, pid, cpu
    (f"main:10@{MODULE};serve:20@{MODULE};parse:30|skip_blanks:31@{MODULE}", 60, "server", 42, 0),
    (f"main:10@{MODULE};serve:21@{MODULE};send:40@{MODULE};@/lib/libc.so.6", 30, "server", 42, 1),
    (f"main:10@{MODULE};serve:21@{MODULE};serve:20@{MODULE}", 9, "server", 43, 1),
    ("do_syscall_64@[kernel.kallsyms];vfs_read@[kernel.kallsyms]", 1, "cron", 7, 0),
]
PERIOD = 10_000_000


def describe(path, stacks, lost=5):
    """Writes what render-profile reads."""
    lines = [f"{stack}\t{n}\t{n * PERIOD}\t{comm}\t{pid}\t{cpu}" for stack, n, comm, pid, cpu in stacks]
    path.write_text("\n".join(lines) + f"\nlost\t{lost}\n")
    return path


def render(form, now, before=None):
    command = [TOOL, form, str(now)] + ([str(before)] if before else [])
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout


@pytest.fixture
def profile(tmp_path):
    """Renders a list of stacks to a file."""

    def make(form, stacks=None, before=None):
        now = describe(tmp_path / "now", stacks or NOW)
        before = before and describe(tmp_path / "before", before)
        path = tmp_path / f"profile.{form}"
        path.write_bytes(render(form, now, before))
        return path

    return make


# pprof


def pprof(*arguments):
    # Not to look for the files of our inventions, nor into the user's home.
    environment = {**os.environ, "PPROF_BINARY_PATH": "/nonexistent", "PPROF_TMPDIR": "/nonexistent"}
    command = ["go", "tool", "pprof", "-symbolize=none", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True,
                          timeout=300, env=environment).stdout


def test_pprof_top(profile):
    top = pprof("-top", "-unit=ms", profile("pprof"))
    # flat flat% sum% cum cum% name
    rows = {line.split(None, 5)[5]: line.split() for line in top.splitlines() if re.match(r" +\d.*%", line)}
    expected = {"skip_blanks (inline)": (600, 600), "[libc.so.6]": (300, 300), "serve": (90, 990),
                "main": (0, 990), "parse": (0, 600), "send": (0, 300), "vfs_read": (10, 10)}
    for name, (flat, cumulative) in expected.items():
        assert name in rows, top
        assert (rows[name][0], rows[name][3]) == (f"{flat}ms" if flat else "0", f"{cumulative}ms"), top


def test_pprof_raw(profile):
    raw = pprof("-raw", profile("pprof"))
    assert "Comment: samples 100, lost 5, truncated 0, unsymbolized 30" in raw
    assert "samples/count cpu/nanoseconds[dflt]" in raw
    assert "Period: 10000000" in raw and "Duration: 1m0s" in raw
    assert re.search(r"skip_blanks skip_blanks.c:31:0 s=7\(_Z11skip_blanks\)\n +parse parse.c:30:0", raw)
    # What is known of a mapping: all; no name for an address; names, but no lines.
    assert re.search(r"/usr/bin/server [0-9a-f]{40} \[FN]\[FL]\[LN]\[IN]", raw)
    assert re.search(r"/lib/libc.so.6 [0-9a-f]{40} *$", raw, re.M)
    assert re.search(r"\[kernel.kallsyms] [0-9a-f]{40} \[FN]\[FL]$", raw, re.M)


# A number alone would be compared with numeric labels, which cpu is not.
@pytest.mark.parametrize("focus, total", [("process.comm=cron", 1), ("workload.name=server.service", 99),
                                          ("cpu=^0$", 61), ("thread.id=43:43", 9), ("process.pid=42:42", 90)])
def test_pprof_labels(profile, focus, total):
    top = pprof("-top", "-sample_index=samples", f"-tagfocus={focus}", profile("pprof"))
    assert f"Showing nodes accounting for {total}, " in top
