"""Runs the workload in a process that has only imported, so that the peak of memory is its own.

Importing torch and transformers takes seconds. One process does it and waits; every measurement is
a fork of it, as fresh as a process that has just started. It ends with this program.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, TextIO

from resect.errors import RunError

_MODULE = "resect.running.measure.fresh_process"


class Waiting:
    """A process that has imported and waits for models."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip

    @property
    def usable(self) -> bool:
        """Whether it still runs, and is this program's and not that of one it was forked from."""
        return self._process.poll() is None and self.owner == os.getpid()

    def measured(self, path: Path, threads: int) -> dict[str, Any]:
        """The numbers of the model at `path`; raises `RunError` where the process fails."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        try:
            asked.write(json.dumps([str(path), threads]) + "\n")
            asked.flush()
            line = told.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise RunError(f"the workload could not be measured: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with code {self._process.returncode}"

    def close(self) -> None:
        """End it, whatever it does."""
        if self.owner == os.getpid():
            self._process.kill()
            self._process.communicate()
        self._errors.close()


_lock = threading.Lock()
_waiting: Waiting | None = None


def measured(path: Path, threads: int) -> dict[str, Any]:
    """The workload's numbers of a model that was saved at `path`, computed with `threads` threads.

    Raises `RunError` where its process fails.
    """
    global _waiting
    with _lock:
        if _waiting is None or not _waiting.usable:
            _end()
            _waiting = Waiting()
        try:
            return _waiting.measured(path, threads)
        except RunError:
            raise
        except BaseException:  # an answer that nobody waited for must not be read as the next one
            _end()
            raise


@atexit.register
def _end() -> None:
    """End the process that waits, if there is one."""
    global _waiting
    if _waiting is not None:
        _waiting.close()
        _waiting = None


# ── the other side ──────────────────────────────────────────────────────────────────────────────


def serve() -> None:
    """Answer every line of stdin, `[path, threads]`, with a line of JSON from a fork."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: the program ends this one
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    from resect.running.measure import workload

    for line in sys.stdin:
        path, threads = json.loads(line)
        if not hasattr(os, "fork"):
            _answer(channel, workload.of_saved, path, threads)
            return
        child = os.fork()
        if not child:
            _answer(channel, workload.of_saved, path, threads)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            ended = {"error": f"its process was ended by signal {-code}"}
            print(json.dumps(ended), file=channel, flush=True)


def _answer(channel: TextIO, measure: Any, path: str, threads: int) -> None:
    try:
        answer = measure(Path(path), threads)
    except Exception as error:
        lines = str(error).strip().splitlines()
        answer = {"error": f"{type(error).__name__}: {lines[-1] if lines else 'no reason given'}"}
    print(json.dumps(answer), file=channel, flush=True)


if __name__ == "__main__":
    serve()
