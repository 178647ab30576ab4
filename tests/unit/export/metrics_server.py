# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts tests/unit/export/metrics-server on free ports and talks to it."""
import http.client
import os
import re
import signal
import socket
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("top_builddir", os.path.join(HERE, "../../../build"))  # by hand: build/
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')

# A server that hangs may not hang the tests.
signal.alarm(180)


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Server:
    """host is where it listens; options are KEY=VALUE arguments of metrics-server."""

    def __init__(self, *options, host="127.0.0.1", port=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        self.port = port or free_port(family, host)
        self.health_port = free_port(family, host)
        address = f"[{host}]" if ":" in host else host
        program = os.path.join(BUILD, "tests/unit/export/metrics-server")
        self.process = subprocess.Popen(
            [program, f"exporters.prometheus.listen={address}:{self.port}",
             f"health.listen={address}:{self.health_port}", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.initial_status = self.do("status")

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def step(self, n, nbytes):
        assert self.do(f"flows {n} {nbytes}") == "ok" and self.do("step") == "ok"

    def request(self, path="/metrics", method="GET", headers=None, port=None, body=None):
        """(status, headers, body) of one request on a connection of its own."""
        c = http.client.HTTPConnection(self.host, port or self.port, timeout=20)
        try:
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read().decode()
        finally:
            c.close()

    def page(self, accept="text/plain"):
        return self.request(headers={"Accept": accept})[2]

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        assert status == 0, f"metrics-server ended with {status}"

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def samples(page):
    """[(name, {label: raw value}, value)]; raises on a line that is none."""
    found = []
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        found.append((name, dict(LABEL.findall(labels or "")), float(value)))
    return found


def total(page, name, **labels):
    return sum(value for n, have, value in samples(page)
               if n == name and all(have.get(k, "") == v for k, v in labels.items()))
