"""What the recovery methods share: data, training, zeros counted before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import stored
from resect.errors import RequestError
from resect.methods.masks import zeros
from resect.methods.options import Count, Whole
from resect.methods.step import Applied, Context, Method
from resect.models import loading
from resect.models.scratch import Scratch
from resect.record import Item, StepReport
from resect.recover import trainer, training_data
from resect.recover.teacher import Teacher
from resect.recover.trainer import Progress, Recipe, Trained
from resect.recover.training_data import Example
from resect.recover.zeros import pruned


@dataclass(eq=False)
class Recover(Recipe, Method):
    """Train a model on `data`: `clinic`, a .jsonl[.gz] file, or a hub dataset.

    `question` and `answer` name columns, `examples` limits their number (0: all), `max_length`
    their tokens; `held_out` is the share of examples for early stopping. See `Recipe` for the rest.
    """

    data: str = ""
    question: str = ""
    answer: str = ""
    examples: Count = 0
    max_length: Whole = 1024
    held_out: float = 0.02

    random = True
    version = 3  # tokens as the tasks have them; all weights in 32 bits; logits where they count

    def __post_init__(self) -> None:
        if not self.data:
            raise RequestError(f"{self.name} needs data: write {self.name},data=FILE.jsonl.")
        if not 0 <= self.held_out < 1:
            raise RequestError(f"held_out={self.held_out}: give a share of the examples in [0, 1).")
        if not (self.epochs > 0 or self.steps > 0):
            raise RequestError("there is nothing to train: give epochs= or steps= above 0.")
        self.source = training_data.Source(
            str(self.data), self.question, self.answer, self.examples or None
        )
        self.folder: Path | None = None  # saved states, to continue from
        self.progress: Callable[[Progress], None] = lambda _: None

    @cached_property
    def examples_(self) -> list[Example]:
        """The examples; raises `RequestError` where they cannot be read."""
        return self.source.examples()

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """The hash of the training data."""
        return (self.source.fingerprint(),)

    def apart_from(self, items: Sequence[Item], task: str) -> None:
        """No item of a task may be among the examples."""
        training_data.refuse_overlap(self.examples_, items, task)

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Tokenize the examples."""
        assert context.tokenizer is not None, "training needs a tokenizer"
        room = min(self.max_length, loading.positions(model) or self.max_length)
        rows = training_data.rows(self.examples_, context.tokenizer, room)
        self.rows_, self.held_ = training_data.split(rows, self.held_out, self.seed)
        if not self.rows_:
            raise RequestError(f"{self.data} leaves nothing to train on: lower held_out=.")
        self.pad_ = context.tokenizer.pad_token_id or 0
        self.context_ = context

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Train, and merge the result into the model."""
        before = pruned(_weights(model))
        torch.manual_seed(self.seed)
        tuned, done = self.tune(model)
        tuned.requires_grad_(False)
        tuned.eval()
        weights = _weights(tuned)
        after = {name: zeros(weight) for name, weight in weights.items()}
        # a matrix under an adapter that stays apart has another name, and is unchanged
        filled = sum(max(0, count - after.get(name, count)) for name, count in before.items())
        notes = (f"{filled} zeros are no longer zero",) if filled else ()
        targeted = sum(m.weight().numel() for m in anatomy.read(unpacked(tuned)).matrices)
        total, scope = sum(after.values()), self.describe(done)
        return Applied(tuned, StepReport(self.name, None, None, targeted, total, scope, notes))

    def tune(self, model: PreTrainedModel) -> tuple[Any, Trained]:
        """The tuned model, and how its training ended."""
        raise NotImplementedError

    def train(
        self,
        model: Any,
        teacher: Teacher | None = None,
        after_step: Callable[[], None] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Trained:
        """Train a model in place, computing in `dtype` (the model's own if None)."""
        with self._place() as folder:
            return trainer.train(
                model, self.rows_, self.held_, self, folder, pad=self.pad_,
                dtype=dtype or model.dtype,
                teacher=teacher, after_step=after_step, progress=self.progress,
            )  # fmt: skip

    def describe(self, done: Trained) -> str:
        """What was trained, in words."""
        text = f"{done.steps} steps on {len(self.rows_)} examples of {self.data}"
        text += f", loss {done.loss:.3f}" if done.loss is not None else ""
        text += f", held out {done.held_out:.3f}" if done.held_out is not None else ""
        return text + (", stopped early" if done.stopped_early else "")

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """The folder for saved states; a temporary one where none is set."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield self.folder
            return
        with Scratch("training") as folder:
            yield folder


def unpacked(model: PreTrainedModel) -> PreTrainedModel:
    """A model with plain weights of the same shapes: itself, unless its own are packed."""
    return loading.empty(model.config) if stored.is_quantized(model) else model


def _weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """The targeted weights by name; none where they are packed."""
    if stored.is_quantized(model):
        return {}
    return {matrix.name: matrix.weight() for matrix in anatomy.read(model).matrices}
