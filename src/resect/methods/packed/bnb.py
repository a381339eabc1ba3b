"""bitsandbytes: 8 bit (LLM.int8, arXiv:2208.07339) and 4 bit (NF4, arXiv:2305.14314)."""

from __future__ import annotations

from typing import Any

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from resect.errors import unknown
from resect.methods.options import Size
from resect.methods.packed.quantized import Quantized
from resect.models.compute_dtype import in_file

_COMPUTE = ("auto", "float32", "bfloat16", "float16")


class Int8(Quantized):
    """int8 with one scale per row; inputs above `threshold` are multiplied in 16 bits."""

    name = "bnb-int8"
    library = "bitsandbytes"
    any_dtype = True
    bits = 8.0

    def __init__(self, threshold: Size = 6.0) -> None:
        self.threshold = threshold

    def config(self, model: PreTrainedModel) -> Any:
        """`load_in_8bit`."""
        _require_library()
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=self.threshold)


class Nf4(Quantized):
    """Blocks of 64 four-bit normal floats; `double_quant` quantizes their scales, too.

    4 + 8/64 + 32/(64 x 256) = 4.127 bits a weight, else 4 + 32/64 = 4.5. `compute_dtype=auto` is
    the model's own type.
    """

    name = "bnb-nf4"
    version = 2  # right on the CPU where rows are no multiple of 64
    library = "bitsandbytes"
    any_dtype = True
    bits = 4.0

    def __init__(self, double_quant: bool = True, compute_dtype: str = "auto") -> None:
        if compute_dtype not in _COMPUTE:
            raise unknown("compute_dtype", str(compute_dtype), _COMPUTE)
        self.double_quant, self.compute_dtype = double_quant, compute_dtype

    def config(self, model: PreTrainedModel) -> Any:
        """`load_in_4bit` with `nf4`."""
        _require_library()
        auto = self.compute_dtype == "auto"
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=self.double_quant,
            bnb_4bit_compute_dtype=in_file(model) if auto else getattr(torch, self.compute_dtype),
        )


def _require_library() -> None:
    import bitsandbytes  # noqa: F401
