# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process in the sandbox that does what the test tells it, one piece of Python after the other: the
test then knows exactly who owns which socket, and when."""

import json
import os
import subprocess

_LOOP = """
import json, os, select, signal, socket, struct, sys, time
env = globals()
socket.setdefaulttimeout(10)
def udp(family=socket.AF_INET): return socket.socket(family, socket.SOCK_DGRAM)
def listen(address, port):
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port)); s.listen(64); return s
def child(work):
    pid = os.fork()
    if pid: return pid
    try: work()
    except BaseException as e: print(repr(e), file=sys.stderr, flush=True)
    finally: os._exit(0)
for line in sys.stdin:
    code, result = json.loads(line), None
    try: result = eval(compile(code, 'test', 'eval'), env)
    except SyntaxError: exec(compile(code, 'test', 'exec'), env)
    try: answer = json.dumps(result)
    except TypeError: answer = 'null'
    sys.stdout.write(answer + '\\n'); sys.stdout.flush()
"""


class Agent:
    """python3 in namespace ns and in a cgroup of the sandbox. The code sees what earlier code left:
    agent("s = udp()"); agent("s.getsockname()[1]") gives back a port. udp(), listen() and child()
    are there; child(f) runs f() in a process of its own and gives back its pid."""

    def __init__(self, sandbox, ns, cgroup=None, argv=("python3",)):
        self.process = sandbox.start(ns, *argv, "-c", _LOOP, cgroup=cgroup, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=None, text=True)
        self.pid = self("os.getpid()")
        with open(f"/proc/{self.pid}/comm", encoding="utf-8") as comm:
            self.comm = comm.read().strip()

    def __call__(self, code):
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the agent ended at: {code}")
        return json.loads(answer)

    def end(self):
        """The process exits, its sockets are closed."""
        self.process.stdin.close()
        self.process.wait()
