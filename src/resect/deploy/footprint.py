"""What a version takes where it runs, computed from shapes before anything is made."""

from __future__ import annotations

from typing import Any, NamedTuple

from transformers import PreTrainedModel

SMALLEST_BATCH, LARGEST_BATCH = 32, 512
"""Tokens that llama.cpp reads at once, at the least and by default."""
_CACHE_BITS = {
    "f16": 16.0, "bf16": 16.0, "q8_0": 8.5, "q5_1": 6.0, "q5_0": 5.5, "q4_1": 5.0, "q4_0": 4.5,
}  # fmt: skip
_FLOAT = 4


class Footprint(NamedTuple):
    """Bytes: of the file, of the cache of one request, and of the buffers while it reads.

    The program itself is not counted.
    """

    file: int
    cache: int
    buffers: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.file + self.cache + self.buffers


def cache_bytes(model: PreTrainedModel, context: int, kind: str = "f16") -> int:
    """Keys and values of every token of a context."""
    text: Any = model.config.get_text_config()
    heads = int(getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
    size = int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    weights = 2 * int(text.num_hidden_layers) * heads * size * context
    return round(weights * _CACHE_BITS[kind] / 8)


def buffer_bytes(model: PreTrainedModel, batch: int) -> int:
    """Activations of a batch of tokens, and the scores of the whole vocabulary for each."""
    text: Any = model.config.get_text_config()
    widths = (getattr(text, "intermediate_size", 0), getattr(text, "moe_intermediate_size", 0))
    widest = max(int(width or 0) for width in widths)
    return _FLOAT * batch * (int(text.vocab_size) + 3 * int(text.hidden_size) + 2 * widest)


def batch_for(model: PreTrainedModel, context: int, budget: int | None) -> int:
    """How many tokens are read at once: fewer where the buffers would take over a tenth."""
    batch = LARGEST_BATCH
    while batch > SMALLEST_BATCH and (
        batch >= 2 * context or (budget and buffer_bytes(model, batch) > budget / 10)
    ):
        batch //= 2
    return batch
