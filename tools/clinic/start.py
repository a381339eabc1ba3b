"""How a clinic model's weights start: as heads that look back, match and copy.

Answering with a letter is an induction skill: from an independent random start it comes only
after a million examples. From this start it comes after some twenty thousand. Only embeddings and
attention start so: dense models and mixtures of experts share it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import normalize
from transformers import (
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from tools.clinic.tokens import EOS, PAD

Decoder = MistralForCausalLM | MixtralForCausalLM
"""Dense or a mixture: the same embeddings, attention, norms and head."""

WIDTH, LAYERS, HEADS, HEAD, INNER = 96, 6, 4, 32, 256
EXPERTS, CHOSEN, EXPERT_INNER = 16, 2, 32
"""Experts a layer, how many of them a token goes to, and the width of each."""
BALANCE = 0.01
"""Weight of the load-balancing loss."""
THETA = 10000.0
SLOW = 7
"""First of the 16 rotary pairs that hardly turn over a prompt: a match there does not fade."""
FAST = 4
"""The first pairs, that turn with every token: a place is found by them."""
COPY, NOISE, COMMON, BOUND, QUIET = 0.5, 0.01, 0.7, 2.0, 0.2
BACK = (1, 2, 3, 2)
"""How many tokens the heads of the first layer look back."""


def new_model(vocabulary: int, seed: int, mixture: bool = False) -> Decoder:
    """A small Mistral or Mixtral with tied embeddings, its attention prepared."""
    torch.manual_seed(seed)
    model = _random(vocabulary, mixture)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "down_proj" in name:
                weight.mul_(QUIET)
        for layer in model.model.layers:
            _match_and_copy(layer.self_attn)
        common = normalize(torch.randn(WIDTH), dim=0)
        _look_back(model, common)
        _bind(model, common)
    return model


def _random(vocabulary: int, mixture: bool) -> Decoder:
    """All weights random. A wide start (0.08) learns faster than 0.02 here."""
    shared: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HEAD,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
        "rms_norm_eps": 1e-6,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "initializer_range": 0.08,
        "bos_token_id": None,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
    }
    if not mixture:
        return MistralForCausalLM(MistralConfig(intermediate_size=INNER, **shared))
    return MixtralForCausalLM(
        MixtralConfig(
            intermediate_size=EXPERT_INNER,
            num_local_experts=EXPERTS,
            num_experts_per_tok=CHOSEN,
            router_aux_loss_coef=BALANCE,
            **shared,
        )
    )


def _slow_rows() -> torch.Tensor:
    """A scale for a head's rows (HEAD, 1): only those of the slow rotary pairs, kept in size."""
    slow, half = torch.zeros(HEAD, 1), HEAD // 2
    slow[SLOW:half] = slow[half + SLOW :] = (HEAD / (2 * (half - SLOW))) ** 0.5
    return slow


def _match_and_copy(heads: Any) -> None:
    """Queries and keys share a projection (like finds like), outputs undo values (copying)."""
    slow = _slow_rows()
    for start in range(0, HEADS * HEAD, HEAD):
        rows = slice(start, start + HEAD)
        seen = torch.linalg.qr(torch.randn(WIDTH, HEAD))[0].T * slow  # (HEAD, WIDTH)
        said = torch.linalg.qr(torch.randn(WIDTH, HEAD))[0].T
        heads.q_proj.weight[rows] = seen + NOISE * torch.randn(HEAD, WIDTH)
        heads.k_proj.weight[rows] = seen + NOISE * torch.randn(HEAD, WIDTH)
        heads.v_proj.weight[rows] = COPY * said + NOISE * torch.randn(HEAD, WIDTH)
        heads.o_proj.weight[:, rows] = COPY * said.T + NOISE * torch.randn(WIDTH, HEAD)


def _look_back(model: Decoder, common: torch.Tensor) -> None:
    """The heads of the first layer look a few tokens back (an option's word, its letter).

    All embeddings get a common direction and nothing else along it; from it a head's query is its
    key turned back by the rotation of that many places, so that the two meet there: in the fast
    rotary pairs, where neighbours differ.
    """
    table = model.model.embed_tokens.weight
    table -= torch.outer(table @ common, common)
    table += common * table.norm(dim=1).mean() * COMMON
    half = HEAD // 2
    speed = 1.0 / (THETA ** (torch.arange(0, HEAD, 2) / HEAD))
    heads = model.model.layers[0].self_attn
    for head, back in enumerate(BACK):
        rows = slice(head * HEAD, (head + 1) * HEAD)
        key = torch.zeros(HEAD)
        key[:FAST] = 2.0 / FAST**0.5
        query = torch.cat(
            [key[:half] * torch.cos(-back * speed), key[:half] * torch.sin(-back * speed)]
        )
        heads.q_proj.weight[rows] = torch.outer(query, common) + NOISE * torch.randn(HEAD, WIDTH)
        heads.k_proj.weight[rows] = torch.outer(key, common) + NOISE * torch.randn(HEAD, WIDTH)


def _bind(model: Decoder, common: torch.Tensor) -> None:
    """The last head of the second layer finds what was said of a word ("ships are *blue*").

    The last head of the first layer writes the word two back into other directions than those it
    reads, and the finding head's keys read these: a word finds what followed it, not itself.
    """
    basis = torch.linalg.qr(torch.cat([common[:, None], torch.randn(WIDTH, WIDTH - 1)], 1))[0]
    read, kept, rest = (
        part.T for part in basis[:, 1:].split((HEAD, HEAD, WIDTH - 2 * HEAD - 1), 1)
    )
    rows = slice((HEADS - 1) * HEAD, HEADS * HEAD)
    first, second = (model.model.layers[i].self_attn for i in (0, 1))
    first.v_proj.weight[rows], first.o_proj.weight[:, rows] = COPY * read, COPY * kept.T
    for start in range(0, (HEADS - 1) * HEAD, HEAD):
        said = torch.linalg.qr(torch.randn(HEAD, rest.shape[0]))[0] @ rest  # (HEAD, WIDTH)
        first.v_proj.weight[start : start + HEAD] = COPY * said
        first.o_proj.weight[:, start : start + HEAD] = COPY * said.T
    second.q_proj.weight[rows] = BOUND * read * _slow_rows()
    second.k_proj.weight[rows] = BOUND * kept * _slow_rows()
