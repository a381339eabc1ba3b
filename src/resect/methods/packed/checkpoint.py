"""A checkpoint as a step: somebody else's compressed model, judged against the one it came from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import stored
from resect.errors import RequestError
from resect.methods.masks import zeros
from resect.methods.step import Applied, Context, Method
from resect.models import devices, loading
from resect.models.loading import Identity
from resect.record import StepReport
from resect.spec import ModelRef


class Checkpoint(Method):
    """`checkpoint:ID` puts the model `id` (a directory or hub id) in the place of the one asked.

    Its tokenizer must be the model's own, so that both are asked the same ids.
    """

    name = "checkpoint"
    rebuilds = True
    on_quantized = True

    def __init__(self, id: str = "", revision: str | None = None, dtype: str = "auto") -> None:
        if not id:
            raise RequestError("checkpoint needs a model: write checkpoint:DIRECTORY_OR_HUB_ID.")
        self.ref = ModelRef.of(role="checkpoint", id=str(id), revision=revision, dtype=dtype)

    @cached_property
    def found_(self) -> tuple[Identity, loading.Loaded]:
        """What the reference points at; raises `RequestError` where nothing can be loaded."""
        return loading.identify(self.ref)

    @property
    def terminal(self) -> bool:  # type: ignore[override]
        """Whether its weights are packed."""
        return loading.is_packed(self.ref)

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """The fingerprint of its weights."""
        return (self.found_[0].fingerprint,)

    def replaced(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model of the reference, without its data."""
        return self.found_[1].model

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Compare the tokenizers, and say so where its card names another parent."""
        self.notice_ = context.notice
        identity, loaded = self.found_
        own = context.tokenizer
        if own is not None and loaded.tokenizer.get_vocab() != own.get_vocab():
            raise RequestError(f"{self.ref.id} has another tokenizer than the model it is for.")
        source = context.source
        if source and identity.parent and identity.parent.rpartition("/")[2] != source.name:
            context.notice(f"{self.ref.id} names {identity.parent} as its base, not {source.id}.")

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Load it where the model is."""
        loaded = loading.load(self.ref, devices.of(model), self.notice_)
        plain = loading.empty(loaded.model.config)
        matrices = anatomy.read(plain).matrices
        held = (stored.values(loaded.model, matrix) for matrix in matrices)  # one at a time
        gone = sum(zeros(values) for values in held if values is not None)
        targeted = sum(m.weight().numel() for m in matrices)
        scope = f"{len(matrices)} matrices of {self.ref.id}"
        report = StepReport(self.name, None, None, targeted, gone, scope, physical=True)
        return Applied(loaded.model, report)
