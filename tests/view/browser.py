"""Chromium, driven through its debugging pipe: open a page, press keys, ask for values."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    ("--no-sandbox " if os.geteuid() == 0 else "")  # root has no sandbox
    + "--headless=new --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --remote-debugging-pipe"
)


class Tab:
    """One page; messages are JSON with a NUL after each."""

    def __init__(self, out: int, back: int) -> None:
        self.out, self.back, self.number, self.session = out, back, 0, None
        self.rest = b""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.problems.append(json.dumps(answer["params"])[:400])
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            self.rest += os.read(self.back, 1 << 16)
        whole, _, self.rest = self.rest.partition(b"\0")
        return json.loads(whole)

    def open(self, address: str) -> None:
        """Go to an address and wait until its script has run."""
        self.value("document.documentElement.dataset.ready = 'old'")
        self._call("Page.navigate", url=address)
        self.ready()

    def ready(self) -> None:
        """Wait for the page's script."""
        self.until("document.documentElement.dataset.ready === 'yes'")

    def value(self, script: str) -> Any:
        """What an expression is in the page."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script: str, seconds: float = 30) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):  # the page is being replaced
                if self.value(script):
                    return
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}")

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        code = {"Enter": 13, "Tab": 9}.get(key, 0)
        named = {"key": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **named)

    def size(self, width: int, height: int) -> None:
        """Set the size of the window."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip


@contextlib.contextmanager
def tab() -> Iterator[Tab]:
    """A page of a fresh chromium."""
    assert CHROMIUM
    (its_in, out), (back, its_out) = os.pipe(), os.pipe()

    def place() -> None:  # chromium reads descriptor 3 and writes 4
        reader, writer = os.dup(its_in), os.dup(its_out)
        os.dup2(reader, 3)
        os.dup2(writer, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [CHROMIUM, *_FLAGS.split(), f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=place, close_fds=False,
        )  # fmt: skip
        try:
            yield Tab(out, back)
        finally:
            process.kill()
            process.wait()
            for end in (its_in, out, back, its_out):
                os.close(end)
