# SPDX-License-Identifier: LGPL-2.1-or-later
"""From samples to `ebpfobsctl profile`: names and shares against a program that burns its CPU time in
proportions that it measures itself."""

import json
import shutil
import subprocess

import pytest
from harness import Daemon

FREQUENCY = 499
# Each function burns its share by the thread's CPU clock, in a loop of its own.
BURNER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile unsigned sink;
static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}
#define BURN(name) \
	__attribute__((noinline)) double name(double seconds) \
	{ \
		double begin = cpu(), end = begin + seconds; \
		while (cpu() < end) \
			for (unsigned i = 0; i < 100000; i++) \
				sink = sink * 1664525 + 1013904223; \
		return cpu() - begin; \
	}
BURN(burn_tenth)
BURN(burn_third)
BURN(burn_rest)

int main(int argc, char **argv)
{
	double total = atof(argv[1]), spent[3] = { 0 };

	for (int i = 0; i < 20; i++) {
		spent[0] += burn_tenth(total / 20 * 0.10);
		spent[1] += burn_third(total / 20 * 0.30);
		spent[2] += burn_rest(total / 20 * 0.60);
	}
	printf("{\"burn_tenth\": %f, \"burn_third\": %f, \"burn_rest\": %f}\n", spent[0], spent[1], spent[2]);
	return 0;
}
"""


@pytest.fixture
def burner(tmp_path):
    source = tmp_path / "burner.c"
    source.write_text(BURNER, encoding="ascii")
    binary = tmp_path / "burner"
    subprocess.run([shutil.which("gcc"), "-O2", "-fomit-frame-pointer", "-o", binary, source], check=True)
    return binary


def test_shares_and_names(sandbox, burner):
    sandbox.netns("a")
    config = {"scope": {"netns": []}, "collectors": {"profile": {"enabled": True, "frequency": FREQUENCY}}}
    with Daemon(sandbox, config) as daemon:
        spent = json.loads(sandbox.run(None, burner, "5"))
        top = daemon.ctl_json("profile", "top", "--process", "burner")
        status = daemon.status()
        folded = daemon.ctl("profile", "folded", "--process", "burner")
        page = daemon.ctl("profile", "flame", "--process", "burner")
    rows = {row["name"]: row for row in top["functions"]}
    print(top["samples"], {name: rows[name] for name in spent})
    assert top["samples"] > 1000 and top["lost"] == 0
    assert top["truncated"] < FREQUENCY  # a second at most until the program's tables were there
    whole = top["samples"] - top["truncated"]
    total = sum(spent.values())
    for name, seconds in spent.items():
        assert abs(rows[name]["total"] / whole - seconds / total) < 0.04
        assert rows[name]["module"] == str(burner)
        assert f"_start;__libc_start_main" in folded and f";main;{name}" in folded
        assert name in page
    account = status["accounting"]["profile"]
    assert account["seen"] == account["delivered"] + account["filtered"] + account["dropped"]


def test_off_unless_asked_for(sandbox):
    sandbox.netns("a")
    with Daemon(sandbox) as daemon:
        assert "profile" not in daemon.status()["accounting"]
        assert daemon.ctl_json("profile")["samples"] == 0
