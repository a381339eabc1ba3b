"""What the quantizers share: a library quantizes while transformers loads; the result is measured.

The model goes through a temporary checkpoint, so that it is exactly what `from_pretrained` with
the library's own config gives.
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
from resect.models import compute_dtype, devices, loading
from resect.models.library_patches import patch_after_load
from resect.models.scratch import Scratch
from resect.record import StepReport

MAX_UNQUANTIZED = 0.05
"""If a larger share of the targeted weights was not quantized, the cell is degraded."""


class Quantized(Method):
    """`bits` is what the config asks for; the report has the measured bits.

    `any_dtype`: packed weights can be multiplied with inputs of another type than the file's, so
    that a widened model stays one.
    """

    rebuilds = True
    terminal = True
    any_dtype = False
    bits = 0.0

    def config(self, model: PreTrainedModel) -> Any:
        """The library's own quantization config for a model."""
        raise NotImplementedError

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """The library must be installed, too."""
        super().fits(model, levels)
        try:
            self.config(model)
        except ImportError as error:
            raise RequestError(
                f"{self.name} needs {self.library}: pip install 'resect[quant]' ({error})."
            ) from None

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Quantize the linear layers inside the decoder blocks, as the library does it."""
        with Scratch("quantize") as folder:
            model.save_pretrained(folder)
            try:
                quantized: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                    folder,
                    dtype=model.dtype if self.any_dtype else compute_dtype.in_file(model),
                    quantization_config=self.config(model),
                    device_map=devices.map_of(devices.of(model)),
                )
            except (ImportError, RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise RunError(f"{self.library} cannot quantize this model: {reason}") from None
        name = model.name_or_path
        quantized.name_or_path = quantized.config.name_or_path = name  # the folder is gone
        if self.any_dtype:
            compute_dtype.hand_on(model, quantized)
        return Applied(patch_after_load(quantized), self.report(quantized))

    @torch.no_grad()
    def report(self, model: PreTrainedModel) -> StepReport:
        """Bits per targeted weight as stored, tables included, and which were not quantized."""
        matrices = anatomy.read(loading.empty(model.config)).matrices
        bytes_of = compute_dtype.bytes_saved(model, stored.sizes(model))
        targeted = sum(m.weight().numel() for m in matrices)
        size, plain, zero_count = 0, {}, 0
        for name in {m.module for m in matrices}:
            size += sum(count for key, count in bytes_of.items() if key.startswith(f"{name}."))
        for matrix in matrices:
            weight = getattr(model.get_submodule(matrix.module), matrix.parameter)
            values = stored.values(model, matrix)
            if values is not None:
                zero_count += zeros(values)
            # torchao's quantized tensors report a float type
            if weight.is_floating_point() and type(weight.data) is torch.Tensor:
                plain[matrix.name] = matrix.weight().numel()
        share = sum(plain.values()) / targeted
        scope = f"{len(matrices) - len(plain)} of {len(matrices)} matrices quantized"
        if plain:
            scope += f", not quantized: {_shorten(list(plain))}"
        note = f"{share:.0%} of the targeted weights were not quantized: {_shorten(list(plain))}"
        return StepReport(
            step=self.name,
            asked=self.bits,
            measured=8 * size / targeted,
            targeted=targeted,
            gone=zero_count,
            scope=scope,
            notes=(note,) if share > MAX_UNQUANTIZED else (),
            physical=True,
        )


def _shorten(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
