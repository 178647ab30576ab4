# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints, at the end, what each kernel granted and how its tests went."""

ROWS = []


def pytest_terminal_summary(terminalreporter):
    if not ROWS:
        return
    terminalreporter.section("kernels")
    for row in ROWS:
        terminalreporter.write_line(
            f"{row.kernel:8} {row.case:14} {row.passed} passed, {row.failed} failed, "
            f"{len(row.skipped)} skipped, {row.seconds:.0f} s   {row.release}")
        for line in row.rungs:
            terminalreporter.write_line(f"{'':23} {line}")
        for line in row.skipped:
            terminalreporter.write_line(f"{'':23} skipped: {line}")
