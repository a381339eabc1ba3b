"""Items to raw answers: one prefill gives option log-likelihoods and starts the greedy text.

The text is what `generate(do_sample=False)` gives for the prompt alone, without penalties that a
generation config may ask for; an option's score is the sum of log-probabilities of its tokens
after the prompt, as a plain forward pass gives it.
Legend: B rows of a batch, T prompt tokens, C continued options, S their tokens, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from resect.errors import RequestError, RunError
from resect.record import Item, RawAnswer

_LOGIT_BYTES = 1 << 28  # how much of full-vocabulary logits to hold when options are continued


class Batch(NamedTuple):
    """Answers to `rows` of the items asked."""

    rows: list[int]
    answers: list[RawAnswer]


@dataclass(frozen=True)
class Prompt:
    """One tokenized item: prompt ids, and the ids of every choice after the prompt.

    `cut`: the prompt was longer than the model reads. `merged`: before some choice the prompt's
    last tokens would be others, so that the choice's score is that of another split.
    """

    ids: list[int]
    choices: list[list[int]]
    cut: bool
    merged: bool


class Asker:
    """Asks one set of items, of as many models (or states of one) as there are.

    Prompts are tokenized and batches planned once. `max_new_tokens` and `stop` bound the text,
    `batch_tokens` the padded size of a batch, `positions` what the model can read at once.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        items: Sequence[Item],
        max_new_tokens: int,
        stop: Sequence[str] = (),
        batch_tokens: int = 8192,
        positions: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens
        self.stop = tuple(stop)
        self.prompts = tokenize(tokenizer, items, max_new_tokens, positions)
        self.batches = plan_batches([len(p.ids) for p in self.prompts], batch_tokens)

    def notes(self) -> list[str]:
        """What was done otherwise than asked: makes a cell degraded, resumed or not."""
        cut, merged = sum(p.cut for p in self.prompts), sum(p.merged for p in self.prompts)
        notes = [f"{cut} prompts were cut from the left to fit the model's positions"] * (cut > 0)
        more = [f"in {merged} prompts an option changes the tokens before it"] * (merged > 0)
        return notes + more

    def ask(self, model: PreTrainedModel, wanted: set[int] | None = None) -> Iterator[Batch]:
        """Answers batch by batch; batches without a `wanted` row are left out, so that a resumed
        cell has the same batches. Raises `RunError` where the output is not a number.
        """
        ends = model.generation_config.eos_token_id
        self.model = model
        self.ends = set(ends if isinstance(ends, list) else [ends]) - {None}
        for rows in self.batches:
            if wanted is None or wanted.intersection(rows):
                chosen = [self.prompts[row] for row in rows]
                yield Batch(rows, self._answer(chosen))

    @torch.inference_mode()
    def _answer(self, prompts: list[Prompt]) -> list[RawAnswer]:
        width = max(len(p.ids) for p in prompts)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(p.ids)) + p.ids for p in prompts])
        mask = torch.tensor([[0] * (width - len(p.ids)) + [1] * len(p.ids) for p in prompts])
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        cache = DynamicCache(config=self.model.config)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        last = self._forward(ids, mask, positions, cache, keep=1)[:, -1]  # B V
        scores = self._options(prompts, mask, cache, last.log_softmax(-1))
        texts = self._texts(mask, cache, last)
        return [
            RawAnswer(text, stopped, tokens, tuple(row) or None)
            for (text, stopped, tokens), row in zip(texts, scores, strict=True)
        ]

    def _forward(
        self, ids: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache, keep: int
    ) -> Tensor:
        """Logits in fp32 of the last `keep` positions (0: all); `cache` grows by the ids.

        Raises `RunError` where they are not numbers (an overflow, a broken weight).
        """
        logits: Tensor = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        ).logits
        logits = logits.float()
        if not torch.isfinite(logits.amax(-1)).all():
            raise RunError("the model's output is not a number")
        return logits

    def _options(
        self, prompts: list[Prompt], mask: Tensor, cache: DynamicCache, first: Tensor
    ) -> list[list[float]]:
        """Sum of log-probabilities of every choice; `first` (B V) are those after the prompt."""
        scores = [[float(first[row, c[0]]) for c in p.choices] for row, p in enumerate(prompts)]
        # Each distinct beginning (all but the last token) of a row's longer choices runs once.
        starts = sorted(
            {(r, tuple(c[:-1])) for r, p in enumerate(prompts) for c in p.choices if len(c) > 1}
        )
        if not starts:
            return scores
        longest = max(len(start) for _, start in starts)
        size = max(1, _LOGIT_BYTES // (4 * longest * first.shape[-1]))
        for at in range(0, len(starts), size):
            part = starts[at : at + size]
            logs = dict(zip(part, self._continue(part, mask, cache), strict=True))
            for row, prompt in enumerate(prompts):
                for number, choice in enumerate(prompt.choices):
                    if (row, tuple(choice[:-1])) in logs:
                        after = logs[row, tuple(choice[:-1])][: len(choice) - 1]
                        rest = torch.tensor(choice[1:], device=after.device)
                        scores[row][number] += float(after.gather(1, rest[:, None]).sum())
        return scores

    def _continue(
        self, starts: list[tuple[int, tuple[int, ...]]], mask: Tensor, cache: DynamicCache
    ) -> Tensor:
        """Log-probabilities (C S V) after each token of each start, from a copy of the cache."""
        rows = torch.tensor([row for row, _ in starts], device=mask.device)
        longest = max(len(start) for _, start in starts)
        ids = torch.zeros(len(starts), longest, dtype=torch.long)
        real = torch.zeros(len(starts), longest, dtype=mask.dtype)
        for number, (_, start) in enumerate(starts):
            ids[number, : len(start)] = torch.tensor(start)
            real[number, : len(start)] = 1
        before = mask[rows]
        positions = before.sum(1, keepdim=True) + torch.arange(longest, device=mask.device)
        whole = torch.cat([before, real.to(mask.device)], 1)
        logits = self._forward(ids.to(mask.device), whole, positions, select(cache, rows), keep=0)
        return logits.log_softmax(-1)

    def _texts(self, mask: Tensor, cache: DynamicCache, last: Tensor) -> list[tuple[str, Any, int]]:
        """Greedy text, why it stopped and its tokens for every row; finished rows leave."""
        tokens: list[list[int]] = [[] for _ in range(len(mask))]
        done: dict[int, tuple[str, Any]] = {}
        alive = list(range(len(mask)))
        while True:
            following = last.argmax(-1)
            for row, token in zip(alive, following.tolist(), strict=True):
                tokens[row].append(token)
                end = self._end(tokens[row])
                if end:
                    done[row] = end
            going = [number for number, row in enumerate(alive) if row not in done]
            if not going:
                return [(*done[row], len(tokens[row])) for row in range(len(tokens))]
            if len(going) < len(alive):
                index = torch.tensor(going, device=mask.device)
                cache, mask, following = select(cache, index), mask[index], following[index]
                alive = [alive[number] for number in going]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            positions = mask.sum(1, keepdim=True) - 1
            last = self._forward(following[:, None], mask, positions, cache, keep=1)[:, -1]

    def _end(self, tokens: list[int]) -> tuple[str, str] | None:
        """(text, why) if these tokens end an answer, else None."""
        if not self.stop and tokens[-1] not in self.ends and len(tokens) < self.max_new_tokens:
            return None
        text = str(self.tokenizer.decode(tokens, skip_special_tokens=True))
        found = [text.index(stop) for stop in self.stop if stop in text]
        if found:
            return text[: min(found)], "stop"
        if tokens[-1] in self.ends:
            return text, "eos"
        return (text, "length") if len(tokens) >= self.max_new_tokens else None


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    max_new_tokens: int,
    positions: int | None = None,
) -> list[Prompt]:
    """Prompts and choices to ids, prompts cut from the left where the model's positions end.

    The ids of the whole text decide, as in lm-evaluation-harness: a choice is what comes after
    as many ids as the prompt alone has. Special tokens that a tokenizer puts before a text stay,
    also before a cut prompt; those that it puts after a text are left out. A chat template that
    writes the first ones itself does not have them twice. Raises `RequestError` for a choice that
    adds no token, where the model has no room for a prompt, and for turns without a template.
    """
    if not items:
        return []
    start = special_prefix(tokenizer)
    shown = [rendered(tokenizer, item) for item in items]
    prompts = _encode(tokenizer, shown)
    pairs = zip(shown, items, strict=True)
    whole = iter(_encode(tokenizer, [text + c for text, item in pairs for c in item.choices]))
    found = []
    for item, ids in zip(items, prompts, strict=True):
        texts = [next(whole) for _ in item.choices]
        choices = [text[len(ids) :] for text in texts]
        if not all(choices):
            empty = item.choices[choices.index([])]
            raise RequestError(f"option {empty!r} adds no token to the prompt of {item.id}.")
        merged = any(text[: len(ids)] != ids for text in texts)
        room = (positions or 1 << 30) - max([max_new_tokens, *map(len, choices)]) - len(start)
        if room < 1:
            raise RequestError(
                f"the model reads {positions} positions, too few for {item.id} and its answer."
            )
        ids = ids[len(start) :] if item.turns and ids[: len(start)] == start else ids
        found.append(Prompt(start + ids[-room:], choices, len(ids) > room, merged))
    return found


def rendered(tokenizer: PreTrainedTokenizerBase, item: Item) -> str:
    """The text that a model reads: the prompt, or its turns in the model's own chat template.

    A template that knows no system turn gets its text at the top of the first user turn.
    """
    if not item.turns:
        return item.prompt
    if not tokenizer.chat_template:
        raise RequestError(
            f"{tokenizer.name_or_path} has no chat template: leave out --apply_chat_template."
        )
    turns = [{"role": role, "content": text} for role, text in item.turns]
    try:
        return _in_template(tokenizer, turns)
    except TemplateError:
        if turns[0]["role"] != "system":
            raise
        first = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
        return _in_template(tokenizer, [first, *turns[2:]])


def _in_template(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]]) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def special_prefix(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that the tokenizer puts before every text (a begin-of-text token, or none)."""
    (plain,) = _encode(tokenizer, ["a"])
    whole = tokenizer("a").input_ids
    places = range(len(whole) - len(plain) + 1)
    at = next((at for at in places if whole[at : at + len(plain)] == plain), 0)
    return list(whole[:at])


def _encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return list(tokenizer(texts, add_special_tokens=False).input_ids) if texts else []


def plan_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Rows grouped by length, longest first, each batch at most `batch_tokens` padded tokens."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        widest = lengths[batches[-1][0]] if batches else 0
        if batches and widest * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def select(cache: DynamicCache, rows: Tensor) -> DynamicCache:
    """A new cache with `rows` of this one, which stays as it was."""
    picked = copy.copy(cache)
    picked.layers = [copy.copy(layer) for layer in cache.layers]
    picked.batch_select_indices(rows)
    return picked
