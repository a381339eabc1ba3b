"""Checkpoint in, checkpoint out: prune what needs no activations without loading the model.

Memory holds pieces where a cut is all there is to do, else one tensor, whatever the model's size.
The matrices, their order and so their ties are those of the model in memory, so the result is the
same bit for bit.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming

from resect import anatomy
from resect.anatomy import Matrix
from resect.errors import RequestError
from resect.methods.chunked import HANDED_OVER, pieces
from resect.methods.masks import zeros
from resect.methods.weights.scored import Scored
from resect.models.checkpoint_files import Checkpoint, Writer
from resect.record import StepReport


class Place(NamedTuple):
    """Where a logical matrix lies in a checkpoint: `matrix` reads it from the tensor `key`."""

    key: str
    matrix: Matrix


class _Held(nn.Module):
    """Stands for a module that holds one tensor."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.register_buffer("tensor", tensor)


def locate(source: Checkpoint, model: nn.Module) -> dict[str, Place]:
    """Every matrix of the decoder blocks (and the two ends) by name, with its place on disk.

    `model` gives the shape (a model on the meta device). Where a checkpoint keeps experts apart
    and memory keeps them fused, transformers' own conversion table says which is which.
    """
    parts = anatomy.read(model)
    ends = [end for end in (parts.embedding, parts.head) if end is not None]
    by_parameter: dict[str, list[Matrix]] = {}
    for matrix in [*parts.matrices, *ends]:
        by_parameter.setdefault(f"{matrix.module}.{matrix.parameter}", []).append(matrix)
    table = get_model_conversion_mapping(model)  # type: ignore[arg-type]
    found: dict[str, Place] = {}
    for key in source.entries:
        for matrix in _of_key(key, by_parameter, table):
            found[matrix.name] = Place(key, matrix)
    for end, other in itertools.permutations(ends, 2):
        tied = getattr(end.owner, end.parameter) is getattr(other.owner, other.parameter)
        if tied and end.name in found:  # a file holds a tied tensor once, under either name
            found.setdefault(other.name, Place(found[end.name].key, other))
    missing = [m.name for m in parts.matrices if m.name not in found]
    if missing:
        raise RequestError(
            f"{len(missing)} matrices are not found in {source.folder}, like {missing[0]}: "
            "the checkpoint keeps them in a way that is not known."
        )
    return found


def _of_key(key: str, by_parameter: dict[str, list[Matrix]], table: Sequence[Any]) -> list[Matrix]:
    """The matrices that a tensor holds: by its name, its name in memory, or in fused ones."""
    renamed = _renamed(key, table)
    for name in (key, f"model.{key}", renamed):
        if name in by_parameter:
            return by_parameter[name]
    for entry in table:
        if not isinstance(entry, WeightConverter) or len(entry.target_patterns) != 1:
            continue
        for number, pattern in enumerate(entry.source_patterns):
            match = re.search(re.escape(pattern).replace(r"\*", r"(\d+)"), renamed)
            if match and match.groups():
                fused = by_parameter.get(renamed[: match.start()] + entry.target_patterns[0], [])
                of_expert = [m for m in fused if m.index and m.index[0] == int(match[1])]
                # Kept apart, the tensor is the matrix itself.
                parts = of_expert[number : number + 1]
                return [replace(part, index=(), transposed=False) for part in parts]
    return []


def _renamed(key: str, table: Sequence[Any]) -> str:
    """The name in memory of a tensor that transformers renames on its way."""
    for entry in table:
        if isinstance(entry, WeightRenaming):
            for old, new in zip(entry.source_patterns, entry.target_patterns, strict=False):
                if "\\" not in new:
                    key = re.sub(old, new, key)
    return key


def tied_once(source: Checkpoint, model: PreTrainedModel) -> Checkpoint:
    """The checkpoint with a tied tensor once, where its files hold it under two names.

    transformers ties what the config ties, unless the file holds two that differ. Without data it
    cannot compare them and leaves them apart: `model` (on the meta device) is tied here. Were only
    one of the two pruned, they would come apart.
    """
    parts = anatomy.read(model)
    ends = (parts.embedding, parts.head)
    if None in ends or not model.config.get_text_config().tie_word_embeddings:
        return source
    places = locate(source, model)
    first, *others = dict.fromkeys(
        places[end.name].key for end in ends if end and end.name in places
    )
    entries = source.entries
    for other in others:
        if not torch.equal(entries[first].look(), entries[other].look()):
            return source
        entries = {key: entry for key, entry in entries.items() if key != other}
    model.tie_weights()
    return replace(source, entries=entries)


def prune(
    source: Checkpoint, model: nn.Module, method: Scored, level: float | None, out: Writer
) -> StepReport:
    """Write `source` to `out`, pruned by `method` at `level`; the zeros are counted on the way."""
    level = method.dose(level)
    places = locate(source, model)
    wanted = [places[m.name] for m in method.targets.of(model)]
    method.begin(lambda: _matrices(source, wanted), level)
    counted = Counted()
    # From the last tensor to the first, as in memory: of equal magnitudes the last ones stay.
    groups = dict(_by_key(wanted[::-1]))
    for key, group in groups.items():
        out.put(key, counted.left(source.entries[key].look(), group, method, level))
    for key in source.entries.keys() - groups.keys():
        out.put(key, reversed(pieces(source.entries[key].look(), HANDED_OVER)))
    measured = counted.zeros / counted.targeted
    scope = method.describe(len(wanted))
    notes = (*source.notes, *method.notes(level))
    return StepReport(method.name, level, measured, counted.targeted, counted.zeros, scope, notes)


class Counted:
    """How many weights were targeted, and how many of them are zero in what was written."""

    def __init__(self) -> None:
        self.targeted = self.zeros = 0

    def left(
        self, tensor: Tensor, group: Sequence[Place], method: Scored, level: float
    ) -> Iterator[Tensor]:
        """A tensor as pruning its matrices leaves it, the last piece first."""
        matrices = [_held(place, tensor) for place in group]
        if len(matrices) == 1 and matrices[0].weight().is_set_to(tensor):
            for piece in method.left(matrices[0], level):
                self._add(piece)
                yield piece
            return
        whole = tensor.clone()
        for place in group:
            matrix = _held(place, whole)
            method.zero_(matrix, level)
            self._add(matrix.weight())
        yield from reversed(pieces(whole, HANDED_OVER))

    def _add(self, weight: Tensor) -> None:
        self.targeted += weight.numel()
        self.zeros += zeros(weight)


def _matrices(source: Checkpoint, places: Sequence[Place]) -> Iterator[Matrix]:
    """The matrices with their weights, one tensor at a time."""
    for key, group in _by_key(places):
        tensor = source.entries[key].look()
        yield from (_held(place, tensor) for place in group)


def _by_key(places: Sequence[Place]) -> Iterator[tuple[str, list[Place]]]:
    """Neighbours that lie in one tensor, together."""
    group: list[Place] = []
    for place in places:
        if group and group[0].key != place.key:
            yield group[0].key, group
            group = []
        group.append(place)
    if group:
        yield group[0].key, group


def _held(place: Place, tensor: Tensor) -> Matrix:
    return replace(place.matrix, owner=_Held(tensor), parameter="tensor")
