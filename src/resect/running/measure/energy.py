"""Energy counters: the GPU's own (NVML), or the processor's (RAPL) where it is readable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

_RAPL = Path("/sys/class/powercap")

Counter = Callable[[], float]
"""Joules since some moment."""


def counter(devices: Sequence[torch.device]) -> Counter | None:
    """The sum of the counters of some devices, None where one has no readable counter.

    The processor's counter includes all other programs on it.
    """
    return _sum([_nvml(device) if device.type == "cuda" else _rapl() for device in devices])


def _sum(counters: list[Counter | None]) -> Counter | None:
    readable = [read for read in counters if read is not None]
    if not readable or len(readable) < len(counters):
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
    """Sum of the counters of all packages; they wrap around, so each keeps its own total."""
    return _sum([_wrapping(place) for place in sorted(_RAPL.glob("intel-rapl:?"))])


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
