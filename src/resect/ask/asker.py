"""Ask a model items in batches: prefill, options, text; smaller batches where memory runs out.

The text is that of `generate(do_sample=False)` for the prompt alone, without the penalties that a
generation config may have; the score of an option is the sum of the log-probabilities of its tokens
after the prompt, as in a plain forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from resect.ask.batches import Budget, Group, first_budget, groups, plan_batches
from resect.ask.greedy import Writer
from resect.ask.kv_cache import Rows, filled
from resect.ask.likely_tokens import columns, likeliest, places_of
from resect.ask.option_scores import option_scores
from resect.ask.tokenize import notes_on, tokenize
from resect.errors import RunError
from resect.record import Item, RawAnswer

_Done = TypeVar("_Done")


class Batch(NamedTuple):
    """Answers to `rows` of the items asked."""

    rows: list[int]
    answers: list[RawAnswer]


class Asker:
    """Asks one set of items, of any number of models or states of one.

    Prompts are tokenized and batches planned once. `max_new_tokens` and `stop` bound the text (0:
    no text), `budget` the padded size of a batch, `positions` the prompt and answer. Askers may
    share a budget: a size that was too large for one is not tried by another.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        items: Sequence[Item],
        max_new_tokens: int,
        stop: Sequence[str] = (),
        budget: Budget | None = None,
        positions: int | None = None,
    ) -> None:
        self.budget = budget or Budget(first_budget("cpu"))
        self.writer = Writer(tokenizer, max_new_tokens, stop)
        self.prompts = tokenize(tokenizer, items, max_new_tokens, positions)
        self.groups = groups([prompt.ids for prompt in self.prompts])
        longest = (max_new_tokens, *(len(c) for p in self.prompts for c in p.choices))
        self.answer = max(longest)  # tokens that may follow a prompt
        self.lengths = [len(p.ids) + self.answer for p in self.prompts]

    def notes(self) -> list[str]:
        """Sentences on prompts that could not be asked as they are; they make a cell degraded."""
        return notes_on(self.prompts)

    def ask(self, model: PreTrainedModel, wanted: set[int] | None = None) -> Iterator[Batch]:
        """Answers, batch by batch. Batches without a `wanted` row are skipped, so that a resumed
        cell has the same batches. Raises `RunError` where the output is not a number, and where
        one prompt alone does not fit into memory.
        """
        unanswered = set(range(len(self.prompts))) if wanted is None else set(wanted)
        for group in self.groups:
            shared: Rows | None = None
            while not unanswered.isdisjoint(group.rows):
                for rows in plan_batches(group.rows, self.lengths, self.budget.tokens):
                    if unanswered.isdisjoint(rows):
                        continue
                    if group.shared and shared is None:
                        shared = self._try(group.rows[:1], partial(self._shared, model, group))
                    answers = self._try(rows, partial(self._answer, model, rows, shared))
                    if answers is None:
                        break  # the budget is smaller now: other batches
                    unanswered.difference_update(rows)
                    yield Batch(rows, answers)

    def _try(self, rows: list[int], work: Callable[[], _Done]) -> _Done | None:
        """The result of `work` on these rows; None where memory ran out: the budget was halved."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        torch.cuda.empty_cache()  # not in the handler, where the error keeps the tensors alive
        longest = max(self.lengths[row] for row in rows)
        if len(rows) == 1:
            size = longest - self.answer
            raise RunError(
                f"memory ran out at one prompt of {size} tokens: use a smaller --dtype, or leave "
                "out long prompts."
            )
        self.budget.halve_below(longest * len(rows))
        return None

    @torch.inference_mode()
    def _shared(self, model: PreTrainedModel, group: Group) -> Rows:
        """The beginning that a group shares, read once."""
        shared = Rows.empty(model, 1)
        shared.read(torch.tensor([self.prompts[group.rows[0]].ids[: group.shared]]))
        return shared

    @torch.inference_mode()
    def _answer(
        self, model: PreTrainedModel, rows: list[int], shared: Rows | None
    ) -> list[RawAnswer]:
        prompts = [self.prompts[row] for row in rows]
        if shared and not shared.can_spread(max(self.lengths[row] for row in rows)):
            shared = None
        skip = shared.mask.shape[1] if shared else 0
        read = shared.spread(len(rows)) if shared else Rows.empty(model, len(rows))
        own = [p.ids[skip:] for p in prompts]
        vocabulary = model.config.get_text_config().vocab_size
        places = places_of(max(map(len, own)), len(own), vocabulary)
        logits = read.read(*filled(own, left=True), keep=columns(places))  # B P V
        last = logits[:, -1]  # B V
        tops = likeliest(logits, places, [len(ids) for ids in own])
        scores = option_scores(read, prompts, last, self.budget.tokens)
        texts = self.writer.write(read, last)
        if self.writer.limit == 0:
            scored = [sum(map(len, prompt.choices)) for prompt in prompts]
            texts = [t._replace(tokens=n) for t, n in zip(texts, scored, strict=True)]
        rows_of = zip(texts, scores, tops, strict=True)
        return [RawAnswer(*text, row, likely) for text, row, likely in rows_of]


def out_of_memory(error: Exception) -> bool:
    """Whether an error of torch means that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    signs = ("out of memory", "not enough memory", "DefaultCPUAllocator", "ALLOC_FAILED")
    return any(sign in str(error) for sign in signs)
