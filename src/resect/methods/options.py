"""Options of methods: the words of a step as values of the types that the constructor declares.

A constructor's annotations give the type of each option; `Annotated` gives its range.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from resect.errors import RequestError, unknown
from resect.spec import Scalar, written

Count = Annotated[int, Field(ge=0, lt=2**31)]
Whole = Annotated[int, Field(ge=1, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Size = Annotated[float, Field(ge=0)]
Above = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]

_FINITE = ConfigDict(allow_inf_nan=False)
_WORDS = {
    "a valid boolean": "true or false",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "greater than or equal to": "a number of at least",
    "greater than": "a number above",
    "less than or equal to": "a number of at most",
    "less than": "a number below",
}
"""pydantic's phrases for what was expected, and ours; longer phrases first."""


def defaults(constructor: Callable[..., Any]) -> dict[str, Any]:
    """The options that a constructor takes, with their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(constructor).parameters.items()
    }


def values(
    constructor: Callable[..., Any], method: str, given: Mapping[str, Scalar]
) -> dict[str, Any]:
    """The given options as values of their declared types; raises `RequestError` for a wrong one.

    The declared type decides how a word is read: `5` can be a number or a name, and `no` is false
    only where true or false is expected.
    """
    # A dataclass's fields are declared where its class is, also those that it inherits.
    declared = constructor if is_dataclass(constructor) else constructor.__init__
    types = get_type_hints(declared, include_extras=True)
    known, typed = defaults(constructor), {}
    for option, value in given.items():
        if option not in known:
            raise unknown(f"option of {method}", option, known)
        kind: TypeAdapter[Any] = TypeAdapter(types[option], config=_FINITE)
        try:
            typed[option] = kind.validate_strings(written(value))
        except ValidationError as error:
            raise RequestError(
                f"{method} cannot take {option}={written(value)}: give {_wanted(error)}."
            ) from None
    return typed


def _wanted(error: ValidationError) -> str:
    """What was expected, in words; the first of several readings."""
    expected = error.errors()[0]["msg"].removeprefix("Input should be ").partition(",")[0]
    for phrase, words in _WORDS.items():
        expected = expected.replace(phrase, words)
    return expected
