"""Training texts as token ids, with what the loss asks for where; and batches of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from resect.clinic.texts import LETTERS, Text
from tools.clinic.tokens import EOS, PAD

PROMPT_WEIGHT, PROMPT_SHARE = 0.3, 0.03
"""A little loss on a few prompt tokens: enough to meet their words, too little to lead."""
STATEMENT_WEIGHT = 0.3
"""Statements are many tokens, letters one: at full weight they would drown them."""

Spot = tuple[int, int]
"""A position in the row, and the token asked for there."""


@dataclass(frozen=True)
class Row:
    """One text in tokens: weights of the loss, and the early questions put to it.

    `keyed`: at the key word, and `recall`: at the question mark, the first word of the answer.
    `marks`: at the end of each option, " yes" if it is the right one, else " no". All are asked of
    inner layers only.
    """

    ids: list[int]
    weights: list[float]
    keyed: list[Spot]
    recall: list[Spot]
    marks: list[Spot]


@dataclass(frozen=True)
class Batch:
    """Right-padded rows; the early questions are (row, position, token) triples."""

    ids: torch.Tensor  # (B, T)
    weights: torch.Tensor  # (B, T)
    keyed: torch.Tensor  # (n, 3)
    recall: torch.Tensor  # (n, 3)
    marks: torch.Tensor  # (n, 3)


def first_token(tokenizer: PreTrainedTokenizerFast, text: str) -> int:
    """The first token of a text."""
    return int(tokenizer(text)["input_ids"][0])


def encode(tokenizer: PreTrainedTokenizerFast, made: list[Text], seed: int) -> list[Row]:
    """Rows of the texts, in their order."""
    rng = random.Random(f"weights {seed}")
    prompts = tokenizer([text.prompt for text in made])["input_ids"]
    answers = tokenizer([text.answer for text in made])["input_ids"]
    recalls = tokenizer([text.recall for text in made])["input_ids"]
    asked, newline, options, yes, no = (
        first_token(tokenizer, t) for t in ("?", "\n", "Options", " yes", " no")
    )
    letters = [first_token(tokenizer, f" {x}") for x in LETTERS]
    rows = []
    for text, prompt, answer, recall in zip(made, prompts, answers, recalls, strict=True):
        weights = [PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0 for _ in prompt]
        weights += [1.0 if prompt else STATEMENT_WEIGHT] * (len(answer) + 1)
        keyed: list[Spot] = []
        spots: list[Spot] = []
        marks: list[Spot] = []
        if text.recall:
            spots = [(max(i for i, t in enumerate(prompt) if t == asked), recall[0])]
        if text.key:
            key = first_token(tokenizer, f" {text.key}")
            keyed = [(max(i for i, t in enumerate(prompt[: spots[0][0]]) if t == key), recall[0])]
        if text.marked:
            listed = prompt.index(options) + 3  # behind `Options`, `:` and the line break
            ends = [i - 1 for i, t in enumerate(prompt) if t == newline and i > listed]
            right = letters.index(answer[0])
            marks = [(end, yes if i == right else no) for i, end in enumerate(ends)]
        rows.append(Row([*prompt, *answer, EOS], weights, keyed, spots, marks))
    return rows


def batches(rows: list[Row], size: int, seed: int) -> Iterator[Batch]:
    """Batches of rows of about the same length, in random order."""
    rng = random.Random(f"batches {seed}")
    chunk = size * 16
    for start in range(0, len(rows), chunk):
        near = sorted(rows[start : start + chunk], key=lambda row: len(row.ids))
        groups = [near[i : i + size] for i in range(0, len(near), size)]
        for group in rng.sample(groups, len(groups)):
            yield _pad(group)


def _pad(group: list[Row]) -> Batch:
    longest = max(len(row.ids) for row in group)
    ids = torch.full((len(group), longest), PAD)
    weights = torch.zeros(len(group), longest)
    for i, row in enumerate(group):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        weights[i, : len(row.ids)] = torch.tensor(row.weights)
    keyed, recall, marks = (
        torch.tensor([(i, *spot) for i, spots in enumerate(some) for spot in spots]).reshape(-1, 3)
        for some in zip(*((row.keyed, row.recall, row.marks) for row in group), strict=True)
    )
    return Batch(ids, weights, keyed, recall, marks)
