"""Rebuilds the embedded models: `python -m tools.clinic.train --out DIR [--mixture] [--seed N]`.

One thread, one seed, one recipe for the dense pair and for the mixtures of experts: tokenizer, a
drill in picking letters, the base on general texts, then the specialist as the base continued on
medicine with replay. Every choice was made on the validation items; the test items are asked once,
at the end, for the table.
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
from transformers import PreTrainedTokenizerFast

from resect.clinic import puzzles
from resect.clinic.texts import LETTERS, Text, lettered, posed, texts
from tools.clinic import check
from tools.clinic.card import name_of, write_card
from tools.clinic.routing import balance_loss
from tools.clinic.rows import Batch, batches, encode, first_token
from tools.clinic.start import Decoder, new_model
from tools.clinic.tokens import PAD, build_tokenizer

KEY_LAYER, RECALL_LAYER, MARK_LAYER = 2, 3, 4
"""Layers after which the early questions are asked: first know the answer, then find it."""
EARLY_WEIGHT = 0.5


@dataclass(frozen=True)
class Recipe:
    """One stage of training."""

    stage: str
    steps: int
    rate: float
    batch: int = 32
    warmup: int = 60


DRILL = Recipe("drill", 450, 7e-4, batch=96)
BASE = Recipe("base", 1500, 1e-3)
SPECIALIST = Recipe("specialist", 1700, 1.1e-3)
DRILLED = 0.95
"""The drill ends early at this share of right answers (its steps are an upper bound)."""
BINDING = 0.5
"""The share of the drill that asks which word goes with which."""


def make_optimizer(model: torch.nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves the norms alone."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95))


def _asked_early(
    model: Decoder, hidden: torch.Tensor, where: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Loss of inner states read through the last norm and the tied head, and the share right."""
    if not len(where):
        return hidden.new_zeros(()), float("nan")
    logits = model.lm_head(model.model.norm(hidden[where[:, 0], where[:, 1]]))
    right = (logits.argmax(-1) == where[:, 2]).float().mean().item()
    return cross_entropy(logits, where[:, 2]), right


def loss_of(model: Decoder, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Loss, and the share of right tokens: of answers, and of the early questions.

    Logits only where there is weight: the head is half the work.
    """
    out = model.model(batch.ids, output_hidden_states=True, output_router_logits=True)
    wanted = batch.weights[:, 1:] > 0
    logits = model.lm_head(out.last_hidden_state[:, :-1][wanted])  # (tokens with weight, V)
    targets, kept = batch.ids[:, 1:][wanted], batch.weights[:, 1:][wanted]
    losses = cross_entropy(logits, targets, reduction="none")
    loss = (losses * kept).sum() / kept.sum()
    loss = loss + balance_loss(getattr(out, "router_logits", ()), batch.ids != PAD)
    answers = (logits.argmax(-1) == targets)[kept == 1].float().mean().item()
    right = {"answers": answers}
    for name, layer in (("keyed", KEY_LAYER), ("recall", RECALL_LAYER), ("marks", MARK_LAYER)):
        early, right[name] = _asked_early(model, out.hidden_states[layer], getattr(batch, name))
        loss = loss + EARLY_WEIGHT * early
    return loss, right


def _step(
    model: Decoder, optimizer: torch.optim.AdamW, rate: float, batch: Batch
) -> dict[str, float]:
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss, right = loss_of(model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return {"loss": loss.item()} | right


def _mean(seen: list[dict[str, float]]) -> dict[str, float]:
    """Means over steps, without the steps in which nothing was asked."""
    lists = {key: [x[key] for x in seen if x[key] == x[key]] for key in seen[0]}
    return {key: round(sum(found) / max(1, len(found)), 3) for key, found in lists.items()}


def _drill_texts(tokenizer: PreTrainedTokenizerFast, size: int, seed: int) -> Iterator[list[Text]]:
    """Any words in the forms of the questions, so that only the forms can be learnt.

    Under which letter does a word stand? Which word goes with which?
    """
    words = [
        token[1:]
        for token in sorted(tokenizer.get_vocab())
        if token.startswith("\u0120") and token[1:].isalpha() and len(token) > 3
    ]
    rng = random.Random(seed)
    while True:
        made = []
        for _ in range(size):
            form, some = rng.random(), rng.sample(words, 6)
            if form < BINDING:
                puzzle = rng.choice((puzzles.syllogism, puzzles.modus_ponens))
                made.append(posed(rng, puzzle(rng, some[:2], some[2:])))
            else:
                asked = rng.choice(("{}?", "Which option is {}?", "Where is {} listed?"))
                made.append(lettered(rng, asked.format(some[0]), some[0], some[1:4]))
        yield made


def drill(model: Decoder, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
    """Teach the answer letters before anything else; they start as copies of the listed ones."""
    table = model.model.embed_tokens.weight
    with torch.no_grad():
        for letter in LETTERS:
            table[first_token(tokenizer, f" {letter}")] = table[first_token(tokenizer, letter)]
    optimizer, seen, began = make_optimizer(model, DRILL.rate), [], time.time()
    for step, made in enumerate(_drill_texts(tokenizer, DRILL.batch, seed)):
        batch = next(batches(encode(tokenizer, made, step), DRILL.batch, step))
        batch.weights[batch.weights != 1] = 0.0
        rate = DRILL.rate * min(1.0, (step + 1) / DRILL.warmup)
        seen.append(_step(model, optimizer, rate, batch))
        if (step + 1) % 25 == 0:
            shares = _mean(seen[-25:])
            print(f"drill {step + 1} {shares} {time.time() - began:.0f}s", flush=True)
            if shares["answers"] > DRILLED or step + 1 >= DRILL.steps:
                return


def train(model: Decoder, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int) -> None:
    """Warm-up, level rate, linear decay over the last half; prints loss and validation skills."""
    made = texts(recipe.stage, recipe.steps * recipe.batch, seed)
    rows = encode(tokenizer, made, seed)
    optimizer, seen, began = make_optimizer(model, recipe.rate), [], time.time()
    for step, batch in enumerate(batches(rows, recipe.batch, seed)):
        left = (recipe.steps - step) / (recipe.steps / 2)
        rate = recipe.rate * min(1.0, (step + 1) / recipe.warmup, left)
        seen.append(_step(model, optimizer, rate, batch))
        if (step + 1) % 100 == 0:
            shares = _mean(seen[-100:])
            print(f"{recipe.stage} {step + 1} {shares} {time.time() - began:.0f}s", flush=True)
        if (step + 1) % 800 == 0 or step + 1 == recipe.steps:
            print(check.table(model, tokenizer, "validation", limit=120), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Train a base and its specialist, and write them with their cards."""
    parser = argparse.ArgumentParser(description="Rebuild an embedded pair.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mixture", action="store_true", help="16 experts a layer, top-2")
    parser.add_argument(
        "--asked",
        choices=("test", "validation"),
        default="test",
        help="items of the final table; choose a recipe on validation only",
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # faster than two on models this small
    tokenizer = build_tokenizer()
    model = new_model(len(tokenizer), chosen.seed, chosen.mixture)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens", flush=True)
    drill(model, tokenizer, chosen.seed)
    print(f"drill: {time.process_time():.0f} CPU seconds", flush=True)
    for recipe in (BASE, SPECIALIST):
        began = time.process_time()
        train(model, tokenizer, recipe, chosen.seed)
        seconds = time.process_time() - began
        folder = chosen.out / name_of(recipe.stage, chosen.mixture)
        model.save_pretrained(folder)
        tokenizer.backend_tokenizer.no_padding()  # that of the last batch asked would be saved
        tokenizer.save_pretrained(folder)
        results = check.table(model, tokenizer, chosen.asked)
        write_card(folder, recipe.stage, model, chosen.asked, results)
        print(f"{recipe.stage}: {seconds:.0f} CPU seconds\n{results}", flush=True)


if __name__ == "__main__":
    main()
