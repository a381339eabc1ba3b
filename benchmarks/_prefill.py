"""How fast prompts are read, beside the matrix peak of the device, measured in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from resect.ask.kv_cache import Rows
from resect.models.loading import Loaded


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def timed(work: Callable[[], Any], device: str) -> float:
    """Seconds until the device is done."""
    synchronize(device)
    started = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - started


def matrix_peak(device: str, size: int = 8192, dtype: torch.dtype = torch.bfloat16) -> float:
    """Operations a second of the best of ten products of square matrices."""
    one = torch.randn(size, size, dtype=dtype, device=device)
    other = torch.randn(size, size, dtype=dtype, device=device)
    best = min(timed(lambda: one @ other, device) for _ in range(10))
    return 2 * size**3 / best


def operations(loaded: Loaded) -> int:
    """Of a token that is read: two for every weight of the blocks."""
    return 2 * sum(p.numel() for p in loaded.model.model.layers.parameters())


class Reading:
    """The passes that read prompts: their seconds and real tokens."""

    def __init__(self) -> None:
        self.seconds, self.tokens = 0.0, 0

    def watch(self, work: Callable[[], Any], device: str) -> Any:
        """Do `work` with every pass over more than one token a row timed."""
        plain = Rows.read

        def read(rows: Rows, ids: torch.Tensor, real: Any = None, keep: int = 1) -> torch.Tensor:
            if ids.shape[1] == 1:
                return plain(rows, ids, real, keep)
            synchronize(device)
            started = time.perf_counter()
            logits = plain(rows, ids, real, keep)
            synchronize(device)
            self.seconds += time.perf_counter() - started
            self.tokens += ids.numel() if real is None else int(real.sum())
            return logits

        Rows.read = read  # type: ignore[method-assign]
        try:
            return work()
        finally:
            Rows.read = plain  # type: ignore[method-assign]
