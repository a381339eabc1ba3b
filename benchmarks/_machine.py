"""What every benchmark prints: one JSON object, and on which machine it was measured."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import torch


def parser(doc: str | None) -> argparse.ArgumentParser:
    """`--json` prints one object on a line, `--quick` ends within a minute."""
    options = argparse.ArgumentParser(description=doc)
    options.add_argument("--json", action="store_true")
    options.add_argument("--quick", action="store_true")
    return options


def arguments(doc: str | None) -> argparse.Namespace:
    """What every benchmark takes."""
    return parser(doc).parse_args()


def machine() -> str:
    """Processor, cores, versions and, where there is one, the CUDA device."""
    device = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}{device}"
    )


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """The shortest of `repeats` runs: the least disturbed."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


class Times:
    """Seconds of the shortest run: `wall` by the clock, `cpu` of the process and its children."""

    def __init__(self) -> None:
        self.wall = self.cpu = float("inf")

    def take(self, work: Callable[[], Any]) -> Any:
        """Run once more; gives back what `work` does."""
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        done = work()
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, sum(os.times()[:4]) - cpu)
        return done


def lacks_cuda(name: str, peer: str, as_json: bool) -> bool:
    """Whether there is no CUDA device, which is then the result that is shown."""
    if torch.cuda.is_available():
        return False
    reason = "this benchmark needs a CUDA device, and there is none here"
    show({"name": name, "ratio": None, "peer": peer, "reason": reason}, as_json)
    return True


def show(result: dict[str, Any], as_json: bool) -> None:
    """Print a result with the machine it came from."""
    whole = {**result, "machine": machine()}
    print(json.dumps(whole) if as_json else json.dumps(whole, indent=1))
