"""Options as a method's constructor declares them: from what a step says to values of those types.

A constructor's annotations say what each option is; `Annotated` says its range.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from resect.errors import RequestError, unknown
from resect.spec import Scalar, written

Count = Annotated[int, Field(ge=0)]
Whole = Annotated[int, Field(ge=1)]
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
"""What pydantic says was expected, and how it is said here; the longer phrases first."""


def defaults(made: Callable[..., Any]) -> dict[str, Any]:
    """The options that a constructor takes, and what each is where it is not given."""
    return {name: one.default for name, one in inspect.signature(made).parameters.items()}


def values(made: Callable[..., Any], method: str, given: Mapping[str, Scalar]) -> dict[str, Any]:
    """The options given, each of its declared type; raises `RequestError` for one that is not.

    Read as they are written, so that `5` is a number where one is asked for and a name where a
    name is, and `no` is false only where true or false is asked for.
    """
    # A dataclass's fields are declared where its class is, also those that it inherits.
    declared = made if is_dataclass(made) else made.__init__
    types = get_type_hints(declared, include_extras=True)
    known, found = defaults(made), {}
    for option, value in given.items():
        if option not in known:
            raise unknown(f"option of {method}", option, known)
        kind: TypeAdapter[Any] = TypeAdapter(types[option], config=_FINITE)
        try:
            found[option] = kind.validate_strings(written(value))
        except ValidationError as error:
            raise RequestError(
                f"{method} cannot take {option}={written(value)}: give {_wanted(error)}."
            ) from None
    return found


def _wanted(error: ValidationError) -> str:
    """What was expected, in words; of several readings the first."""
    said = error.errors()[0]["msg"].removeprefix("Input should be ").partition(",")[0]
    for phrase, meant in _WORDS.items():
        said = said.replace(phrase, meant)
    return said
