"""The base of every part of a request: frozen, no unknown fields, one sentence per mistake."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from resect.errors import RequestError, unknown


class Frozen(BaseModel):
    """Compared and hashed by value; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """Build from plain values; a mistake raises a one-sentence `RequestError`."""
        try:
            return cls(**fields)
        except ValidationError as error:
            mistakes = error.errors()
            for mistake in mistakes:  # a misspelt field also explains a missing one
                if mistake["type"] == "extra_forbidden" and len(mistake["loc"]) == 1:
                    raise unknown("field", str(mistake["loc"][0]), cls.model_fields) from None
            raise RequestError(_in_words(mistakes[0], cls.__name__.lower())) from None


_LIMITS = {
    "greater_than_equal": ("ge", "give {} or more"),
    "greater_than": ("gt", "give more than {}"),
    "less_than_equal": ("le", "give {} or less"),
    "less_than": ("lt", "give less than {}"),
}
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text"}


def _in_words(mistake: ErrorDetails, kind: str) -> str:
    """A mistake as one sentence that says what to give instead."""
    where = ".".join(str(part) for part in mistake["loc"])
    why, value, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    if why in _LIMITS:
        name, give = _LIMITS[why]
        return f"{where} is {value}: {give.format(context[name])}."
    if why == "literal_error":
        return f"{where} is {value!r}: give {context['expected']}."
    if why == "missing":
        return f"the {kind} has no {where}: give it."
    wanted = _KINDS.get(why.partition("_")[0])
    if wanted and where:
        return f"{where} is {value!r}: give {wanted}."
    what = mistake["msg"].removeprefix("Value error, ")
    return f"the {kind} is not valid{f' at {where}' if where else ''}: {what}."
