"""The methods: one table, name to class and one line. Listing it imports no torch."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from resect.errors import RequestError, unknown
from resect.spec import Step

if TYPE_CHECKING:
    from resect.methods.base import Method


class Entry(NamedTuple):
    """Where a method is and what it does; `dose` is what its level counts, None without one."""

    where: str
    summary: str
    dose: str | None


METHODS: dict[str, Entry] = {
    "magnitude": Entry(
        "resect.methods.magnitude:Magnitude",
        "smallest |w| of every matrix to zero (scope=layer)",
        "fraction of the weights",
    ),
}


def make(step: Step) -> Method:
    """The method a step names, with its options; wrong names and options are `RequestError`s."""
    if step.method not in METHODS:
        raise unknown("method", step.method, METHODS)
    module, _, attribute = METHODS[step.method].where.partition(":")
    cls = getattr(import_module(module), attribute)
    known = set(inspect.signature(cls).parameters)
    for option in step.options:
        if option not in known:
            raise unknown(f"option of {step.method}", option, known)
    method: Method = cls(**step.options)
    return method


def check(step: Step) -> Method:
    """As `make`, and the level must be one the method has."""
    method = make(step)
    dose = METHODS[step.method].dose
    if step.level is not None and dose is None:
        raise RequestError(f"{step.method} takes no level: leave out {step.level:g}.")
    if step.level is not None and dose is not None and "fraction" in dose and step.level >= 1:
        raise RequestError(f"level {step.level:g} is out of range: give a fraction in [0, 1).")
    return method
