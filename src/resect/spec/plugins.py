"""Methods and tasks that installed packages add through entry points."""

from __future__ import annotations

from collections.abc import Container, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from resect.errors import RequestError


def points(group: str, own: Container[str]) -> Mapping[str, EntryPoint]:
    """The entry points of a group by name; `RequestError` where one takes a name of `own`."""
    named = {point.name: point for point in entry_points(group=group)}
    for name, point in named.items():
        if name in own:
            raise RequestError(
                f"{_package(point)} adds the {group.removeprefix('resect.').rstrip('s')} {name}, "
                "but resect already has one of that name: remove that package."
            )
    return named


def load(point: EntryPoint) -> Any:
    """What an entry point names; `RequestError` where it cannot be loaded."""
    try:
        return point.load()
    except Exception as error:  # a third party's import may fail in any way
        raise RequestError(
            f"{point.name} of {_package(point)} cannot be loaded ({type(error).__name__}: "
            f"{error}): repair or remove that package."
        ) from None


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name if point.dist else point.value}"
