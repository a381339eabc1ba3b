"""Energy counters: the GPU's own (NVML), or the processor's (RAPL) where it may be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

_RAPL = Path("/sys/class/powercap")

Counter = Callable[[], float]
"""Joules since some moment."""


def counter(devices: Sequence[torch.device]) -> Counter | None:
    """The counters of some devices together, None where one has none to read.

    The processor's counts everything that runs on it, other programs too.
    """
    counters = [_nvml(device) if device.type == "cuda" else _rapl() for device in devices]
    readable = [read for read in counters if read is not None]
    if len(readable) < len(counters):
        return None
    return lambda: sum(read() for read in readable)


def _nvml(device: torch.device) -> Counter | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(device.index or 0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # no library, no driver, or a card without the counter
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def _rapl() -> Counter | None:
    """Sum of the packages' counters; they wrap around, so each keeps what it has seen."""
    counters = [_wrapping(place) for place in sorted(_RAPL.glob("intel-rapl:?"))]
    readable = [read for read in counters if read is not None]
    if not readable:
        return None
    return lambda: sum(read() for read in readable)


def _wrapping(place: Path) -> Counter | None:
    try:
        limit = int((place / "max_energy_range_uj").read_text())
        last = int((place / "energy_uj").read_text())
    except (OSError, ValueError):
        return None
    total = 0

    def read() -> float:
        nonlocal last, total
        now = int((place / "energy_uj").read_text())
        total += now - last if now >= last else now + limit - last
        last = now
        return total / 1e6

    return read
