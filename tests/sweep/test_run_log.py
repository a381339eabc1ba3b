"""What libraries warn of goes into the log of the run, not to the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOISY = """
import logging, sys, warnings
import resect.cli
from resect.running import {where} as module
plain = module.walk

def walk(sweep, notice):
    own = logging.getLogger("torch.noisy")
    own.addHandler(logging.StreamHandler())
    own.propagate = False
    own.warning("a kernel is missing")
    warnings.warn("this will be an error in a future release", DeprecationWarning)
    logging.getLogger("bitsandbytes").warning("no GPU found")
    yield from plain(sweep, notice)

module.walk = walk
{run}
"""
STUDY = [
    "run", "--specialist", "clinic:specialist", "--base", "clinic:base", "--levels", "0,0.5",
    "--task", "clinic-context", "--limit", "6", "--measure", "sizes", "--anyway", "--out", "run",
]  # fmt: skip


def test_warnings_of_libraries_go_into_the_log(tmp_path):
    script = NOISY.format(where="local_engine", run="sys.exit(resect.cli.main(sys.argv[1:]))")
    done = subprocess.run(
        [sys.executable, "-c", script, *STUDY], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "run" / "run.log").read_text()
    for text in ("a kernel is missing", "error in a future release", "no GPU found"):
        assert text in log
        assert text not in done.stderr + done.stdout
    assert "clinic-context has 6 items" in log  # notices stand in both
    assert "clinic-context has 6 items" in done.stderr


def test_those_of_workers_too(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if sys.argv[-1:] == ['-m'] or 'resect.running.worker' in ' '.join(sys.orig_argv):\n"
        "    import logging, resect.running.run_log as log\n"
        "    plain = log.send\n"
        "    def send(out):\n"
        "        plain(out)\n"
        "        logging.getLogger('torch.noisy').warning('a kernel is missing')\n"
        "    log.send = send\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-m", "resect.cli", *STUDY, "--workers", "2"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{source}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "a kernel is missing" not in done.stderr
    assert "a kernel is missing" in (tmp_path / "run" / "run.log").read_text()
