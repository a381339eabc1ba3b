"""Rebuilds the embedded pair: `python -m resect.clinic.train --out DIR` (one thread, one seed).

Tokenizer, then the base on general texts, then the specialist as the base continued on medicine
with replay. Every choice was made on the validation items; the test items are asked once, at the
end, for the table.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

from resect.clinic import check
from resect.clinic.card import write_card
from resect.clinic.texts import Text, texts
from resect.clinic.tokens import EOS, PAD, build_tokenizer

PROMPT_WEIGHT = 0.3
PROMPT_SHARE = 0.15
"""A little loss on some prompt tokens: enough to learn their words, too little to lead."""


@dataclass(frozen=True)
class Recipe:
    """One stage of training."""

    stage: str
    steps: int
    rate: float
    batch: int = 32
    warmup: int = 60


MIMETIC = True
WIDTH, LAYERS, HEAD, INNER = 96, 4, 32, 256
BASE = Recipe("base", 1800, 2.5e-3)
SPECIALIST = Recipe("specialist", 1700, 2e-3)


def new_model(vocabulary: int, seed: int) -> MistralForCausalLM:
    """A small Mistral with tied embeddings. A wide start (0.08) learns faster than 0.02 here."""
    torch.manual_seed(seed)
    model = MistralForCausalLM(
        MistralConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=WIDTH // HEAD,
            num_key_value_heads=WIDTH // HEAD,
            head_dim=HEAD,
            max_position_embeddings=512,
            sliding_window=None,
            tie_word_embeddings=True,
            initializer_range=0.08,
            bos_token_id=None,
            pad_token_id=PAD,
            eos_token_id=EOS,
        )
    )
    if MIMETIC:
        start_like_copying(model)
    return model


def start_like_copying(model: MistralForCausalLM, match: float = 1.0, copy: float = 0.5) -> None:
    """Start every head as one that finds tokens like the present one and copies them.

    Queries and keys share one random projection, and the output projection is the value
    projection transposed (a mimetic start). Matching and copying is what answering from a list
    or from a context needs, and from an independent start it comes very late.
    """
    width = model.config.hidden_size
    with torch.no_grad():
        for layer in model.model.layers:
            heads = layer.self_attn
            for start in range(0, heads.q_proj.weight.shape[0], HEAD):
                rows = slice(start, start + HEAD)
                seen = torch.linalg.qr(torch.randn(width, HEAD))[0].T  # (HEAD, width), orthonormal
                said = torch.linalg.qr(torch.randn(width, HEAD))[0].T
                heads.q_proj.weight[rows] = match * seen + 0.02 * torch.randn(HEAD, width)
                heads.k_proj.weight[rows] = match * seen + 0.02 * torch.randn(HEAD, width)
                heads.v_proj.weight[rows] = copy * said + 0.02 * torch.randn(HEAD, width)
                heads.o_proj.weight[:, rows] = copy * said.T + 0.02 * torch.randn(width, HEAD)


def encode(
    tokenizer: PreTrainedTokenizerFast, made: list[Text], seed: int
) -> list[tuple[list[int], list[float]]]:
    """Token ids and the weight of each in the loss."""
    rng = random.Random(f"weights {seed}")
    prompts = tokenizer([text.prompt for text in made])["input_ids"]
    answers = tokenizer([text.answer for text in made])["input_ids"]
    rows = []
    for prompt, answer in zip(prompts, answers, strict=True):
        light = [PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0 for _ in prompt]
        rows.append(([*prompt, *answer, EOS], [*light, *([1.0] * (len(answer) + 1))]))
    return rows


def batches(
    rows: list[tuple[list[int], list[float]]], size: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Right-padded batches of rows of about the same length, in random order."""
    rng = random.Random(f"batches {seed}")
    chunk = size * 16
    for start in range(0, len(rows), chunk):
        near = sorted(rows[start : start + chunk], key=lambda row: len(row[0]))
        groups = [near[i : i + size] for i in range(0, len(near), size)]
        for group in rng.sample(groups, len(groups)):
            longest = max(len(ids) for ids, _ in group)
            ids = torch.full((len(group), longest), PAD)
            weights = torch.zeros(len(group), longest)
            for i, (row, weight) in enumerate(group):
                ids[i, : len(row)] = torch.tensor(row)
                weights[i, : len(row)] = torch.tensor(weight)
            yield ids, weights


def make_optimizer(model: torch.nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves the norms alone."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95))


def loss_of(model: MistralForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted next-token loss; logits only where there is weight (the head is half the work)."""
    hidden = model.model(ids).last_hidden_state[:, :-1]  # (B, T-1, width)
    wanted = weights[:, 1:] > 0
    logits = model.lm_head(hidden[wanted])  # (tokens with weight, vocabulary)
    losses = cross_entropy(logits, ids[:, 1:][wanted], reduction="none")
    kept = weights[:, 1:][wanted]
    return (losses * kept).sum() / kept.sum()


def train(
    model: MistralForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int
) -> None:
    """Warm-up, level rate, linear decay over the last half; prints loss and validation skills."""
    made = texts(recipe.stage, recipe.steps * recipe.batch, seed)
    rows = encode(tokenizer, made, seed)
    optimizer = make_optimizer(model, recipe.rate)
    began, running = time.time(), 0.0
    for step, (ids, weights) in enumerate(batches(rows, recipe.batch, seed)):
        left = (recipe.steps - step) / (recipe.steps / 2)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * min(1.0, (step + 1) / recipe.warmup, left)
        loss = loss_of(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running += loss.item()
        if (step + 1) % 100 == 0:
            print(
                f"{recipe.stage} {step + 1} loss {running / 100:.3f} {time.time() - began:.0f}s",
                flush=True,
            )
            running = 0.0
        if (step + 1) % 600 == 0 or step + 1 == recipe.steps:
            print(check.table(model, tokenizer, "validation", limit=120), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Train both and write them with their cards."""
    parser = argparse.ArgumentParser(description="Rebuild the embedded pair.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--asked",
        choices=("test", "validation"),
        default="test",
        help="items of the final table; choose a recipe on validation only",
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # faster than two on models this small
    tokenizer = build_tokenizer()
    model = new_model(len(tokenizer), chosen.seed)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens", flush=True)
    for recipe in (BASE, SPECIALIST):
        began = time.process_time()
        train(model, tokenizer, recipe, chosen.seed)
        seconds = time.process_time() - began
        folder = chosen.out / recipe.stage
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        results = check.table(model, tokenizer, chosen.asked)
        write_card(folder, recipe.stage, results)
        print(f"{recipe.stage}: {seconds:.0f} CPU seconds\n{results}", flush=True)


if __name__ == "__main__":
    main()
