"""The routed experts of a mixture: where they are, how tokens are routed, how experts are cut out.

Mixtures are found by structure inside the decoder blocks: a module has the experts (as tensors with
one slice per expert, or as numbered children) beside a router with one row per expert. Shared
experts and dense layers have neither, and stay as they are.
Legend: E experts of a layer, T tokens, D hidden size, H input and output size of an expert (D,
except in mixtures with a latent projection), S tokens of one expert.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from resect.anatomy.decoder import decoder_blocks
from resect.anatomy.slicing import keep_
from resect.errors import RequestError

# Names of the number of experts, of experts per token, and of routing groups.
_COUNT = ("num_experts", "num_local_experts", "n_routed_experts", "num_routed_experts")
_TAKEN = ("top_k", "num_experts_per_tok", "num_experts_per_token")
_GROUPS = ("num_group", "n_group")
_TAKEN_GROUPS = ("topk_group",)


@dataclass(frozen=True)
class Mixture:
    """The routed experts of one layer.

    `module` (called `name`) holds `experts` and `router` as the two `children` named so. A token
    goes to `taken` experts out of the best `taken_groups` of `groups` equal routing groups, which
    are compared by their best `pairs` of experts where the router does so. `together`: the experts
    are called once, with the routing, and not one by one.
    """

    name: str
    module: nn.Module
    children: tuple[str, str]
    size: int
    taken: int
    groups: int
    taken_groups: int
    pairs: bool
    together: bool

    @property
    def experts(self) -> nn.Module:
        """The module with one tensor slice, or one child, per expert."""
        return self.module.get_submodule(self.children[0])

    @property
    def router(self) -> nn.Module:
        """The module with one row per expert."""
        return self.module.get_submodule(self.children[1])

    @property
    def least(self) -> int:
        """The fewest experts of a routing group that the router works with."""
        return max(-(-self.taken // self.taken_groups), 2 if self.pairs else 1)

    def output(self, expert: int, hidden: Tensor) -> Tensor:
        """The output (S, H) of one expert for its tokens (S, H), before the gate."""
        output: Tensor
        if self.together:
            index = torch.full((len(hidden), 1), expert, device=hidden.device)
            ones = torch.ones((len(hidden), 1), dtype=hidden.dtype, device=hidden.device)
            output = self.experts(hidden, index, ones)
        else:
            output = self.experts.get_submodule(str(expert))(hidden)
        return output


def find(model: nn.Module) -> list[Mixture]:
    """The mixtures of all decoder blocks, in order; raises `RequestError` where there are none."""
    mixtures = list(_all(model))
    model_class = type(model).__name__
    if not mixtures:
        raise RequestError(
            f"{model_class} has no routed experts of a known kind: give a mixture of experts."
        )
    sizes = sorted({mixture.size for mixture in mixtures})
    if len(sizes) > 1:
        raise RequestError(
            f"the layers of {model_class} have {sizes[0]} to {sizes[-1]} experts, but its config "
            "has one number for all: give a model with the same number in every layer."
        )
    return mixtures


def first(model: nn.Module) -> Mixture:
    """The first mixture of a model that has some; the others route the same way."""
    return next(_all(model))


def _all(model: nn.Module) -> Iterator[Mixture]:
    config: Any = getattr(model, "config", None)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    for block_name, block in decoder_blocks(model):
        for name, module in block.named_modules(prefix=block_name):
            mixture = _mixture(name, module, config)
            if mixture is not None:
                yield mixture


def routers(block: nn.Module) -> set[nn.Module]:
    """The routers inside a block, and the modules in them."""
    places = ((module, _places(module)) for module in block.modules())
    return {
        part
        for module, place in places
        if place is not None
        for part in module.get_submodule(place[1]).modules()
    }


def _mixture(name: str, module: nn.Module, config: Any) -> Mixture | None:
    names = _places(module)
    if names is None:
        return None
    experts, router = (module.get_submodule(place) for place in names)
    taken, groups, taken_groups = (
        _read((router, module, config), names) for names in (_TAKEN, _GROUPS, _TAKEN_GROUPS)
    )
    if taken is None:
        raise RequestError(
            f"neither {name} nor the config says how many experts a token goes to: this model's "
            "experts cannot be pruned."
        )
    return Mixture(
        name=name,
        module=module,
        children=names,
        size=_number(experts),
        taken=taken,
        groups=groups or 1,
        taken_groups=(taken_groups or 1) if groups else 1,
        pairs=groups is not None,
        together=_takes(experts) >= 3,
    )


def _places(module: nn.Module) -> tuple[str, str] | None:
    """Names of the child that holds the experts and of the one that routes to them."""
    children = dict(module.named_children())
    for experts, child in children.items():
        size = _number(child)
        candidates = [name for name, other in children.items() if _rows(other) == size > 1]
        candidates = [name for name in candidates if name in ("gate", "router")] or candidates
        if len(candidates) == 1:
            return experts, candidates[0]
    return None


def _number(module: nn.Module) -> int:
    """How many experts a module holds, 0 where it has none."""
    stacked = {p.shape[0] for p in module.parameters(recurse=False) if p.dim() == 3}
    if len(stacked) == 1 and _takes(module) >= 3:
        return stacked.pop()
    children = dict(module.named_children())
    alike = len({type(child) for child in children.values()}) == 1
    numbered = list(children) == [str(number) for number in range(len(children))]
    return len(children) if alike and numbered else 0


def _rows(module: nn.Module) -> int:
    """Rows of a module's only matrix, 0 where it has none or several."""
    rows = [p.shape[0] for p in module.parameters() if p.dim() == 2]
    return rows[0] if len(rows) == 1 else 0


def _takes(module: nn.Module) -> int:
    """How many arguments a module's forward names; 0 where it has no forward of its own."""
    forward = type(module).forward
    if forward is nn.Module.forward:
        return 0
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(forward).parameters.values()) - 1


def _read(places: tuple[Any, ...], names: tuple[str, ...]) -> int | None:
    """The first whole number that one of `places` has under one of `names`."""
    for place in places:
        for name in names:
            value = getattr(place, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None


# ── how tokens are routed to experts ────────────────────────────────────────────────────────────


class Routing(NamedTuple):
    """How some tokens are routed to a layer's experts.

    `inputs` (T, H) are the experts' inputs; `gates` (T, E), fp32, the factors of their outputs as
    the model applies them (renormalised, scaled); `chosen` (T, E) whether an expert gets a token;
    `rest` (T, D) the module's output without its routed experts.
    """

    inputs: Tensor
    gates: Tensor
    chosen: Tensor
    rest: Tensor


@torch.no_grad()
def route(mixture: Mixture, hidden: Tensor) -> Routing:
    """Route hidden states (..., T, D) by the model's own code; no expert is run.

    Experts that are called together get their routing as arguments, which are recorded. Experts
    that are called one by one are each replaced by a marker whose output identifies it, so that
    the gates can be read from the module's output, whatever their formula.
    """
    if mixture.together:
        return _route_together(mixture, hidden)
    return _route_one_by_one(mixture, hidden)


class _Recorder(nn.Module):
    """Replaces experts that are called together: records the call, returns zeros."""

    def forward(self, hidden: Tensor, *rest: Tensor, **named: Tensor) -> Tensor:
        self.call = (hidden, *rest, *named.values())
        return torch.zeros_like(hidden)


def _route_together(mixture: Mixture, hidden: Tensor) -> Routing:
    recorder = _Recorder()
    with _replaced(mixture, recorder):
        rest = _first(mixture.module(hidden)).flatten(0, -2)
    inputs, *routing = recorder.call[:3]
    index, weights = sorted(routing, key=torch.is_floating_point)
    empty = torch.zeros(len(index), mixture.size, device=index.device)
    gates = empty.scatter(1, index, weights.float())
    chosen = empty.scatter(1, index, 1.0) > 0
    return Routing(inputs.flatten(0, -2), gates, chosen, rest)


class _Marker(nn.Module):
    """Replaces one expert: returns `mark` in column `column` for each of its tokens."""

    def __init__(self, column: int | None, mark: float) -> None:
        super().__init__()
        self.column, self.mark, self.tokens = column, mark, 0

    def forward(self, hidden: Tensor) -> Tensor:
        out = torch.zeros_like(hidden)
        if self.column is not None:
            out[..., self.column] = self.mark
        self.tokens += hidden.shape[:-1].numel()
        return out


def _route_one_by_one(mixture: Mixture, hidden: Tensor) -> Routing:
    inputs, size = hidden.flatten(0, -2), mixture.size
    width = inputs.shape[-1]

    def outputs(columns: range, mark: float) -> tuple[Tensor, list[int]]:
        markers = [
            _Marker(expert - columns.start if expert in columns else None, mark)
            for expert in range(size)
        ]
        with _replaced(mixture, nn.ModuleList(markers)):
            out = _first(mixture.module(hidden)).flatten(0, -2)
        return out, [marker.tokens for marker in markers]

    rest, _ = outputs(range(0), 0.0)
    # So large that the rest of the output does not blur the gates, and still within the type.
    largest = 12 if rest.dtype == torch.float16 else 40
    mark = 2.0 ** min(largest, 10 + max(0, math.frexp(float(rest.abs().max()))[1]))
    gates = torch.zeros(len(inputs), size, device=inputs.device)
    for start in range(0, size, width):
        columns = range(start, min(start + width, size))
        out, tokens = outputs(columns, mark)
        gates[:, start : columns.stop] = ((out - rest).float() / mark)[:, : len(columns)]
    chosen = gates != 0
    if chosen.sum(0).tolist() != tokens:
        raise RequestError(
            f"the routing of {mixture.name} is of an unknown kind: its experts cannot be pruned."
        )
    return Routing(inputs, gates, chosen, rest)


@contextmanager
def _replaced(mixture: Mixture, experts: nn.Module) -> Iterator[None]:
    before = mixture.experts
    setattr(mixture.module, mixture.children[0], experts)
    try:
        yield
    finally:
        setattr(mixture.module, mixture.children[0], before)


def _first(out: Any) -> Tensor:
    output: Tensor = out[0] if isinstance(out, tuple) else out
    return output


# ── cutting ─────────────────────────────────────────────────────────────────────────────────────


def cut_(model: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Keep only the experts `kept` (rising indices, by mixture) and their router rows, in place.

    Every mixture keeps the same number, which is written to the config and the modules.
    """
    mixtures = find(model)
    before, after = mixtures[0].size, len(kept[mixtures[0].name])
    for mixture in mixtures:
        _keep_experts_(mixture.experts, before, kept[mixture.name])
        _keep_routing_(mixture, kept[mixture.name])
    for module in model.modules():
        _count_(module, before, after)
    config: Any = model.config
    for part in (config, config.get_text_config()):
        _count_(part, before, after)


def average_(mixture: Mixture, experts: Sequence[int], into: int, shares: Tensor) -> None:
    """Make the expert `into` the mean of `experts`, weighted by `shares`, in place.

    Its router row, and what else the router holds by expert, become the same mean.
    """
    holders = (mixture.experts, mixture.module, *mixture.router.modules())
    for module in holders:
        for value in _by_expert(module, mixture.size).values():
            _average_([value[expert] for expert in experts], value[into], shares)
    children = list(mixture.experts.children())
    if len(children) == mixture.size:
        tensors = [dict(children[expert].named_parameters()) for expert in experts]
        for name, target in children[into].named_parameters():
            _average_([each[name] for each in tensors], target, shares)


def _average_(parts: Sequence[Tensor], target: Tensor, shares: Tensor) -> None:
    total = sum(part.double() * float(share) for part, share in zip(parts, shares, strict=True))
    assert isinstance(total, Tensor)
    target.data.copy_(total)


def router_of(mixture: Mixture, kept: Tensor) -> Mixture:
    """A mixture that routes as if it had only the experts `kept`; it cannot run them.

    The router is copied; the original is not changed.
    """
    experts: nn.Module = _Recorder()
    if not mixture.together:
        experts = nn.ModuleList(nn.Identity() for _ in kept)
    module = copy.deepcopy(mixture.module, {id(mixture.experts): experts})
    alone = replace(mixture, module=module)
    _keep_routing_(alone, kept)
    for part in module.modules():
        _count_(part, mixture.size, len(kept))
    return replace(alone, size=len(kept))


def _keep_experts_(experts: nn.Module, size: int, kept: Tensor) -> None:
    _slice_(experts, size, kept)
    children = list(experts.children())
    if len(children) == size:
        for number in range(size):
            delattr(experts, str(number))
        for number, expert in enumerate(kept.tolist()):
            experts.add_module(str(number), children[expert])


def _keep_routing_(mixture: Mixture, kept: Tensor) -> None:
    """Rows and biases of the router, and corrections that some models store beside it."""
    for module in (mixture.module, *mixture.router.modules()):
        _slice_(module, mixture.size, kept)


def _slice_(module: nn.Module, size: int, kept: Tensor) -> None:
    for name in _by_expert(module, size):
        keep_(module, name, 0, kept)


def _by_expert(module: nn.Module, size: int) -> dict[str, Tensor]:
    """A module's own tensors that have one slice per expert, by name."""
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: value for name, value in tensors if value.dim() and value.shape[0] == size}


def _count_(holder: Any, before: int, after: int) -> None:
    for name in _COUNT:
        if getattr(holder, name, None) == before:
            setattr(holder, name, after)
