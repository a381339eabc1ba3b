"""The routers of a mixture: the loss that keeps its experts in use, and how much each is used.

Legend: L layers, E experts, N tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import one_hot
from transformers import MixtralForCausalLM, PreTrainedTokenizerFast
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from tools.clinic.start import BALANCE, CHOSEN, EXPERTS, LAYERS, Decoder


def balance_loss(logits: Sequence[torch.Tensor], real: torch.Tensor) -> torch.Tensor | float:
    """The load-balancing loss of the Switch Transformer (arXiv 2101.03961, eq. 4-6), weighted.

    `logits`: one (N, E) a layer, none for a dense model; `real`: (N,) or (B, T), false at padding.
    Taken layer by layer and averaged: transformers sums the counts of all layers first, so that
    experts without tokens in one layer are made up for by busy ones of the same number in another.
    """
    if not logits:
        return 0.0
    each = [load_balancing_loss_func((one,), EXPERTS, CHOSEN, real) for one in logits]
    return BALANCE * sum(each) / len(each)


def counts(logits: Sequence[torch.Tensor], real: torch.Tensor) -> torch.Tensor:
    """(L, E): how many (token, choice) pairs went to each expert, `real` as above."""
    kept = real.flatten().bool()
    return torch.stack(
        [one_hot(one[kept].topk(CHOSEN, -1).indices, EXPERTS).sum((0, 1)) for one in logits]
    )


def used(model: Decoder, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]) -> str:
    """How evenly the experts of each layer are used, at all tokens and where the answer starts.

    Empty for a dense model.
    """
    if not isinstance(model, MixtralForCausalLM):
        return ""
    every, last = torch.zeros(2, LAYERS, EXPERTS)
    for start in range(0, len(prompts), 100):
        batch = tokenizer(list(prompts[start : start + 100]), return_tensors="pt", padding=True)
        real = batch["attention_mask"]
        ends = torch.zeros_like(real)
        ends[:, -1] = 1  # padded on the left
        with torch.inference_mode():
            out = model.model(batch["input_ids"], attention_mask=real, output_router_logits=True)
        every += counts(out.router_logits, real)
        last += counts(out.router_logits, ends)
    return f"{_spread('all tokens', every)}\n{_spread('last token', last)}"


def _spread(where: str, found: torch.Tensor) -> str:
    """Shares of the busiest and the idlest expert of each layer, and how many are used at all."""
    shares = found / found.sum(1, keepdim=True)
    most, least = (
        " ".join(f"{share:.3f}" for share in some.tolist())
        for some in (shares.max(1).values, shares.min(1).values)
    )
    used = (found > 0).sum(1).tolist()
    return (
        f"experts at {where}, layer by layer: busiest {most}; idlest {least} "
        f"(even would be {1 / EXPERTS:.3f}); used {' '.join(map(str, used))}"
    )
