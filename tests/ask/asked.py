"""Items and answers of the tests of asking."""

from __future__ import annotations

import random
from typing import Any

import tiny
from lazy import WHEN_RUN

from resect.record import Item, RawAnswer

if WHEN_RUN:
    from transformers import PreTrainedModel

    from resect.ask import Asker, Budget


LINEAR: dict[str, Any] = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16,
}  # fmt: skip
MAMBA: dict[str, Any] = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_state": 8}
HYBRIDS: dict[str, dict[str, Any]] = {
    "qwen3_next": LINEAR,
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "nemotron_h": {
        "hybrid_override_pattern": "M*M-", "mamba_num_heads": 4, "mamba_head_dim": 16,
        "ssm_state_size": 8, "n_groups": 2, "chunk_size": 16,
    },
    "falcon_h1": MAMBA | {"mamba_n_groups": 1, "mamba_d_head": 8, "mamba_chunk_size": 16},
}  # fmt: skip
"""Families whose layers keep recurrent states instead of, or beside, keys and values."""


def model(family: str) -> PreTrainedModel:
    """A tiny random model of any family, hybrids of four layers."""
    more = {"num_hidden_layers": 4} if family in HYBRIDS else {}
    return tiny.model(family, **HYBRIDS.get(family, {}), **more)


def item(
    number: int, prompt: str, choices: tuple[str, ...] = (" yes", " no", " y", " maybe")
) -> Item:
    return Item(id=str(number), prompt=prompt, gold=None, labels=choices, choices=choices)


def mixed_items(count: int = 14) -> list[Item]:
    rng = random.Random(1)
    prompts = ["".join(rng.choices("abcdef ghij", k=rng.randint(1, 70))) for _ in range(count)]
    return [item(number, prompt) for number, prompt in enumerate(prompts)]


def gather(
    model,
    tokenizer,
    items: list[Item],
    *bounds,
    wanted: set[int] | None = None,
    tokens=4096,
    **more,
) -> dict[int, RawAnswer]:
    asker = Asker(tokenizer, items, *bounds, budget=Budget(tokens), **more)
    return {
        row: answer
        for batch in asker.ask(model, wanted)
        for row, answer in zip(batch.rows, batch.answers, strict=True)
    }
