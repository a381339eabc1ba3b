"""Prune a checkpoint file to file, without loading the model, by methods that need no activations.

Memory holds a few pieces of a tensor, or one tensor, whatever the model's size. Matrices come in
the order of the model in memory, and so do ties: the result is the same bit for bit.
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
from resect.methods.chunked import HANDOVER, pieces
from resect.methods.masks import zeros
from resect.methods.weights.scored import Scored
from resect.models.checkpoint_files import Checkpoint, Writer
from resect.record import StepReport


class Place(NamedTuple):
    """Where a logical matrix is in a checkpoint: `matrix` reads it from the tensor `key`."""

    key: str
    matrix: Matrix


class _TensorHolder(nn.Module):
    """Stands for a module that holds one tensor."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.register_buffer("tensor", tensor)


def locate(source: Checkpoint, model: nn.Module) -> dict[str, Place]:
    """Every matrix of the decoder blocks (and the two ends) by name, with its place on disk.

    `model` gives the structure (it may be on the meta device). Where a checkpoint stores experts
    one by one and memory has them fused, transformers' conversion table maps one to the other.
    """
    structure = anatomy.read(model)
    ends = [end for end in (structure.embedding, structure.head) if end is not None]
    by_parameter: dict[str, list[Matrix]] = {}
    for matrix in [*structure.matrices, *ends]:
        by_parameter.setdefault(f"{matrix.module}.{matrix.parameter}", []).append(matrix)
    table = get_model_conversion_mapping(model)  # type: ignore[arg-type]
    places: dict[str, Place] = {}
    for key in source.entries:
        for matrix in _of_key(key, by_parameter, table):
            places[matrix.name] = Place(key, matrix)
    for end, other in itertools.permutations(ends, 2):
        tied = getattr(end.owner, end.parameter) is getattr(other.owner, other.parameter)
        if tied and end.name in places:  # a file holds a tied tensor once, under either name
            places.setdefault(other.name, Place(places[end.name].key, other))
    missing = [m.name for m in structure.matrices if m.name not in places]
    if missing:
        raise RequestError(
            f"{source.folder} lacks {len(missing)} matrices, like {missing[0]}, or stores them in "
            "an unknown format: save it again with a current transformers."
        )
    return places


def _of_key(key: str, by_parameter: dict[str, list[Matrix]], table: Sequence[Any]) -> list[Matrix]:
    """The matrices that a tensor holds: by its name, its name in memory, or within a fused one."""
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
                fused_matrices = by_parameter.get(
                    renamed[: match.start()] + entry.target_patterns[0], []
                )
                of_expert = [m for m in fused_matrices if m.index and m.index[0] == int(match[1])]
                # Stored on its own, the tensor is the matrix itself.
                halves = of_expert[number : number + 1]
                return [replace(part, index=(), transposed=False) for part in halves]
    return []


def _renamed(key: str, table: Sequence[Any]) -> str:
    """The name in memory of a tensor that transformers renames when it loads it."""
    for entry in table:
        if isinstance(entry, WeightRenaming):
            for old, new in zip(entry.source_patterns, entry.target_patterns, strict=False):
                if "\\" not in new:
                    key = re.sub(old, new, key)
    return key


def tied_once(source: Checkpoint, model: PreTrainedModel) -> Checkpoint:
    """The checkpoint without the second copy of a tied tensor.

    transformers ties what the config ties, unless the file holds two tensors that differ. On the
    meta device it cannot compare them and leaves them untied, so `model` is tied here: if only one
    copy were pruned, the two would differ.
    """
    structure = anatomy.read(model)
    ends = (structure.embedding, structure.head)
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
    source: Checkpoint, model: PreTrainedModel, method: Scored, level: float | None, out: Writer
) -> StepReport:
    """Write `source` to `out`, pruned by `method` at `level`; zeros are counted on the way."""
    level = method.dose(level)
    places = locate(source, model)
    wanted = [places[m.name] for m in method.targets.of(model)]
    method.allot(model, lambda: _matrices(source, wanted), None)
    method.begin(lambda: _matrices(source, wanted), level)
    counted = Counted()
    # From the last tensor to the first, as in memory: of equal magnitudes, the last stay.
    groups = dict(_by_key(wanted[::-1]))
    for key, group in groups.items():
        out.put(key, counted.remaining(source.entries[key].look(), group, method, level))
    for key in source.entries.keys() - groups.keys():
        out.put(key, reversed(pieces(source.entries[key].look(), HANDOVER)))
    measured = counted.zeros / counted.targeted
    scope = method.describe(len(wanted))
    notes = (*source.notes, *method.notes(level))
    return StepReport(method.name, level, measured, counted.targeted, counted.zeros, scope, notes)


class Counted:
    """How many weights were targeted, and how many of them are zero in what was written."""

    def __init__(self) -> None:
        self.targeted = self.zeros = 0

    def remaining(
        self, tensor: Tensor, group: Sequence[Place], method: Scored, level: float
    ) -> Iterator[Tensor]:
        """A tensor after its matrices were pruned, the last piece first."""
        matrices = [_with_tensor(place, tensor) for place in group]
        if len(matrices) == 1 and matrices[0].weight().is_set_to(tensor):
            for piece in method.remaining(matrices[0], level):
                self._add(piece)
                yield piece
            return
        pruned = tensor.clone()
        for place in group:
            matrix = _with_tensor(place, pruned)
            method.zero_(matrix, level)
            self._add(matrix.weight())
        yield from reversed(pieces(pruned, HANDOVER))

    def _add(self, weight: Tensor) -> None:
        self.targeted += weight.numel()
        self.zeros += zeros(weight)


def _matrices(source: Checkpoint, places: Sequence[Place]) -> Iterator[Matrix]:
    """The matrices with their weights, one tensor at a time."""
    for key, group in _by_key(places):
        tensor = source.entries[key].look()
        yield from (_with_tensor(place, tensor) for place in group)


def _by_key(places: Sequence[Place]) -> Iterator[tuple[str, list[Place]]]:
    """Consecutive matrices of one tensor, grouped."""
    group: list[Place] = []
    for place in places:
        if group and group[0].key != place.key:
            yield group[0].key, group
            group = []
        group.append(place)
    if group:
        yield group[0].key, group


def _with_tensor(place: Place, tensor: Tensor) -> Matrix:
    return replace(place.matrix, owner=_TensorHolder(tensor), parameter="tensor")
