"""LoRA: low-rank adapters on the matrices inside the decoder blocks, merged with zeros kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import stored
from resect.errors import RequestError
from resect.methods.options import Share, Whole
from resect.methods.step import Context
from resect.models import adapters
from resect.models import bnb_cpu as kernels
from resect.recover.teacher import Teacher
from resect.recover.trainer import Trained
from resect.recover.tuning import Recover, unpacked
from resect.recover.zeros import keep_zeros_


@dataclass(eq=False)
class Lora(Recover):
    """W + (alpha / rank) B A (Hu et al. 2021, arXiv:2106.09685); on packed weights QLoRA (Dettmers
    et al. 2023, arXiv:2305.14314), where the adapter is not merged.

    `targets` are shell patterns on matrix names, joined by `|`.
    """

    rank: Whole = 16
    alpha: Whole = 32
    dropout: Share = 0.0
    targets: str = "*"

    name = "lora"
    library = "peft"
    on_quantized = True
    merge = True

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Peft must be installed, and a matrix must match `targets`."""
        try:
            import peft  # noqa: F401
        except ImportError as error:
            raise RequestError(
                f"{self.name} needs peft: pip install 'resect[recover]' ({error})."
            ) from None
        places(model, self.targets)
        most = max(max(matrix.weight().shape) for matrix in anatomy.read(unpacked(model)).matrices)
        if self.rank > most:
            raise RequestError(
                f"rank={self.rank} is larger than every matrix ({most}): give a lower rank."
            )

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Tokenize the examples; one adapter is all that a model may carry."""
        if adapters.carried(model):
            raise RequestError("the model has an adapter already: merge it, or train without it.")
        super().prepare(model, levels, context)

    def tune(self, model: PreTrainedModel) -> tuple[Any, Trained]:
        """Train with peft: linear layers by name, fused experts as parameters."""
        from peft import LoraConfig, get_peft_model

        names, parameters = places(model, self.targets)
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=0.0 if parameters else self.dropout,  # peft has none for parameters
            target_modules=names,
            target_parameters=parameters or None,
            task_type="CAUSAL_LM",
        )
        packed, teacher = stored.is_quantized(model), self.teacher(model)
        tuned = get_peft_model(model, config)
        masked = 0 if packed else keep_zeros_(tuned)
        if masked and not self.merge:
            raise RequestError(
                "an adapter of a pruned model needs a mask to keep its zeros: leave out --adapter, "
                "so that it is merged."
            )
        with kernels.keep_packed(tuned):
            done = self.train(tuned, teacher)
        self.where_ = ", the adapter apart" if packed or not self.merge else ""
        if packed:
            return adapters.apart(tuned), done
        return (tuned.merge_and_unload() if self.merge else tuned), done

    def teacher(self, model: PreTrainedModel) -> Teacher | None:
        """The model to learn from besides the data, if any."""
        return None

    def describe(self, done: Trained) -> str:
        """What was trained, and whether the adapter was merged."""
        return super().describe(done) + f", rank {self.rank}" + self.where_


def places(model: PreTrainedModel, targets: str) -> tuple[list[str], list[str]]:
    """Names of the linear layers, and of the fused parameters, that get adapters."""
    names, parameters = [], []
    for matrix in anatomy.read(unpacked(model)).matrices:
        if not any(fnmatchcase(matrix.name, pattern) for pattern in targets.split("|")):
            continue
        if isinstance(matrix.owner, nn.Linear):
            names.append(matrix.module)
        else:
            parameters.append(f"{matrix.module}.{matrix.parameter}")
    if not names and not parameters:
        raise RequestError(f"no matrix matches targets={targets}: `resect inspect` lists them.")
    return list(dict.fromkeys(names)), list(dict.fromkeys(parameters))
