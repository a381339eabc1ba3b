"""Full fine-tuning: every weight learns, zeros kept; for models small enough to hold four times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel

from resect.anatomy import stored
from resect.errors import RequestError
from resect.recover.base import Recover
from resect.recover.training import Trained
from resect.recover.zeros import remember_zeros


@dataclass(eq=False)
class Finetune(Recover):
    """AdamW on all weights; what is zero is set back to zero after every step."""

    lr: float = 2e-5

    name = "finetune"

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Packed weights cannot learn."""
        if stored.is_quantized(model):
            raise RequestError("finetune trains all weights, and these are packed: use lora.")

    def tune(self, model: PreTrainedModel) -> tuple[Any, Trained]:
        """In place."""
        model.requires_grad_(True)
        return model, self.train(model, after_step=remember_zeros(model))
