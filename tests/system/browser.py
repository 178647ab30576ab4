# SPDX-License-Identifier: LGPL-2.1-or-later
"""A headless Chromium, driven through chromedriver in the words of the W3C WebDriver protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import harness

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014",
        "Down": "\ue015"}


class Browser:
    """One window; gone on exit with all that it wrote."""

    def __init__(self, width=1280, height=800):
        self.profile = tempfile.mkdtemp(prefix="ebpfobs-chromium-")
        self.port = harness.free_port()
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
        self.session = ""
        try:
            harness.wait_for("chromedriver", self.is_ready)
            self.session = self.begin(width, height)
        except BaseException:
            self.close()
            raise

    def is_ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except urllib.error.URLError:
            return False

    def begin(self, width, height):
        # As root Chromium refuses its own sandbox; what it opens here is our own page.
        arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader",
                     "--hide-scrollbars", "--disable-background-networking", "--no-first-run",
                     "--allow-file-access-from-files",
                     f"--window-size={width},{height}", f"--user-data-dir={self.profile}"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments},
                  "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        return f"/session/{answer['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{method} {path}: {e.read().decode()}") from e

    def post(self, path, body=None):
        return self.call("POST", self.session + path, body or {})

    def open(self, url):
        self.post("/url", {"url": str(url)})

    def script(self, text, *arguments):
        return self.post("/execute/sync", {"script": text, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def find(self, selector):
        return self.post("/element", {"using": "css selector", "value": selector})[ELEMENT]

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def click(self, selector):
        self.post(f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.post(f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, *names):
        """Keys to what has the focus."""
        actions = [{"type": kind, "value": KEYS.get(name, name)} for name in names for kind in ("keyDown", "keyUp")]
        self.post("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def point(self, selector, x, y, click=False):
        """Moves the mouse to (x, y) within an element, from its top left corner."""
        left, top = self.script("const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                                "return [b.left, b.top]", selector)
        actions = [{"type": "pointerMove", "duration": 0, "x": round(left + x), "y": round(top + y)}]
        if click:
            actions += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.post("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def dark(self, on=True):
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def complaints(self):
        """Of the console: errors of scripts, what the page's policy refused. (A test that reads pixels is
        told that this is slow.)"""
        return [entry["message"] for entry in self.post("/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING") and "willReadFrequently" not in entry["message"]]

    def screenshot(self, path):
        png = base64.b64decode(self.call("GET", self.session + "/screenshot"))
        with open(path, "wb") as f:
            f.write(png)
        return png

    def close(self):
        if self.session:
            self.call("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait(timeout=30)
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
