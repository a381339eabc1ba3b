"""What nobody foresaw is one sentence with a crash file; workers end with the run they serve."""

import json
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


def test_ctrl_c_says_what_is_kept(tmp_path, monkeypatch, capsys):
    from resect.recover import recovery
    from resect.running import compression

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(compression, "compress_to", stopped)
    monkeypatch.setattr(recovery, "recover_to", stopped)
    out = tmp_path / "small"
    compress = ["compress", "clinic:base", "--step", "magnitude:0.5", "--out", str(out)]
    assert main(compress) == 130
    assert f"nothing is written to {out}" in capsys.readouterr().err
    recover = ["recover", "clinic:base", "--data", "clinic", "--out", str(out)]
    assert main(recover) == 130
    assert "no state was saved yet" in capsys.readouterr().err
    for step in (4, 12):
        (tmp_path / ".small.0123.training" / f"checkpoint-{step}").mkdir(parents=True)
    assert main(recover) == 130
    assert "the training up to step 12 is kept" in capsys.readouterr().err


def test_a_terminal_without_our_characters():
    """What it does not have is escaped; JSON stays the same data."""
    script = (
        "from rich.console import Console\n"
        "from resect.cli.output import fit_encoding, print_json, say\n"
        "fit_encoding()\n"
        "say('größer – 漢字')\n"
        "Console(width=40).print('größer – 漢字')\n"
        "print_json(['größer – 漢字'])\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C"},
    )
    assert shown.stderr == b""
    first, second, rest = shown.stdout.decode("latin-1").split("\n", 2)
    assert first == second == r"größer \u2013 \u6f22\u5b57"
    assert json.loads(rest) == ["größer – 漢字"]
