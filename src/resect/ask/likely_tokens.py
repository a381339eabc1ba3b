"""The likeliest tokens at the answer and at a few places of the prompt: what KL is computed from.

Legend: B rows of the batch, P places, K tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from resect.record import Likely

PLACES = (32, 16, 8, 0)
"""How many tokens before the answer: places of the prompt, and the first token of the answer."""

COUNT = 32
_LOGIT_BYTES = 1 << 29  # how much of full-vocabulary logits to hold at a time


def places_of(longest: int, rows: int, vocabulary: int) -> list[int]:
    """The places of a batch by its longest prompt; the answer alone where memory is short."""
    if 4 * rows * vocabulary * len(PLACES) > _LOGIT_BYTES:
        return [0]
    return [back for back in PLACES if back < longest]


def columns(places: Sequence[int]) -> Tensor:
    """Where the places are in prompts that end together."""
    return torch.tensor([-1 - back for back in places])


def likeliest(
    logits: Tensor, places: Sequence[int], lengths: Sequence[int]
) -> list[tuple[Likely, ...]]:
    """The likeliest tokens of every row (logits B P V) at the places that its prompt has."""
    values, ids = logits.topk(min(COUNT, logits.shape[-1]), dim=-1)  # B P K
    logs = values - logits.logsumexp(-1, keepdim=True)
    return [
        tuple(
            Likely(back, tuple(row_ids[place]), tuple(row_logs[place]))
            for place, back in enumerate(places)
            if back < length
        )
        for row_ids, row_logs, length in zip(ids.tolist(), logs.tolist(), lengths, strict=True)
    ]
