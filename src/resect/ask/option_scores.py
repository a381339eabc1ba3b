"""Option scores: the sum of log-probabilities of a choice's tokens after the prompt.

First tokens are scored from the prefill; longer choices continue from a copy of its cache, in parts
that bound memory. Legend: B rows of the batch, K choices of all rows, C continued beginnings,
S their tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from resect.ask.kv_cache import Rows, filled
from resect.ask.tokenize import Prompt
from resect.errors import RunError

_LOGIT_BYTES = 1 << 28  # how much of full-vocabulary logits to hold at a time


class _Choice(NamedTuple):
    row: int
    ids: list[int]


class _Start(NamedTuple):
    """The tokens before the last one of `choices` (numbers), or a beginning of them, read once."""

    row: int
    ids: list[int]
    choices: list[int]


def option_scores(
    rows: Rows, prompts: list[Prompt], first: Tensor, tokens: int
) -> list[tuple[float, ...] | None]:
    """The scores of every prompt's choices, None where it has none.

    `first` (B V) are the logits after the prompts, `rows` the prompts as read; at most `tokens` are
    held at a time. Raises `RunError` where a score is not a number.
    """
    choices = [_Choice(row, ids) for row, p in enumerate(prompts) for ids in p.choices]
    if not choices:
        return [None] * len(prompts)
    row = torch.tensor([choice.row for choice in choices], device=first.device)  # K
    token = torch.tensor([choice.ids[0] for choice in choices], device=first.device)
    scores = first[row, token] - _sums(first)[row]
    vocabulary = first.shape[-1]
    for part in _parts(_starts(choices), rows.mask.shape[1], vocabulary, tokens):
        step = max(1, _LOGIT_BYTES // (4 * len(part) * vocabulary))
        scores += _continued(rows, choices, part, step)
    listed = iter(scores.tolist())
    by_prompt = [tuple(next(listed) for _ in prompt.choices) or None for prompt in prompts]
    if any(score != score for row in by_prompt for score in row or ()):
        raise RunError("the model's output is not a number")
    return by_prompt


def _starts(choices: list[_Choice]) -> list[_Start]:
    """What must be read beyond the prompts, longest first; beginnings of others are left out."""
    longer = [(c.row, c.ids[:-1], number) for number, c in enumerate(choices) if len(c.ids) > 1]
    starts: list[_Start] = []
    for row, ids, number in sorted(longer, reverse=True):  # a continuation before its beginning
        last = starts[-1] if starts else None
        if last and last.row == row and last.ids[: len(ids)] == ids:
            last.choices.append(number)
        else:
            starts.append(_Start(row, ids, [number]))
    return sorted(starts, key=lambda start: (-len(start.ids), start.row, start.ids))


def _parts(
    starts: list[_Start], width: int, vocabulary: int, tokens: int
) -> Iterator[list[_Start]]:
    """Starts to read together: copied caches within `tokens`, logits within `_LOGIT_BYTES`."""
    first = 0
    while first < len(starts):
        longest = len(starts[first].ids)
        bounds = (tokens // (width + longest), _LOGIT_BYTES // (4 * vocabulary * longest))
        count = max(1, min(bounds))
        yield starts[first : first + count]
        first += count


def _continued(rows: Rows, choices: list[_Choice], part: list[_Start], step: int) -> Tensor:
    """What the tokens after the first add to each score (K), `step` tokens at a time."""
    device = rows.mask.device
    picked = rows.select(torch.tensor([start.row for start in part], device=device))
    ids, real = filled([start.ids for start in part], left=False)  # C S
    numbers = [number for start in part for number in start.choices]
    source = [place for place, start in enumerate(part) for _ in start.choices]
    which = torch.tensor(source, device=device)[:, None]
    following, counts = filled([choices[number].ids[1:] for number in numbers], left=False)
    added = torch.zeros(len(numbers), device=device)
    for start in range(0, ids.shape[1], step):
        cut = slice(start, start + step)
        logits = picked.read(ids[:, cut], None if real is None else real[:, cut], keep=0)  # C S V
        token = following[:, cut].to(device)
        place = torch.arange(token.shape[1], device=device)
        logs = logits[which, place, token] - _sums(logits)[which, place]
        if counts is not None:
            logs = logs.where(counts[:, cut].to(device) > 0, 0.0)
        added += logs.sum(1)
    total = torch.zeros(len(choices), device=device)
    return total.index_add(0, torch.tensor(numbers, device=device), added)


def _sums(logits: Tensor) -> Tensor:
    """The log-sum-exp that turns logits into log-probabilities; NaN where it is not finite."""
    sums = logits.logsumexp(-1)
    return sums.where(sums.isfinite(), torch.nan)
