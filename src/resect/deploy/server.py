"""A llama.cpp server for one GGUF file: started, asked whether it is there, ended."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from resect.deploy.http_client import Client, Gone, Refused
from resect.errors import RequestError, RunError

BINARY = "llama-server"
_PATIENCE = 600.0  # seconds that a model may take to load
SLOTS = 4
"""Requests that are answered side by side."""


@dataclass(frozen=True)
class Flags:
    """How a server runs: part of what its answers are named by.

    `room` are the tokens of one slot's context, `kv` the type of its cache, `threads` -1 for as
    many as there are cores.
    """

    room: int
    slots: int = SLOTS
    kv: str = "f16"
    threads: int = -1
    gpu_layers: int = -1


def runtime() -> tuple[str, str]:
    """What serves a file here, and its version: xllamacpp, else a `llama-server` on PATH.

    Raises `RequestError` where there is neither.
    """
    if find_spec("xllamacpp") is not None:
        with contextlib.suppress(PackageNotFoundError):
            return "xllamacpp", version("xllamacpp")
    binary = shutil.which(BINARY)
    if binary is None:
        raise RequestError(
            "there is no llama.cpp here to ask a GGUF file with: pip install 'resect[deploy]', or "
            "put llama-server on PATH."
        )
    output = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    lines = (output.stderr + output.stdout).strip().splitlines()
    return BINARY, next((line for line in lines if "version" in line), "unknown")


class Server:
    """A server in a process of its own, ended by `close`, by losing it, or with this process."""

    def __init__(self, path: Path, flags: Flags) -> None:
        self.path, self.flags = path, flags
        kind, _ = runtime()
        asked = {
            **asdict(flags),
            "path": str(path.absolute()),
            "binary": BINARY if kind == BINARY else "",
            "key": secrets.token_urlsafe(24),
        }
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "resect.deploy.server_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._end = weakref.finalize(self, _ended, self._process, self._log)
        try:
            self.client = Client(self._address(asked), key=str(asked["key"]))
            self.properties = self._ready()
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def close(self) -> None:
        """End it and wait until it is gone."""
        self.client.close()
        self._end()

    def _address(self, asked: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        told: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        if "address" not in told:
            raise RunError(self._why(told.get("error", "")))
        return str(told["address"])

    def _ready(self) -> dict[str, Any]:
        """What the server says of itself, once the model is loaded."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                properties: dict[str, Any] = self.client.get("/props")
                return properties
            except (Gone, Refused) as error:
                if not self.alive:
                    raise RunError(self._why("")) from None
                if time.monotonic() > until:
                    raise RunError(f"{self.path.name} was not loaded in time: {error}") from None
            time.sleep(0.02)

    def _why(self, told: str) -> str:
        """Why there is no server, from what it wrote."""
        self._log.seek(0)
        lines = self._log.read().splitlines()
        signs = ("unknown model architecture", "error loading model", "invalid", "failed")
        hits = (line[line.index(sign) :] for sign in signs for line in lines if sign in line)
        reason = next(hits, told or "it ended at once")
        return f"llama.cpp cannot run {self.path.name}: {reason.strip()[:200].rstrip('.')}."


def _ended(process: subprocess.Popen[str], log: Any) -> None:
    """End a server's process: its input ends, and if it does not go it is killed."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.close()
