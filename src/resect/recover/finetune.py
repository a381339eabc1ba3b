"""Full fine-tuning: every weight learns in 32 bits, zeros kept; for small models."""

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
from resect.recover.zeros import remember_zeros


@dataclass(eq=False)
class Finetune(Recover):
    """AdamW on all weights; what is zero is set back to zero after every step.

    Weights, gradients and both moments are held in 32 bits, 16 bytes a parameter; what comes back
    is in the model's own type.
    """

    lr: Above = 2e-5

    name = "finetune"

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Packed weights cannot learn, and an adapter beside the weights is refused."""
        if stored.is_quantized(model):
            raise RequestError("finetune trains all weights, and these are packed: use lora.")
        super().fits(model, levels)

    def tune(self, model: PreTrainedModel) -> tuple[Any, Trained]:
        """In place."""
        model.requires_grad_(True)
        dtype = model.dtype
        with _in_32_bits(model):
            done = self.train(model, after_step=remember_zeros(model), dtype=dtype)
        return model, done


@contextmanager
def _in_32_bits(model: PreTrainedModel) -> Iterator[None]:
    """Parameters are held in 32 bits: most updates are too small to move a 16-bit weight at all."""
    own = {name: p.dtype for name, p in model.named_parameters()}
    for p in model.parameters():
        p.data = p.data.float()
    yield
    for name, p in model.named_parameters():
        p.data, p.grad = p.data.to(own[name]), None
