"""A process that holds one llama.cpp server and ends with whoever started it.

Its first line of input is JSON, what to serve; its first line of output too: the address, or
why there is none. It lives until its input ends, which it does when the parent dies, however that
happens. Torch-free.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Serve what the first line of input asks for."""
    asked = json.loads(sys.stdin.buffer.readline())
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the library writes there too
    start = _binary if asked["binary"] else _library
    try:
        address, held = start(asked)
    except Exception as error:
        time.sleep(0.3)  # its log is written by another thread
        print(json.dumps({"error": str(error) or repr(error)}), file=told, flush=True)
        os._exit(1)
    print(json.dumps({"address": address}), file=told, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    if isinstance(held, subprocess.Popen):
        held.terminate()
        held.wait(10)
    os._exit(0)  # the library's threads are not waited for


def _library(asked: dict[str, Any]) -> tuple[str, Any]:
    """llama.cpp's server in this process, through xllamacpp."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["path"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [asked["key"]]
    params.n_parallel = asked["slots"]
    params.n_ctx = asked["slots"] * asked["room"]
    params.cpuparams.n_threads = asked["threads"]
    params.cpuparams_batch.n_threads = asked["threads"]
    params.n_gpu_layers = asked["gpu_layers"]
    params.warmup = False
    params.verbosity = 1
    params.fit_params = False
    if asked["kv"] != "f16":
        kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{asked['kv'].upper()}")
        params.cache_type_k = params.cache_type_v = kind
    server = xllamacpp.Server(params)
    return server.listening_address, server


def _binary(asked: dict[str, Any]) -> tuple[str, subprocess.Popen[bytes]]:
    """A `llama-server` of this machine, at a port that is free."""
    binary = shutil.which(asked["binary"])
    if binary is None:
        raise FileNotFoundError(f"there is no {asked['binary']} on PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(binary, "--model", asked["path"], "--host", "127.0.0.1", "--port", str(port)),
        *("--parallel", str(asked["slots"]), "--ctx-size", str(asked["slots"] * asked["room"])),
        *("--threads", str(asked["threads"]), "--n-gpu-layers", str(asked["gpu_layers"])),
        *("--cache-type-k", asked["kv"], "--cache-type-v", asked["kv"], "--no-warmup"),
    ]  # fmt: skip
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent,
        env={**os.environ, "LLAMA_API_KEY": asked["key"]},
    )  # fmt: skip
    threading.Thread(target=_follow, args=(child,), daemon=True).start()
    return f"http://127.0.0.1:{port}", child


def end_with_parent() -> None:
    """Let this process end when the one that started it does."""
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGTERM)


def _follow(child: subprocess.Popen[bytes]) -> None:
    """End with the server, so that whoever started this process sees that it is gone."""
    os._exit(child.wait() or 1)


if __name__ == "__main__":
    main()
