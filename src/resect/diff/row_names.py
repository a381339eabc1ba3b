"""What names a row of summary.json, and how the rows of two lists are paired by it.

Rows are never paired by their position: a run with one level less has the same rows but for that
level.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from resect.findings import rows

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | Mapping[str, Plain] | None"
"""A value of summary.json."""

SWEEP = ("model", "recipe", "seed")
CURVE = (*SWEEP, "task", "view")
POINT = (*SWEEP, "level", "task", "view")
PAIR = ("a", "b", "recipe", "seed", "task", "view")

KEYS: Mapping[type, tuple[str, ...]] = {
    rows.StudyRecipe: ("name", "seed"),
    rows.Model: ("name",),
    rows.Task: ("name",),
    rows.Command: ("model", "recipe", "seed", "level"),
    rows.CurvePoint: (*POINT, "runtime"),
    rows.Robustness: (*CURVE, "metric", "kind"),
    rows.Comparison: (*PAIR, "metric", "kind"),
    rows.IntactComparison: ("a", "b", "task", "view", "metric", "runtime"),
    rows.RuntimeStep: ("model", "task", "view", "runtime"),
    rows.Cliff: (*CURVE, "metric", "kind"),
    rows.StepShare: ("level",),
    rows.BreaksFirst: (*SWEEP, "task"),
    rows.Bias: POINT,
    rows.Trust: POINT,
    rows.Reliability: POINT,
    rows.ReliabilityFirst: (*CURVE, "metric"),
    rows.RetainedLevel: ("level",),
    rows.Slice: (*CURVE, "tag"),
    rows.SliceValue: ("value",),
    rows.Divergence: PAIR,
    rows.DivergentItem: ("item",),
    rows.Domains: (*SWEEP, "view"),
    rows.DomainLevel: ("level",),
    rows.Abstention: (*SWEEP, "view"),
    rows.AbstentionLevel: ("level",),
    rows.SweepVerdict: (*SWEEP, "view", "runtime"),
    rows.LevelVerdict: ("level",),
    rows.TaskVerdict: ("level", "task", "view"),
    rows.Guardrail: ("level", "task", "kind", "of"),
    rows.Undecided: ("task", "level"),
    rows.DegradedCell: ("level", "task"),
    rows.Choice: ("model",),
    rows.Candidate: ("recipe", "level"),
    rows.Measurement: (*SWEEP, "level", "runtime"),
    rows.PublishedArea: ("model", "recipe", "task", "reading", "metric"),
    rows.PublishedLevel: ("model", "recipe", "level", "task", "reading", "metric"),
    rows.PublishedComparison: ("a", "b", "recipe", "task", "reading", "metric"),
    rows.ReaderAgreement: ("task",),
    rows.AnswerRate: (*SWEEP, "level", "task", "reading"),
    rows.Claim: ("task", "claim"),
}
"""The fields that name a row of each type; the others are what was measured."""

OTHER = tuple(dict.fromkeys(field for key in KEYS.values() for field in key if field != "value"))
"""What names a row of a list that no type describes, as another version may write."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
"""A number in a sentence."""

Name = tuple[tuple[str, Plain], ...]


class Paired(NamedTuple):
    """The entries of two lists: (name, first, second) of both, the names that one alone has, and
    whether those of both stand in the same order.
    """

    both: list[tuple[Name, Plain, Plain]]
    first: list[Name]
    second: list[Name]
    in_order: bool


@cache
def row_types() -> dict[str, type]:
    """The type of the rows of every list of summary.json, by the path of the list."""
    return dict(_lists(rows.Summary, ""))


def _lists(owner: type, path: str) -> Iterator[tuple[str, type]]:
    """The lists of rows in a row type, and in what it holds."""
    for field, hint in get_type_hints(owner).items():
        where = f"{path}.{field}" if path else field
        for is_list, held in _held(hint):
            if is_list:
                yield where, held
            yield from _lists(held, where)


def _held(hint: object) -> Iterator[tuple[bool, type]]:
    """The row types in a type hint, and whether each stands in a list."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield False, hint
    for part in get_args(hint):
        for is_list, held in _held(part):
            yield is_list or get_origin(hint) is tuple, held


def pair(first: Sequence[Plain], second: Sequence[Plain], section: str) -> Paired:
    """Pair the entries of two lists by name; `section` is the path of the list in a summary.

    Several entries of one name are paired in their order.
    """
    fields = names_in(first, second, section)
    left, right = _named(first, fields), _named(second, fields)
    shared = [key for key in left if key in right]
    return Paired(
        [(*left[key], right[key][1]) for key in shared],
        [name for key, (name, _) in left.items() if key not in right],
        [name for key, (name, _) in right.items() if key not in left],
        shared == [key for key in right if key in left],
    )


def names_in(first: Sequence[Plain], second: Sequence[Plain], section: str) -> list[str]:
    """The fields that name the rows of two lists: what only another version writes names none."""
    written = [
        {field for entry in entries if isinstance(entry, Mapping) for field in entry}
        for entries in (first, second) if entries
    ]  # fmt: skip
    known = set.intersection(*written) if written else set()
    row_type = row_types().get(section)
    return [field for field in (KEYS[row_type] if row_type else OTHER) if field in known]


def _named(
    entries: Sequence[Plain], fields: Sequence[str]
) -> dict[tuple[Name, int], tuple[Name, Plain]]:
    """Entries and the names to show, by their name and how many of that name came before.

    A row is named by its naming fields. A sentence is named by its words: one with other numbers
    is the same sentence, changed, and is shown with its numbers. Anything else names itself.
    """
    seen: Counter[Name] = Counter()
    named = {}
    for entry in entries:
        shown: Name = (("entry", entry),)
        if isinstance(entry, Mapping):
            name = shown = tuple((field, entry[field]) for field in fields if field in entry)
        elif isinstance(entry, str) and " " in entry:
            name = (("entry", NUMBER.sub("#", entry)),)
        else:
            name = (("entry", str(entry) if isinstance(entry, list | tuple) else entry),)
        named[name, seen[name]] = shown, entry
        seen[name] += 1
    return named
