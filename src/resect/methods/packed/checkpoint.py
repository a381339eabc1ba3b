"""A checkpoint as a step: somebody else's compressed model, compared with the one it came from."""

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
    """`checkpoint:ID` replaces the model by the model `id` (a directory or hub id).

    Both must have the same tokenizer, so that they are asked the same token ids.
    """

    name = "checkpoint"
    rebuilds = True
    on_quantized = True

    def __init__(self, id: str = "", revision: str | None = None, dtype: str = "auto") -> None:
        if not id:
            raise RequestError("checkpoint needs a model: write checkpoint:DIRECTORY_OR_HUB_ID.")
        self.ref = ModelRef.of(role="checkpoint", id=str(id), revision=revision, dtype=dtype)

    @cached_property
    def identified_(self) -> tuple[Identity, loading.Loaded]:
        """The referenced model; raises `RequestError` where it cannot be loaded."""
        return loading.identify(self.ref)

    @property
    def terminal(self) -> bool:  # type: ignore[override]
        """Whether its weights are packed."""
        return loading.is_packed(self.ref)

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """The fingerprint of its weights."""
        return (self.identified_[0].fingerprint,)

    def replaced(self, model: PreTrainedModel) -> PreTrainedModel:
        """The referenced model, without its data."""
        return self.identified_[1].model

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Compare the tokenizers; a notice where the card names another parent."""
        self.notice_ = context.notice
        identity, loaded = self.identified_
        tokenizer = context.tokenizer
        if tokenizer is not None and loaded.tokenizer.get_vocab() != tokenizer.get_vocab():
            raise RequestError(
                f"{self.ref.id} has another tokenizer than the model that it replaces: give a "
                "checkpoint made from that model."
            )
        source = context.source
        if source and identity.parent and identity.parent.rpartition("/")[2] != source.name:
            context.notice(f"{self.ref.id} names {identity.parent} as its base, not {source.id}.")

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Load it onto the model's device."""
        loaded = loading.load(self.ref, devices.of(model), self.notice_)
        plain = loading.empty(loaded.model.config)
        matrices = anatomy.read(plain).matrices
        tensors = (stored.values(loaded.model, matrix) for matrix in matrices)  # one at a time
        zero_count = sum(zeros(values) for values in tensors if values is not None)
        targeted = sum(m.weight().numel() for m in matrices)
        scope = f"{len(matrices)} matrices of {self.ref.id}"
        report = StepReport(self.name, None, None, targeted, zero_count, scope, physical=True)
        return Applied(loaded.model, report)
