"""Greedy text from a prefill: one token per step; finished rows leave the batch.

Legend: B rows still going, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from resect.ask.kv_cache import Rows
from resect.errors import RunError
from resect.record import Stopped

_MARGIN = 8  # tokens before a stop string that may change how its first tokens decode


class Text(NamedTuple):
    """A text, why it ended, and how many tokens it has (with the end token)."""

    text: str
    stopped: Stopped
    tokens: int


class Writer:
    """Writes what `generate(do_sample=False)` would, up to `limit` tokens, an end or a stop."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, limit: int, stop: Sequence[str]) -> None:
        self.tokenizer = tokenizer
        self.limit = limit
        self.stop = tuple(stop)
        self.tail = max((len(stop.encode()) for stop in stop), default=0) + _MARGIN

    def write(self, rows: Rows, last: Tensor) -> list[Text]:
        """The texts of all rows; `last` (B V) are the logits after their prompts.

        Raises `RunError` where a row's logits are not numbers (an overflow, a broken weight).
        """
        if self.limit == 0:
            return [Text("", None, 0)] * len(last)
        ends = _ends(rows)
        tokens: list[list[int]] = [[] for _ in range(len(last))]
        alive = list(range(len(last)))
        while True:
            following = last.argmax(-1)
            top = last.gather(1, following[:, None])[:, 0]
            # one transfer from the device per step: a token, or -1 for logits that are NaN
            for row, token in zip(alive, following.where(top.isfinite(), -1).tolist(), strict=True):
                if token < 0:
                    raise RunError("the model's output is not a number")
                tokens[row].append(token)
            finished = self._over([tokens[row] for row in alive], ends)
            unfinished = [number for number, done in enumerate(finished) if not done]
            if not unfinished:
                return self._texts(tokens, ends)
            if len(unfinished) < len(alive):
                index = torch.tensor(unfinished, device=last.device)
                rows, following = rows.select(index), following[index]
                alive = [alive[number] for number in unfinished]
            last = rows.read(following[:, None])[:, -1]

    def _over(self, tokens: list[list[int]], ends: set[int]) -> list[bool]:
        """Whether each row is finished; only the end of a text is searched for stop strings."""
        finished = [row[-1] in ends or len(row) >= self.limit for row in tokens]
        if not self.stop:
            return finished
        tails = self._decode([row[-self.tail :] for row in tokens])
        hits = [any(stop in tail for stop in self.stop) for tail in tails]
        return [done or hit for done, hit in zip(finished, hits, strict=True)]

    def _texts(self, tokens: list[list[int]], ends: set[int]) -> list[Text]:
        texts = []
        for row, text in zip(tokens, self._decode(tokens), strict=True):
            stopped: Stopped = "eos" if row[-1] in ends else "length"
            cuts = [text.index(stop) for stop in self.stop if stop in text]
            if cuts:
                text, stopped = text[: min(cuts)], "stop"
            texts.append(Text(text, stopped, len(row)))
        return texts

    def _decode(self, rows: list[list[int]]) -> list[str]:
        return list(self.tokenizer.batch_decode(rows, skip_special_tokens=True))


def _ends(rows: Rows) -> set[int]:
    """The model's end tokens."""
    ends = rows.model.generation_config.eos_token_id
    return set(ends if isinstance(ends, list) else [ends]) - {None}
