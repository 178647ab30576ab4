# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest

from sandbox import Sandbox, Tool


@pytest.fixture
def sandbox():
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture(scope="session")
def has_tcx(tmp_path_factory):
    box = Sandbox()
    tool = Tool(box, tmp_path_factory.mktemp("probe"), "--attach", "auto")
    mode = tool.wait_for("lo")["mode"]
    tool.close()
    box.close()
    return mode == "tcx"


@pytest.fixture(params=["tcx", "tc"])
def mode(request, has_tcx):
    if request.param == "tcx" and not has_tcx:
        pytest.skip("this kernel has no TCX (before Linux 6.6)")
    return request.param


@pytest.fixture
def start(sandbox, tmp_path):
    """Starts attach-tool in the sandbox; it is closed, and closes cleanly, at the end."""
    tools = []

    def start_tool(*args, runtime="run", **kwargs):
        directory = tmp_path / runtime
        directory.mkdir(exist_ok=True)
        tools.append(Tool(sandbox, directory, *args, **kwargs))
        return tools[-1]

    yield start_tool
    for tool in tools:
        tool.close()
