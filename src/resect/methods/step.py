"""The contract of a step: prepare once, apply at each level of a sweep."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from resect.anatomy import stored
from resect.calibration import calibration_text
from resect.calibration.calibration_text import Tokens
from resect.errors import RequestError
from resect.models import adapters
from resect.models.loading import Loaded, positions
from resect.record import Item, StepReport
from resect.spec import Calibration, ModelRef


@dataclass(frozen=True)
class Context:
    """What a step may use besides the model it is given.

    `text`: windows of the calibration text. `tokenizer`: the model's. `source`: what was loaded
    before any damage (a teacher is loaded from it anew). `notice` takes a sentence for the user.
    `data_dir`: where tasks find their offline files.
    """

    text: Tokens | None = None
    tokenizer: PreTrainedTokenizerBase | None = None
    source: ModelRef | None = None
    notice: Callable[[str], None] = warnings.warn
    data_dir: Path | None = None

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        source: ModelRef,
        asked: Calibration | None,
        notice: Callable[[str], None] = warnings.warn,
        data_dir: Path | None = None,
    ) -> Context:
        """The context of a loaded model; `asked` None where no step looks at activations."""
        empty = cls(None, loaded.tokenizer, source, notice, data_dir)
        return empty if asked is None else replace(empty, text=empty.tokens(asked, loaded.model))

    def tokens(self, asked: Calibration, model: PreTrainedModel) -> Tokens:
        """Windows of another text than the study's, as a step's options name it."""
        assert self.tokenizer is not None, "a step that reads text needs a tokenizer"
        room = positions(model) or asked.seqlen
        return calibration_text.tokens(asked, self.tokenizer, room, self.data_dir)


class Applied(NamedTuple):
    """The model as it stands after a step (often the same object) and what was done to it."""

    model: PreTrainedModel
    report: StepReport


class Method:
    """One way to compress or to tune back. Constructors store options and refuse wrong ones.

    What a subclass says of itself:

    - `nested`: a larger level's result contains a smaller one's, so a sweep walks on in place;
      others get a pristine copy for every level. Going straight to a level equals walking to it.
    - `rebuilds`: other shapes or classes come back.
    - `terminal`: the weights are no plain numbers afterwards (4-bit); only a step that is
      `on_quantized` (an adapter, another model in their place) may follow.
    - `is_file`: what it leaves is a file for another runtime, which nothing can follow.
    - `random`: the study's seed is part of a cell's identity.
    - `calibrated`: needs the study's calibration text, which is part of it too.
    - `library`: the package that makes the result, whose version is then part of it too.
    - `fixed`: the level that the options fix (an N:M pattern), None where it is free.
    - `version` rises when results change.
    """

    name = ""
    nested = False
    rebuilds = False
    terminal = False
    on_quantized = False
    is_file = False
    random = False
    calibrated = False
    library = ""
    fixed: float | None = None
    version = 1

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """Hashes of what is read besides the model and the study's calibration text.

        `data_dir` is where tasks find their offline files.
        Part of a cell's identity. Raises `RequestError` for what is not there.
        """
        return ()

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Raises `RequestError` for a model, or a level of it, that cannot be had. May be on meta.

        `levels` are those that will be asked for; empty where the method takes none. Packed
        weights are refused here by all that is not `on_quantized`: zeros among their bytes would
        be other weights. So is an adapter: its matrices would be cut beside the model's.
        """
        if not self.on_quantized and stored.is_quantized(model):
            raise RequestError(f"{self.name} needs plain weights: the model is quantized already.")
        if not self.on_quantized and adapters.carried(model):
            raise RequestError(
                f"{self.name} needs one set of weights: merge the adapter that the model carries."
            )

    def replaced(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model that the steps after this one meet: another only where one is named."""
        return model

    def apart_from(self, items: Sequence[Item], task: str) -> None:
        """Raises `RequestError` where an item that is asked is among what this learns from."""

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Learn from the pristine model what every level needs."""

    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Bring the model to `level`."""
        raise NotImplementedError
