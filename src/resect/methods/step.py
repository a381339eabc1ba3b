"""The contract of a method: prepare once, apply at each level of a sweep."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from resect.anatomy import stored
from resect.errors import RequestError
from resect.methods.calibration import calibration_text
from resect.methods.calibration.calibration_text import Tokens
from resect.models import adapters, devices
from resect.models.loading import Loaded, positions
from resect.record import Item, StepReport
from resect.spec import Calibration, ModelRef, Runtime

USUAL = Runtime()


@dataclass(frozen=True)
class Context:
    """What a step may use besides the model it is given.

    `text`: windows of the calibration text. `tokenizer`: the model's. `source`: the intact model
    (a teacher is loaded from it). `notice` takes a sentence for the user. `data_dir`: where tasks
    find their offline files. `runtime`: how a server runs that asks the result.
    """

    text: Tokens | None = None
    tokenizer: PreTrainedTokenizerBase | None = None
    source: ModelRef | None = None
    notice: Callable[[str], None] = warnings.warn
    data_dir: Path | None = None
    runtime: Runtime = USUAL

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        source: ModelRef,
        calibration: Calibration | None,
        notice: Callable[[str], None] = warnings.warn,
        data_dir: Path | None = None,
        runtime: Runtime = USUAL,
    ) -> Context:
        """The context of a loaded model; `calibration` is None where no step uses activations."""
        empty = cls(None, loaded.tokenizer, source, notice, data_dir, runtime)
        return (
            empty
            if calibration is None
            else replace(empty, text=empty.tokens(calibration, loaded.model))
        )

    def tokens(self, calibration: Calibration, model: PreTrainedModel) -> Tokens:
        """Windows of a text, the study's or one that a step's options name."""
        assert self.tokenizer is not None, "a step that reads text needs a tokenizer"
        room = positions(model) or calibration.seqlen
        width = int(getattr(model.config.get_text_config(), "hidden_size", 0) or 0)
        tokens = calibration.nsamples * min(calibration.seqlen, room)
        devices.refuse_beyond_memory(
            2 * tokens * width * model.dtype.itemsize,
            f"the activations of {tokens:,} calibration tokens",
            "lower --nsamples or --seqlen",
        )
        return calibration_text.tokens(calibration, self.tokenizer, room, self.data_dir)


class Applied(NamedTuple):
    """The model after a step (often the same object) and what was done to it."""

    model: PreTrainedModel
    report: StepReport


class Method:
    """One way to compress or to tune back. Constructors store options and refuse wrong ones.

    A subclass declares:

    - `nested`: a larger level removes all that a smaller one does, so a sweep continues in place;
      others get a fresh copy for every level. Going straight to a level equals walking to it.
    - `rebuilds`: the result has other shapes or classes.
    - `terminal`: the weights are packed afterwards (4-bit); only a step that is `on_quantized` (an
      adapter, another model in its place) may follow.
    - `is_file`: the result is what a server loads, a file or a folder, which nothing can follow.
    - `random`: the study's seed is part of a cell's identity.
    - `calibrated`: the method needs the study's calibration text, which is part of the identity.
    - `library`: the package that makes the result; its version is part of the identity.
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

        They are part of a cell's identity. `data_dir` is where tasks find their offline files.
        Raises `RequestError` for a missing source.
        """
        return ()

    def takes(self, level: float) -> None:
        """Raises `RequestError` for a level that these options cannot bring a model to."""

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Raises `RequestError` where the method cannot be applied to a model at these levels.

        The model may be on meta; `levels` is empty where the method takes none. Unless a method is
        `on_quantized`, it is refused for packed weights, whose bytes are no weights, and for a
        model with an adapter, whose matrices it would prune on their own.
        """
        if not self.on_quantized and stored.is_quantized(model):
            raise RequestError(
                f"{self.name} needs plain weights, but the model is quantized: give the model that "
                "it was made from."
            )
        if not self.on_quantized and adapters.carried(model):
            raise RequestError(
                f"{self.name} cannot prune a model with an adapter: merge the adapter first."
            )

    def replaced(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model that later steps get: another one only where the step names it."""
        return model

    def apart_from(self, items: Sequence[Item], task: str) -> None:
        """Raises `RequestError` where an item of `task` is in the data this learns from."""

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Compute from the intact model what every level needs."""

    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Bring the model to `level`."""
        raise NotImplementedError
