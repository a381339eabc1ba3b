"""`resect probe`: what a model loses when one block, or one module in it, is damaged alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import PreTrainedModel

from resect import anatomy, methods
from resect.anatomy import Block, Matrix
from resect.errors import RequestError
from resect.methods.calibration.calibration_text import filled
from resect.methods.calibration.capture import blocks_in_turn, squares
from resect.methods.calibration.resuming import logits_from
from resect.methods.fragility import Part, Probe
from resect.methods.step import Context
from resect.methods.weights.scored import Scored
from resect.models import devices, loading, scratch
from resect.running.destination import destination
from resect.spec import Calibration, ModelRef, Step

Notice = Callable[[str], None]
ROUND = "round"
_GROUP = 32  # neighbours along a row that share a scale when they are rounded


class Piece(NamedTuple):
    """What is damaged alone: the `matrices` of a block, or of the module `name` in it."""

    name: str
    block: int
    matrices: list[Matrix]


def pieces(blocks: Sequence[Block], whole: bool) -> list[Piece]:
    """Every block; unless `whole`, the modules directly in it that hold matrices, too."""
    listed = []
    for number, block in enumerate(blocks):
        listed.append(Piece(block.name, number, block.matrices))
        inside: dict[str, list[Matrix]] = {}
        for matrix in block.matrices:
            child = matrix.name.removeprefix(f"{block.name}.").partition(".")[0]
            inside.setdefault(f"{block.name}.{child}", []).append(matrix)
        if not whole and len(inside) > 1:
            listed += [Piece(name, number, own) for name, own in inside.items()]
    return [piece for piece in listed if piece.matrices]


class Damage:
    """A step of a method that zeroes weights, like `magnitude:0.5`, or `round:3` (bits)."""

    def __init__(self, text: str) -> None:
        self.bits, self.step = 0, None
        name, _, bits = text.partition(":")
        if name == ROUND:
            if not (bits.isdigit() and 2 <= int(bits) <= 8):
                raise RequestError(f"{text} cannot be read: give 2 to 8 bits, like round:3.")
            self.bits = int(bits)
            return
        self.step = Step.parse(text)
        method = methods.check(self.step)
        if not isinstance(method, Scored) or method.allocation != "uniform":
            raise RequestError(
                f"a probe cannot damage by {text}: give a method that zeroes weights, like "
                "magnitude:0.5, or round:3."
            )

    def damage_(self, model: PreTrainedModel, piece: Piece, context: Context) -> None:
        """Damage one piece in place."""
        if self.step is None:
            for matrix in piece.matrices:
                matrix.weight().copy_(rounded(matrix.weight(), self.bits))
            return
        options = {**self.step.options, "include": f"{piece.name}.*"}
        method = methods.make(self.step.model_copy(update={"options": options}))
        levels = [] if self.step.level is None else [self.step.level]
        method.prepare(model, levels, context)
        method.apply(model, self.step.level)


def rounded(weight: Tensor, bits: int) -> Tensor:
    """A weight (O, I) in 2^bits - 1 levels around zero, scaled by 32 neighbours of a row."""
    columns = weight.shape[1]
    size = _GROUP if columns % _GROUP == 0 else columns
    groups = weight.float().reshape(len(weight), -1, size)
    scale = groups.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)
    whole = torch.round(groups / scale.clamp_min(torch.finfo(torch.float32).tiny))
    result: Tensor = (whole * scale).reshape(weight.shape).to(weight.dtype)
    return result


@torch.no_grad()
def measure(
    model: PreTrainedModel, damage: Damage, context: Context, whole: bool = False
) -> Iterator[Part]:
    """Damage one piece after another, measure, and restore it.

    KL is over the whole vocabulary at every token. The intact model's is read out again each time
    from what its last block puts out, which takes less memory than its logits.
    """
    text = context.text
    assert text is not None, "a probe reads text"
    blocks = anatomy.read(model).blocks
    modules = [block.module for block in blocks]
    last: list[Tensor] = []
    for turn in blocks_in_turn(model, text, lambda _: False, squares, changing=False):
        last = turn.end(changed=False)
    by_block: dict[int, list[Piece]] = {}
    for piece in pieces(blocks, whole):
        by_block.setdefault(piece.block, []).append(piece)
    turns = blocks_in_turn(model, text, lambda _: False, squares, changing=False)
    for number, turn in enumerate(turns):
        turn.end(changed=False)  # before the block is damaged
        for piece in by_block.get(number, []):
            intact = [matrix.weight().clone() for matrix in piece.matrices]
            try:
                damage.damage_(model, piece, context)
                kl, flips = 0.0, 0
                for ids, start, end in zip(text.ids, turn.hidden, last, strict=True):
                    before = logits_from(model, modules, len(modules), end, ids)
                    after = logits_from(model, modules, number, start, ids)
                    kl += divergence(before, after)
                    flips += int((before.argmax(-1) != after.argmax(-1)).sum())
            finally:
                for matrix, weight in zip(piece.matrices, intact, strict=True):
                    matrix.weight().copy_(weight)
            tokens = text.ids.numel()
            weights = sum(weight.numel() for weight in intact)
            yield Part(
                name=piece.name, block=number, weights=weights,
                kl=max(kl / tokens, 0.0), flips=flips / tokens,
            )  # fmt: skip


def divergence(before: Tensor, after: Tensor) -> float:
    """Sum over the tokens of KL(before | after) in nats, from logits (T, V)."""
    p, q = log_softmax(before.float(), -1), log_softmax(after.float(), -1)
    return float((p.exp() * (p - q)).sum(-1).double().sum())


def probe_to(
    ref: ModelRef,
    damage: str,
    text: Calibration,
    out: Path,
    *,
    whole: bool = False,
    device: str = "auto",
    data_dir: Path | None = None,
    notice: Notice = lambda _: None,
) -> Probe:
    """Probe a model on a text; write the file `out`, and a heat map beside it."""
    from resect.report.heat_map import svg

    out, how = out.expanduser(), Damage(damage)
    picture = out.with_suffix(".svg")
    for path in (out, picture):
        if path.exists():
            raise RequestError(f"{path} is there already: give another --out, or remove it.")
    if not out.parent.is_dir():
        raise RequestError(f"there is no folder {out.parent}: make it, or give another --out.")
    destination(out.parent)
    identity, empty = loading.identify(ref, devices.named(device))
    methods.make(how.step or Step.parse("magnitude")).fits(empty.model, [])
    text = filled(text, ref, (), data_dir)
    loaded = loading.load(ref, devices.fitting(devices.named(device), empty.model), notice)
    context = Context.of(loaded, ref, text, notice, data_dir)
    total = len(pieces(anatomy.read(loaded.model).blocks, whole))
    parts: list[Part] = []
    with loading.threads(loaded.model):
        for part in measure(loaded.model, how, context, whole):
            parts.append(part)
            notice(f"{len(parts)} of {total}: {part.name}, KL {part.kl:.3g}")
    assert context.text is not None
    probe = Probe(
        resect=version("resect"), model=ref.id, fingerprint=identity.fingerprint, damage=damage,
        text=text.data, tokens=context.text.ids.numel(), parts=tuple(parts),
    )  # fmt: skip
    files = {out: probe.model_dump_json(indent=2) + "\n", picture: svg(table(probe), title(probe))}
    with scratch.under(out.absolute().parent), scratch.Scratch("probe") as folder:
        for path, content in files.items():
            part_file = folder / path.name
            part_file.write_text(content, encoding="utf-8")
            scratch.to_disk(part_file)
            part_file.replace(path)
    return probe


def title(probe: Probe) -> str:
    """What was measured, in one line."""
    return (
        f"KL in nats when one part of {probe.model} is damaged alone by {probe.damage}, "
        f"{probe.tokens:,} tokens of {probe.text}"
    )


def table(probe: Probe) -> dict[int, dict[str, float]]:
    """KL by block, and in it by module; the whole block is `block`."""
    rows: dict[int, dict[str, float]] = {}
    names = {part.block: part.name for part in reversed(probe.parts)}  # the block comes first
    for part in probe.parts:
        column = part.name.removeprefix(names[part.block]).removeprefix(".") or "block"
        rows.setdefault(part.block, {})[column] = part.kl
    return rows
