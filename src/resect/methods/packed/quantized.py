"""What the quantizers share: a library quantizes while transformers loads; what came is measured.

A copy of the model goes through a temporary checkpoint, so that what is asked is what
`from_pretrained` with the library's own config gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from resect import anatomy
from resect.anatomy import stored
from resect.errors import RequestError, RunError
from resect.methods.masks import zeros
from resect.methods.step import Applied, Method
from resect.models import devices, loading
from resect.models.scratch import Scratch
from resect.record import StepReport

LEFT = 0.05
"""A larger share of the targeted weights that stayed as they were makes a cell degraded."""


class Quantized(Method):
    """`bits` is what the config asks for; the report says what was measured."""

    rebuilds = True
    terminal = True
    bits = 0.0

    def config(self, model: PreTrainedModel) -> Any:
        """The library's own quantization config for a model."""
        raise NotImplementedError

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """The library must be here too."""
        super().fits(model, levels)
        try:
            self.config(model)
        except ImportError as error:
            raise RequestError(
                f"{self.name} needs {self.library}: pip install 'resect[quant]' ({error})."
            ) from None

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Quantize the linears inside the decoder blocks, as the library does it."""
        with Scratch("quantize") as folder:
            model.save_pretrained(folder)
            try:
                found: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                    folder,
                    dtype=model.dtype,
                    quantization_config=self.config(model),
                    device_map=devices.map_of(devices.of(model)),
                )
            except (ImportError, RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise RunError(f"{self.library} cannot quantize this model: {reason}") from None
        found.name_or_path = found.config.name_or_path = model.name_or_path  # the folder is gone
        return Applied(loading.settled(found), self.report(found))

    @torch.no_grad()
    def report(self, model: PreTrainedModel) -> StepReport:
        """Bits per targeted weight as stored, tables counted, and which weights stayed."""
        matrices = anatomy.read(loading.empty(model.config)).matrices
        held = stored.sizes(model)
        targeted = sum(m.weight().numel() for m in matrices)
        inside, left, gone = 0, {}, 0
        for name in {m.module for m in matrices}:
            inside += sum(size for key, size in held.items() if key.startswith(f"{name}."))
        for matrix in matrices:
            owner = model.get_submodule(matrix.module)
            values = stored.values(model, matrix)
            if values is not None:
                gone += zeros(values)
            if getattr(owner, matrix.parameter).is_floating_point() and not _wrapped(owner, matrix):
                left[matrix.name] = matrix.weight().numel()
        share = sum(left.values()) / targeted
        scope = f"{len(matrices) - len(left)} of {len(matrices)} matrices quantized"
        if left:
            scope += f", left as they were: {_few(list(left))}"
        note = f"{share:.0%} of the targeted weights were not quantized: {_few(list(left))}"
        return StepReport(
            step=self.name,
            asked=self.bits,
            measured=8 * inside / targeted,
            targeted=targeted,
            gone=gone,
            scope=scope,
            notes=(note,) if share > LEFT else (),
            physical=True,
        )


def _wrapped(owner: torch.nn.Module, matrix: anatomy.Matrix) -> bool:
    """A quantized tensor that calls itself a float, as torchao's do."""
    return type(getattr(owner, matrix.parameter).data) is not torch.Tensor


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
