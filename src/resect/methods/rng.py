"""Random numbers by seed and name, so that a part's number does not depend on the other parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(seed: int, name: str, shape: Sequence[int]) -> Tensor:
    """Uniform in [0, 1), one stream a seed and name; on the CPU whatever the model's device."""
    hashed = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(hashed[:7], "big"))
    return torch.rand(tuple(shape), generator=generator)
