"""Faults of libraries that are patched in a model once it is loaded."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from resect.models import bnb_cpu as kernels


def patch_after_load(model: PreTrainedModel) -> PreTrainedModel:
    """A loaded model in evaluation mode, with two faults of libraries patched.

    bitsandbytes' fast path for 4 bits on some processors (0.50) needs blocks of 64 within a row and
    rows in groups of 32; other matrices must use its general path, which is fixed. transformers
    (5.23) reverses the conversions of loading when it saves: it would save unpacked MXFP4 under the
    packed names, which nothing can load, and it cannot reverse packed 4 bits, which are saved as
    they are.
    """
    conversions: Any = getattr(model, "_weight_conversions", None) or []
    unpacked = not getattr(model.config, "quantization_config", None)
    reversible = [
        conversion
        for conversion in conversions
        if not (unpacked and _is_mxfp4(conversion)) and _is_reversible(conversion)
    ]
    if len(reversible) < len(conversions):
        vars(model)["_weight_conversions"] = reversible
    module: Any
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            fits = module.in_features % 64 == 0 and module.out_features % 32 == 0
            module.support_avx512bf16_for_cpu = fits
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None and module.weight.device.type == "cpu":
            kernels.patch_dequantize()
    return model.eval()


def _is_mxfp4(conversion: Any) -> bool:
    return any("_blocks" in str(pattern) for pattern in conversion.source_patterns)


def _is_reversible(conversion: Any) -> bool:
    try:
        conversion.reverse_transform()
    except NotImplementedError:
        return False
    return True
