# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the profile's files look like to the programs that they are made for. None of them is ours:
go tool pprof, a browser, speedscope. The profiles are synthetic, so that each number is known."""

import base64
import json
import os
import random
import re
import subprocess
import tarfile
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

import browser
import harness

SPEEDSCOPE = "1.25.0"
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


# The page

# What ends a script, an attribute, a comment; what a parser of JavaScript or a reader might trip over.
HOSTILE = ["</script><script>window.owned = 1</script>", "\"><img src=x onerror='window.owned = 1'>",
           "<!--<script>", "' onload=window.owned=1 '", "line\u2028separator\u2029", "right\u202eto left\u202c",
           "\\u003c${window.owned = 1}`", "operator<<&amp;", "a\tb\nc\x1b[31m", "__proto__"]


def quote(name):
    """As synthetic.c wants a name that has bytes with a meaning."""
    return "".join(c if c.isalnum() else "".join(f"%{byte:02x}" for byte in c.encode()) for c in name)


@pytest.fixture(scope="module")
def window():
    with browser.Browser() as b:
        yield b


@pytest.fixture
def page(window, profile):
    """Opens a page: nothing that it does may make the browser complain."""

    def show(stacks=None, before=None, form="html"):
        window.dark(False)
        window.open(f"file://{profile(form, stacks, before)}")
        return window

    yield show
    assert window.complaints() == []


def keep(window, name):
    """For people to look at."""
    os.makedirs(f"{harness.BUILD}/results", exist_ok=True)
    return window.screenshot(f"{harness.BUILD}/results/flame-{name}.png")


def pixel(window, x, y):
    return window.script("const c = document.getElementById('canvas'), r = devicePixelRatio;"
                         "return Array.from(c.getContext('2d').getImageData(arguments[0] * r,"
                         " arguments[1] * r, 1, 1).data)", x, y)


ROW = 19
ROW_MIDDLE = ROW // 2


def test_page_says_what_it_shows(page):
    b = page()
    assert b.script("return document.title") == "nginx.service</title><script>document.title=1</script>"
    assert "cpu, 60.0 s from 2026-11-20T17:00:00Z" in b.text("#subtitle")
    assert b.text(".totals") == "samples 100, lost 5, truncated 0, unsymbolized 30"
    policy = b.script("return document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
    keep(b, "light")
    light = pixel(b, 5, 2 * ROW + 2)
    b.dark()
    harness.wait_for("the dark colours", lambda: pixel(b, 5, 2 * ROW + 2) != light)
    keep(b, "dark")


def test_page_zooms(page):
    b = page()
    assert b.script("return document.getElementById('reset').disabled")
    # all, server, main, serve, then its children: parse is 60 of 100.
    b.point("#canvas", 100, 4 * ROW + ROW_MIDDLE, click=True)
    assert b.text("#details").startswith(f"parse \u00b7 {MODULE} \u00b7 parse.c:7 \u00b7 600 ms, 60.00%, 60 samples")
    width = b.script("return document.getElementById('canvas').clientWidth")
    # Now it is as wide as the picture: what stands at its right end is itself.
    b.point("#canvas", width - 20, 5 * ROW + ROW_MIDDLE)
    assert b.text("#tooltip").startswith("skip_blanks600 ms, 60.00%, 60 samplesitself 600 ms, 60.00%")
    b.click("#reset")
    b.point("#canvas", width - 5, ROW + ROW_MIDDLE)
    assert b.text("#tooltip").startswith("cron10.0 ms, 1.00%, 1 samples")
    assert b.script("return document.getElementById('reset').disabled")


def test_page_searches(page):
    b = page()
    before = pixel(b, 50, 4 * ROW + 2)
    # serve calls itself in 9 of 100: counted once. The kernel's frame is in cron.
    for text, share in (("^serve$", "99.00%"), ("SERVE", "0.00%"), ("skip|vfs", "61.00%"), (r"libc\.so", "30.00%")):
        b.script("document.getElementById('search').value = ''")
        b.type("#search", text)
        assert b.text("#matched") == f"{share} matched"
    b.press("Escape")
    assert b.text("#matched") == ""
    b.type("#search", "parse")
    harness.wait_for("the colour of a match", lambda: pixel(b, 50, 4 * ROW + 2) != before)
    keep(b, "search")
    b.type("#search", "(")
    assert b.text("#matched") == "not a regular expression"
    assert b.script("return document.getElementById('search').getAttribute('aria-invalid')") == "true"


def test_page_by_keyboard(page):
    b = page()
    b.script("document.getElementById('picture').focus()")
    said = []
    for key in ("Down", "Down", "Right", "Left", "Down", "Down", "Down", "Right", "Up"):
        b.press(key)
        said.append(b.text("#details").split(" ")[0])
    assert said == ["all", "server", "cron", "server", "main", "serve", "parse", "send", "serve"]
    b.press("Enter")
    assert not b.script("return document.getElementById('reset').disabled")
    b.press("i")
    assert b.script("return document.getElementById('turn').getAttribute('aria-pressed')") == "true"
    b.press("Up")
    assert b.text("#details").startswith("parse ")
    b.press("/", "x")
    assert b.script("return document.getElementById('search').value") == "x"
    b.press("Escape")
    assert b.script("return document.getElementById('search').value") == ""
    assert b.script("return document.activeElement.id") == "picture"


def test_page_with_hostile_names(page):
    stacks = [(f"{quote(name)}@{quote(name)}", 10 + i, quote(name), 1, 0) for i, name in enumerate(HOSTILE)]
    b = page(stacks)
    b.script("document.getElementById('picture').focus()")
    b.press("Down", "Down")
    shown = []
    for _ in HOSTILE:
        shown.append(b.text("#details").split(" \u00b7 ")[0])
        b.press("Right")
    keep(b, "hostile")
    assert b.script("return window.owned") is None
    assert b.script("return document.scripts.length") == 2
    assert b.script("return document.images.length") == 0
    # The heaviest first. What would not be seen, or turns the text around, is spelled out.
    seen = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\u202e": "\\u202e", "\u202c": "\\u202c", "\t": "\\t",
            "\n": "\\n", "\x1b": "\\x1b"}
    # The command's name has 64 bytes at most in the tool; names are whole.
    assert shown == ["".join(seen.get(c, c) for c in name) for name in reversed(HOSTILE)]


BEFORE = [
    (f"main:10@{MODULE};serve:20@{MODULE};parse:30|skip_blanks:31@{MODULE}", 20, "server", 42, 0),
    (f"main:10@{MODULE};serve:21@{MODULE};old_cache@{MODULE};strcmp@/lib/libc.so.6", 30, "server", 42, 1),
]


def test_page_of_two(page):
    b = page(NOW, BEFORE)
    assert b.script("return [...document.querySelectorAll('.totals')].map((p) => p.textContent)") == [
        "samples 100, lost 5, truncated 0, unsymbolized 30",
        "before: samples 50, lost 5, truncated 0, unsymbolized 0"]
    assert not b.script("return document.getElementById('legend').hidden")
    b.script("document.getElementById('picture').focus()")
    b.press("Down", "Down", "Down", "Down")
    # Without the processes: all, main, serve, and of its children the heaviest of both sides.
    assert b.text("#details").endswith("now 600 ms, 60.00%, 60 samples \u00b7 before 400 ms, 40.00%, 40 samples"
                                       " \u00b7 change +20.00 points")
    b.press("Right")
    assert b.text("#details").startswith(f"old_cache \u00b7 {MODULE} \u00b7 old_cache.c:7 \u00b7 now 0 ns, 0.00%, 0 samples"
                                         " \u00b7 before 600 ms, 60.00%, 60 samples \u00b7 change \u221260.00")
    b.type("#search", "strcmp|vfs")
    assert b.text("#matched") == "now 1.00%, before 60.00%"
    b.press("Escape")
    # parse has more, old_cache vanished: red, blue.
    width = b.script("return document.getElementById('canvas').clientWidth")
    red, _, blue, _ = pixel(b, 10, 3 * ROW + 2)
    assert red > blue + 10
    red, _, blue, _ = pixel(b, width * 0.65, 3 * ROW + 2)
    assert blue > red + 50
    keep(b, "diff")
    b.dark()
    keep(b, "diff-dark")


def test_page_of_a_deep_stack(page):
    stack = ";".join([f"main@{MODULE}"] + [f"recurse@{MODULE}"] * 900 + [f"bottom@{MODULE}"])
    b = page([(stack, 10, "server", 1, 0)])
    scrolled = "return document.getElementById('picture').scrollTop"
    assert b.script(scrolled) == 0
    b.script("document.getElementById('picture').focus()")
    b.click("#turn")
    # The root is at the bottom now, and in sight.
    assert b.script(scrolled) > 800 * ROW
    height = b.script("return document.getElementById('canvas').clientHeight")
    b.point("#canvas", 300, height - 3 * ROW + ROW_MIDDLE)
    assert b.text("#tooltip").startswith("main")
    b.click("#turn")
    b.script("document.getElementById('picture').scrollTop = 1e6")
    harness.wait_for("the end", lambda: b.script(scrolled) > 800 * ROW)
    b.point("#canvas", 300, height - ROW_MIDDLE, click=True)
    assert b.text("#details").startswith("bottom ")
    keep(b, "deep")


def many_stacks(n, seed=1):
    """n different stacks, like those of a busy machine: common roots, some 30 frames."""
    draw = random.Random(seed)
    names = [f"function_{i}" for i in range(3000)]
    stacks = set()
    while len(stacks) < n:
        depth = draw.randrange(10, 50)
        # The nearer to the root, the fewer there are.
        frames = [f"{names[draw.randrange(min(3000, 2 + level * level // 3))]}@/usr/lib/lib{level % 7}.so"
                  for level in range(depth)]
        stacks.add(";".join(frames))
    return [(stack, draw.randrange(1, 20), "busy", 1, 0) for stack in sorted(stacks)]


def test_page_of_many_stacks(page):
    b = page(many_stacks(50_000))
    # To the end of the script, which has laid the picture out.
    loaded = b.script("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
    took = b.script("""
        const search = document.getElementById("search"), times = {};
        const measure = (name, what) => {
            const from = performance.now();
            what();
            times[name] = performance.now() - from;
        };
        measure("search", () => { search.value = "function_1.*7"; search.dispatchEvent(new Event("input")); });
        measure("turn", () => document.getElementById("turn").click());
        return times;""")
    frame = b.post("/execute/async", {"args": [], "script": """
        const done = arguments[0], from = performance.now();
        document.getElementById("turn").click();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - from)));"""})
    nodes = b.script("return JSON.parse(document.getElementById('profile').textContent).frame.length")
    keep(b, "many")
    print(f"{nodes} nodes: open {loaded:.2f} s, search {took['search']:.0f} ms, two frames {frame:.0f} ms")
    assert nodes > 100_000
    assert loaded < 10 and took["search"] < 1000 and frame < 1000


def test_svg(profile, page):
    hostile = [(f"{quote(name)}@{quote(name)}", 10, "x", 1, 0) for name in HOSTILE]
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.parse(profile("svg", NOW + hostile)).getroot()
    titles = [title.text.split("\n") for title in root.iter(f"{svg}title")]
    assert ["serve", "990 ms, 49.50%, 99 samples", "serve.c:7", MODULE] in titles
    assert ["</script><script>window.owned = 1</script>", "100 ms, 5.00%, 10 samples"] == titles[
        [t[0] for t in titles].index(HOSTILE[0])][:2]
    words = [text.text for text in root.iter(f"{svg}text")]
    assert "samples 200, lost 5, truncated 0, unsymbolized 30" in words
    b = page(NOW + hostile, form="svg")
    assert b.script("return window.owned") is None
    keep(b, "svg")


# speedscope


@pytest.fixture(scope="module")
def speedscope(tmp_path_factory):
    """Where its page and its schema are, from its package."""
    directory = tmp_path_factory.mktemp("speedscope")
    subprocess.run(["npm", "pack", "--silent", f"speedscope@{SPEEDSCOPE}"], cwd=directory, check=True, timeout=300,
                   stdout=subprocess.DEVNULL)
    with tarfile.open(directory / f"speedscope-{SPEEDSCOPE}.tgz") as package:
        package.extractall(directory)
    return directory / "package" / "dist" / "release"


def import_into(window, speedscope, path, tmp_path):
    """Imports a file as speedscope's own command does, and gives back its table: {name: (total, self)}."""
    contents = base64.b64encode(path.read_bytes()).decode()
    script = tmp_path / "load.js"
    script.write_text(f"speedscope.loadFileFromBase64({json.dumps(path.name)}, {json.dumps(contents)})")
    window.open("about:blank")
    window.open(f"file://{speedscope}/index.html#localProfilePath={script}")
    harness.wait_for("the profile", lambda: "\u2934\ufe0fExport" in window.text("body"))
    window.press("3")  # the view that has a table
    rows = harness.wait_for("the table", lambda: window.script(
        "return [...document.querySelectorAll('tr')].slice(1).map((r) => [...r.children].map((c) => c.textContent))"))
    keep(window, f"speedscope-{path.suffix[1:]}")
    return {name: (total, own) for total, own, name in rows}


def test_speedscope(window, speedscope, profile, tmp_path):
    path = profile("speedscope")
    document = json.loads(path.read_bytes())
    jsonschema.validate(document, json.loads((speedscope / "file-format-schema.json").read_text()))
    assert document["exporter"].endswith(": samples 100, lost 5, truncated 0, unsymbolized 30")
    path = path.rename(tmp_path / "profile.speedscope.json")
    table = import_into(window, speedscope, path, tmp_path)
    # Each call of a function that calls itself would count in a sum of nodes: serve is 99, not 108.
    assert table["serve"] == ("990.00ms (99%)", "90.00ms (9.0%)")
    assert table["skip_blanks"] == ("600.00ms (60%)", "600.00ms (60%)")
    assert table["[libc.so.6]"] == ("300.00ms (30%)", "300.00ms (30%)")
    assert table["vfs_read"][0] == "10.00ms (1.0%)"


def test_speedscope_of_two_and_hostile(speedscope, profile):
    schema = json.loads((speedscope / "file-format-schema.json").read_text())
    document = json.loads(profile("speedscope", NOW, BEFORE).read_bytes())
    jsonschema.validate(document, schema)
    assert [p["name"] for p in document["profiles"]] == ["now", "before"]
    assert [sum(p["weights"]) for p in document["profiles"]] == [100 * PERIOD, 100 * PERIOD]
    stacks = [(f"{quote(name)}@m", 1, "x", 1, 0) for name in HOSTILE]
    document = json.loads(profile("speedscope", stacks).read_bytes())
    assert {frame["name"] for frame in document["shared"]["frames"]} == {*HOSTILE, "x"}


# perf script


def fold(text):
    """What stackcollapse-perf.pl makes of it, in a few lines: {stack: sum of periods}."""
    folded, comm, period, frames = {}, None, 0, []
    for line in text.splitlines() + [""]:
        event = re.match(r"(\S.+?)\s+(\d+)/(\d+)\s+\[(\d+)\]\s+[\d.]+:\s+(\d+)\s+(\S+):\s*$", line)
        frame = re.match(r"\s+([0-9a-f]+) (.*) \((\S*)\)$", line)
        if event:
            comm, period, frames = event[1], int(event[5]), []
        elif frame:
            name = frame[2] if frame[2] != "[unknown]" else f"[{os.path.basename(frame[3])}]"
            frames.insert(0, name.replace(";", ":"))
        elif not line and comm:
            stack = ";".join([comm, *frames])
            folded[stack] = folded.get(stack, 0) + period
            comm = None
        else:
            assert not line or line.startswith("# "), line
    return folded


@pytest.mark.parametrize("stacks", [NOW, [(f"{quote(name)}@{quote(name)};f@m", 3, f"{i} x", i, 0)
                                           for i, name in enumerate(HOSTILE)]])
def test_perf_script(profile, stacks):
    text = profile("perf-script", stacks).read_text()
    # The frames' names are the same in both; one of them cannot be read differently from what it says.
    folded = dict(line.rsplit(" ", 1) for line in profile("folded", stacks).read_text().splitlines())
    assert fold(text) == {stack: int(value) for stack, value in folded.items()}
    assert text.splitlines()[-1].startswith("# samples ")


def test_perf_script_in_speedscope(window, speedscope, profile, tmp_path):
    stacks = [stack for stack in NOW if stack[2:4] == ("server", 42)]
    path = profile("perf-script", stacks).rename(tmp_path / "profile.linux-perf.txt")
    table = import_into(window, speedscope, path, tmp_path)
    # 90 samples in 60 s. It weighs a sample by the time to those beside it, so half a sample at an edge.
    seconds = {name: float(total.split("s")[0]) for name, (total, _) in table.items()}
    assert seconds["skip_blanks"] == pytest.approx(40, abs=0.7)
    assert seconds["send"] == pytest.approx(20, abs=0.7)
    assert seconds["main"] == pytest.approx(60, abs=0.7)
    assert "??? (/lib/libc.so.6)" in table
