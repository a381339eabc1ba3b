"""What the ways to tune back share: data, training, zeros counted before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
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
from resect.recover import trainer as training
from resect.recover import training_data as examples_of
from resect.recover.trainer import Progress, Recipe, Teacher, Trained
from resect.recover.training_data import Example


@dataclass(eq=False)
class Recover(Recipe, Method):
    """Tune a model back on `data`: `clinic`, a .jsonl[.gz] file, or a hub set.

    `question` and `answer` name its columns, `examples` how many of them (0: all), `max_length`
    their tokens; `held_out` is the share that training is stopped by. The rest is its `Recipe`.
    """

    data: str = ""
    question: str = ""
    answer: str = ""
    examples: Count = 0
    max_length: Whole = 1024
    held_out: float = 0.02

    random = True
    version = 2  # learns the tokens that are asked; all weights are trained in 32 bits

    def __post_init__(self) -> None:
        if not self.data:
            raise RequestError(f"{self.name} needs data: write {self.name},data=FILE.jsonl.")
        if not 0 <= self.held_out < 1:
            raise RequestError(f"held_out={self.held_out}: give a share of the examples in [0, 1).")
        if not (self.epochs > 0 or self.steps > 0):
            raise RequestError("nothing to train: give epochs= or steps= above 0.")
        self.source = examples_of.Source(
            str(self.data), self.question, self.answer, self.examples or None
        )
        self.folder: Path | None = None  # where states are kept to be gone on from
        self.progress: Callable[[Progress], None] = lambda _: None

    @cached_property
    def examples_(self) -> list[Example]:
        """The examples; raises `RequestError` where they cannot be read."""
        return self.source.examples()

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """The hash of the training data."""
        return (self.source.fingerprint(),)

    def apart_from(self, items: Sequence[Item], task: str) -> None:
        """No item that is asked may be among the examples."""
        examples_of.refuse_overlap(self.examples_, items, task)

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Tokenize the examples."""
        assert context.tokenizer is not None, "training needs a tokenizer"
        room = min(self.max_length, loading.positions(model) or self.max_length)
        found = examples_of.rows(self.examples_, context.tokenizer, room)
        self.rows_, self.held_ = examples_of.split(found, self.held_out, self.seed)
        if not self.rows_:
            raise RequestError(f"{self.data} leaves nothing to train on: lower held_out=.")
        self.pad_ = context.tokenizer.pad_token_id or 0
        self.context_ = context

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Train, and put what was trained into the model."""
        before = count_zeros(model)
        torch.manual_seed(self.seed)
        tuned, done = self.tune(model)
        tuned.requires_grad_(False)
        tuned.eval()
        filled = max(0, before[0] - count_zeros(tuned)[0])
        notes = (f"{filled} zeros were filled",) if filled else ()
        targeted = before[1]
        gone = count_zeros(tuned)[0]
        scope = self.describe(done)
        return Applied(tuned, StepReport(self.name, None, None, targeted, gone, scope, notes))

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
        """Run the recipe on a model in place; `dtype` of its products, the model's own if None."""
        with self._place() as folder:
            return training.train(
                model, self.rows_, self.held_, self, folder, pad=self.pad_,
                dtype=dtype or model.dtype,
                teacher=teacher, after_step=after_step, progress=self.progress,
            )  # fmt: skip

    def describe(self, done: Trained) -> str:
        """What was trained, in words."""
        said = f"{done.steps} steps on {len(self.rows_)} examples of {self.data}"
        said += f", loss {done.loss:.3f}" if done.loss is not None else ""
        said += f", held out {done.held_out:.3f}" if done.held_out is not None else ""
        return said + (", stopped early" if done.stopped_early else "")

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """Where states are kept; without a folder only as long as it runs."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield self.folder
            return
        with Scratch("training") as folder:
            yield folder


def count_zeros(model: PreTrainedModel) -> tuple[int, int]:
    """Exact zeros in the targeted weights, and how many there are; packed ones count as none."""
    if stored.is_quantized(model):
        return 0, sum(
            m.weight().numel() for m in anatomy.read(loading.empty(model.config)).matrices
        )
    weights = [matrix.weight() for matrix in anatomy.read(model).matrices]
    return sum(zeros(weight) for weight in weights), sum(weight.numel() for weight in weights)
