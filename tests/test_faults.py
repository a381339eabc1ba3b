"""What nobody foresaw is one sentence with a crash file; workers end with the run they serve."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resect.cli import main

ORPHAN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(60)
"""
CHILD = """
import os, time
from resect.running.worker import end_with
end_with(os.getppid())
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("error", [TypeError("of a kind"), RuntimeError("odd"), KeyError("x")])
def test_an_unforeseen_error_is_one_sentence_with_a_crash_file(error, monkeypatch, capsys):
    from resect.running import status

    def failing(*_):
        raise error

    monkeypatch.setattr(status, "status", failing, raising=False)
    monkeypatch.setattr("resect.running.folder.Run.__init__", failing)
    assert main(["status", "nowhere"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert len(shown.strip().splitlines()) == 1
    path = Path(re.search(r"details are in (\S+\.txt)", shown)[1])
    assert type(error).__name__ in path.read_text(encoding="utf-8")
    path.unlink()


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's")
def test_a_worker_ends_with_a_killed_driver():
    """Not after the sweep that it was in: a new run would compute beside it."""
    script = f"CHILD = {CHILD!r}\n{ORPHAN}"
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(driver.stdout.readline())
    assert driver.stdout.readline().strip() == "ready"
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    deadline = time.monotonic() + 10
    while not gone(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone(child)
