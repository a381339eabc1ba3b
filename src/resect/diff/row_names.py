"""What names a row of summary.json, and how the rows of two lists are paired by it.

The one place that knows. Rows are never paired by their position: a run with one level less has
the same rows but for that level.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NAMES = (
    "model", "a", "b", "recipe", "name", "seed", "level", "task", "view", "reading", "metric",
    "kind", "test", "tag", "what", "claim", "item",
)  # fmt: skip
"""Fields that say which row it is, wherever they stand; the others say what was found."""

FOUND = {
    "cliffs": {"level"},
    "order": {"level"},  # of breaks_first
    "slices": {"level"},
    "items": {"level"},  # of divergences
    "smallest_safe": {"recipe", "seed", "level"},
    "tasks": {"kind"},
}
"""Lists in which some of these fields are what was found."""

MORE = {"values": ("value",)}
"""Lists with a name of their own: the values of a tag, in slices."""

MODELS = ("model", "a", "b", "keeps", "loses")
"""Fields that hold the name of a model."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
"""A number in a sentence."""

Name = tuple[tuple[str, Any], ...]


class Paired(NamedTuple):
    """The entries of two lists: (name, first, second) of both, the names that one alone has, and
    whether those of both stand in the same order.
    """

    both: list[tuple[Name, Any, Any]]
    first: list[Name]
    second: list[Name]
    in_order: bool


def pair(one: Sequence[Any], other: Sequence[Any], section: str) -> Paired:
    """Pair the entries of two lists by name; `section` is the key that the lists stand under.

    Several entries of one name are paired in their order.
    """
    fields = names_in(one, other, section)
    ours, theirs = _named(one, fields), _named(other, fields)
    shared = [key for key in ours if key in theirs]
    return Paired(
        [(_shown(key[0], ours[key]), ours[key], theirs[key]) for key in shared],
        [_shown(key[0], row) for key, row in ours.items() if key not in theirs],
        [_shown(key[0], row) for key, row in theirs.items() if key not in ours],
        shared == [key for key in theirs if key in ours],
    )


def names_in(one: Sequence[Any], other: Sequence[Any], section: str) -> list[str]:
    """The fields that name the rows of two lists: what only another version writes names none."""
    every = [{field for row in rows if isinstance(row, Mapping) for field in row}
             for rows in (one, other) if rows]  # fmt: skip
    known = set.intersection(*every) if every else set()
    known -= FOUND.get(section, set())
    return [field for field in (*NAMES, *MORE.get(section, ())) if field in known]


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same findings with other names of models."""
    if isinstance(value, Mapping):
        return {
            key: names.get(entry, entry)
            if key in MODELS and isinstance(entry, str)
            else renamed(entry, names)
            for key, entry in value.items()
        }
    return [renamed(entry, names) for entry in value] if isinstance(value, list | tuple) else value


def _named(rows: Sequence[Any], fields: Sequence[str]) -> dict[tuple[Name, int], Any]:
    """Entries by their name and how many of that name came before."""
    seen: Counter[Name] = Counter()
    found = {}
    for entry in rows:
        name = _name(entry, fields)
        found[name, seen[name]] = entry
        seen[name] += 1
    return found


def _name(entry: Any, fields: Sequence[str]) -> Name:
    """What names one entry: its naming fields, or itself where it is no row.

    A sentence is named by its words: one with other numbers is the same sentence, changed.
    """
    if isinstance(entry, Mapping):
        return tuple((field, entry[field]) for field in fields if field in entry)
    if isinstance(entry, str) and " " in entry:
        return (("entry", NUMBER.sub("#", entry)),)
    return (("entry", str(entry) if isinstance(entry, list | tuple) else entry),)


def _shown(name: Name, entry: Any) -> Name:
    """The name to be shown: a sentence with its numbers."""
    return name if isinstance(entry, Mapping) else (("entry", entry),)
