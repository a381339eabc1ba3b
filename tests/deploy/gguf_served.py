"""A GGUF file read back, and asked of a real llama.cpp server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gguf
from lazy import WHEN_RUN

if WHEN_RUN:
    import torch
    from transformers import PreTrainedModel

    from resect.deploy.server import Flags, Server


def fields_of(path: Path) -> dict[str, Any]:
    """A file's metadata."""
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def log_probabilities(path: Path, ids: Sequence[int], tokens: Iterable[int]) -> list[float]:
    """Of some tokens after a prompt, as the server tells them."""
    with Server(path, Flags(room=len(ids) + 8, slots=1, threads=1)) as server:
        return [_one(server, ids, token) for token in tokens]


def _one(server: Server, ids: Sequence[int], token: int) -> float:
    told = server.client.post(
        "/completion",
        {
            "prompt": list(ids),
            "n_predict": 1,
            "temperature": 0,
            "n_probs": 1,
            "logit_bias": [[token, 1000.0]],
        },
    )
    first = told["completion_probabilities"][0]
    assert first["id"] == token
    return float(first["logprob"])


def plain_log_probabilities(
    model: PreTrainedModel, ids: Sequence[int], tokens: Iterable[int]
) -> list[float]:
    """The same by a forward pass in transformers."""
    with torch.no_grad():
        last = model(torch.tensor([list(ids)])).logits[0, -1].log_softmax(-1)
    return [float(last[token]) for token in tokens]


def tokenized(path: Path, texts: Iterable[str]) -> list[list[int]]:
    """Ids of texts in the file's own tokenizer, without what is put before a text."""
    with Server(path, Flags(room=64, slots=1, threads=1)) as server:
        return [
            server.client.post("/tokenize", {"content": text, "add_special": False})["tokens"]
            for text in texts
        ]
