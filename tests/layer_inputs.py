"""What the linear layers of a model read, by plain hooks and plain passes."""

from __future__ import annotations

import torch

from resect import anatomy


def inputs_of(model, text) -> dict[str, torch.Tensor]:
    """What each linear layer of the whole model reads on a text, (tokens, width) in float64."""
    seen: dict[str, list[torch.Tensor]] = {}
    hooks = [
        m.owner.register_forward_pre_hook(
            lambda _, x, site=m.site: seen.setdefault(site, []).append(x[0].double().flatten(0, 1))
        )
        for m in anatomy.read(model).matrices
    ]
    with torch.no_grad():
        for row in text.ids:
            model(row[None])
    for hook in hooks:
        hook.remove()
    return {site: torch.cat(parts) for site, parts in seen.items()}
