"""Capture of activations: blocks run one after another, and statistics of their inputs are summed.

Blocks run on stored hidden states, so that memory holds one block's moments and the hidden states
of the calibration text, whatever the model's depth.
Legend: N sequences, T tokens of each, D hidden size, I inputs of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import Block
from resect.errors import RequestError
from resect.methods.calibration.calibration_text import Tokens
from resect.models.scratch import Scratch


class Seen(NamedTuple):
    """One sequence in one block.

    `output` (1, T, D) is the block's; `inputs` are the positional arguments of the watched modules,
    in their order, and `outputs` their results.
    """

    output: Tensor
    inputs: list[tuple[Any, ...]]
    outputs: list[Any]


class Moments(NamedTuple):
    """A statistic of a matrix's input, summed over `tokens`; fp32."""

    tokens: int
    total: Tensor


Statistic = Callable[[Tensor], Tensor]
"""What is summed over the inputs (T, I) of some tokens: squares, Gram matrix, or sizes."""


def squares(x: Tensor) -> Tensor:
    """Summed squares of each input (I,)."""
    return x.square().sum(0)


def gram(x: Tensor) -> Tensor:
    """X^T X (I, I)."""
    return x.T @ x


def sizes(x: Tensor) -> Tensor:
    """Summed absolute values of each input (I,)."""
    return x.abs().sum(0)


class Turn:
    """One block, and its input: the hidden states (each 1, T, D).

    `gather` runs the block for its moments; changes made to the block afterwards affect the inputs
    of later blocks.
    """

    def __init__(
        self,
        block: Block,
        hidden: list[Tensor],
        call: dict[str, Any],
        wanted: set[str],
        statistic: Statistic,
    ) -> None:
        self.block = block
        self.hidden, self.call = hidden, call
        self.wanted, self.statistic = wanted, statistic
        self.outputs: list[Tensor] | None = None

    def gather(self) -> dict[str, Moments]:
        """Moments of the block's wanted sites, by site."""
        with Capture(self.block, self.wanted, self.statistic) as capture:
            self.outputs = [_run(self.block.module, row, self.call) for row in self.hidden]
        return capture.moments

    def watch(self, modules: Sequence[nn.Module]) -> Iterator[Seen]:
        """Run the block on one sequence after another, recording some of its modules."""
        outputs = []
        for row in self.hidden:
            inputs: dict[int, tuple[Any, ...]] = {}
            results: dict[int, Any] = {}

            def look(module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
                inputs[id(module)], results[id(module)] = given, result  # noqa: B023

            with ExitStack() as undo:
                for module in modules:
                    undo.callback(module.register_forward_hook(look).remove)
                outputs.append(_run(self.block.module, row, self.call))
            keys = [id(module) for module in modules]
            yield Seen(outputs[-1], [inputs[key] for key in keys], [results[key] for key in keys])
        self.outputs = outputs

    def end(self, changed: bool) -> list[Tensor]:
        """Hidden states after the block; it runs again only if it was `changed`."""
        if self.outputs is None or changed:
            self.outputs = [_run(self.block.module, row, self.call) for row in self.hidden]
        return self.outputs


def blocks_in_turn(
    model: PreTrainedModel,
    calibration: Tokens,
    wants: Callable[[str], bool],
    statistic: Statistic,
    changing: bool,
) -> Iterator[Turn]:
    """The blocks in order, each with the hidden states after the blocks before it.

    `changing` says that the caller prunes each block in its turn.
    """
    blocks = anatomy.read(model).blocks
    hidden, calls = _before_blocks(model, calibration.ids, blocks)
    for block, call in zip(blocks, calls, strict=True):
        wanted = {m.site for m in block.matrices if wants(m.name)}
        turn = Turn(block, hidden, call, wanted, statistic)
        yield turn
        hidden = turn.end(changing)


@torch.no_grad()
def _run(block: nn.Module, hidden: Tensor, call: dict[str, Any]) -> Tensor:
    out = block(hidden, **call)
    output: Tensor = out[0] if isinstance(out, tuple) else out
    return output


@torch.no_grad()
def _before_blocks(
    model: PreTrainedModel, ids: Tensor, blocks: list[Block]
) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """Hidden states (1, T, D) before the first block, and the keyword arguments of each block.

    Blocks are replaced by recorders that return their input: the arguments (masks, rotary
    positions; they differ between blocks where attention windows do) do not depend on it.
    """
    calls: list[dict[str, Any]] = []
    first: list[Tensor] = []
    with ExitStack() as undo:
        for number, block in enumerate(blocks):

            def record(hidden: Tensor, *rest: Any, number: int = number, **call: Any) -> Tensor:
                if rest:
                    raise RequestError(
                        "this model passes positional arguments to its blocks: methods that need "
                        "calibration text do not support it."
                    )
                if number == 0:
                    first.append(hidden)
                if len(calls) <= number:
                    calls.append({**call, "past_key_values": None, "use_cache": False})
                return hidden

            undo.callback(_restore_forward, block.module, vars(block.module).get("forward"))
            block.module.forward = record
        for row in ids:
            model(row[None].to(model.device), use_cache=False)
    return first, calls


def _restore_forward(module: nn.Module, forward: Callable[..., Any] | None) -> None:
    """Restore a module's own `forward` (accelerate sets one); None restores its class's."""
    if forward is None:
        del module.forward
    else:
        module.forward = forward


class Capture:
    """Sums a statistic of the wanted sites while a block runs."""

    def __init__(self, block: Block, wanted: set[str], statistic: Statistic) -> None:
        self.moments: dict[str, Moments] = {}
        self.statistic = statistic
        self.wanted = wanted
        self.modules: dict[str, nn.Module] = {
            m.module: m.owner for m in block.matrices if m.site in wanted
        }

    def __enter__(self) -> Capture:
        self.hooks = [
            module.register_forward_pre_hook(
                self._linear(name) if isinstance(module, nn.Linear) else self._experts(name)
            )
            for name, module in self.modules.items()
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _linear(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._add(name, inputs[0])

        return hook

    def _experts(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        """Fused experts: the tokens routed to each, and the activation inside it."""

        def hook(module: Any, inputs: tuple[Any, ...]) -> None:
            hidden, routed = inputs[0].reshape(-1, inputs[0].shape[-1]), inputs[1]
            for expert in range(module.num_experts):
                rows = (routed == expert).any(-1).nonzero().squeeze(-1)
                if len(rows):
                    self._add(f"{name}.{expert}.input", hidden[rows])
                    if f"{name}.{expert}.inner" in self.wanted:
                        self._add(f"{name}.{expert}.inner", inner(module, expert, hidden[rows]))

        return hook

    def _add(self, site: str, x: Tensor) -> None:
        if site not in self.wanted:
            return
        x = x.reshape(-1, x.shape[-1]).float()
        total = self.statistic(x)
        if site in self.moments:
            before = self.moments[site]
            self.moments[site] = Moments(before.tokens + len(x), before.total.add_(total))
        else:
            self.moments[site] = Moments(len(x), total)


def inner(experts: Any, expert: int, hidden: Tensor) -> Tensor:
    """The input (S, I) of one expert's down projection for its tokens (S, D)."""
    name = "gate_up_proj" if getattr(experts, "has_gate", True) else "up_proj"
    weight = getattr(experts, name)[expert]
    out = hidden @ (weight if experts.is_transposed else weight.mT)
    if getattr(experts, "has_bias", False):
        out = out + getattr(experts, f"{name}_bias")[expert]
    result: Tensor = experts._apply_gate(out) if name == "gate_up_proj" else experts.act_fn(out)
    return result


class Spool:
    """Moments of many blocks, on disk, so that memory holds one block's."""

    def __init__(self) -> None:
        self.folder = Scratch("moments")

    def put(self, name: str, moments: dict[str, Moments]) -> None:
        """Store a block's moments."""
        torch.save({k: tuple(v) for k, v in moments.items()}, self.folder.path / name)

    def get(self, name: str) -> dict[str, Moments]:
        """A block's moments, as they were stored."""
        stored = torch.load(self.folder.path / name, weights_only=True)
        return {k: Moments(*v) for k, v in stored.items()}
