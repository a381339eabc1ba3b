"""Run a model from one of its blocks on: the blocks before it pass on what comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


def pass_on(hidden: Tensor, *_: object, **__: object) -> Tensor:
    """A block that does nothing."""
    return hidden


@contextmanager
def instead(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Another forward for a while; then the module's own (accelerate sets one) or its class's."""
    own = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own


@contextmanager
def resumed(blocks: Sequence[nn.Module], number: int, hidden: Tensor) -> Iterator[None]:
    """Give `hidden` to the block at place `number`, whatever comes to it, and skip those before.

    After the last block, where `number` is how many there are, the model only reads out.
    """
    with ExitStack() as undo:
        for block in blocks[:number]:
            undo.enter_context(instead(block, pass_on))
        if number == len(blocks):
            undo.enter_context(instead(blocks[-1], lambda *_, **__: hidden))
        else:
            run = blocks[number].forward
            given: Callable[..., Any] = lambda _, *rest, **call: run(hidden, *rest, **call)  # noqa: E731
            undo.enter_context(instead(blocks[number], given))
        yield


@torch.no_grad()
def logits_from(
    model: PreTrainedModel, blocks: Sequence[nn.Module], number: int, hidden: Tensor, ids: Tensor
) -> Tensor:
    """Logits (T, V) of one window `ids` (T,), run from the block at place `number` on `hidden`."""
    with resumed(blocks, number, hidden):
        logits: Tensor = model(ids[None].to(model.device), use_cache=False).logits[0]
    return logits
