"""The decoder blocks of a model: the list of modules that holds the most weights."""

from __future__ import annotations

from torch import nn

from resect.errors import RequestError


def decoder_blocks(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Names and modules of the decoder blocks, in order; `RequestError` where there are none."""
    lists = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m)]
    if not lists:
        kind = type(model).__name__
        raise RequestError(
            f"no decoder blocks found in {kind}: give a decoder-only language model."
        )
    name, chosen = max(lists, key=lambda pair: sum(p.numel() for p in pair[1].parameters()))
    return [(f"{name}.{number}", block) for number, block in enumerate(chosen)]
