"""Full fine-tuning in 32 bits, zeros kept; for small models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel

from resect.anatomy import stored
from resect.errors import RequestError
from resect.methods.options import Above
from resect.recover.trainer import Trained
from resect.recover.tuning import Recover
from resect.recover.zeros import make_zero_restorer


@dataclass(eq=False)
class Finetune(Recover):
    """AdamW on all weights; zeros are set back to zero after every step.

    Weights, gradients and both moments are in 32 bits, 16 bytes per parameter; the result has the
    model's own type.
    """

    lr: Above = 2e-5

    name = "finetune"

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Refuses packed weights, and a model with an adapter."""
        if stored.is_quantized(model):
            raise RequestError("finetune cannot train quantized weights: use lora.")
        super().fits(model, levels)

    def tune(self, model: PreTrainedModel) -> tuple[Any, Trained]:
        """In place."""
        model.requires_grad_(True)
        dtype = model.dtype
        with _in_32_bits(model):
            done = self.train(model, after_step=make_zero_restorer(model), dtype=dtype)
        return model, done


@contextmanager
def _in_32_bits(model: PreTrainedModel) -> Iterator[None]:
    """Hold parameters in 32 bits: most updates are too small to change a 16-bit weight."""
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    for p in model.parameters():
        p.data = p.data.float()
    yield
    for name, p in model.named_parameters():
        p.data, p.grad = p.data.to(dtypes[name]), None
