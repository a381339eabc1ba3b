"""Random numbers by seed and name: a part's numbers do not depend on the other parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(seed: int, name: str, shape: Sequence[int]) -> Tensor:
    """Uniform in [0, 1), one stream per seed and name; always on the CPU."""
    hashed = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(hashed[:7], "big"))
    return torch.rand(tuple(shape), generator=generator)
